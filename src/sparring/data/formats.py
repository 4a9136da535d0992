"""The formats of data that are read, in one table: what each is called, how it is recognized, and how it is opened.

Help, README and messages speak of formats by this table.  Nothing here imports torch or pydantic before a file is opened, so that
help answers at once.
"""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sparring.errors import InputError, shown

if TYPE_CHECKING:
    from sparring.data.settings import DataSettings
    from sparring.data.source import Finite

Progress = Callable[[int, int], None]           # (done, total), while image files are read


class Format(NamedTuple):
    """One format; `name` completes "Give ...", and `recognized` says in a line what is taken for it."""

    name: str
    recognized: str
    is_at: Callable[[Path], bool]
    open: "Callable[[Path, DataSettings, Progress | None], Finite]"


def images_at(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() == ".zip"


def open_images(path: Path, settings: "DataSettings", progress: Progress | None) -> "Finite":
    from sparring.data.images.folder import read_images
    return read_images(path, settings, progress)


def arrays_at(path: Path) -> bool:
    return not path.is_dir() and path.suffix.lower() in (".npy", ".npz")


def open_arrays(path: Path, settings: "DataSettings", progress: Progress | None) -> "Finite":
    from sparring.data.arrays.arrays import read_arrays
    return read_arrays(path, settings)


def idx_at(path: Path) -> bool:
    from sparring.data.images.idx import is_idx
    if not path.is_dir():
        return is_idx(path)
    try:
        return is_idx(path)
    except OSError as error:
        raise InputError(f"the folder {shown(path)} cannot be read: {error.strerror}. Check that you may open it.") from None


def open_idx(path: Path, settings: "DataSettings", progress: Progress | None) -> "Finite":
    from sparring.data.images.idx import read_idx
    return read_idx(path, settings)


def parquet_at(path: Path) -> bool:
    """A .parquet file, or a folder with such files and no images, which such a file may also describe."""
    if not path.is_dir():
        return path.suffix.lower() == ".parquet"
    from sparring.data.images.decode import SUFFIXES
    try:
        found = {entry.suffix.lower() for entry in islice(path.iterdir(), 10_000)}
    except OSError:
        return False                                            # told by whoever reads it
    return ".parquet" in found and not found & SUFFIXES


def open_parquet(path: Path, settings: "DataSettings", progress: Progress | None) -> "Finite":
    from sparring.data.tables.parquet import read_parquet
    return read_parquet(path, settings, progress)


def shards_at(path: Path) -> bool:
    return next(path.glob("*.tar"), None) is not None if path.is_dir() else path.suffix.lower() == ".tar"


def open_shards(path: Path, settings: "DataSettings", progress: Progress | None) -> "Finite":
    from sparring.data.images.shards import read_shards
    from sparring.data.settings import open_file
    if not path.is_dir():
        open_file(path).close()
    return read_shards(path, settings, progress)


def csv_at(path: Path) -> bool:
    return not path.is_dir() and path.suffix.lower() in (".csv", ".tsv")


def open_csv(path: Path, settings: "DataSettings", progress: Progress | None) -> "Finite":
    from sparring.data.tables.csv_file import read_csv
    return read_csv(path, settings)


# Recognized from the last to the first: the first takes every folder that is nothing else.
FORMATS = (
    Format("a folder or .zip of images", "`.zip`, or a folder of none of the other kinds",
           images_at, open_images),
    Format(".npy or .npz", "`.npy`, `.npz`", arrays_at, open_arrays),
    Format(".csv of numbers", "`.csv`, `.tsv`", csv_at, open_csv),
    Format("an IDX folder or file", "by its name, or a folder with such a file", idx_at,
           open_idx),
    Format(".parquet", "`.parquet`, or a folder of them without images", parquet_at, open_parquet),
    Format(".tar shards of images", "`.tar`, or a folder with such files", shards_at, open_shards),
)
IMAGES = FORMATS[0]
READ = f"{', '.join(one.name for one in FORMATS[:-1])} or {FORMATS[-1].name}"


def format_of(path: Path) -> Format | None:
    """The format of what is at this path; None when it is none that is read.

    InputError, with both lines to type, for a folder with data of two kinds, of which either may be meant.
    """
    found = [one for one in reversed(FORMATS) if one.is_at(path)]
    if len(found) < 2 or not path.is_dir():
        return found[0] if found else None
    from sparring.data.beside import images_are_meant, refuse_two_kinds
    kinds = {one.name: files_of(one, path) for one in found if one is not IMAGES}
    if len(kinds) > 1:
        refuse_two_kinds(path, *list(kinds.values())[:2])
    return IMAGES if images_are_meant(path, kinds[found[0].name], found[0].name) else found[0]


def files_of(form: Format, folder: Path) -> list[Path]:
    """The files in a folder for which it is taken for one of this format."""
    return sorted(entry for entry in folder.iterdir() if entry.is_file() and form.is_at(entry))
