"""Distributions that were drawn with the mouse: points on a plane, kept as an array beside the runs that learn from it."""

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np

from sparring.errors import InputError
from sparring.lab.words import DATA

FOLDER, NAME = ".drawn", re.compile(r"drawn-[0-9a-f]{12}")
MOST, ROWS, WIDTH = 4000, 4000, 0.02        # points that may be drawn, rows that are made of them, and the deviation around each


def keep(root: Path, points: Any) -> str:
    """Write ROWS points around these, each a pair of numbers in [-1, 1], and return their name.  InputError for anything else."""
    if not isinstance(points, list) or not 8 <= len(points) <= MOST or not all(
            isinstance(pair, list) and len(pair) == 2 and all(type(x) in (int, float) and -1 <= x <= 1 for x in pair) for pair in points):
        raise InputError(f"a drawing should be 8 to {MOST:,} points, each two numbers from -1 to 1. Draw a little more.")
    rng = np.random.default_rng(0)
    values = np.resize(np.asarray(points, np.float64), (ROWS, 2)) + WIDTH * rng.normal(size=(ROWS, 2))
    name = f"drawn-{hashlib.sha256(values.tobytes()).hexdigest()[:12]}"
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.npy"
    if folder.is_symlink() or path.is_symlink():
        raise InputError(f"{folder} is a link, and links are not followed. Remove it.")
    if not path.exists():
        np.save(folder / ".writing.npy", values.astype(np.float32))
        (folder / ".writing.npy").replace(path)
    return name


def place(root: Path, name: str) -> str:
    """What a run is told to learn from: a built-in name, or the path of a drawing.  InputError for others."""
    if name in DATA:
        return name
    path = root / FOLDER / f"{name}.npy"
    if NAME.fullmatch(name) and path.is_file() and not path.is_symlink() and not path.parent.is_symlink():
        return str(path)
    raise InputError(f"the lab's data are {', '.join(DATA)}, and what was drawn in it.")


def named(root: Path, data: str) -> str:
    """The lab's name for what a run learns from: the opposite of `place`, and what is neither stays as it is."""
    path = Path(data)
    return path.stem if path.parent == root / FOLDER and NAME.fullmatch(path.stem) else data
