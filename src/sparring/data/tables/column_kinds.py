"""What kind each column of a table is, found out from its cells or as it was asked for, and told with the reason."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sparring.data.tables import dates
from sparring.data.tables.cells import Cells, Written
from sparring.data.tables.modes import modes
from sparring.data.tables.odd_cells import (
    MOSTLY,
    refuse_endless,
    refuse_mixed_dates,
    refuse_odd,
    refuse_odd_amounts,
    refuse_odd_dates,
    refuse_two_ways,
    rows_with,
    spot,
)
from sparring.data.tables.scratch import array
from sparring.errors import InputError, did_you_mean, listed, shown
from sparring.spaces.columns import Category, Column, Constant, Number

ASKED = ("number", "integer", "category", "date", "skip")
MISSING = frozenset({"", "na", "n/a", "nan", "nat", "null", "none", "?", "-", "--", "#n/a", "missing", "<na>"})
LONGEST = max(map(len, MISSING))
LETTERS = frozenset(letter for word in MISSING if word[1:].isalpha() or len(word) > 2 for letter in (word[0], word[0].upper()))
UNIT = "$€£¥₹%"
SIGNS = re.compile(rf"([{UNIT}]\s?)?[^{UNIT}]*?(\s?[{UNIT}])?")
OWN = 255               # values of a category with a place of their own; the rest share one
FEW = 20                # different numbers at most, that are taken for categories
EACH = 10               # rows at least for each of them, on average
NAMES = 0.9             # different values, of all: then text names rows
EXACT = 14              # digits of a number that always come back
LONG = 4                # words a cell, from which on different ones are free text
TRIED = 20_000          # different cells, about, of which is seen whether they come back as they went in
TRUTH = ({"yes", "no"}, {"true", "false"}, {"y", "n"}, {"t", "f"}, {"0", "1"}, {"on", "off"})
POINT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
COMMA = re.compile(r"[+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?")
GROUPED = {",": re.compile(r"[+-]?\d{1,3}(,\d{3})*(\.\d*)?"), ".": re.compile(r"[+-]?\d{1,3}(\.\d{3})*(,\d*)?")}
CODE = re.compile(r"[+-]?0\d+")          # a number with a zero before it is a code, such as 00501
KEY = re.compile(r"(.*[_\s-])?(id|uuid|guid|key|index|row)", re.IGNORECASE)

SIGNED = re.compile(rf"[+-]?([{UNIT}]\s?)?[+-]?[\d.,]+(\s?[{UNIT}])?")

Floats = NDArray[np.float64]


class Found(NamedTuple):
    """A column: None where it is left out; its cells, float64[N]; and what is told of it."""

    column: Column | None
    cells: Floats
    kind: str
    why: str
    odd: str = ""


class Way(NamedTuple):
    """How numbers are written: what stands before decimals and between thousands."""

    mark: str
    group: str

    def values(self, cells: Sequence[str]) -> Floats:
        """float64[N] of cells that are numbers written in this way."""
        if self.group:
            cells = [cell.replace(self.group, "") for cell in cells]
        if self.mark != ".":
            cells = [cell.replace(self.mark, ".") for cell in cells]
        return np.fromiter(map(float, cells), np.float64, len(cells))


def find(table: Cells, asked: Mapping[str, str], train: NDArray[np.bool_]) -> list[Found]:
    """Every column of the table; counts and modes are those of the rows in `train`.  InputError for a column that there is not."""
    names = table.names
    for name, kind in asked.items():
        if name not in names:
            raise InputError(f"{table.what} has no column {shown(name)!r}.{did_you_mean(name, names)} Columns: {listed(names, 20)}.")
        if kind.partition(":")[0] not in ASKED:
            raise InputError(f"--column {shown(f'{name}={kind}')}: there is no such kind.{did_you_mean(kind, ASKED)} Kinds: {listed(ASKED)}"
                             " (number:, has decimal commas, date:%d/%m/%Y has a format).")
    rows = array((len(names), len(table.lines)), np.float64)
    found = []
    for name, column, row in zip(names, table.columns, rows, strict=True):
        one = of(table, column, asked.get(name, ""), train)
        row[:] = one.cells
        found.append(one._replace(cells=row))
    return found


def of(table: Cells, column: Written, asked: str, train: NDArray[np.bool_]) -> Found:
    """One column."""
    kind, _, how = asked.partition(":")
    nothing = np.zeros(len(column.codes))
    if kind == "skip":
        return Found(None, nothing, "left out", "as asked for")
    stripped = [value.strip() for value in column.values]
    there = [k for k, gone in enumerate(missing_in(stripped)) if not gone]
    if len(column.values) == 1 or (not there and kind != "category"):
        common = column.values[int(np.bincount(column.codes).argmax())]
        why = "every cell is missing" if not there else f"every row says {shown(common)}"
        return Found(Constant(column.name, common, column.dtype), nothing, "constant", why)
    real = [stripped[k] for k in there]
    before, after = around(real) if real else ("", "")
    bare = [without(value, before, after) for value in stripped] if before or after else stripped
    if kind in ("number", "integer"):
        return signed(number(table, column, bare, there, way_as_asked(table, column, bare, there, how), train, f"as asked for: {kind}",
                             whole=kind == "integer"), before, after)
    if kind == "category":
        return category(column, stripped, train, "as asked for")
    if kind == "date":
        form = how or dates.which(column.name, dates.formats(real) or refuse_dates(table, column))
        return date(table, column, stripped, there, form, train)
    way = way_of(table, column, bare, there)
    if way is not None:
        return signed(numbers(table, column, bare, there, way, train), before, after)
    if forms := dates.formats(real):
        return date(table, column, stripped, there, dates.which(column.name, forms), train)
    return words(table, column, stripped, there, train)


def around(cells: Sequence[str]) -> tuple[str, str]:
    """What stands before and after the number in every cell, such as $ or %, after the minus where there is one; nothing where cells
    differ in it."""
    sizes = [cell.removeprefix("-") for cell in cells]
    found = SIGNS.fullmatch(sizes[0])
    before, after = (found[1] or "", found[2] or "") if found else ("", "")
    if not before and not after:
        return "", ""
    same = all(size.startswith(before) and size.endswith(after) and len(size) > len(before) + len(after) and
               not (before and size[len(before)] == "-") for size in sizes)
    return (before, after) if same else ("", "")


def sign_of(cell: str) -> tuple[str, str]:
    """What stands around the number in one cell; nothing where it is no amount."""
    return around([cell]) if any(sign in cell for sign in UNIT) and SIGNED.fullmatch(cell) else ("", "")


def without(cell: str, before: str, after: str) -> str:
    """A cell without what stands around its number."""
    minus = "-" * cell.startswith("-")
    return minus + cell.removeprefix("-").removeprefix(before).removesuffix(after)


def signed(found: Found, before: str, after: str) -> Found:
    """A column of numbers with what stands before and after each."""
    if not isinstance(found.column, Number) or not (before or after):
        return found
    return found._replace(column=replace(found.column, before=before, after=after), why=f"{found.why}; each is written {before}...{after}")


# -- words ------------------------------------------------------------------------------------------------------------
def words(table: Cells, column: Written, stripped: list[str], there: list[int], train: NDArray[np.bool_]) -> Found:
    """Text that is no number and no date: categories, or what names rows, or free text, which are left out."""
    n, keep = len(column.codes), f"--column '{shown(column.name)}=category' keeps it"
    real = [stripped[k] for k in there]
    refuse_mixed_dates(table, column, stripped, there)
    refuse_odd_dates(table, column, stripped, there)
    refuse_odd_amounts(table, column, stripped, there, [sign_of(value) for value in real])
    if all(dates.offset_in(value) and ":" in value for value in real):
        keep = f"write these times with one offset from UTC, or {keep}"
    amounts = sum(any(sign in value for sign in UNIT) and SIGNED.fullmatch(value) is not None for value in real) > MOSTLY * len(real)
    if amounts:
        keep = f"write these amounts in one way, or {keep}"
    if len(real) > NAMES * n and n >= FEW:
        if np.mean([len(value.split()) for value in real[:1000]]) >= LONG:
            return Found(None, np.zeros(n), "left out", f"free text: nearly every row says something else; {keep}")
        return Found(None, np.zeros(n), "left out", f"an identifier: {len(real):,} different values in {n:,} rows; {keep}")
    if len(real) > n / 2 and n >= FEW and np.mean([len(value.split()) for value in real[:1000]]) >= 2 * LONG:
        return Found(None, np.zeros(n), "left out", f"free text: cells have many words; {keep}")
    why = "two values" if {value.lower() for value in real} in TRUTH else f"{len(real):,} different values that are no numbers"
    why += ", but amounts that are written in several ways: write them in one way, and they are learned as numbers" if amounts else ""
    return category(column, stripped, train, why, "yes/no" if why == "two values" else "category")


def category(column: Written, stripped: list[str], train: NDArray[np.bool_], why: str, kind: str = "category") -> Found:
    """Values by how many training rows have them, then by their spelling."""
    counts = np.bincount(column.codes[train], minlength=len(column.values))
    order = sorted(range(len(counts)), key=lambda k: (-counts[k], column.values[k]))
    place = np.empty(len(order))
    place[order] = np.arange(len(order))
    gone = tuple(column.values[k] for k in order if missing(stripped[k]))
    plain = all(POINT.fullmatch(value) and not CODE.fullmatch(value) for value in stripped if not missing(value))
    found = Category(column.name, tuple(column.values[k] for k in order), tuple(int(counts[k]) for k in order), min(len(order), OWN), plain,
                     gone, column.dtype, column.levels, column.ordered)
    if len(order) > OWN:
        why += f"; the {OWN} most frequent have a place of their own, and {len(order) - OWN:,} share one"
    return Found(found, place[column.codes], kind, why + told_missing(column, stripped))


def missing(cell: str) -> bool:
    """Whether a cell, without blanks around it, says that nothing is known."""
    return len(cell) <= LONGEST and cell.lower() in MISSING


def missing_in(cells: Sequence[str]) -> list[bool]:
    """The same of many cells, of which most begin with none of these words' letters."""
    return [cell in MISSING or (cell[:1] in LETTERS and missing(cell)) for cell in cells]


