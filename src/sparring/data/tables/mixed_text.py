"""A table as it was written: from a text file, whose delimiter and encoding are found out, a data frame, or a list of dicts."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from sparring.data.settings import open_file
from sparring.data.tables.cells import Cells, PutAside, Written, coded
from sparring.errors import InputError, listed, reason, shown

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
LOOKED_AT = 100             # rows by which the delimiter is found
MOST = 10_000               # columns
ENDS = b"PK\x03\x04"        # how a .zip begins, and every .xlsx


def read_cells(path: Path) -> Cells:
    """Every cell of a .csv or .tsv.  InputError, with the line, for what is no table."""
    with open_file(path) as file:
        encoding, notes = encoding_of(path, file)
        text = io.TextIOWrapper(file, encoding, newline="")
        try:
            delimiter = delimiter_of(first_lines(path, text))
            text.seek(0)
            columns, named = columns_of(path, numbered(path, csv.reader(text, delimiter=delimiter, strict=True)))
        finally:
            text.detach()                                       # the file is closed by who opened it
    notes += [] if named else ["the first row holds numbers, so the columns have no names"]
    notes += [f"columns are separated by {DELIMITERS[delimiter]}"] if delimiter != "," and len(columns) > 1 else []
    return Cells(shown(path), columns.names, columns, np.frombuffer(columns.lines, np.int64), tuple(notes), delimiter,
                 like_data(columns.names) if named else ())


def first_lines(path: Path, text: Iterator[str]) -> list[str]:
    """The lines by which the delimiter is found.  InputError for a letter that is cut in two."""
    lines: list[str] = []
    try:
        lines += (line for line, _ in zip(text, range(LOOKED_AT), strict=False))
    except UnicodeDecodeError:
        raise damaged(path, len(lines)) from None
    return lines


def damaged(path: Path, line: int) -> InputError:
    return InputError(f"{shown(path)}, after line {line:,}: the text is damaged. Save it again as CSV (UTF-8).")


def encoding_of(path: Path, file: io.BufferedReader) -> tuple[str, list[str]]:
    """How the text is encoded; the file is at its beginning again.  InputError for what is no text."""
    head = file.read(4096)
    file.seek(0)
    if head.startswith(ENDS):
        raise InputError(f"{shown(path)} is a .zip or an Excel workbook (.xlsx), whatever its name says. Open it in a spreadsheet and save "
                         "it as CSV (UTF-8).")
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16", ["the text is UTF-16"]
    if b"\0" in head:
        even, odd = head[::2].count(0), head[1::2].count(0)
        if min(even, odd) * 10 < max(even, odd) and max(even, odd) * 4 > len(head):
            return ("utf-16-le" if odd > even else "utf-16-be"), ["the text is UTF-16"]
    line, seen = 1, b""
    for part in iter(lambda: file.read(1 << 20), b""):
        if (at := part.find(b"\0")) >= 0:
            raise InputError(f"{shown(path)}, line {line + part.count(10, 0, at):,}: there is a NUL byte, which no text has. The file is "
                             "damaged, or no table. Save it again as CSV (UTF-8).")
        line += part.count(b"\n")
        try:
            (seen + part).decode()
            seen = b""
        except UnicodeDecodeError as error:
            if error.reason != "unexpected end of data":
                file.seek(0)
                return "cp1252" if cp1252(file) else "latin-1", ["the text is not UTF-8; it was read as Latin-1"]
            seen = (seen + part)[error.start:]                 # a letter that continues in the next part
    file.seek(0)
    return "utf-8-sig", []


def cp1252(file: io.BufferedReader) -> bool:
    """Whether the bytes are those of Windows's Latin-1, which has letters where Latin-1 has none, and leaves five out."""
    found = all(not any(bytes([odd]) in part for odd in (0x81, 0x8D, 0x8F, 0x90, 0x9D)) for part in iter(lambda: file.read(1 << 20), b""))
    file.seek(0)
    return found


