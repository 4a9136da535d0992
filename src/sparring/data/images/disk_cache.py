"""Decoded images on disk: written once, mapped into memory when they are used, and never more than a bound in all.

An entry is a folder with `values.npy` and `facts.json`, made under another name and renamed when it is whole.  What it is called
follows from the files' names, sizes and times and from how they are read, so that a changed file makes a new one; the entries that were
not used for longest make room.  Where nothing can be written, images are held in memory.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.data import cache

MOST = 4 << 30                  # bytes of all entries together
VALUES, FACTS = "values.npy", "facts.json"
Room = Callable[[tuple[int, ...]], NDArray[np.uint8]]      # somewhere to write images of this shape
Make = Callable[[Room], tuple[int, dict[str, Any]]]        # decodes into a room; how many are kept, and facts about them, plain values


class Mapped:
    """Images in a file, uint8[N, C, H, W], of which only those are read that are asked for."""

    dtype = torch.uint8

    def __init__(self, values: NDArray[np.uint8]) -> None:
        self.values, self.shape = values, tuple(values.shape)

    def __getitem__(self, rows: Tensor) -> Tensor:
        return torch.from_numpy(np.asarray(self.values[rows.numpy()]))

    def ahead(self, workers: int) -> AbstractContextManager[Callable[[Tensor], Tensor]]:
        """The same for several threads at once."""
        return nullcontext(self.__getitem__)

    def part(self, rows: slice) -> "Mapped":
        """Some of them, in the same file."""
        return Mapped(self.values[rows])

    def digest(self) -> bytes:
        """Their bytes, so that a fingerprint is that of the same images in memory."""
        return np.ascontiguousarray(self.values).data.cast("B")  # type: ignore[return-value]


def remembered(key: str, size: int, make: Make) -> tuple[Mapped | Tensor, dict[str, Any]]:
    """Images and facts about them: from the cache, or made now, into it if they are of at most so many bytes.

    OSError never: a cache that cannot be used is not.
    """
    place = cache.folder() / "mapped" / hashlib.sha256(key.encode()).hexdigest()[:32]
    if (found := opened(place)) is not None:
        return found
    with suppress(OSError):
        if size <= MOST and room_for(size, place.parent):
            return written(place, make)
    held: list[NDArray[np.uint8]] = []

    def in_memory(shape: tuple[int, ...]) -> NDArray[np.uint8]:
        held.append(np.empty(shape, np.uint8))
        return held[-1]

    count, facts = make(in_memory)
    return torch.from_numpy(held[-1][:count]), facts


def opened(place: Path) -> tuple[Mapped, dict[str, Any]] | None:
    """An entry that is whole; None when there is none, or it is damaged."""
    try:
        facts = json.loads((place / FACTS).read_text())
        values = np.load(place / VALUES, mmap_mode="r", allow_pickle=False)
        if values.dtype != np.uint8 or values.ndim != 4 or not 0 <= facts["count"] <= len(values):
            return None
        os.utime(place / FACTS)                         # it was used just now
        return Mapped(values[:facts["count"]]), facts["about"]
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None


def written(place: Path, make: Make) -> tuple[Mapped, dict[str, Any]]:
    place.parent.mkdir(parents=True, exist_ok=True)
    half = Path(tempfile.mkdtemp(prefix=".writing-", dir=place.parent))
    try:
        count, about = make(lambda shape: np.lib.format.open_memmap(half / VALUES, mode="w+", dtype=np.uint8, shape=shape))
        (half / FACTS).write_text(json.dumps({"count": count, "about": about}))
        shutil.rmtree(place, ignore_errors=True)        # a damaged one
        half.rename(place)
        found = opened(place)
        if found is None:
            raise OSError(f"{place} cannot be read back")
        return found
    finally:
        shutil.rmtree(half, ignore_errors=True)


def room_for(size: int, among: Path) -> bool:
    """Remove the entries that were not used for longest until so many bytes fit; whether they do, and the disk has them."""
    entries = sorted((entry for entry in among.glob("*") if (entry / FACTS).exists()), key=lambda entry: (entry / FACTS).stat().st_mtime)
    held = {entry: sum(file.stat().st_size for file in entry.iterdir()) for entry in entries}
    total = sum(held.values())
    for entry in entries:
        if total + size <= MOST:
            break
        shutil.rmtree(entry, ignore_errors=True)
        total -= held[entry]
    there = next(parent for parent in (among, *among.parents) if parent.exists())
    return shutil.disk_usage(there).free > 2 * size
