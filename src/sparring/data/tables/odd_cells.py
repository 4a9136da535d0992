"""Cells that do not fit the rest of their column, which are named by their rows: words among numbers, dates or amounts, and numbers that
are written in two ways."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from sparring.data.tables import dates
from sparring.data.tables.cells import Cells, Written
from sparring.errors import InputError, shown

ODD = 3                 # odd cells that are shown
MOSTLY = 0.9            # of the cells are of one kind: then the others are mistakes
ENDLESS = re.compile(r"[+-]?(inf|infinity)", re.IGNORECASE)


def spot(table: Cells, column: Written, odd: list[int]) -> str:
    """Which rows of the column have these values, as in `FILE, line 7: column age`."""
    return f"{table.what}, {table.where(np.flatnonzero(np.isin(column.codes, odd)).tolist())}: column {shown(column.name)}"


def rows_with(column: Written, values: list[int]) -> int:
    return int(np.isin(column.codes, values).sum())


def refuse_odd(table: Cells, column: Written, odd: list[int], stripped: list[str]) -> None:
    """InputError that names the cells that are no numbers in a column of numbers; nothing where there are none."""
    if not odd:
        return
    refuse(table, column, odd, stripped, "numbers")


def refuse(table: Cells, column: Written, odd: list[int], stripped: list[str], what: str) -> None:
    rows = np.flatnonzero(np.isin(column.codes, odd))
    examples = ", ".join(f"{shown(repr(stripped[k]))}" for k in odd[:ODD])
    raise InputError(f"{table.what}: column {shown(column.name)} holds {what}, but for {len(rows):,} of {len(column.codes):,} rows "
                     f"({table.where(rows.tolist())}: {examples}). Mend these, leave them empty, or take all for names: --column "
                     f"'{shown(column.name)}=category'.")


def refuse_endless(table: Cells, column: Written, stripped: list[str]) -> None:
    odd = [k for k, value in enumerate(stripped) if ENDLESS.fullmatch(value)]
    if odd:
        raise InputError(f"{spot(table, column, odd)} says {stripped[odd[0]]}, which is no number to learn. "
                         f"Leave these cells empty, or take them for names: --column '{shown(column.name)}=category'.")


def refuse_mixed_dates(table: Cells, column: Written, stripped: list[str], there: list[int]) -> None:
    """InputError for a column whose cells are all dates, in two formats or more."""
    if len(there) < 2 or not any(dates.said(stripped[there[0]], form) for form in dates.FORMATS):
        return
    first = next(form for form in dates.FORMATS if dates.said(stripped[there[0]], form))
    odd = [k for k in there if not dates.said(stripped[k], first)]
    if odd and all(any(dates.said(stripped[k], form) for form in dates.FORMATS) for k in odd[:dates.FIRST]):
        raise InputError(f"{spot(table, column, odd)} has dates in two formats: {shown(stripped[there[0]])} "
                         f"and {shown(stripped[odd[0]])}. Write all in one, or take them for names: --column "
                         f"'{shown(column.name)}=category'.")


def refuse_odd_dates(table: Cells, column: Written, stripped: list[str], there: list[int]) -> None:
    """InputError for cells that are no dates in a column of dates."""
    first = [stripped[k] for k in there[:dates.FIRST]]
    if sum(any(map(str.isdigit, cell)) for cell in first) < MOSTLY * len(first):
        return
    counts = {form: sum(dates.said(cell, form) for cell in first) for form in dates.FORMATS}
    form = max(counts, key=counts.__getitem__)
    if counts[form] < MOSTLY * len(first):
        return
    odd = [k for k in there if not dates.said(stripped[k], form)]
    if odd and rows_with(column, odd) <= (1 - MOSTLY) * rows_with(column, there):
        refuse(table, column, odd, stripped, f"dates written as {form}")


def refuse_odd_amounts(table: Cells, column: Written, stripped: list[str], there: list[int], signs: Sequence[tuple[str, str]]) -> None:
    """InputError for cells with other signs, or none, in a column of amounts such as $3.50; `signs` are those of each cell that is
    there."""
    (before, after), _ = Counter(sign for sign in signs if any(sign)).most_common(1)[0] if any(map(any, signs)) else (("", ""), 0)
    odd = [k for k, sign in zip(there, signs, strict=True) if sign != (before, after)]
    if (before or after) and odd and rows_with(column, odd) <= (1 - MOSTLY) * rows_with(column, there):
        refuse(table, column, odd, stripped, f"amounts such as {before}3.50{after}")


def refuse_two_ways(table: Cells, column: Written, stripped: list[str], there: list[int], ways: Sequence[re.Pattern[str]]) -> None:
    """InputError for numbers of which some have a decimal point and some a decimal comma."""
    if not all(any(way.fullmatch(stripped[k]) for way in ways) for k in there):
        return
    odd = min(([k for k in there if not way.fullmatch(stripped[k])] for way in ways), key=lambda some: rows_with(column, some))
    usual = next(stripped[k] for k in there if k not in set(odd)) if len(odd) < len(there) else stripped[there[0]]
    raise InputError(f"{spot(table, column, odd)} says {shown(stripped[odd[0]])}, and other rows say {shown(usual)}, so numbers are "
                     f"written in two ways. Write all in one way, or take them for names: --column '{shown(column.name)}=category'.")
