"""Rules between columns on reading a table: whether its rows keep them, and what is learned where a rule is kept by construction."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.data.tables.cells import Cells
from sparring.data.tables.column_kinds import Found, of
from sparring.data.tables.modes import modes
from sparring.errors import InputError, reason, shown
from sparring.spaces.columns import Category, Column, Computed, Constant, Later, Number
from sparring.spaces.rule_words import read
from sparring.spaces.rules import Comparison, Formula, Pattern, Quantity, Rule, Unique, lacking, run

SECONDS = 10            # that a pattern may take for the values of a column
FITS = """import json, re, sys
pattern, values = json.load(sys.stdin)
fits = re.compile(pattern).fullmatch
json.dump([k for k, value in enumerate(values) if not fits(value)], sys.stdout)"""
SMALL = 1e-9            # of half of the last decimal: what computing with 64 bits may be off


class Ruled(NamedTuple):
    """The columns as they are found where there are rules, and what is told of each rule."""

    found: list[Found]
    notes: list[str]


def ruled(cells: Cells, found: list[Found], texts: Sequence[str], asked: Mapping[str, str], train: NDArray[np.bool_]) -> Ruled:
    """Check the rules on every row.  InputError, with the lines of rows that break one, and for what is no rule."""
    if not texts:
        return Ruled(found, [])
    left_out = {name: one.why for name, one in zip(cells.names, found, strict=True) if one.column is None}
    at = [k for k, one in enumerate(found) if one.column is not None]
    rules = read(columns_of(found), texts, left_out)
    again = list(found)
    for rule in rules:
        if isinstance(rule, Formula):
            k = at[rule.target]
            again[k] = computed(cells, k, found[k], rule, asked, train)
    columns = columns_of(again)
    values = [torch.from_numpy(one.cells) for one in again if one.column is not None]
    rules = read(columns, texts, left_out)
    for rule in rules:
        refuse_broken(cells, columns, values, rule)
    said = list[str]()
    for rule in rules:
        pair = ordered(columns, rule) if isinstance(rule, Comparison) else None
        if pair is not None:
            low, high = pair
            gap = later(columns, values, low, high, train)
            columns = (*columns[:high], gap, *columns[high + 1:])
            again[at[high]] = again[at[high]]._replace(column=gap)
        said.append(f"rule {shown(rule.text)}: {how(columns, rule, pair)}")
    return Ruled(again, said)


def columns_of(found: list[Found]) -> tuple[Column, ...]:
    return tuple(one.column for one in found if one.column is not None)


def how(columns: Sequence[Column], rule: Rule, pair: tuple[int, int] | None) -> str:
    """How a rule is kept."""
    match rule:
        case Formula():
            return f"kept by construction: {shown(columns[rule.target].name)} is computed, and not learned"
        case Pattern():
            return "kept by construction: every value of the data fits, and rows have no others"
        case Unique():
            return "a drawn row like an earlier one is left out"
    if pair is not None:
        return f"kept by construction: the difference of {shown(columns[pair[1]].name)} and {shown(columns[pair[0]].name)} is learned"
    if bounded(columns, rule):
        return "kept by construction: rows have the values of the data, or stay within their bounds"
    return "drawn rows that break it are left out"


def bounded(columns: Sequence[Column], rule: Comparison) -> bool:
    """Whether no value that a row may have can break a comparison of a column with a value."""
    if len(rule.columns) != 1 or len(rule.left) != 1 or len(rule.right) != 1:
        return False
    column = columns[rule.columns[0]]
    if isinstance(column, Computed):
        return False
    if isinstance(column, Number):
        if rule.sign in ("=", "!=") and column.low != column.high:
            return False
        ends = torch.tensor([column.low, column.high], dtype=torch.float64)
    else:
        ends = torch.arange(len(column.values) if isinstance(column, Category) else 1)
    cells = [torch.zeros(len(ends))] * rule.columns[0] + [ends]
    return bool(rule.holds(cells).all())


# -- formulas ---------------------------------------------------------------------------------------------------------
def computed(cells: Cells, k: int, found: Found, rule: Formula, asked: Mapping[str, str], train: NDArray[np.bool_]) -> Found:
    """A column that a formula computes, as numbers even where they are few.  InputError where it was said to hold something else."""
    column = cells.columns[k]
    kind = asked.get(column.name, "")
    if not isinstance(found.column, Number):
        if kind.partition(":")[0] not in ("", "number", "integer"):
            raise InputError(f"--rule '{shown(rule.text)}': {shown(column.name)} is computed, and --column "
                             f"{shown(column.name)}={shown(kind)} says that it holds no numbers. Leave one of the two out.")
        found = of(cells, column, kind or "number", train)
    assert isinstance(found.column, Number)
    plain = {one.name: getattr(found.column, one.name) for one in fields(Number)}
    nothing = dict.fromkeys(("weights", "means", "deviations", "scales", "spikes"), ())
    missing = found.column.missing or ""                        # where a cell that it needs is missing
    return found._replace(column=Computed(**{**plain, **nothing, "missing": missing}), kind="computed",
                          why=f"by the rule {shown(rule.text)}")


def agrees(column: Number, rule: Formula, cells: Sequence[Tensor]) -> Tensor:
    """Whether cells say what the formula gives, within half of the last decimal that is written; where any is missing, they do."""
    assert isinstance(column, Computed)
    x, given = run(rule.program, cells), cells[rule.target]
    gone = given.isnan() | lacking(rule.program, cells)
    room = column.unit_of(given) / 2 * (1 + SMALL) + 1e-12 * x.abs()
    return gone | ((x - given).abs() <= room)


# -- differences ------------------------------------------------------------------------------------------------------
def ordered(columns: Sequence[Column], rule: Comparison) -> tuple[int, int] | None:
    """The lower and the higher column of a rule that is kept by learning their difference; None where that is not possible: for another
    rule, where the lower one may be missing or has more decimals, or where another rule says what the higher one is."""
    sides = rule.left + rule.right
    if rule.sign[0] not in "<>" or len(sides) != 2 or not all(isinstance(side, Quantity) for side in sides):
        return None
    low, high = rule.columns if rule.sign[0] == "<" else rule.columns[::-1]
    a, b = columns[low], columns[high]
    if not isinstance(a, Number) or not isinstance(b, Number) or isinstance(b, Computed | Later):
        return None
    if a.missing is not None or a.digits or b.digits or a.decimals[1] > b.decimals[1] or \
            (bool(a.form), a.unit) != (bool(b.form), b.unit):
        return None
    names, base = {one.name: k for k, one in enumerate(columns)}, low
    while isinstance(one := columns[base], Later):              # not from one that is itself found from the higher one
        base = names[one.base]
        if base == high:
            return None
    return low, high


def later(columns: Sequence[Column], values: Sequence[Tensor], low: int, high: int, train: NDArray[np.bool_]) -> Later:
    """The higher column, with the modes of the difference."""
    column = columns[high]
    assert isinstance(column, Number)
    gap = column.rounded(values[high] - values[low]).numpy()
    known, every = gap[train & ~np.isnan(gap)], gap[~np.isnan(gap)]
    found = modes(known if len(known) else every, every)
    plain = {one.name: getattr(column, one.name) for one in fields(Number)} | found._asdict()
    return Later(**plain, base=columns[low].name, least=float(every.min()), most=float(every.max()))


# -- rows that break a rule -------------------------------------------------------------------------------------------
def refuse_broken(cells: Cells, columns: Sequence[Column], values: Sequence[Tensor], rule: Rule) -> None:
    """InputError that names the rows which break a rule."""
    match rule:
        case Formula(_, target, program):
            column = columns[target]
            assert isinstance(column, Number)
            given = ~lacking(program, values)
            endless = given & ~run(program, values).isfinite()
            if endless.any():
                refuse(cells, columns, values, rule, endless, "it divides by zero there, or gives too large a number")
            broken = ~agrees(column, rule, values)
            if broken.any():
                first = broken.nonzero()[:1, 0]
                gives = run(program, [x[first] for x in values])
                refuse(cells, columns, values, rule, broken, f"the formula gives {float(gives):.10g}")
        case Comparison():
            broken = ~rule.holds(values)
        case Unique():
            keys = rule.keys(values)
            first_of: dict[bytes, int] = {}
            broken = torch.tensor([key is not None and first_of.setdefault(key, row) != row for row, key in enumerate(keys)])
            if broken.any():
                row = int(broken.nonzero()[0, 0])
                refuse(cells, columns, values, rule, broken, f"as {cells.where([first_of[keys[row] or b'']])} does")
        case Pattern():
            broken = unlike(columns[rule.column], rule)[values[rule.column].long()]
    if broken.any():
        refuse(cells, columns, values, rule, broken, "")


def refuse(cells: Cells, columns: Sequence[Column], values: Sequence[Tensor], rule: Rule, broken: Tensor, more: str) -> None:
    rows = broken.nonzero()[:, 0].tolist()
    says = ", ".join(f"{shown(columns[k].name)} {shown(repr(text) if isinstance(columns[k], Category) else text)}" for k in rule.columns
                     for text in columns[k].write(values[k][rows[:1]]))
    raise InputError(f"{cells.what}, {cells.where(rows)}: {len(rows):,} of {len(cells.lines):,} rows break the rule '{shown(rule.text)}' "
                     f"({cells.where(rows[:1])} says {says}{f'; {more}' if more else ''}). Mend these rows, or leave the rule out.")


def unlike(column: Column, rule: Pattern) -> Tensor:
    """Which values of a column do not fit the pattern from end to end, bool[values]; missing ones do.

    A pattern may take longer than anyone waits, and nothing in Python ends it: so another process tries it, for some seconds.
    """
    values = column.values if isinstance(column, Category) else (column.value,) if isinstance(column, Constant) else ()
    gone = column.missing if isinstance(column, Category) else ()
    there = [k for k, value in enumerate(values) if value not in gone]
    try:
        re.compile(rule.pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise InputError(f"--rule '{shown(rule.text)}': {shown(rule.pattern)} is no regular expression ({reason(error)}). Mend "
                         "it.") from None
    try:
        asked = json.dumps([rule.pattern, [values[k] for k in there]])
        done = subprocess.run([sys.executable or "python3", "-I", "-S", "-c", FITS], input=asked,
                              capture_output=True, text=True, timeout=SECONDS, check=True)
        odd = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise InputError(f"--rule '{shown(rule.text)}': the pattern takes more than {SECONDS} s for the values of {shown(column.name)}. "
                         "Write it without a repetition inside of another, such as (a+)+.") from None
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        raise InputError(f"--rule '{shown(rule.text)}': the pattern could not be tried ({reason(error)}). Leave the rule out.") from None
    broken = torch.zeros(len(values), dtype=torch.bool)
    broken[[there[k] for k in odd]] = True
    return broken
