"""Dates and times in a column: in which format all of them are, and as numbers."""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import product

import numpy as np
from numpy.typing import NDArray

from sparring.errors import InputError
from sparring.spaces.columns import EPOCH, UNITS, parsed_moment, written_moment

DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d", "%Y%m%d", "%d.%m.%y", "%d/%m/%y",
        "%m/%d/%y", "%-d/%-m/%Y", "%-m/%-d/%Y", "%-d.%-m.%Y", "%d %b %Y", "%-d %b %Y", "%d %B %Y", "%d-%b-%Y", "%b %d, %Y", "%B %d, %Y",
        "%Y-%m")
TIMES = ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
FORMATS = (*DAYS, *(f"{day}{between}{time}" for day, time, between in product(DAYS[:7], TIMES, (" ", "T"))),
           *(f"{day} {time}" for day, time in product(("%-d/%-m/%Y", "%-m/%-d/%Y"), ("%H:%M", "%-H:%M", "%-I:%M %p"))),
           *(f"{DAYS[0]}T{time}Z" for time in TIMES[:3]), *TIMES)
FIRST = 50              # different cells by which formats are sorted out
OFFSET = re.compile(r".*[\dMSf]([+-]\d\d:?\d\d)")       # from UTC, after a time
LIKE = re.compile(r"[\dA-Za-z.,/:\- ]{4,40}")


def formats(cells: Sequence[str]) -> list[str]:
    """The formats in which all these cells are dates or times, written as they are; without %Y%m%d, which any number of eight digits may
    be, unless it is the only one."""
    if cells and ":" in cells[0] and (offset := offset_in(cells[0])):        # the same for all, as in pandas's times in UTC
        bare = [cell.removesuffix(offset) for cell in cells]
        same = all(cell.endswith(offset) for cell in cells)
        return [form + offset for form in formats(bare) if form not in (*DAYS, *TIMES)] if same else []
    if not cells or not all(LIKE.fullmatch(cell) for cell in cells[:FIRST]):
        return []
    return [form for form in FORMATS if all(said(cell, form) for cell in cells[:FIRST]) and all(said(cell, form) for cell in cells[FIRST:])]


def offset_in(text: str) -> str:
    """The offset from UTC with which a time, or a format, ends, such as +01:00; "" where it has none."""
    found = OFFSET.fullmatch(text)
    return found[1] if found else ""


def said(cell: str, form: str) -> bool:
    """Whether a cell is a date in this format, and written as the format would write it."""
    try:
        moment = parsed_moment(cell, form)
    except ValueError:
        return False
    plain = written_moment(moment, form)
    return plain == cell or (form.endswith("%f") and plain[:-3] == cell)


def as_numbers(cells: Sequence[str], form: str) -> tuple[NDArray[np.float64], str]:
    """Units since 1970, or since midnight, and the unit: the largest of which every cell is a whole number, so that dates that are all at
    midnight come back at midnight."""
    start = datetime(1900, 1, 1) if form in TIMES else EPOCH
    seconds = np.array([(parsed_moment(cell, form) - start).total_seconds() for cell in cells], np.float64)
    finest = "millisecond" if "%f" in form and all(len(cell.rsplit(".", 1)[-1]) == 3 for cell in cells) else "second"
    whole = seconds.round()
    unit = next((name for name, size in UNITS.items() if size >= 1 and not (whole % size).any()), finest) \
        if np.array_equal(whole, seconds) else finest
    return (seconds / UNITS[unit]).round(), unit


def parse(cell: str, form: str) -> datetime | None:
    try:
        return parsed_moment(cell, form)
    except ValueError:
        return None


def which(name: str, found: Sequence[str]) -> str:
    """One of the formats that fit; InputError where it is open whether the day or the month comes first."""
    if len(found) == 1:
        return found[0]
    plain = {form: form.replace("%-", "%") for form in found}
    both = all("%d" in form and "%m" in form for form in plain.values())
    swapped = [form for form in found if plain[form].index("%d") < plain[form].index("%m")] if both else []
    if swapped and len(swapped) < len(found):
        other = next(form for form in found if form not in swapped)
        raise InputError(f"column {name}: in its dates the day or the month may come first. Say which: --column '{name}=date:{swapped[0]}' "
                         f"or --column '{name}=date:{other}'.")
    return found[0]