def told_missing(column: Written, stripped: list[str]) -> str:
    gone = np.array(missing_in(stripped))
    share = gone[column.codes].mean()
    return f"; {share:.1%} are missing" if share else ""


# -- numbers ----------------------------------------------------------------------------------------------------------
def way_as_asked(table: Cells, column: Written, stripped: list[str], there: list[int], how: str) -> Way:
    """How numbers are written where the column is said to hold them; InputError for cells that are none."""
    if how not in ("", ".", ","):
        raise InputError(f"--column {shown(column.name)}=number:{shown(how)}: expected number:. or number:, which say what stands before "
                         "decimals.")
    if not how:
        way = way_of(table, column, stripped, there, sure=True)
        assert way is not None
        return way
    group = "," if how == "." else "."
    plain = POINT if how == "." else COMMA
    grouped = not all(plain.fullmatch(stripped[k]) for k in there)
    refuse_odd(table, column, [k for k in there if not (GROUPED[group] if grouped else plain).fullmatch(stripped[k])], stripped)
    return Way(how, group if grouped else "")


def way_of(table: Cells, column: Written, stripped: list[str], there: list[int], *, sure: bool = False) -> Way | None:
    """How the column's numbers are written; None where it holds words, or codes such as 00501.

    InputError for a column of numbers but for a few cells, for infinities, and where it is open what a mark means.
    """
    cells = Joined([stripped[k] for k in there])
    if not sure and cells.any(CODE):
        return None
    ways = {Way(".", ""): POINT, Way(",", ""): COMMA, Way(".", ","): GROUPED[","], Way(",", "."): GROUPED["."]}
    good = [way for way, pattern in ways.items() if cells.all(pattern)]
    if good:
        marked = {mark for mark in ",." if mark in cells.text}
        open_ = len(good) > 1 and (marked == {","} or (marked == {"."} and table.semicolons and Way(",", ".") in good))
        if open_ and {way.mark for way in good} == {".", ","}:
            example = next(stripped[k] for k in there if marked & set(stripped[k]))
            raise InputError(f"{table.what}: column {shown(column.name)} has numbers such as {example}, in which the mark may stand before "
                             f"decimals or between thousands. Say what stands before decimals: --column '{shown(column.name)}=number:,' or "
                             f"--column '{shown(column.name)}=number:.'.")
        return good[0]
    fits = [[k for k in there if not pattern.fullmatch(stripped[k])] for pattern in ways.values()]
    odd = min(fits, key=lambda some: rows_with(column, some))
    refuse_endless(table, column, stripped)
    if sure or rows_with(column, odd) <= (1 - MOSTLY) * rows_with(column, there):
        refuse_odd(table, column, odd, stripped)
    refuse_two_ways(table, column, stripped, there, list(ways.values()))
    return None


