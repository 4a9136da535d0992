"""A table of any cells as it was written.

A column is its different values and, for every row, the position of its value: an int32 a cell, whatever the cells say.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from sparring.data.settings import check_memory
from sparring.data.tables.scratch import SMALL, temporary
from sparring.errors import InputError, shown

FEW = 3                     # rows that are named
END = "\0"                  # between cells that are put aside
AT_ONCE = 1 << 20           # cells that are put aside together, about
CELL = 200                  # bytes that a cell takes while its column is read, where all of them differ


class Written(NamedTuple):
    """One column: its different values, in the order in which they come first, and which of them each row has."""

    name: str
    values: list[str]
    codes: NDArray[np.int32]
    dtype: str = ""         # of a data frame
    levels: tuple[str, ...] = ()    # of a categorical column of a data frame: its categories, in their order
    ordered: bool = False


class Cells(NamedTuple):
    """A table as it was written."""

    what: str               # how it is called in messages
    names: list[str]
    columns: Sequence[Written]  # those of a file are read anew whenever one is asked for
    lines: NDArray[np.int64]    # of each row, in the file
    notes: tuple[str, ...] = ()
    delimiter: str = ","
    odd: tuple[str, ...] = ()   # notes that are told even where nobody watches

    @property
    def semicolons(self) -> bool:
        """Whether cells are cut by semicolons, as where a comma is before decimals."""
        return self.delimiter == ";"

    def where(self, rows: Sequence[int]) -> str:
        """Rows by their lines, as in `line 7` or `lines 7, 9 and 2 more`."""
        few = ", ".join(f"{self.lines[row]:,}" for row in rows[:FEW])
        return f"line{'s' * (len(rows) > 1)} {few}" + (f" and {len(rows) - FEW:,} more" if len(rows) > FEW else "")


def coded(name: str, parts: Iterable[Iterable[str]], dtype: str = "") -> Written:
    """A column whose cells come in parts."""
    known: defaultdict[str, int] = defaultdict()
    known.default_factory = known.__len__
    codes = array("i")
    for part in parts:
        codes.extend(map(known.__getitem__, part))
    return Written(name, list(known), np.frombuffer(codes, np.int32), dtype)


class PutAside(Sequence[Written]):
    """Rows of a file, from which columns are read one at a time.

    The cells of many rows are put aside column by column, in a temporary file where they are many: a table then takes the memory of one
    of its columns.
    """

    def __init__(self, what: str, names: list[str]) -> None:
        self.what, self.names = what, names
        self.lines = array("q")
        self._rows: list[list[str]] = []
        self._most = max(1, AT_ONCE // len(names))
        self._held = bytearray()                                                # as long as they are few
        self._file: BinaryIO | None = None
        self._parts: list[list[tuple[int, int]]] = [[] for _ in names]          # of each column: where, and how many bytes
        self._end = 0

    def add(self, line: int, row: list[str]) -> None:
        """One row, and its line in the file.  InputError for a NUL character, and where the disk is full."""
        self.lines.append(line)
        self._rows.append(row)
        if len(self._rows) >= self._most:
            self.finish()

    def finish(self) -> None:
        """Put aside the rows that wait."""
        if not self._rows:
            return
        for places, cells in zip(self._parts, zip(*self._rows, strict=True), strict=True):
            text = END.join(cells)
            if text.count(END) >= len(cells):
                self._refuse_end(cells)
            self._append(places, text.encode("utf-8", "surrogatepass"))
        self._rows = []

    def _refuse_end(self, cells: Sequence[str]) -> None:
        row = next(k for k, cell in enumerate(cells) if END in cell)
        raise InputError(f"{self.what}, line {self.lines[len(self.lines) - len(cells) + row]:,}: there is a NUL character, which no text "
                         "has. The file is damaged, or no table. Save it again as CSV (UTF-8).")

    def _append(self, places: list[tuple[int, int]], data: bytes) -> None:
        try:
            if self._file is None and self._end + len(data) > SMALL:
                self._file = temporary()
                self._file.write(self._held)
                self._held = bytearray()
            if self._file is None:
                self._held += data
            else:
                self._file.write(data)
        except OSError as error:
            raise InputError(f"{self.what}: its columns could not be put aside in a temporary file ({error.strerror or error}). Free some "
                             "room on the disk, or say where there is some: XDG_CACHE_HOME=FOLDER.") from None
        places.append((self._end, len(data)))
        self._end += len(data)

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, at: int) -> Written: ...
    @overload
    def __getitem__(self, at: slice) -> list[Written]: ...
    def __getitem__(self, at: int | slice) -> Written | list[Written]:
        """A column, read now.  InputError where it takes more than half of the memory."""
        if isinstance(at, slice):
            return [self[k] for k in range(len(self))[at]]
        size = sum(length for _, length in self._parts[at])
        check_memory(min(CELL * len(self.lines), CELL * size), f"column {shown(self.names[at])} of {self.what} holds {size:,} bytes of "
                     "text", "Give fewer rows, or leave it out.")
        return coded(self.names[at], self._read(at))

    def _read(self, at: int) -> Iterator[list[str]]:
        for begin, length in self._parts[at]:
            if self._file is None:
                data = bytes(self._held[begin:begin + length])
            else:
                self._file.seek(begin)
                data = self._file.read(length)
            yield data.decode("utf-8", "surrogatepass").split(END)

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            self._file.close()  # type: ignore[union-attr]
