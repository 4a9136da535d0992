"""The command `data` for tables with mixed columns: what each column is and why, what is left out, and a picture of each."""

from pathlib import Path
from typing import Any

import torch

from sparring.data.images.findings import sentence
from sparring.data.source import Finite, Source
from sparring.data.tables.mixed import TableSettings, open_table
from sparring.errors import InputError, listed, shown
from sparring.pictures.style import save_figure
from sparring.pictures.tables import marginals
from sparring.spaces import Table
from sparring.spaces.columns import Category, Column, Constant, Number

SHOWN = 10_000          # rows in the picture
SUFFIXES = (".csv", ".tsv")
LEFT = "left out"       # how reading as numbers tells of columns of words


def mixed(source: str, opened: Source | InputError) -> Finite | None:
    """The rows of a table that is no table of numbers throughout; None for one that is, and for other data.

    InputError for a table that can be read in neither way.
    """
    if Path(source).suffix.lower() not in SUFFIXES:
        return None
    if isinstance(opened, Finite) and not any(LEFT in note for note in opened.odd):
        return None
    return as_table(source)


def as_table(source: str) -> Finite:
    """All rows of a table, of whatever kinds its columns are."""
    return open_table(source, TableSettings(held_out=0))


def described(name: str, source: Finite, folder: Path) -> dict[str, Any]:
    """The table, the findings and the picture; `usable` by the recipe `table`."""
    space = source.space
    assert isinstance(space, Table)
    cells = space.decode(source.values[torch.arange(min(SHOWN, len(source)))])
    sheet = save_figure(marginals(space, None, f"{name}: {len(source):,} rows", cells), folder / "contact.png")
    notes = [note for note in source.notes if note not in source.odd and "held out" not in note]
    said = [*map(sentence, source.odd), *(line for one in space.columns for line in found(one))]
    lines = [name, f"{'rows':<17}{len(source):,}", f"{'columns':<17}{len(space.columns)}", *notes, "",
             *([f"- {line}" for line in said] or ["No problems found."]), "", f"To learn from it: sparring train table --data {name}", "",
             str(sheet)]
    return {"source": name, "kind": "table", "samples": len(source), "columns": len(space.columns), "notes": notes, "findings": said,
            "usable": True, "pictures": [str(sheet)], "text": "\n".join(lines)}


def found(column: Column) -> list[str]:
    """What is odd about a column."""
    match column:
        case Category(name, values, counts, own):
            once = [value for value, count in zip(values, counts, strict=True) if count == 1]
            said = [f"Column {shown(name)}: {len(once):,} of its {len(values):,} values are in one row each ({listed(once, 3)}), of which "
                    "little can be learned."] if len(values) > 2 and once else []
            return said + [f"Column {shown(name)}: {len(values) - own:,} values share one place."] * (len(values) > own)
        case Number(name):
            return [f"Column {shown(name)}: {len(column.spikes)} value(s) are in many rows each "
                    f"({listed([column.written(x) for x in column.spikes], 3)})."] if column.spikes else []
        case Constant(name):
            return [f"Column {shown(name)} is the same in every row."]
