"""Where image files lie: below a folder or in a .zip, read in place, and the table of labels beside them."""

import copy
import os
import re
import stat
import zipfile
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from sparring.data.cache import identity
from sparring.data.images.decode import SUFFIXES
from sparring.data.labels import TABLE
from sparring.data.settings import open_file
from sparring.errors import InputError, reason, shown

FILE_LIMIT = 256 << 20        # bytes of one image file
RATIO_LIMIT, RATIO_FREE = 200, 16 << 20     # a zip entry beyond both is a bomb
ENTRY_LIMIT = 2_000_000       # entries of one zip
TABLE_LIMIT = 1 << 28         # bytes of a labels.csv
HIDDEN = frozenset({"__macosx", "thumbs.db", "desktop.ini"})


class Files(NamedTuple):
    """The image files of a folder or zip, in order, and how to get at their bytes."""

    where: str
    names: list[str]                                  # with / between folders, relative to the folder or zip
    read: Callable[[int, int | None], bytes]          # (position, at most so many bytes or None for all)
    others: Counter[str]                              # how many files of which extension were skipped
    identity: Callable[[], object]                    # what changes when any of them does
    table: Callable[[], bytes | None] = lambda: None  # the labels.csv beside them, where there is one
    beside: str = ""                                  # the folder in which that lies, with a / behind it, and which all images share
    rest: tuple[str, ...] = ()                        # the names of those that were skipped
    folders: tuple[str, ...] = ()                     # every folder, also one with nothing in it
    twice: tuple[str, ...] = ()                       # links to folders that are read already
    dotted: tuple[str, ...] = ()                      # images that are left out for the dot before their names


def image_files(path: Path, suffixes: frozenset[str] = SUFFIXES) -> AbstractContextManager[Files]:
    """The image files below a folder or in a .zip, or files with other `suffixes`; InputError when it cannot be read."""
    zipped = path.suffix.lower() == ".zip" and not path.is_dir()
    return _zip_files(path, suffixes) if zipped else _folder_files(path, suffixes)


@contextmanager
def _folder_files(root: Path, suffixes: frozenset[str]) -> Iterator[Files]:
    inside, twice, dotted = list[str](), list[str](), list[str]()
    names = sorted(_walk(root, inside, twice, dotted))
    images, rest, beside = _sort_out(names, suffixes)

    def read(i: int, limit: int | None) -> bytes:
        path = root / images[i]
        try:
            status = path.stat()                              # before opening: a named pipe would wait for ever
            if not stat.S_ISREG(status.st_mode):
                raise InputError("it is not a regular file")
            if status.st_size > FILE_LIMIT:
                raise InputError(f"the file is larger than {FILE_LIMIT >> 20} MiB")
            with path.open("rb") as stream:
                return stream.read(limit if limit is not None else FILE_LIMIT)
        except OSError as error:
            raise InputError(f"it cannot be opened ({error.strerror})") from None

    def identities() -> list[object]:
        return [_identity(root / name) for name in images]

    def table() -> bytes | None:
        path = root / f"{beside}{TABLE}"
        try:
            if not path.is_file():
                return None
            if path.stat().st_size > TABLE_LIMIT:
                raise InputError(f"{shown(path)} is larger than {TABLE_LIMIT >> 20} MiB. Leave labels out, or move it elsewhere.")
            return path.read_bytes()
        except OSError as error:
            raise InputError(f"{shown(path)} cannot be read: {error.strerror}. Mend it, or move it elsewhere.") from None

    yield Files(shown(root), images, read, _kinds(rest), identities, table, beside, tuple(rest), tuple(inside), tuple(twice), tuple(dotted))


def names_below(root: Path) -> list[str]:
    """The names of all files below a folder, with / between folders; InputError when it cannot be read."""
    return sorted(_walk(root, [], [], []))


def _walk(root: Path, inside: list[str], twice: list[str], dotted: list[str]) -> Iterator[str]:
    """Names of all files below root.  A folder is entered once, under its own name rather than a link's: the folders that are entered
    are put into `inside`, links to them into `twice`, and images with a dot before their names into `dotted`."""
    seen: set[tuple[int, int]] = set()
    folders, links = deque([""]), deque[str]()
    while folders or links:
        folder = folders.popleft() if folders else links.popleft()
        try:
            status = (root / folder).stat()
            if (status.st_dev, status.st_ino) in seen:        # a link to where we have been: perhaps a loop
                twice.append(folder)
                continue
            seen.add((status.st_dev, status.st_ino))
            inside += [folder] if folder else []
            with os.scandir(root / folder) as entries:
                for entry in sorted(entries, key=lambda e: e.name):
                    name = f"{folder}/{entry.name}" if folder else entry.name
                    if _hidden(entry.name):
                        dotted += [name] if _dotted(entry.name) and not _is_folder(entry) else []
                        continue
                    if _is_folder(entry):
                        (links if entry.is_symlink() else folders).append(name)
                    else:
                        yield name
        except OSError as error:
            raise InputError(f"the folder {shown(root / folder)} cannot be read: {error.strerror}. "
                             f"Check that you may open it, or move it elsewhere.") from None


