"""A table of numbers in a .csv or .tsv: its columns are a vector, a column named `label` holds the class."""

import csv
import math
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import torch

from sparring.data.arrays.arrays import vectors
from sparring.data.labels import read_rows
from sparring.data.settings import AUTO, DataSettings, check_memory, open_file, refuse_settings
from sparring.data.source import Finite
from sparring.errors import InputError, listed, reason, shown
from sparring.spaces import Vectors, class_names, number_order

CLASS, TRAIT = "label", "label:"        # how columns begin that say the class, and one of several labels
LABELS = (CLASS, "labels", "class", "target")
CLASSES = 1000                          # different whole numbers, beyond which a column of them is a measure
TRUTH = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
MARKS = {",": "comma", ".": "point"}
DECIMAL = re.compile(r"[+-]?\d*,\d+|[+-]?\d+")
CELL, LEAST = 100, 8                    # bytes that a cell takes, about, while it is text in memory, and in a file of short numbers
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


class Text(NamedTuple):
    """A table as it was written."""

    names: list[str]
    columns: list[list[str]]
    lines: list[int]            # of each row, in the file
    notes: list[str]
    commas: bool = False        # whether some column has decimal commas


def read_csv(path: Path, settings: DataSettings = AUTO) -> Finite:
    """The columns of numbers as float32[N, D] in network units, each standardized; `label` holds classes, `label:NAME` several labels.

    InputError, with the line and the column, for cells that lack or are no numbers, and where no column holds numbers.
    """
    refuse_settings(settings, f"{shown(path)} holds columns of numbers")
    with open_file(path) as file:
        table = read_text(path, file)
    label = next((name for name in LABELS if name in table.names and classlike(table, name)), None)
    traits = [name for name in table.names if name.startswith(TRAIT) and name != TRAIT]
    numbers, words, odd = dict[str, np.ndarray](), list[str](), list[str]()
    for name, cells in zip(table.names, table.columns, strict=True):
        if name != label:
            column = as_numbers(path, table, name, [cell.strip() for cell in cells])
            numbers |= {name: column[0]} if column is not None else {}
            odd += [column[1]] if column is not None and column[1] else []
            words += [name] if column is None else []
    if bad := [name for name in traits if name in words]:
        raise InputError(f"{shown(path)}: column {shown(bad[0])} holds words; labels are numbers, or 0 and 1. Mend it, or leave it out.")
    measured = [name for name in numbers if name not in traits]
    if not measured:
        raise InputError(f"{shown(path)} has no column of numbers to learn from ({listed(table.names)}). Words are not learned yet: "
                         "give at least one column of numbers. Columns are separated by commas, semicolons or tabs.")
    source = vectors(np.stack([numbers[name] for name in measured], 1), shown(path), tuple(measured))
    assert isinstance(source.space, Vectors)
    notes = [*source.notes, f"columns: {listed(measured)}"]
    odd = [*source.odd, *table.notes, *odd, *not_classes(table, label)]
    odd += [f"{len(words)} column(s) that do not hold numbers throughout were left out: {listed(words)}"] if words else []
    if traits:
        called = [name.removeprefix(TRAIT) for name in traits]
        rows, meaning = read_rows(np.stack([numbers[name] for name in traits], 1), called, shown(path))
        notes.append(f"{len(traits)} labels a sample: {listed(meaning.names)}")
        odd += [f"column {label} is not read as classes, since there are columns named {TRAIT}NAME"] if label is not None else []
        space = replace(source.space, labels=meaning.in_words(), traits=meaning)
        return Finite(space, source.values, rows, notes=tuple(notes), odd=tuple(odd))
    if label is None:
        notes += [] if not_classes(table, label) else [f"no classes; a column named {CLASS} would hold them"]
        return Finite(source.space, source.values, notes=tuple(notes), odd=tuple(odd))
    words_of = table.columns[table.names.index(label)]
    count = Counter(words_of)
    names = sorted(count, key=number_order)
    place = {name: k for k, name in enumerate(names)}
    each = listed([f"{name} ({count[name]:,})" for name in names])
    notes.append(f"{len(names)} classes in column {label}: {each}")
    odd += [f"{sum(n == 1 for n in count.values())} of these classes have one row, of which nothing can be learned"] \
        if len(names) > 1 and 1 in count.values() else []
    return Finite(replace(source.space, labels=class_names(names)), source.values, torch.tensor([place[word] for word in words_of]),
                  notes=tuple(notes), odd=tuple(odd))


