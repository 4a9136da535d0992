"""Rules between the columns of a table, which every row keeps: comparisons, formulas, columns without doubles, patterns of text.

A rule is stated in words, which `sparring.spaces.rule_words` reads; `sparring.spaces.kept` keeps them.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sparring.spaces.columns import Category, Column, Computed, Number

COMPARED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    ">=": torch.ge, "<=": torch.le, "!=": torch.ne, "=": torch.eq, ">": torch.gt, "<": torch.lt}
COMPUTED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"+": torch.add, "-": torch.sub, "*": torch.mul, "/": torch.div}
NEGATIVE = "negative"


# -- numbers of rows --------------------------------------------------------------------------------------------------
class Quantity(NamedTuple):
    """A column as numbers: its cells times a scale, or what a table says of each value of a category; NaN where missing."""

    column: int
    scale: float = 1.0              # of dates, so that columns in other units are compared alike
    table: Tensor | None = None     # float64[values]

    def of(self, cells: Sequence[Tensor]) -> Tensor:
        x = cells[self.column]
        return x.double() * self.scale if self.table is None else self.table[x.long()]


Program = tuple[Quantity | float | str, ...]        # in postfix order: price, quantity, *


def run(program: Program, cells: Sequence[Tensor]) -> Tensor:
    """What a formula gives for cells of each column, float64[N]; infinite or NaN where it divides by zero or a cell is missing."""
    stack: list[Tensor] = []
    for step in program:
        match step:
            case Quantity():
                stack.append(step.of(cells))
            case float():
                stack.append(torch.full((len(cells[0]),), step, dtype=torch.float64))
            case "negative":
                stack.append(-stack.pop())
            case _:
                right = stack.pop()
                stack.append(COMPUTED[step](stack.pop(), right))
    return stack.pop()


def columns_in(program: Program) -> tuple[int, ...]:
    return tuple(dict.fromkeys(step.column for step in program if isinstance(step, Quantity)))


def lacking(program: Program, cells: Sequence[Tensor]) -> Tensor:
    """Whether a cell that a formula needs is missing, bool[N]."""
    gone = torch.zeros(len(cells[0]), dtype=torch.bool)
    for step in program:
        if isinstance(step, Quantity):
            gone |= step.of(cells).isnan()
    return gone


# -- kinds of rules ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Comparison:
    """left `sign` right; it holds where a cell is missing."""

    text: str
    sign: str
    left: Program
    right: Program

    @property
    def columns(self) -> tuple[int, ...]:
        return columns_in(self.left + self.right)

    def holds(self, cells: Sequence[Tensor]) -> Tensor:
        return COMPARED[self.sign](run(self.left, cells), run(self.right, cells)) | lacking(self.left + self.right, cells)


@dataclass(frozen=True)
class Formula:
    """A column that is computed from others, and missing where one of these is."""

    text: str
    target: int
    program: Program

    @property
    def columns(self) -> tuple[int, ...]:
        return (self.target, *columns_in(self.program))

    def holds(self, cells: Sequence[Tensor]) -> Tensor:
        """Where it could be computed; a row for which it divides by zero is none."""
        return ~cells[self.target].isnan() | lacking(self.program, cells)


@dataclass(frozen=True)
class Unique:
    """No two rows have the same cells in these columns; a missing cell is like no other."""

    text: str
    columns: tuple[int, ...]
    missing: tuple[Quantity, ...]       # NaN where a cell is missing

    def keys(self, cells: Sequence[Tensor]) -> list[bytes | None]:
        """What each row must not share with another; None where it may."""
        some = torch.stack([cells[k].double() + 0.0 for k in self.columns], 1)      # -0 is 0
        gone = torch.stack([one.of(cells).isnan() for one in self.missing], 1).any(1)
        return [None if lost else row.tobytes() for row, lost in zip(some.numpy(), gone.tolist(), strict=True)]

    def most(self, columns: Sequence[Column]) -> float:
        """How many rows there can be at most."""
        return math.prod(_different(columns[k]) for k in self.columns)


def _different(column: Column) -> float:
    match column:
        case Category(_, values, _, _, _, missing):
            return math.inf if missing else len(values)
        case Number():
            endless = isinstance(column, Computed) or column.missing is not None or column.digits > 0
            count = (column.high - column.low) * 10.0 ** column.decimals[1]
            return math.inf if endless or count > 2**53 else round(count) + 1
    return 1


@dataclass(frozen=True)
class Pattern:
    """A category whose values are all of a form: those of the data were found to be, and there are no others."""

    text: str
    column: int
    pattern: str

    @property
    def columns(self) -> tuple[int, ...]:
        return (self.column,)


Rule = Comparison | Formula | Unique | Pattern
