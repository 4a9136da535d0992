"""The command `experiment`: run them, and tell what came out, the claim, its source, ours and reference."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sparring.errors import InputError
from sparring.experiments import EXPERIMENTS, find
from sparring.experiments.cases import ANEW
from sparring.experiments.claims import FAILS, HOLDS, SHORT, SHOWN, Finding, Row, Setting
from sparring.progress import Line, duration
from sparring.report.page import Section, write_page

HEADER = ("claim", "ours", "unit", "reference", "", "source")
ON_IMAGES = ("vanishing-gradient", "stacked-mnist", "gan-vs-vae")       # these can use real images that are given


def experiment(name: str | None, every: bool, quick: bool, data: str | None, out: Path) -> dict[str, Any]:
    """One experiment or all; `code` is 1 when a claim does not hold, or when a full run is too short to show one.

    InputError for a name that does not exist.
    """
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
    page = write_page(out / ("index.html" if every else f"{chosen[0]}/index.html"), "What theory predicts, and what was measured", sections)
    states = {f"{r['experiment']}: {row['name']}": row["state"] for r in results for row in r["rows"]}
    text = "\n\n".join(texts) + f"\n\n{verdict(states)}\npage: {page}"
    failed = FAILS in states.values() or (SHORT in states.values() and not quick)
    top = results[0] if name is not None else {"experiments": results, "seconds": round(sum(r["seconds"] for r in results), 1)}
    return {**top, "page": str(page), "text": text, "code": 1 if failed else 0}


def perform(name: str, quick: bool, data: str | None, out: Path) -> tuple[dict[str, Any], Section, str]:
    """Run one experiment: its result as plain values, as a section of the page, and as text."""
    each, line, started = EXPERIMENTS[name], Line(name), time.monotonic()
    line.say(f"{name}, which checks: {each.claim}")
    out.mkdir(parents=True, exist_ok=True)
    before = (out / "cases.json").exists()
    try:
        finding: Finding = each.run(Setting(out, quick, data, line.say))
    except KeyError as error:
        if not before:
            raise
        raise InputError(f"a case in {out / 'cases.json'} lacks {error}; it was made by another version, or damaged. {ANEW}") from None
    seconds = time.monotonic() - started
    headline, told = each.headline(finding.rows), verdict({row.name: row.state for row in finding.rows})
    cells, why = [cells_of(row) for row in finding.rows], reasons(finding.rows)
    how = f"After {each.source}; {duration(seconds)}{', the quick version' if quick else ''}."
    facts = (headline, told, f"The claim: {each.claim}", how)
    section = Section(name, (*facts, *why), HEADER, cells, finding.pictures)
    result = {"experiment": name, "claim": each.claim, "headline": headline, "seconds": round(seconds, 1), "quick": quick,
              "rows": [{**row._asdict(), "state": row.state} for row in finding.rows],
              "pictures": [str(path) for path, _ in finding.pictures]}
    text = "\n".join([f"{name}: {headline}", told, f"The claim: {each.claim}", each.source, "", table([HEADER, *cells]), *why,
                      f"{duration(seconds)}; pictures: " + ", ".join(str(path) for path, _ in finding.pictures)])
    return result, section, text


def verdict(states: dict[str, str]) -> str:
    """How many claims hold, by name and state: all of them is said only when every one was shown."""
    counted = [state for state in states.values() if state != SHOWN]
    if not counted:
        return "No claim was checked."
    if all(state == HOLDS for state in counted):
        return "Every claim holds."
    short, failed = counted.count(SHORT), [name for name, state in states.items() if state == FAILS]
    holding = f"{counted.count(HOLDS)} of {len(counted)} claims hold"
    unshown = f"; {short} {'was' if short == 1 else 'were'} too short to show" if short else ""
    return f"{holding}{unshown}." + (" These claims do not hold:\n  " + "\n  ".join(failed) if failed else "")


def reasons(rows: Sequence[Row]) -> list[str]:
    """Why claims could not be shown, each reason once, with how many claims it is about."""
    counts = {why: sum(row.short == why for row in rows) for why in dict.fromkeys(row.short for row in rows if row.short)}
    return [f"Too short to show {count} of these claims: {why}." for why, count in counts.items()]


def cells_of(row: Row) -> tuple[str, ...]:
    reference = "" if row.reference is None else f"{row.relation} {row.reference:.6g}"
    said = {HOLDS: "holds", FAILS: "does NOT hold", SHORT: "too short to show this", SHOWN: ""}[row.state]
    return row.name, f"{row.ours:.6g}", row.unit, reference, said, row.source


def table(rows: list[tuple[str, ...]]) -> str:
    """Columns side by side; the last, which is long, as it comes."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    return "\n".join("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip() for row in rows)