def _identity(path: Path) -> object:
    try:
        return identity(path)
    except OSError as error:                                  # it is told and skipped when it is to be read
        return error.errno


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:                                           # a link to itself: a file that will not open
        return False


@contextmanager
def _zip_files(path: Path, suffixes: frozenset[str]) -> Iterator[Files]:
    # we open the file ourselves, since closing entries on several threads must never close the archive
    with open_file(path) as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except Exception as error:                            # damaged directories raise many things
            raise InputError(f"{shown(path)} cannot be read as a zip ({reason(error)}). It is damaged, cut short or "
                             f"not a zip: download or pack it again.") from None
        with archive:
            infos, inside, dotted = _checked_entries(path, archive)
            images, rest, beside = _sort_out(sorted(infos), suffixes)
            for name in images:
                if infos[name].flag_bits & 1:
                    raise InputError(f"{shown(path)} is encrypted ({shown(name)}). Unpack it with its password and "
                                     f"give the folder.")
            yield Files(shown(path), images, lambda i, limit: _entry(archive, infos[images[i]], limit), _kinds(rest),
                        lambda: (identity(path), [(infos[name].CRC, infos[name].file_size) for name in images]),
                        lambda: _entry(archive, infos[beside + TABLE], None) if beside + TABLE in infos else None, beside,
                        tuple(rest), inside, dotted=dotted)


def _checked_entries(path: Path, archive: zipfile.ZipFile) -> tuple[dict[str, zipfile.ZipInfo], tuple[str, ...], tuple[str, ...]]:
    """The files of a zip by name, its folders, and images with a dot before their names; InputError for names that point
    outside it, since such a zip means harm."""
    every = archive.infolist()
    if len(every) > ENTRY_LIMIT:
        raise InputError(f"{shown(path)} has {len(every):,} entries, more than {ENTRY_LIMIT:,}. Split it.")
    infos: dict[str, zipfile.ZipInfo] = {}
    folders, dotted = dict[str, None](), list[str]()
    for info in every:
        name = info.filename.replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/") or re.match(r"[A-Za-z]:", name):
            raise InputError(f"{shown(path)} has an entry named {shown(info.filename)!r}, which points outside the "
                             f"archive. Pack it again with relative names.")
        if any(map(_hidden, name.split("/"))):
            *above, last = name.split("/")
            dotted += [name] if _dotted(last) and not any(map(_hidden, above)) else []
            continue
        folders |= {str(folder): None for folder in PurePosixPath(name + "x" * name.endswith("/")).parents if str(folder) != "."}
        if not name.endswith("/"):
            infos[name] = info
    return infos, tuple(folders), tuple(dotted)


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int | None) -> bytes:
    """The bytes of a zip entry, never more of them than it declares; InputError with the reason when it lies."""
    declared = info.file_size
    if declared > FILE_LIMIT:
        raise InputError(f"it declares more than {FILE_LIMIT >> 20} MiB")
    if declared > RATIO_FREE and declared > RATIO_LIMIT * max(1, info.compress_size):
        raise InputError(f"it declares {declared >> 20} MiB from {info.compress_size} bytes, as a zip bomb does")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):   # the others inflate without a bound
        raise InputError(f"it is packed with zip method {info.compress_type}; only stored and deflate are read")
    one_more = copy.copy(info)                                # a reader stops at file_size, and would hide the excess
    one_more.file_size = declared + 1
    try:
        with archive.open(one_more) as stream:
            data = stream.read(declared + 1 if limit is None else limit)
    except Exception as error:                                # as for the directory
        raise InputError(f"its zip entry is damaged ({reason(error)})") from None
    if len(data) > declared or (limit is None and len(data) < declared):
        raise InputError(f"its zip entry does not hold the {declared} bytes it declares")
    return data


def _is_image(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def _dotted(name: str) -> bool:
    """Whether a file would be read as an image but for the dot before its name; `._x.png` is no image, but what macOS notes on one."""
    return name.startswith(".") and not name.startswith("._") and _is_image(name)


def _hidden(part: str) -> bool:
    return part.startswith(".") or part.lower() in HIDDEN


def _kinds(names: Sequence[str]) -> Counter[str]:
    """How many files there are of which extension."""
    return Counter(shown(PurePosixPath(name).suffix.lower()) or "(no extension)" for name in names)


def _sort_out(names: Sequence[str], suffixes: frozenset[str]) -> tuple[list[str], list[str], str]:
    """The images; the files that are none, without the table of labels; and the folder of that: the innermost that holds one and all of
    the images."""
    images = [name for name in names if PurePosixPath(name).suffix.lower() in suffixes]
    tables = {name for name in names if images and PurePosixPath(name).name == TABLE
              and all(image.startswith(name[:-len(TABLE)]) for image in images)}
    beside = max((name[:-len(TABLE)] for name in tables), key=len, default="")
    rest = [name for name in names if PurePosixPath(name).suffix.lower() not in suffixes and not (tables and name == beside + TABLE)]
    return images, rest, beside