def delimiter_of(lines: list[str]) -> str:
    """The one that cuts the first lines into the most even rows; a comma where there is one column."""
    def evenness(delimiter: str) -> tuple[float, int]:
        try:
            counts = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
        except csv.Error:
            return 0.0, 0
        if not counts:
            return 0.0, 0
        width, rows = max(counts.items(), key=lambda one: (one[1], one[0]))
        return (rows / counts.total() if width > 1 else 0.0), width

    return max(DELIMITERS, key=evenness)


def numbered(path: Path, reader: "csv._reader") -> Iterator[tuple[int, list[str]]]:  # type: ignore[name-defined]  # no public name
    """The rows that are not empty, with their lines.  InputError for quotes that never close, and what else is no table."""
    before = 0
    try:
        for row in reader:
            if any(map(str.strip, row)):
                yield before + 1, row
            before = reader.line_num
    except csv.Error as error:
        why = "a quote is opened in this row and never closed. Close it, or write a quote within a cell twice" \
            if "end of data" in str(error) or "field larger" in str(error) else f"{reason(error)}. Mend this row"
        raise InputError(f"{shown(path)}, line {before + 1:,}: {why}.") from None
    except UnicodeDecodeError:
        raise damaged(path, before) from None


def columns_of(path: Path, rows: Iterator[tuple[int, list[str]]]) -> tuple[PutAside, bool]:
    """The columns, and whether the first row held their names."""
    line, first = next(rows, (0, list[str]()))
    if not first:
        raise InputError(f"{shown(path)} is empty. Give a table with a row of names and rows of values.")
    names, named = headings(path, [cell.strip() for cell in first])
    width, found = len(names), PutAside(shown(path), names)
    for at, row in rows if named else chain([(line, first)], rows):
        if len(row) != width:
            raise InputError(f"{shown(path)}, line {at:,}: {len(row):,} cells, and the first line has {width:,}. Mend this row, or put "
                             "cells that hold the delimiter into quotes.")
        found.add(at, row)
    found.finish()
    if not found.lines:
        raise InputError(f"{shown(path)} holds names and no rows. Give at least two rows.")
    return found, named


def headings(path: Path | str, first: list[str]) -> tuple[list[str], bool]:
    """The columns' names, and whether the row says them.  InputError for a name that is missing or given twice."""
    what = shown(path)
    if len(first) > MOST:
        raise InputError(f"{what} has {len(first):,} columns; at most {MOST:,} are read. Is it written with rows as columns? Then turn it "
                         "round; or leave columns out.")
    if all(is_number(cell) for cell in first):
        return [f"x{k}" for k in range(len(first))], False
    if "" in first:
        raise InputError(f"{what}: column {first.index('') + 1} has no name. Name it in the first row, or leave it out.")
    if twice := next((name for name, count in Counter(first).items() if count > 1), None):
        places = [k + 1 for k, name in enumerate(first) if name == twice]
        raise InputError(f"{what} has {len(places)} columns named {shown(twice)} (columns {listed(places)}). Give every column a name of "
                         "its own.")
    return first, True


def like_data(names: list[str]) -> tuple[str, ...]:
    """What is told where some names are numbers, as in a row of data."""
    some = [name for name in names if is_number(name)]
    return (f"the first row was taken for names, and {len(some)} of its {len(names)} cells are numbers ({listed(some, 3)}); where it is a "
            "row of data, write a row of names above it",) if some else ()


def is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return "_" not in cell


