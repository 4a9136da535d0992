"""Names of runs below the lab's folder, and names for new ones."""

import re
from pathlib import Path

from sparring.errors import InputError
from sparring.runs.index import inside

NAME = re.compile(r"[^\\\0-\x1f\x7f]{1,300}")


class Nowhere(InputError):
    """There is no such run here."""


def run_folder(root: Path, name: str) -> Path:
    """The folder of the run of this name, as the list of runs has it.  Nowhere for any other spelling, for a name that leads out of `root`
    or through a link, and for what is no run."""
    if not NAME.fullmatch(name) or (any(part in ("", ".", "..") or part.startswith(".") for part in name.split("/")) and name != "."):
        raise Nowhere("there is no run of this name here. Take a name from the list of runs.")
    try:
        path = root if name == "." else inside(root, name)
    except (InputError, ValueError, OSError):
        raise Nowhere("there is no run of this name here. Take a name from the list of runs.") from None
    config = path / "config.json"
    if config.is_symlink() or not config.is_file() or not path.resolve().is_relative_to(root.resolve()):
        raise Nowhere("there is no run of this name here. Take a name from the list of runs.")
    return path


def unused(root: Path, stem: str) -> Path:
    """A folder that is not there: stem-1, stem-2, ..."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.")[:80] or "game"
    number = 1
    while (root / f"{stem}-{number}").exists() or (root / f"{stem}-{number}").is_symlink():
        number += 1
    return root / f"{stem}-{number}"
