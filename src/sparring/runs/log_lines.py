"""A chart's lines of a log that may be very long and still grows: the smallest, largest and mean value of each stretch of rounds.

Memory does not grow with the log.  The first look at a long one reads a few lines in each of a thousand places, which takes a fraction of a
second; later looks read what was added since, and then what was left out, until all has been read.
"""

import os
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sparring.runs.folder import LINE_BYTES, rows_of
from sparring.runs.index import opened

BUCKETS = 1024          # stretches of rounds at most; there are more than half of them once the log is that long
MOST_NAMES = 256        # lines of a chart; what a log names beyond them is left out
SMALL = 2**22           # bytes that are read at the first look, whatever they hold
PLACES, PLACE = 1000, 2**11     # in how many places of a longer log the first look reads, and how many bytes there
PIECE = 2**16           # bytes that are read at once

NOTHING = np.array([[np.inf], [-np.inf], [0.0], [0.0]])         # smallest, largest, sum and count of no values

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """What one name of the log did, in the stretches in which it has values, all float64[n]: the first round of each stretch, and the
    smallest, the largest and the mean value of the rounds in it that were read."""

    steps: Floats
    low: Floats
    high: Floats
    mean: Floats


class LogLines:
    """The lines of log.jsonl, scores.jsonl or health.jsonl.

        lines = LogLines(run / "log.jsonl")
        lines.read()                    # again whenever somebody looks
        lines.lines()["generator/adversarial"].mean

    `width` rounds are a stretch, and `last` is the last round that was seen; `exact` says whether all lines have been read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._begin()

    def _begin(self) -> None:
        self.width, self.last = 1, -1
        self._file: tuple[int, int] | None = None       # which file it was
        self._end = 0                                   # of the last whole line that was seen
        self._gaps: list[tuple[int, int]] = []          # whole lines, by their bytes, that have not been read yet
        self._lines: dict[str, Floats] = {}             # float64[4, BUCKETS]: smallest, largest, sum, count

    @property
    def exact(self) -> bool:
        return not self._gaps

    def read(self, seconds: float = 0.2) -> bool:
        """Read what was added since the last call, and, for at most about so many seconds, what was left out before; whether anything
        was read.  Of a log that was written anew everything is read again.  Foreign when the file is none that a run writes."""
        if not os.path.lexists(self.path):
            if self._file is not None:
                self._begin()
            return False
        until = time.monotonic() + seconds
        with opened(self.path) as file:
            about = os.fstat(file.fileno())
            if self._file != (about.st_dev, about.st_ino) or about.st_size < self._end:
                self._begin()
                self._file = (about.st_dev, about.st_ino)
            before = self._end, list(self._gaps)
            self._added(file, about.st_size)
            while self._gaps and time.monotonic() < until:
                self._left_out(file)
            return (self._end, self._gaps) != before

    def lines(self) -> dict[str, Line]:
        """The lines by name, in the order in which the log first named them."""
        found = {}
        for name, (low, high, total, count) in self._lines.items():
            at = np.flatnonzero(count)
            if len(at):
                found[name] = Line((at * self.width).astype(np.float64), low[at], high[at], total[at] / count[at])
        return found

    # -------------------------------------------------------------------------------------------- what is read
    def _added(self, file: BinaryIO, size: int) -> None:
        """Take the lines that begin after the last end; of very many, a few in many places, the others being left for later."""
        start, self._end = self._end, max(self._end, _whole(file, size))
        if self._end - start <= SMALL:
            self._note(_rows(file, start, self._end))
            return
        newest = self._end - PLACE
        rows = _rows(file, newest, self._end)
        for a, b in pairwise(np.linspace(start, newest, (1 if self._gaps else PLACES) + 1).astype(np.int64).tolist()):
            seen = min(b, a + PLACE)
            rows += _rows(file, a, seen)
            self._gaps += [(seen, b)] if seen < b else []
        self._note(rows)

    def _left_out(self, file: BinaryIO) -> None:
        """Take a piece of what was left out, the newest first."""
        start, end = self._gaps.pop()
        middle = min(end, start + PIECE)
        self._note(_rows(file, start, middle))
        self._gaps += [(middle, end)] if middle < end else []

    def _note(self, rows: list[dict[str, Any]]) -> None:
        rows = [row for row in rows if row["step"] >= 0]
        self.last = max(self.last, *(row["step"] for row in rows), -1)
        while self.last >= self.width * BUCKETS:
            self._widen()
        for name in dict.fromkeys(name for row in rows for name in row if name != "step"):
            if name not in self._lines and len(self._lines) == MOST_NAMES:
                continue
            pairs = np.array([(row["step"], row[name]) for row in rows if name in row], dtype=np.float64)
            steps, values = pairs[np.isfinite(pairs[:, 1])].T
            at = (steps // self.width).astype(np.int64)
            line = self._lines.setdefault(name, np.repeat(NOTHING, BUCKETS, 1))
            np.minimum.at(line[0], at, values)
            np.maximum.at(line[1], at, values)
            np.add.at(line[2], at, values)
            np.add.at(line[3], at, 1.0)

    def _widen(self) -> None:
        """Stretches of twice as many rounds: two neighbours become one."""
        self.width *= 2
        for line in self._lines.values():
            a, b = line[:, ::2].copy(), line[:, 1::2].copy()
            line[:] = NOTHING
            line[:, :BUCKETS // 2] = np.stack([np.minimum(a[0], b[0]), np.maximum(a[1], b[1]), a[2] + b[2], a[3] + b[3]])


def _rows(file: BinaryIO, start: int, end: int) -> list[dict[str, Any]]:
    """The rows of the lines that begin in these bytes; lines that cannot be understood are left out."""
    file.seek(max(0, start - 1))
    data = file.read(end - max(0, start - 1))
    if start:                                                   # the rest of a line that began before, or its end alone
        data = data[data.find(b"\n") + 1:] if b"\n" in data else b""
    data += file.readline(LINE_BYTES) if data and not data.endswith(b"\n") else b""
    return rows_of([line for line in data.split(b"\n") if 0 < len(line) <= LINE_BYTES])


def _whole(file: BinaryIO, size: int) -> int:
    """Where the last whole line of the file ends."""
    start = max(0, size - LINE_BYTES)
    file.seek(start)
    return start + file.read(size - start).rfind(b"\n") + 1