class Joined:
    """Cells as one text, in which a pattern is looked for at once: a hundred times as fast as cell by cell."""

    def __init__(self, cells: list[str]) -> None:
        self.cells, self.text = cells, "\n".join(cells)
        self.lines = self.text.count("\n") == len(cells) - 1            # no cell has a line break itself

    def all(self, pattern: re.Pattern[str]) -> bool:
        """Whether every cell is such, from end to end."""
        if not self.lines:
            return all(pattern.fullmatch(cell) for cell in self.cells)
        return not re.search(f"^(?!(?:{pattern.pattern})$)", self.text, re.MULTILINE | pattern.flags)

    def any(self, pattern: re.Pattern[str]) -> bool:
        if not self.lines:
            return any(pattern.fullmatch(cell) for cell in self.cells)
        return bool(re.search(f"^(?:{pattern.pattern})$", self.text, re.MULTILINE | pattern.flags))


def numbers(table: Cells, column: Written, stripped: list[str], there: list[int], way: Way, train: NDArray[np.bool_]) -> Found:
    """A column of numbers: categories where they are few, left out where they name rows."""
    n = len(column.codes)
    values = way.values([stripped[k] for k in there])
    if not np.isfinite(values).all():
        odd = [k for k, value in zip(there, values, strict=True) if not np.isfinite(value)]
        raise InputError(f"{spot(table, column, odd)} has a number that is too large. Mend it.")
    whole = bool((values == np.round(values)).all())
    if len(there) == n and n >= FEW and whole and (KEY.fullmatch(column.name) or np.all(np.diff(values) == 1)):
        return Found(None, np.zeros(n), "left out", "an identifier: a whole number of its own in every row; "
                     f"--column '{shown(column.name)}=integer' keeps it")
    if len(there) <= FEW and n >= EACH * len(there):
        kind = "yes/no" if {stripped[k] for k in there} == {"0", "1"} else "category"
        return category(column, stripped, train, f"only {len(there)} different numbers", kind)
    return number(table, column, stripped, there, way, train, f"{len(there):,} different numbers")


