"""What was worked out once, about a user's data above all, kept in the user's cache folder, which may be emptied at any time.

Indices of shards, sets of images that were decoded, decoded images by position, and weights of networks.  Each kind is bounded, and the
oldest make way.
Nothing is trusted because it lies there: a file is whole or absent (a temporary name, fsync, one rename) and is held against its
fingerprint before it is used, and of a file that grows, every sample carries its own checksum.
"""

import hashlib
import os
import shutil
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

LIMIT = 4 << 30                 # bytes of everything that was decoded
INDICES = 256 << 20             # bytes of all indices, and of weights of networks
SPARE = 1 << 30                 # bytes of the disk that are left to others
FORGOTTEN = 86_400              # seconds after which a half-written file is that of a process that died
INDEX, IMAGES, SAMPLES, WEIGHTS = "shards-{}.npz", "images-{}.safetensors", "samples-{}.bin", "weights-{}.safetensors"
CHECK = 4                       # bytes of a checksum


def folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sparring"


def key(*parts: object) -> str:
    """A name that differs when any part does."""
    return hashlib.sha256(repr(parts).encode(errors="surrogateescape")).hexdigest()[:32]


def identity(path: Path) -> tuple[int, int, int, int]:
    """What changes when a file does; the time of the last change of any kind (ctime) too, since unpacking sets the other one back."""
    about = path.stat()
    return about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def place(form: str, of: str) -> Path:
    """Where what is kept under this key lies, marked as used now if it is there."""
    path = folder() / form.format(of)
    with suppress(OSError):
        os.utime(path)
    return path


def bound(form: str) -> tuple[tuple[str, ...], int]:
    """The kinds of files that share a bound with this one, and the bound in bytes."""
    return ((form,), INDICES) if form in (INDEX, WEIGHTS) else ((IMAGES, SAMPLES), LIMIT)


def room(form: str, size: int) -> int:
    """Bytes, at most `size`, for one more file of this kind, once the oldest have made way for it; 0 without a folder to write to."""
    forms, limit = bound(form)
    size = min(size, limit)
    try:
        folder().mkdir(parents=True, exist_ok=True)
        for _, _, left in found(".writing-*"):
            if time.time() - left.stat().st_mtime > FORGOTTEN:
                left.unlink(missing_ok=True)
        newest_first = sorted((file for kind in forms for file in found(kind.format("*"))), reverse=True)
        total = sum(there for _, there, _ in newest_first)
        while newest_first and total + size > limit:
            _, there, path = newest_first.pop()
            path.unlink(missing_ok=True)            # whoever has it open goes on reading it
            total -= there
        return max(0, min(size, shutil.disk_usage(folder()).free - SPARE))
    except OSError:
        return 0


def found(pattern: str) -> list[tuple[int, int, Path]]:
    """(time of last use, bytes, path) of what is there; other processes may be taking it away."""
    files = []
    for path in folder().glob(pattern):
        with suppress(OSError):
            about = path.stat()
            files.append((about.st_mtime_ns, about.st_size, path))
    return files


def keep(form: str, of: str, size: int, write: Callable[[IO[bytes]], object]) -> str | None:
    """Write a file of about so many bytes, whole or not at all; why it could not be kept, in words, when it could not."""
    if size > bound(form)[1]:
        return f"it takes {size / 1e6:,.0f} MB, and {bound(form)[1] / 1e6:,.0f} are kept"
    if room(form, size) < size:
        return f"{folder()} has no room for {max(1, size / 1e6):,.0f} MB beside {SPARE / 1e9:,.1f} GB for others, or cannot be written"
    path = folder() / form.format(of)
    writing = path.with_name(f".writing-{os.getpid()}-{path.name}")
    try:
        with writing.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        writing.replace(path)
    except OSError as error:
        with suppress(OSError):
            writing.unlink(missing_ok=True)
        return f"{path.parent} could not be written ({error.strerror or error})"
    return None


class Samples:
    """Decoded samples by position, in a sparse file where each follows its own checksum.

    What was never written, or not to its end, does not match and counts as absent, so no kill and no second process can spoil it:
    whoever writes a sample writes the same bytes.  On any thread.
    """

    def __init__(self, of: str, n: int, size: int) -> None:
        """For n samples of `size` bytes, or as many of the first as there is room for."""
        self.record, self.count = CHECK + size, 0
        self._handle: int | None = None
        path = place(SAMPLES, of)
        try:
            there = path.stat().st_size if path.exists() else 0
            space = there or room(SAMPLES, n * self.record) // self.record * self.record
            if space:
                self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
                if not there:
                    os.ftruncate(self._handle, space)
                self.count = min(n, space // self.record)
        except OSError:
            self.close()

    def get(self, row: int, into: memoryview) -> bool:
        """Read one sample into a buffer of its size, if it is there and whole."""
        if row >= self.count or self._handle is None:
            return False
        check = bytearray(CHECK)
        try:
            done = os.preadv(self._handle, (check, into), row * self.record)
        except OSError:
            return False
        return done == self.record and int.from_bytes(check, "little") == checksum(row, into)

    def put(self, row: int, values: memoryview) -> None:
        """Keep one sample; after the first that the disk does not take, no more."""
        if row >= self.count or self._handle is None:
            return
        try:
            os.pwritev(self._handle, (checksum(row, values).to_bytes(CHECK, "little"), values), row * self.record)
        except OSError:
            self.count = 0

    def close(self) -> None:
        handle, self._handle, self.count = self._handle, None, 0
        if handle is not None:
            os.close(handle)

    def __del__(self) -> None:
        self.close()


def checksum(row: int, values: memoryview) -> int:
    """CRC-32 of a sample at its position; never 0, which is what stands where nothing was written."""
    return zlib.crc32(values, row & 0xFFFFFFFF) or 1
