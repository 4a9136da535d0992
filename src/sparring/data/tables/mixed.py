"""A table of mixed columns as a source: its rows in little memory, and batches drawn by conditions (training by sampling)."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor

from sparring.data.builtin.people import people
from sparring.data.opening import existing, refuse_format
from sparring.data.settings import open_file
from sparring.data.source import Finite, Source, orders
from sparring.data.tables.cells import Cells
from sparring.data.tables.column_kinds import Found, find
from sparring.data.tables.mixed_text import from_python, read_cells, read_parquet_cells
from sparring.data.tables.ruled import ruled
from sparring.data.tables.scratch import array
from sparring.errors import InputError, listed, reason, shown
from sparring.rng import generator
from sparring.spaces import Table

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")
KINDS = "a .csv, .tsv or .parquet file, with a row of names first"
BATCH = 500             # rows, where there are as many
LEAST = 2               # rows that are held out, where any are
LINES = 40              # columns that are told one by one
AT_ONCE = 1 << 16       # rows that are put into network units together


class TableSettings(BaseModel):
    """How the columns of a table are read, and how many rows are held out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: str = Field(default="", description="The kinds of columns, where they are not as found: a JSON file, or JSON, of names and "
                         "number, integer, category, date or skip, such as {\"age\": \"integer\"}; --column NAME=KIND on the command line.")
    held_out: float = Field(default=0.2, ge=0, le=0.9, description="Share of the rows that training never sees.")

    rules: str = Field(default="", description="What every row keeps, a rule or a JSON list of rules, such as [\"age >= 18\", \"total = "
                       "price * quantity\"]; --rule on the command line, as often as needed.")

    @field_validator("columns", "rules", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return json.dumps(value, sort_keys=True) if isinstance(value, Mapping | list | tuple) else value

    def kinds(self) -> dict[str, str]:
        """The kinds that were asked for, by column.  InputError for a file or a text that does not say any."""
        if not self.columns.strip():
            return {}
        inline = self.columns.lstrip().startswith("{")
        what = "columns" if inline else shown(self.columns)
        try:
            with nullcontext() if inline else open_file(existing(self.columns, "a JSON file")) as file:
                found = json.loads(self.columns if file is None else file.read(1 << 20).decode())
        except (ValueError, RecursionError) as error:
            raise InputError(f"{what} is not JSON ({reason(error)}). Give names and kinds, such as {{\"age\": \"integer\"}}.") from None
        if not isinstance(found, dict) or not all(isinstance(kind, str) for kind in found.values()):
            raise InputError(f"{what} does not hold names and kinds. Give such as {{\"age\": \"integer\"}}.")
        return found


    def stated(self) -> tuple[str, ...]:
        """The rules that were given.  InputError for a list that is none."""
        text = self.rules.strip()
        if not text.startswith("["):
            return (text,) if text else ()
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"rules is not JSON ({reason(error)}). Give a list such as [\"age >= 18\", \"end >= start\"].") from None
        if not isinstance(found, list) or not all(isinstance(rule, str) for rule in found):
            raise InputError("rules should be a list of text, such as [\"age >= 18\", \"end >= start\"].")
        return tuple(rule.strip() for rule in found)


class TableRows:
    """The rows as `Table.compact` makes them, an int32 for each place and a float32 for each number; in network units when asked for."""

    dtype = torch.float32

    def __init__(self, space: Table, places: Tensor, numbers: Tensor, *, asked: bool = True) -> None:
        self.space, self.places, self.numbers = space, places, numbers
        self.shape = (len(places), *space.shape)
        self.known = ByCondition(places, space) if space.conditions and asked else None

    def __getitem__(self, rows: Tensor) -> Tensor:
        return self.space.spread(self.places[rows], self.numbers[rows])

    def ahead(self, workers: int) -> AbstractContextManager[Callable[[Tensor], Tensor]]:
        return nullcontext(self.__getitem__)

    def digest(self) -> bytes:
        found = hashlib.sha256()
        for part in (self.places, self.numbers):
            if part.numel():                                    # a table may have no numbers, and no view casts nothing
                found.update(part.numpy().data.cast("B"))
        return found.digest()

    def chosen(self, size: int, seed: int, start: int) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Rows and conditions of batches start, start + 1, ...; every row once an epoch where there is nothing to ask for."""
        if self.known is None:
            yield from ((index, None) for index in orders(self.shape[0], size, seed, start))
            return
        while True:
            yield self.known.draw(size, generator(seed, "condition", start))
            start += 1


class ByCondition:
    """Training by sampling (Xu et al., 2019, section 4.3): a column at random, a value of it by the square root of its frequency, and a
    row that has it.  The paper has the logarithm.  A condition is a place of a column of categories; they are counted through over all
    these columns."""

    def __init__(self, places: Tensor, space: Table) -> None:
        orders = torch.from_numpy(array((len(space.conditions), len(places)), np.int32))
        counts, mass = [], []
        for order, block in zip(orders, space.conditions, strict=True):
            order[:] = places[:, block].argsort(stable=True)
            count = torch.bincount(places[:, block], minlength=space.blocks[block])
            weight = count.double().sqrt()
            counts.append(count)
            mass.append(weight / weight.sum())
        self.order, self.count = orders.view(-1), torch.cat(counts)
        self.start = self.count.cumsum(0) - self.count              # the orders of the columns lie one after the other
        self.upper = torch.cat(mass).cumsum(0)

    def draw(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rows, int64[n], and the conditions that they fulfil, int64[n]."""
        first, second = torch.rand(2, n, generator=rng, dtype=torch.float64)
        condition = torch.searchsorted(self.upper, first * self.upper[-1], right=True).clamp(max=len(self.upper) - 1)
        at = self.start[condition] + (second * self.count[condition]).long()
        return self.order[at].long(), condition


