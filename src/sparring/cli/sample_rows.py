"""The command `sample` for tables: rows into a .csv, as the data spell them, or into Parquet, in memory that does not grow with their
number."""

import csv
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sparring.api import Model
from sparring.data.tables.frames import to_arrow
from sparring.data.tables.mixed_text import is_number
from sparring.errors import InputError, needs, shown
from sparring.latent.where import Drawn, in_words, parsed
from sparring.pictures.samples import draw_samples
from sparring.progress import Line
from sparring.settings import whole_count, whole_seed
from sparring.spaces import Table

FORMULA = ("=", "+", "-", "@", "\t", "\r")      # how cells begin that a spreadsheet may run as a formula
DRAWN = 10_000                                  # rows in a picture, at most


def rows(model: Model, space: Table, n: int, seed: int, out: Path, where: str | None) -> dict[str, Any]:
    """Write n rows, or draw their marginals."""
    form = out.suffix.lower()
    if form not in (".csv", ".tsv", ".parquet", ".png"):
        raise InputError(f"'{shown(form)}' is not a format for rows of a table. Give --out FILE.csv, FILE.tsv or FILE.parquet; or FILE.png "
                         "for a picture of each column.")
    n, drawn, again = whole_count(n), Drawn(model.game, space, whole_seed(seed), parsed(space, where)), out.is_file()
    if form == ".png" and n > DRAWN:
        raise InputError(f"-n {n:,} rows for a picture are more than {DRAWN:,}. Give fewer, or --out FILE.csv.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if form == ".png":
            draw_samples(space, torch.cat(list(drawn.cells(n))), out)
            formulas = 0
        else:
            delimiter = "\t" if form == ".tsv" else "," if space.delimiter == "\t" else space.delimiter
            formulas = write(n, out, drawn, Text(space, delimiter) if form != ".parquet" else Parquet(space))
    except OSError as error:
        raise InputError(f"{shown(out)} cannot be written: {error.strerror or error}. Give another --out.") from None
    said = [f"{n:,} rows: {shown(out)}{', which replaced that file' if again else ''}"]
    said += [f"{drawn.tried:,} rows were drawn for these, of which {share(drawn)} were kept" +
             in_words(drawn.rates, "; of the rules: ")] if where or drawn.rates else []
    said += [f"{formulas:,} cells begin as formulas do ({' '.join(FORMULA[:4])}), as in the data; they are written as they are. Import the "
             "file into a spreadsheet as text, so that none is run"] if formulas else []
    return {"out": str(out), "n": n, "seed": seed, "shape": [n, len(space.columns)], "drawn": drawn.tried, "rules": drawn.rates,
            "formulas": formulas, "text": "\n".join(said)}


def share(drawn: Drawn) -> str:
    """Of the rows that were drawn, those that were as asked, also where more were than are written; never 0 % where some were."""
    found = drawn.kept / max(1, drawn.tried)
    return f"{found:.1%}" if found >= 0.001 or not found else "less than 0.1%"


class Text:
    """Rows as the data spell them, cut as the file was that was learned from."""

    def __init__(self, space: Table, delimiter: str) -> None:
        self.space, self.delimiter = space, delimiter

    @contextmanager
    def opened(self, path: Path) -> Iterator[Callable[[Tensor], int]]:
        """What writes rows, and tells how many of their cells look like formulas."""
        with open(path, "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, delimiter=self.delimiter, lineterminator="\n")
            table.writerow([one.name for one in self.space.columns])

            def add(cells: Tensor) -> int:
                written = self.space.write(cells)
                table.writerows(written)
                return sum(map(formula, (cell for row in written for cell in row)))

            yield add


class Parquet:
    """Rows in the types of the data."""

    def __init__(self, space: Table) -> None:
        self.space = space
        with needs("pyarrow", "parquet", "writing Parquet"):
            import pyarrow.parquet  # noqa: F401

    @contextmanager
    def opened(self, path: Path) -> Iterator[Callable[[Tensor], int]]:
        import pyarrow.parquet as pq

        schema = to_arrow(self.space, torch.zeros(0, len(self.space.columns), dtype=torch.float64)).schema
        with pq.ParquetWriter(path, schema) as file:
            def add(cells: Tensor) -> int:
                file.write_table(to_arrow(self.space, cells))
                return 0

            yield add


def write(n: int, out: Path, drawn: Drawn, form: Text | Parquet) -> int:
    """The file in one step, so that nobody ever sees a part of it; how many cells look like formulas."""
    line, done, formulas = Line("drawing"), 0, 0
    temporary = out.with_name(f".writing-{out.name}")
    try:
        with form.opened(temporary) as add:
            for cells in drawn.cells(n):
                formulas += add(cells)
                done += len(cells)
                line.update(done, n, {})
        os.replace(temporary, out)
    finally:
        line.leave()
        temporary.unlink(missing_ok=True)
    return formulas


def formula(cell: str) -> bool:
    """Whether a spreadsheet might run it: it begins as a formula does, and is no number."""
    return cell.startswith(FORMULA) and not is_number(cell)
