"""Image files wherever they lie: a folder, a zip, or one file as a set of one."""

from collections import Counter
from pathlib import Path
from typing import Any

from sparring.data.images.decode import SUFFIXES
from sparring.data.images.files import Files, image_files
from sparring.data.opening import existing
from sparring.data.settings import open_file
from sparring.errors import InputError, shown


def files_of(path: Path) -> Any:
    """The images of a folder, a zip or a file of one image, as a context."""
    there = existing(path, "an image, a folder or a .zip")
    if there.is_dir() or there.suffix.lower() == ".zip":
        return image_files(there)
    if there.suffix.lower() not in SUFFIXES:
        raise InputError(f"{shown(there)} is neither an image, a folder nor a .zip. Give those.")
    return one_file(there)


class one_file:
    """A file as a set of one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Files:
        def read(i: int, limit: int | None) -> bytes:
            with open_file(self.path) as stream:
                return stream.read(-1 if limit is None else limit)

        return Files(str(self.path.parent), [self.path.name], read, Counter(), lambda: self.path.stat())

    def __exit__(self, *trouble: object) -> None:
        pass