def open_rows(data: Any, settings: TableSettings) -> Finite:
    """The same table, whose batches are rows as frequent as they are, without conditions."""
    return open_table(data, settings, asked=False)


def open_table(data: Any, settings: TableSettings, *, asked: bool = True) -> Finite:
    """A table of mixed columns: the path of a file, a data frame of pandas, a list of dicts, or "people", which is made up.

    `asked`: whether batches are drawn by conditions.  InputError for what is none.
    """
    kinds, rules = settings.kinds(), settings.stated()
    if isinstance(data, Finite) and isinstance(data.space, Table):
        if kinds or rules:
            raise InputError(f"{'columns' if kinds else 'rules'} can be given for tables that are read, and this one is used as it is. "
                             "Leave it out.")
        return data
    made_up = isinstance(data, str) and data == "people"
    cells = cells_at(data) if isinstance(data, str | Path) and not made_up else from_python(people() if made_up else data)
    n = len(cells.lines)
    if n < 2:
        raise InputError(f"{cells.what} has one row, of which nothing can be learned. Give more rows.")
    order = torch.randperm(n, generator=generator(0, "held out rows"))
    out = round(settings.held_out * n)
    kept = torch.ones(n, dtype=torch.bool)
    if LEAST <= out <= n - 2:
        kept[order[:out]] = False
    found, said = ruled(cells, find(cells, kinds, kept.numpy()), rules, kinds, kept.numpy())
    columns = tuple(one.column for one in found if one.column is not None)
    if not columns or not any(one.places for one in columns):
        why = listed([f"{shown(name)} ({one.kind}: {one.why})" for name, one in zip(cells.names, found, strict=True)])
        raise InputError(f"{cells.what} has no column to learn from: {why}.")
    space = Table(columns, rules, cells.delimiter)
    cells_found = [torch.from_numpy(one.cells) for one in found if one.column is not None]
    learned, others = (compacted(space, cells_found, part, asked) for part in (kept, ~kept))
    return Finite(space, learned, notes=(*told(cells, found, kept), *said), odd=odd_of(cells, found),
                  held_out=None if bool(kept.all()) else Finite(space, others))


def compacted(space: Table, cells: list[Tensor], part: Tensor, asked: bool) -> TableRows:
    """Those rows that are in `part`, bool[N]; a block of them at a time."""
    scalars = sum(one.scalars for one in space.columns)
    rows = int(part.sum())
    places, numbers = (torch.from_numpy(array((rows, width), kind)) for width, kind in ((len(space.blocks), np.int32),
                                                                                       (scalars, np.float32)))
    end = 0
    for begin in range(0, len(part), AT_ONCE):
        which = part[begin:begin + AT_ONCE]
        some = space.compact([column[begin:begin + AT_ONCE][which] for column in cells])
        begun, end = end, end + int(which.sum())
        places[begun:end], numbers[begun:end] = some
    return TableRows(space, places, numbers, asked=asked)


def batch_of(source: Source, pack: int = 1) -> dict[str, tuple[int, str]]:
    """A batch, with its reason, for a table that has fewer rows than one of BATCH; a multiple of `pack`."""
    count = len(source) if isinstance(source, Finite) else BATCH
    return {"batch": (max(2, pack, count // 2 // pack * pack), f"there are {count} rows")} if count < BATCH else {}


def cells_at(data: str | Path) -> Cells:
    path = existing(data, KINDS)
    if path.is_dir():
        raise InputError(f"{shown(path)} is a folder, and a table is one file. Give {KINDS}.")
    if path.suffix.lower() not in SUFFIXES:
        refuse_format(path)
    return read_parquet_cells(path) if path.suffix.lower() == ".parquet" else read_cells(path)


def told(cells: Cells, found: list[Found], kept: Tensor) -> list[str]:
    """What was found, a line a column."""
    lines = [f"{shown(name)}: {one.kind} ({one.why})" for name, one in zip(cells.names, found, strict=True)]
    lines = lines[:LINES] + ([f"and {len(lines) - LINES:,} more columns"] if len(lines) > LINES else [])
    out = len(kept) - int(kept.sum())
    return [*cells.notes, *lines, f"{out:,} rows are held out from training" if out else "no rows are held out from training"]


def odd_of(cells: Cells, found: list[Found]) -> tuple[str, ...]:
    """What is told even where nobody watches: columns that were left out, and cells that come back otherwise."""
    left = [f"{shown(name)} ({one.why})" for name, one in zip(cells.names, found, strict=True)
            if one.column is None and one.why != "as asked for"]
    said = [f"{len(left)} column(s) were left out: {'; '.join(left)}"] if left else []
    return (*cells.odd, *said, *(one.odd for one in found if one.odd))
