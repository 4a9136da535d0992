"""Where runs lie below the lab's folder, whatever name is asked for; nothing outside of it is ever reached."""

import re
from pathlib import Path

from sparring.errors import InputError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+=,@-]{0,119}")
DEPTH = 3                           # folders below the lab's that a run may lie in


class Nowhere(InputError):
    """There is no such run here."""


def run_folder(root: Path, name: str) -> Path:
    """The folder of the run of this name, parts joined by slashes, below `root`.  Nowhere for any other spelling, for a name that leads
    out of `root` or through a link, and for what is no run."""
    path = inside(root, name)
    if not (path / "config.json").is_file() or (path / "config.json").is_symlink():
        raise Nowhere(f"there is no run '{name[:120]}' here.")
    return path


def inside(root: Path, name: str) -> Path:
    """A folder of this name below `root`, which may not be there yet."""
    parts = name.split("/")
    if len(parts) > DEPTH or not all(NAME.fullmatch(part) and not part.endswith((".", " ")) for part in parts):
        raise Nowhere("a run's name has letters, digits and .-_+=,@ alone, and begins with a letter or a digit.")
    path = root
    for part in parts:
        path = path / part
        if path.is_symlink():
            raise Nowhere(f"'{name[:120]}' is a link, and links are not followed.")
    if not path.resolve().is_relative_to(root.resolve()):
        raise Nowhere(f"there is no run '{name[:120]}' here.")
    return path


def unused(root: Path, stem: str) -> Path:
    """A folder that is not there: stem-1, stem-2, ..."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.")[:80] or "game"
    number = 1
    while (root / f"{stem}-{number}").exists() or (root / f"{stem}-{number}").is_symlink():
        number += 1
    return root / f"{stem}-{number}"