def number(table: Cells, column: Written, stripped: list[str], there: list[int], way: Way, train: NDArray[np.bool_], why: str,
           *, whole: bool = False) -> Found:
    """The modes of a column, how its numbers are written, and whether they come back as they went in."""
    values, texts = np.full(len(column.values), np.nan), [stripped[k] for k in there]
    values[there] = way.values(texts)
    if whole and (odd := [k for k in there if values[k] != round(values[k])]):
        raise InputError(f"{spot(table, column, odd)} says {shown(stripped[odd[0]])}, and was said to hold "
                         f"whole numbers. Give --column '{shown(column.name)}=number'.")
    together = "\n".join(texts)
    after = [len(text) - at - 1 if (at := text.find(way.mark)) >= 0 else 0 for text in texts] if way.mark in together else [0]
    digits = max(map(significant, texts)) if "e" in together or "E" in together else 0
    known = values[there]
    rounds = bool(max(after)) and not digits and bool((known == known.round()).all())          # as 19.0, which pandas writes beside gaps
    found = finish(column, values, train, decimals=(min(min(after), 20), min(max(after), 20)), digits=digits, mark=way.mark,
                   group=way.group, whole=rounds)
    kind = "number" if (max(after) and not rounds) or digits else "whole number"
    return Found(found, values[column.codes], kind, why + told_missing(column, stripped), kept(column, found, texts, values[there]))


