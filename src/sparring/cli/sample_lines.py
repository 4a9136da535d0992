"""The command `sample` for text: lines on the screen, or into a file."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from sparring.api import Model
from sparring.errors import InputError, shown
from sparring.runs.folder import write_atomic


def sample_lines(model: Model, n: int, seed: int, out: str, temperature: float | None, prefix: str) -> dict[str, Any]:
    """Draw n lines; without a file to write to ("" for `out`), they are what is printed."""
    path, form = Path(out), Path(out).suffix.lower()
    if out and form not in (".txt", ".csv", ".json"):
        raise InputError(f"'{shown(form)}' is not a format for lines of text. Give --out FILE.txt, FILE.csv or FILE.json, or leave it "
                         "out to see them.")
    lines = model.sample(n, seed=seed, temperature=temperature, prefix=prefix)
    found: dict[str, Any] = {"n": n, "seed": seed, "lines": lines, "text": "\n".join(lines)}
    if not out:
        return found
    again = path.is_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, written(lines, form))
    except OSError as error:
        raise InputError(f"{shown(out)} cannot be written: {error.strerror or error}. Give another --out.") from None
    return found | {"out": str(path), "text": f"{n:,} lines: {shown(path)}{', which replaced that file' if again else ''}"}


def written(lines: list[str], form: str) -> str:
    """A line each; as a table with one column, called text; or as a list."""
    if form == ".json":
        return json.dumps(lines, ensure_ascii=False, indent=1) + "\n"
    if form == ".csv":
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows([["text"], *([line] for line in lines)])
        return table.getvalue()
    return "".join(f"{line}\n" for line in lines)
