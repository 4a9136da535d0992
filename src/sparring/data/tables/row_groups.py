"""The row groups of Parquet files: which row lies where, and the groups that were used last.

A stranger may have written the files, so what their footers declare is held against bounds before anything is read, and what is
read against what was declared.
"""

import os
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sparring.data.cache import identity
from sparring.data.settings import check_memory, gigabytes, open_file
from sparring.errors import InputError, RunFailed, reason, shown

HELD = 256 << 20            # bytes of row groups that stay in memory, or one group when it is larger
LARGEST = 1 << 30           # bytes that the columns of one row group may take
FEW, MANY = 64, 65_536      # rows that are unpacked at a time, after which it is counted how much they take: of images, of numbers
A_ROW = 40                  # bytes of memory that a row takes even when its values stay in the file
OPEN = 32                   # files that stay open
SAME = 3                    # of what identifies a file: not when it was last linked or renamed
T = TypeVar("T")


class Groups:
    """Some columns of some files by row; on any thread."""

    def __init__(self, files: list[Path], columns: list[str], at_once: int = MANY) -> None:
        """InputError for a file that is no Parquet, or whose footer declares what cannot be."""
        self.files, self.columns, self._at_once = files, columns, at_once
        self._known = list[tuple[int, ...]]()
        self._open: OrderedDict[int, Any] = OrderedDict()
        self._held: OrderedDict[int, tuple[Any, int]] = OrderedDict()
        self._taken = 0                                         # bytes of what is held
        self._lock = threading.Lock()
        self._where: list[tuple[int, int]] = []                 # the file and the number in it of every row group with rows
        self._starts, self._first, self._bytes = [0], list[int](), list[int]()
        for number, path in enumerate(files):
            open_file(path).close()                             # a regular file that may be read, before anyone opens it for good
            self._known.append(identity(path)[:SAME])
            try:
                self._note(number)
            except (InputError, RunFailed) as error:
                raise InputError(str(error)) from None
            except Exception as error:                          # damaged files raise nearly everything
                raise InputError(damaged(path, error)) from None
        check_memory(A_ROW * len(self), f"{shown(files[0])}: {len(self):,} rows, each of which takes {A_ROW} bytes even unread",
                     "Give fewer files.")

    def _note(self, number: int) -> None:
        """Read the footer of a file."""
        about, row = self._file(number).metadata, 0
        for group in range(about.num_row_groups):
            part = about.row_group(group)
            takes = part.total_byte_size                        # of all columns: asking for one ends the process if that is damaged
            if part.num_rows < 0 or takes < 0:
                raise ValueError(f"row group {group} declares {part.num_rows} rows of {takes} bytes")
            if part.num_rows:
                self._where.append((number, group))
                self._starts.append(self._starts[-1] + part.num_rows)
                self._first.append(row)
                self._bytes.append(takes)
            row += part.num_rows

    def __len__(self) -> int:
        return self._starts[-1]

    @property
    def count(self) -> int:
        return len(self._where)

    def bytes(self) -> tuple[int, int]:
        """What all groups take together, and the largest, all columns of them, as their files declare."""
        return sum(self._bytes), max(self._bytes, default=0)

    def schema(self, file: int) -> Any:
        with self._lock:
            try:
                return self._file(file).schema_arrow
            except Exception as error:
                raise InputError(damaged(self.files[file], error)) from None

    def name(self, number: int) -> str:
        return shown(self.files[self._where[number][0]])

    def first_in_file(self, number: int) -> int:
        """The row of its file that a group begins with."""
        return self._first[number]

    def rows(self, number: int) -> tuple[int, int]:
        """The first and the last row of a group, counted over all files."""
        return self._starts[number], self._starts[number + 1] - 1

    def at(self, row: int) -> tuple[int, int]:
        """The group of a row, and its place there."""
        number = bisect_right(self._starts, row) - 1
        return number, row - self._starts[number]

    def of(self, rows: Sequence[int] | NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Each group that any of these rows is in, the places of those among `rows`, and their places in the group."""
        asked, starts = np.asarray(rows, np.int64), np.asarray(self._starts, np.int64)
        numbers = np.searchsorted(starts, asked, "right") - 1
        for number in np.unique(numbers).tolist():
            places = np.flatnonzero(numbers == number)
            yield number, places, asked[places] - starts[number]

    def held(self, number: int, take: Callable[[Iterator[Any]], tuple[T, int]]) -> T:
        """What `take` makes of the batches of a group, with the bytes it takes: kept until others were used since."""
        with self._lock:
            if number not in self._held:
                try:
                    self._held[number] = made = take(self._batches(number))
                except (ValueError, TypeError) as error:        # pyarrow's errors are among them
                    raise RunFailed(damaged(self.files[self._where[number][0]], error)) from None
                self._taken += made[1]
                while self._taken > HELD and len(self._held) > 1:
                    self._taken -= self._held.popitem(last=False)[1][1]
            self._held.move_to_end(number)
            found: T = self._held[number][0]
            return found

    def batches(self, number: int) -> Iterator[Any]:
        """The rows of a group, some at a time."""
        with self._lock:
            yield from self._batches(number)

    def _batches(self, number: int) -> Iterator[Any]:
        """RunFailed when the file is damaged, or holds other or more than it declares."""
        file, group = self._where[number]
        rows, taken, declared = 0, 0, self._starts[number + 1] - self._starts[number]
        opened = self._file(file)
        try:
            for batch in opened.iter_batches(self._at_once, [group], self.columns, use_threads=False):
                rows, taken = rows + batch.num_rows, taken + batch.nbytes
                if taken > LARGEST:
                    raise RunFailed(f"{shown(self.files[file])}: row group {group} takes more than {gigabytes(LARGEST)}. Write it again "
                                    f"with fewer rows in a group: row_group_size=100.")
                if rows > declared or batch.num_columns != len(self.columns):
                    raise ValueError(f"row group {group} holds other than it declares")
                yield batch
            if rows != declared:
                raise ValueError(f"row group {group} holds {rows} rows and declares {declared}")
        except RunFailed:
            raise
        except Exception as error:                              # damaged files raise nearly everything
            raise RunFailed(damaged(self.files[file], error)) from None

    def _file(self, file: int) -> Any:
        """RunFailed when it cannot be opened, or is another one now."""
        if file not in self._open:
            import pyarrow as pa
            import pyarrow.parquet as pq

            path = self.files[file]
            try:
                if identity(path)[:SAME] != self._known[file]:
                    raise RunFailed(f"{shown(path)} was changed since the run started. Put it back as it was and run the same command "
                                    "again, or start a new run with --out NEWDIR.")
                self._open[file] = pq.ParquetFile(pa.OSFile(os.fsencode(path)), pre_buffer=False, buffer_size=1 << 20)
            except RunFailed:
                raise
            except Exception as error:
                raise RunFailed(damaged(path, error)) from None
            if len(self._open) > OPEN:
                self._open.popitem(last=False)
        self._open.move_to_end(file)
        return self._open[file]


def damaged(path: Path, error: Exception) -> str:
    return f"{shown(path)} cannot be read as Parquet ({reason(error)}). It is damaged or cut short: copy or write it again."