def as_near(text: str, other: str) -> bool:
    """Whether two spellings differ in the sign of zero, or in no more than the last of more digits than computing keeps."""
    try:
        a, b = float(text), float(other)
    except ValueError:
        return False
    return text.removeprefix("-") == other or (max(significant(text), significant(other)) > EXACT and math.isclose(a, b, rel_tol=1e-9))


def significant(text: str) -> int:
    return min(17, max(1, len(re.sub(r"\D", "", text.lower().split("e")[0]).lstrip("0"))))


def finish(column: Written, values: Floats, train: NDArray[np.bool_], decimals: tuple[int, int] = (0, 0), digits: int = 0,
           mark: str = ".", group: str = "", form: str = "", unit: str = "", whole: bool = False) -> Number:
    """A column of numbers, with the modes of its training rows."""
    cells = values[column.codes]
    known, every = cells[train & ~np.isnan(cells)], cells[~np.isnan(cells)]
    gone = np.bincount(column.codes, minlength=len(values)) * np.isnan(values)
    missing = column.values[int(gone.argmax())] if gone.any() else None
    low, high = float(every.min()), float(every.max())
    return Number(column.name, *modes(known if len(known) else every, every), low, high, decimals, digits, missing, mark, group, form, unit,
                  column.dtype, whole=whole)


def kept(column: Written, found: Number, texts: list[str], values: Floats) -> str:
    """What is told where cells do not come back as they went in; empty where all do.  Of many different ones, some are looked at."""
    apart = -(-len(texts) // TRIED)
    texts = texts[::apart]
    again = found.write(torch.from_numpy(values[::apart]))
    changed = [(text, other) for text, other in zip(texts, again, strict=True) if text != other and not as_near(text, other)]
    looked = "different cells" if apart == 1 else "cells that were looked at"
    said = [f"column {shown(column.name)}: {len(changed):,} of its {len(texts):,} {looked} come back otherwise, such as "
            f"{shown(changed[0][0])} as {shown(changed[0][1])}"] if changed else []
    gone = [value for value, lost in zip(column.values, missing_in([value.strip() for value in column.values]), strict=True) if lost]
    said += [f"column {shown(column.name)}: what is missing comes back as {found.missing!r}, and is written in {len(gone)} ways"] \
        if len(gone) > 1 else []
    return "; ".join(said)


# -- dates ------------------------------------------------------------------------------------------------------------
def date(table: Cells, column: Written, stripped: list[str], there: list[int], form: str, train: NDArray[np.bool_]) -> Found:
    texts = [stripped[k] for k in there]
    if odd := [k for k in there if dates.parse(stripped[k], form) is None]:
        raise InputError(f"{spot(table, column, odd)} says {shown(stripped[odd[0]])}, and dates there are "
                         f"written as {form}. Write all of them in one way, or take them for names: --column "
                         f"'{shown(column.name)}=category'.")
    values = np.full(len(column.values), np.nan)
    values[there], unit = dates.as_numbers(texts, form)
    found = finish(column, values, train, form=form, unit=unit)
    kind, why = "time" if form in dates.TIMES else "date", f"written as {form}" + told_missing(column, stripped)
    return Found(found, values[column.codes], kind, why, kept(column, found, texts, values[there]))


def refuse_dates(table: Cells, column: Written) -> list[str]:
    raise InputError(f"{table.what}: the dates in column {shown(column.name)} are in no known format, or not all in one. Say which: "
                     f"--column '{shown(column.name)}=date:%d.%m.%Y'.")
