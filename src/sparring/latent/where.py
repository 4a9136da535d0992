"""What rows of a table are asked to be, such as `sex=Female,age>=30`, and rows that are so.

One value of a category, the rarest that is asked for, becomes the condition of the generator (Xu et al., 2019, section 4.3); whatever else
is asked for is kept by leaving out the rows that are otherwise.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sparring.data.tables.frames import to_frame
from sparring.errors import InputError, RunFailed, did_you_mean, listed, shown
from sparring.game import Game
from sparring.latent.portions import CHUNK
from sparring.rng import generator
from sparring.spaces import Table
from sparring.spaces.columns import Category, Column, Computed, Constant, Number

TRIED = 200_000         # rows that are drawn at most for the first that fits, and as many for each that follows on average
PORTIONS = 16           # portions of latents that go through the networks together, which takes less time for each row
NUMBERS = 1 << 22       # of network units that are held together, so that rows of thousands of columns do not crowd memory
SIGNS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "<=": lambda x, y: x <= y, ">=": lambda x, y: x >= y, "!=": lambda x, y: x != y, "<": lambda x, y: x < y, ">": lambda x, y: x > y,
    "=": lambda x, y: x == y}
ORDER = re.compile("==|" + "|".join(map(re.escape, SIGNS)))
SOMETHING = re.compile(rf"[^,<>=!]+({ORDER.pattern})")          # what is perhaps a column that there is not


@dataclass(frozen=True)
class Asked:
    """One of the things that rows are asked to be: cell `sign` value."""

    column: int
    sign: str
    value: float                # the cell; NaN: missing
    among: tuple[int, ...] = ()     # of a category of numbers: the cells that lie in a range

    def holds(self, cells: Tensor) -> Tensor:
        x = cells[:, self.column]
        if self.among:
            return torch.isin(x.long(), torch.tensor(self.among))
        if math.isnan(self.value):
            return x.isnan() if self.sign == "=" else ~x.isnan()
        return SIGNS[self.sign](x, self.value) & (~x.isnan() | (self.sign == "!="))


# -- reading what is asked for ----------------------------------------------------------------------------------------
def parsed(space: Table, where: str | Mapping[str, Any] | None) -> tuple[Asked, ...]:
    """`NAME=VALUE,NAME>=VALUE`, or {name: value}; InputError for a column or a value that there is not."""
    if where is None or where == "":
        return ()
    if isinstance(where, Mapping):
        return together(space, tuple(asked(space, str(name), "=", "" if value is None else str(value)) for name, value in where.items()))
    names = [one.name for one in space.columns]
    starts, free = list[int](), 0
    for k in range(len(where)):                                 # names and values may hold commas
        if k >= free and (k == 0 or where[k - 1] == ","):
            name = begins(where[k:], names)
            if name is not None or k == 0 or SOMETHING.match(where[k:]):
                starts.append(k)
                free = k + len(name or "")
    return together(space, tuple(asked(space, *cut(part.strip(), names)) for part in pieces(where, starts) if part.strip()))


def pieces(where: str, starts: list[int]) -> list[str]:
    return [where[k:end].removesuffix(",") for k, end in zip(starts, [*starts[1:], len(where)], strict=True)]


def together(space: Table, where: tuple[Asked, ...]) -> tuple[Asked, ...]:
    """What was asked for.  InputError where no row can be all of it."""
    for k in sorted({one.column for one in where}):
        cells = candidates(space.columns[k], [one.value for one in where if one.column == k])
        rows = torch.zeros(len(cells), len(space.columns), dtype=torch.float64)
        rows[:, k] = cells
        if not torch.stack([one.holds(rows) for one in where if one.column == k]).all(0).any():
            raise InputError(f"--where: no row can be all that is asked of {shown(space.columns[k].name)}. Ask for less of it.")
    return where


def candidates(column: Column, values: Sequence[float]) -> Tensor:
    """Cells of which one fits if any does: all of a category; of numbers, those asked for, those between, and a missing one."""
    if isinstance(column, Category):
        return torch.arange(len(column.values), dtype=torch.float64)
    if isinstance(column, Constant):
        return torch.zeros(1, dtype=torch.float64)
    known = torch.tensor(sorted({*(x for x in values if not math.isnan(x)), column.low, column.high}), dtype=torch.float64)
    gone = torch.full((int(column.missing is not None),), math.nan, dtype=torch.float64)
    return torch.cat([known, (known[1:] + known[:-1]) / 2, gone])


def begins(piece: str, names: Sequence[str]) -> str | None:
    """The longest column name, followed by a sign, with which it begins."""
    fits = [name for name in names if piece.strip().startswith(name) and ORDER.match(piece.strip()[len(name):].lstrip())]
    return max(fits, key=len, default=None)


def cut(piece: str, names: Sequence[str]) -> tuple[str, str, str]:
    name = begins(piece, names)
    if name is None:
        first = ORDER.search(piece)
        given = piece[:first.start()].strip() if first else piece
        if not first:
            raise InputError(f"--where {shown(piece)}: expected NAME=VALUE, or a range such as age>=30; several with commas.")
        raise InputError(f"--where {shown(piece)}: the model has no column {shown(given)!r}.{did_you_mean(given, names)} Columns: "
                         f"{listed(names, 20)}.")
    rest = piece[len(name):].lstrip()
    sign = ORDER.match(rest)
    assert sign is not None
    return name, "=" if sign.group() == "==" else sign.group(), rest[sign.end():].strip().strip('"')


def asked(space: Table, name: str, sign: str, value: str) -> Asked:
    names = [one.name for one in space.columns]
    if name not in names:
        raise InputError(f"--where: the model has no column {shown(name)!r}.{did_you_mean(name, names)} Columns: {listed(names, 20)}.")
    column = space.columns[names.index(name)]
    if isinstance(column, Category) and column.numbers and sign not in ("=", "!="):
        return Asked(names.index(name), sign, math.nan, in_range(column, sign, value))
    return Asked(names.index(name), sign, cell_of(column, sign, value))


def in_range(column: Category, sign: str, value: str) -> tuple[int, ...]:
    """Which of the numbers that the column has lie there.  InputError where none does, or what is asked for is no number."""
    known = {k: float(one.strip()) for k, one in enumerate(column.values) if one not in column.missing}
    try:
        bound = float(value)
    except ValueError:
        raise InputError(f"--where {shown(column.name)}{sign}{shown(value)}: expected a number.") from None
    found = tuple(k for k, x in known.items() if bool(SIGNS[sign](torch.tensor(x, dtype=torch.float64), bound)))
    if not found:
        raise InputError(f"--where {shown(column.name)}{sign}{shown(value)}: the data have no such number. Values: "
                         f"{listed(sorted(column.values), 20)}.")
    return found


def cell_of(column: Column, sign: str, value: str) -> float:
    """The cell that says this.  InputError where the column has none such."""
    match column:
        case Category(name, values):
            if sign not in ("=", "!="):
                raise InputError(f"--where {shown(name)}{sign}{shown(value)}: {shown(name)} holds names, which have no order. Give "
                                 f"{shown(name)}=VALUE.")
            near = {one.strip(): k for k, one in reversed(list(enumerate(values)))}
            found = near.get(value.strip(), next((near[one.strip()] for one in column.missing if not value.strip()), None))
            if found is None:
                raise InputError(f"--where {shown(name)}={shown(value)}: the data have no such value.{did_you_mean(value, values)} Values: "
                                 f"{listed(values, 20)}.")
            return float(found)
        case Number():
            if not value and sign in ("=", "!="):
                if column.missing is None:
                    raise InputError(f"--where {shown(column.name)}{sign}: no cell of {shown(column.name)} is missing in the data, so "
                                     "none is in the rows.")
                return math.nan
            try:
                number = column.read(value)
            except ValueError:
                if value[:1] in ("<", ">") and sign == "=":
                    raise InputError(f"--where {shown(column.name)}={shown(value)}: did you mean {shown(column.name)}{value[0]}="
                                     f"{shown(value[1:])}?") from None
                kind = f"a date such as {column.written(column.low)}" if column.form else "a number"
                raise InputError(f"--where {shown(column.name)}{sign}{shown(value)}: expected {kind}.") from None
            if isinstance(column, Computed):                    # which may lie outside of the data's bounds
                return number
            if (sign == "=" and not column.low <= number <= column.high) or (sign[0] == ">" and number > column.high) or \
                    (sign[0] == "<" and number < column.low):
                raise InputError(f"--where {shown(column.name)}{sign}{shown(value)}: rows have {column.written(column.low)} to "
                                 f"{column.written(column.high)} there, as in the data.")
            return number
        case Constant(name, only):
            if (value == only.strip()) != (sign == "="):
                raise InputError(f"--where {shown(name)}{sign}{shown(value)}: every row of the data says {shown(only)}.")
            return 0.0


# -- rows that are so -------------------------------------------------------------------------------------------------
class Drawn:
    """Rows of a model that keep the rules of its table, in chunks that depend on the seed and their number alone; `tried` counts those that
    were drawn for them, and `rates` says what share of those that were as asked each rule kept, if not all."""

    def __init__(self, game: Game, space: Table, seed: int, where: tuple[Asked, ...] = ()) -> None:
        self.game, self.space, self.seed, self.where, self.tried, self.kept = game, space, seed, where, 0, 0
        self.portions = max(1, min(PORTIONS, NUMBERS // (CHUNK * space.shape[0])))
        self.size = CHUNK * self.portions
        self.condition, self.rates = condition_of(space, where), dict[str, float]()

    def cells(self, n: int) -> Iterator[Tensor]:
        """Cells, float64[at most `size`, K] at a time, until there are n rows.  RunFailed where hardly any row is as it is asked to be,
        or keeps the rules; InputError where these allow fewer rows."""
        found, k, last, sieve = 0, 0, 0, self.space.kept.sieve()
        sieve.refuse_too_many(n)
        while found < n:
            cells = self.chunk(k)
            for one in self.where:
                cells = cells[one.holds(self.as_rare(one, cells))]
            cells = sieve(cells)
            k, self.tried, self.rates = k + 1, self.tried + self.size, sieve.rates
            self.kept += len(cells)
            last = k if len(cells) else last
            yield cells[:n - found]
            found += len(cells)
            if found < n and (self.tried > TRIED * (found + 1) or (sieve.seen and (k - last) * self.size > TRIED)):
                raise RunFailed(f"{found:,} of {self.tried:,} rows were as asked for{in_words(self.rates, ' and kept the rules: ')}. Ask "
                                "for less, or train on data with more such rows.")

    def as_rare(self, asked: Asked, cells: Tensor) -> Tensor:
        """Where a rare value of a category is asked for: rows with any of the values that share its place, given this one.  What else such
        rows say was learned of these values together."""
        column = self.space.columns[asked.column]
        if isinstance(column, Category) and asked.sign == "=" and not asked.among and asked.value >= column.own:
            cells[cells[:, asked.column] >= column.own, asked.column] = asked.value
        return cells

    @torch.no_grad()
    def chunk(self, k: int) -> Tensor:
        first = k * self.portions
        z = torch.cat([self.game.prior(CHUNK, generator(self.seed, "sample", first + i)) for i in range(self.portions)])
        labels = None if self.condition is None else torch.full((self.size,), self.condition)
        made = self.game.sample(z, labels).cpu()
        if not torch.isfinite(made).all():
            raise InputError("this model's samples are NaN or infinite: its weights are finite but too large. Get the model again, or "
                             "train with a smaller learning rate.")
        return self.space.decode(made)


def in_words(rates: Mapping[str, float], before: str) -> str:
    """What share of rows each rule kept, to 99.9 % at most; nothing where all rows kept all."""
    return before + ", ".join(f"'{shown(rule)}' {min(rate, 0.999):.1%}" for rule, rate in rates.items()) if rates else ""


def condition_of(space: Table, where: Sequence[Asked]) -> int | None:
    """The condition that asks for the rarest of the values that are asked for; None where none is, or no training row was so."""
    shares, found, first = space.condition_shares, list[tuple[float, int]](), 0
    for k, one in enumerate(space.columns):
        if isinstance(one, Category):
            places = (first + min(int(wish.value), one.own) for wish in where if wish.column == k and wish.sign == "=")
            found += [(shares[place], place) for place in places]
            first += one.places
    share, condition = min(found, default=(0.0, 0))
    return condition if share > 0 else None                     # otherwise rows are left out instead


def refuse_for_rows(**given: object) -> None:
    """InputError for what other models are asked for, and rows of tables are not."""
    if names := [f"{name}={shown(value)}" for name, value in given.items() if value is not None]:
        raise InputError(f"{' and '.join(names)}: rows of a table are asked for by column only. Give where (--where NAME=VALUE).")


def framed(game: Game, space: Table, n: int, seed: int, where: str | Mapping[str, Any] | None, watch: Callable[[int, int], None]) -> Any:
    """n rows as a data frame, or a list of dicts without pandas."""
    parts, done = list[Tensor](), 0
    for cells in Drawn(game, space, seed, parsed(space, where)).cells(n):
        parts.append(cells)
        done += len(cells)
        watch(done, n)
    return to_frame(space, torch.cat(parts))