# -- from Python ------------------------------------------------------------------------------------------------------
def from_python(data: Any) -> Cells:
    """The same of a data frame, or of a list of dicts with the same names.  InputError for anything else."""
    if is_frame(data):
        names = list(data.columns)
        if data.columns.nlevels > 1:
            raise InputError(f"the columns of the data frame have names of {data.columns.nlevels} levels, such as {shown(str(names[0]))}. "
                             "Give each one name: data.columns = ['_'.join(map(str, name)) for name in data.columns].")
        columns = [from_series(str(name), data[name]) for name in names] if len(set(map(str, names))) == len(names) else []
    elif isinstance(data, list | tuple) and not data:
        raise InputError("the list holds no rows. Give dicts, one a row.")
    elif isinstance(data, list | tuple) and all(isinstance(row, dict) for row in data):
        names = list(data[0])
        odd = next((k for k, row in enumerate(data) if list(row) != names and set(row) != set(names)), None)
        if odd is not None:
            raise InputError(f"row {odd} of the list has the names {listed(list(data[odd]))}, and the first row {listed(names)}. Give "
                             "every row the same names.")
        columns = [coded(str(name), [("" if row[name] is None else str(row[name]) for row in data)]) for name in names]
    else:
        raise InputError(f"the data is a {type(data).__name__}; expected the path of a .csv, .tsv or .parquet file, a data frame of "
                         "pandas, or a list of dicts, one a row.")
    what = "the data frame" if is_frame(data) else "the list"
    headings(what, ["column", *(str(name).strip() for name in names)])      # "column" is no number, so that names of numbers stay names
    if not len(data):
        raise InputError(f"{what} holds no rows. Give at least two.")
    return Cells(what, list(map(str, names)), columns, np.arange(len(data)))


def is_frame(data: Any) -> bool:
    return type(data).__module__.split(".")[0] == "pandas" and type(data).__name__ == "DataFrame"


def from_series(name: str, series: Any) -> Written:
    """A column of a data frame.  Times in a zone become those of UTC, since their offset may change in summer."""
    if getattr(series.dtype, "tz", None) is not None:
        return coded(name, [cells_of(series.dt.tz_convert("UTC"))], str(series.dtype))
    column = coded(name, [cells_of(series)], str(series.dtype))
    if str(series.dtype) != "category":
        return column
    return column._replace(levels=tuple(map(str, series.cat.categories)), ordered=bool(series.cat.ordered))


def cells_of(series: Any) -> Iterable[str]:
    """The cells of a column of a data frame as text; what is missing is empty."""
    gone = series.isna().tolist()
    return ("" if lost else str(cell) for cell, lost in zip(short(series), gone, strict=True))


def short(column: Any) -> Iterable[Any]:
    """The cells of a column of pandas; numbers of 32 bits or less as themselves, since in 64 they are written with digits that mean
    nothing."""
    return column.to_numpy() if str(column.dtype) in ("float16", "float32") else column.tolist()


def read_parquet_cells(path: Path) -> Cells:
    """The columns of a Parquet file as text.  InputError without the extra, and for columns that are no plain values."""
    from sparring.errors import needs

    with needs("pyarrow", "parquet", f"{shown(path)} is Parquet, which"):
        import pyarrow as pa
        import pyarrow.parquet as pq
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{shown(path)} cannot be read as Parquet ({reason(error)}). Write it again.") from None
    if odd := [field.name for field in table.schema if pa.types.is_nested(field.type) or pa.types.is_binary(field.type)]:
        raise InputError(f"{shown(path)}: the columns {listed(odd)} hold lists or bytes, and a table has plain values. Leave them out.")
    headings(path, ["column", *table.column_names])
    if not table.num_rows:
        raise InputError(f"{shown(path)} holds no rows. Give at least two.")
    columns = [coded(field.name, [arrow_cells(table[field.name])], type_of(field.type)) for field in table.schema]
    return Cells(shown(path), table.column_names, columns, np.arange(table.num_rows))


def arrow_cells(column: Any) -> Iterable[str]:
    cells = column.to_pylist()
    if str(column.type) in ("halffloat", "float"):
        cells = [None if cell is None else np.float32(cell) for cell in cells]
    return ("" if cell is None else str(cell) for cell in cells)


def type_of(kind: Any) -> str:
    """What a column of Parquet is in a data frame; "" for what is text there, or is found by how it is written."""
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        return f"datetime64[{kind.unit}, {kind.tz}]" if kind.tz else f"datetime64[{kind.unit}]"
    return str(kind.to_pandas_dtype()().dtype) if pa.types.is_integer(kind) or pa.types.is_floating(kind) else \
        "bool" if pa.types.is_boolean(kind) else ""
