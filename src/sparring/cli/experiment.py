"""The command `experiment`: run them, and tell claim, source, ours and reference."""

import time
from pathlib import Path
from typing import Any

from sparring.errors import InputError
from sparring.experiments import EXPERIMENTS, find
from sparring.experiments.cases import ANEW
from sparring.experiments.claims import Finding, Row, Setting
from sparring.progress import Line, duration
from sparring.report.page import Section, write_page

ON_IMAGES = ("vanishing-gradient", "stacked-mnist", "gan-vs-vae")       # these can use real images that are given


def experiment(name: str | None, every: bool, quick: bool, data: str | None, out: Path) -> dict[str, Any]:
    """One experiment or all; `code` is 1 when a claim does not hold.  InputError for a name that does not exist."""
    if name is None and not every:
        rows = [{"name": known, "claim": each.claim, "source": each.source} for known, each in EXPERIMENTS.items()]
        return {"experiments": rows, "text": "\n".join(f"{row['name']:<22} {row['claim']}" for row in rows) +
                "\n\nRun one: sparring experiment NAME [--quick]\nRun all: sparring experiment --all [--quick]"}
    if name is not None and every:
        raise InputError(f"give either a name ('{name}') or --all, not both.")
    chosen = list(EXPERIMENTS) if name is None else [name]
    for one in chosen:
        find(one)
    if data is not None and name is not None and name not in ON_IMAGES:
        raise InputError(f"experiment {name} makes its own data; --data is for {', '.join(ON_IMAGES)}.")
    results, sections, texts = [], [], []
    for one in chosen:
        result, section, text = perform(one, quick, data, out / one)
        results.append(result)
        sections.append(section)
        texts.append(text)
    failed = [f"{r['experiment']}: {row['name']}" for r in results for row in r["rows"] if row["holds"] is False]
    page = write_page(out / ("index.html" if every else f"{chosen[0]}/index.html"), "What theory predicts, and what was measured", sections)
    verdict = "\nEvery claim holds." if not failed else "\nThese claims do not hold:\n  " + "\n  ".join(failed)
    text = "\n\n".join(texts) + verdict + f"\npage: {page}"
    top = results[0] if name is not None else {"experiments": results, "seconds": round(sum(r["seconds"] for r in results), 1)}
    return {**top, "page": str(page), "text": text, "code": 1 if failed else 0}


def perform(name: str, quick: bool, data: str | None, out: Path) -> tuple[dict[str, Any], Section, str]:
    """Run one experiment: its result as plain values, as a section of the page, and as text."""
    each, line, started = EXPERIMENTS[name], Line(name), time.monotonic()
    line.say(f"{name}: {each.claim}")
    out.mkdir(parents=True, exist_ok=True)
    before = (out / "cases.json").exists()
    try:
        finding: Finding = each.run(Setting(out, quick, data, line.say))
    except KeyError as error:
        if not before:
            raise
        raise InputError(f"a case in {out / 'cases.json'} lacks {error}; it was made by another version, or damaged. {ANEW}") from None
    seconds = time.monotonic() - started
    cells = [cells_of(row) for row in finding.rows]
    header = ("claim", "ours", "reference", "", "source")
    section = Section(name, (each.claim, f"After {each.source}; {duration(seconds)}" + (", the quick version." if quick else ".")),
                      header, cells, finding.pictures)
    result = {"experiment": name, "seconds": round(seconds, 1), "quick": quick, "rows": [row._asdict() for row in finding.rows],
              "pictures": [str(path) for path, _ in finding.pictures]}
    text = f"{name}: {each.claim}\n{each.source}\n\n" + table([header, *cells]) + f"\n{duration(seconds)}; pictures: " + \
        ", ".join(str(path) for path, _ in finding.pictures)
    return result, section, text


def cells_of(row: Row) -> tuple[str, ...]:
    reference = "" if row.reference is None else f"{row.relation} {row.reference:.6g}"
    return row.name, f"{row.ours:.6g}", reference, {True: "holds", False: "does NOT hold", None: ""}[row.holds], row.source


def table(rows: list[tuple[str, ...]]) -> str:
    """Columns side by side; the last, which is long, as it comes."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    return "\n".join("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip() for row in rows)