def read_text(path: Path, file: IO[bytes]) -> Text:
    """Every cell, in columns; without a row of names they are called x0, x1, ..."""
    size = os.fstat(file.fileno()).st_size
    try:
        head = file.readline(1 << 20).decode("utf-8-sig")
        separator = max(SEPARATORS, key=head.count)
        file.seek(0)
        check_memory(CELL * size // LEAST, f"{shown(path)} holds {size:,} bytes of text", "Give fewer rows, or Parquet.")
        text = TextIOWrapper(file, "utf-8-sig", newline="")
        try:
            rows = list(lines_of(csv.reader(text, delimiter=separator)))
        finally:
            text.detach()                                       # the file is closed by who opened it
    except UnicodeDecodeError:
        raise InputError(f"{shown(path)} is not text in UTF-8. Save it as such.") from None
    except csv.Error as error:
        raise InputError(f"{shown(path)} cannot be read as a table ({reason(error)}). Save it again as .csv.") from None
    if not rows:
        raise InputError(f"{shown(path)} is empty. Give a table with a row of names and rows of numbers.")
    first = [cell.strip() for cell in rows[0][1]]
    named = not all(number(cell) is not None for cell in first)
    names = first if named else [f"x{k}" for k in range(len(first))]
    body = rows[1:] if named else rows
    if twice := next((name for k, name in enumerate(names) if name in names[:k] or not name), None):
        raise InputError(f"{shown(path)} has two columns named {shown(twice)}. Give every column a name of its own.")
    if "" in names:
        raise InputError(f"{shown(path)}: column {names.index('') + 1} has no name. Name it in the first row, or leave it out.")
    if not body:
        raise InputError(f"{shown(path)} holds names and no rows. Give at least one row of numbers.")
    if odd := next(((at, row) for at, row in body if len(row) != len(names)), None):
        raise InputError(f"{shown(path)}, line {odd[0]}: {len(odd[1])} cells, and the first line has {len(names)}. Mend it.")
    notes = [] if named else ["the first row holds numbers, so the columns have no names"]
    notes += [f"columns are separated by {SEPARATORS[separator]}"] if separator != "," and len(names) > 1 else []
    columns = [list(column) for column in zip(*(row for _, row in body), strict=True)]
    commas = any("," in "".join(column) and all(DECIMAL.fullmatch(cell.strip()) for cell in column) for column in columns)
    return Text(names, columns, [at for at, _ in body], notes, commas)


def lines_of(reader: "csv._reader") -> Iterator[tuple[int, list[str]]]:  # type: ignore[name-defined]  # the type has no public name
    """The rows that are not empty, with their lines."""
    for row in reader:
        if any(cell.strip() for cell in row):
            yield reader.line_num, row


def as_numbers(path: Path, table: Text, name: str, cells: list[str]) -> tuple[np.ndarray, str] | None:
    """float64[N] and what was assumed of how numbers are written; None for a column that holds words throughout.

    InputError for one that holds numbers but for a few cells, and where a mark may stand before decimals or between thousands.
    """
    marks = Counter(mark for cell in cells for mark in ",." if mark in cell)
    grouped = [mark for mark in marks if all(re.fullmatch(rf"[+-]?\d{{1,3}}(\{mark}\d{{3}})+", cell) for cell in cells if mark in cell)]
    for mark in grouped:
        if mark == "," or len(marks) == 2 or table.commas:
            example = next(cell for cell in cells if mark in cell)
            raise InputError(f"{shown(path)}: column {shown(name)} has numbers such as {example}, in which the {MARKS[mark]} may stand "
                             "before decimals or between thousands. Write no mark between thousands, and decimals with a point.")
    found = [number(cell) for cell in cells]
    bad = [k for k, value in enumerate(found) if value is None]
    if not bad:
        said = f"commas in column {shown(name)} were read as decimal commas" if marks[","] else ""
        truth = any(cell.lower() in TRUTH for cell in cells)
        told = f"yes or true in column {shown(name)} was read as 1, no or false as 0" if truth else ""
        return np.array(found, np.float64), said or told
    if 2 * len(bad) > len(cells):
        return None
    cell = cells[bad[0]]
    what = f"says {shown(repr(cell))}" if cell else "is empty"
    raise InputError(f"{shown(path)}, line {table.lines[bad[0]]}: column {shown(name)} {what}; "
                     f"expected a number ({len(bad):,} of {len(cells):,} rows are so). Fill it in, or leave these rows or this column out.")


def number(cell: str) -> float | None:
    """The finite number that a cell says, with a decimal point or comma; yes and no are 1 and 0."""
    known = TRUTH.get(cell.lower())
    try:
        value = float(cell.replace(",", ".") if cell.count(",") == 1 and "." not in cell else cell) if known is None else known
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in cell else None


def classlike(table: Text, name: str) -> bool:
    """Whether a column holds words, or not too many different whole numbers."""
    cells = set(table.columns[table.names.index(name)])
    values = [number(cell.strip()) for cell in cells]
    whole = all(value is not None and value == int(value) for value in values)
    return all(cell.strip() for cell in cells) and ((whole and len(cells) <= CLASSES) or any(value is None for value in values))


def not_classes(table: Text, label: str | None) -> list[str]:
    """Of columns that are called as if they held classes, why they do not."""
    found = []
    for name in (one for one in table.names if one.strip().lower() in LABELS and one != label):
        empty = sum(not cell.strip() for cell in table.columns[table.names.index(name)])
        why = f"there are classes in column {label}" if label is not None else \
            f"{empty:,} of its cells are empty: fill them in" if empty else \
            f"its name is not written {name.strip().lower()}" if name not in LABELS else "it holds numbers that are not whole, or too many"
        found.append(f"column {shown(name)} is not read as classes, since {why}")
    return found
