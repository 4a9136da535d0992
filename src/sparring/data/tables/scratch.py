"""Room for what does not fit into memory: arrays in temporary files, which are gone with the process however it ends."""

import math
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sparring.data.cache import folder
from sparring.errors import InputError, shown

SMALL = 32 << 20            # bytes of an array that are held in memory


def temporary() -> BinaryIO:
    """A file without a name, in the cache folder, since /tmp may itself be memory; where that cannot be written to, in /tmp."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=folder())
    except OSError:
        return tempfile.TemporaryFile()


def array(shape: Sequence[int], dtype: type) -> NDArray[Any]:
    """Zeros; of a large array in a file, of which the system keeps in memory what there is room for.

    InputError where the disk has no room: all of it is taken at once, since a write to a full disk would end the process.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= SMALL:
        return np.zeros(shape, dtype)
    try:
        with temporary() as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            return np.asarray(np.memmap(file, dtype, "w+", shape=tuple(shape)))
    except OSError as error:
        raise InputError(f"the table needs {size / 1e9:,.1f} GB of disk while it is used, and {shown(place())} has no room for it "
                         f"({error.strerror or error}). Free some, or say where there is room: XDG_CACHE_HOME=FOLDER.") from None


def place() -> Path:
    """Where temporary files lie."""
    with suppress(OSError):
        if os.access(folder(), os.W_OK):
            return folder()
    return Path(tempfile.gettempdir())
