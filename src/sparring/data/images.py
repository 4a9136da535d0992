"""A folder of images, or a .zip of one read in place, to a `Finite` source; subfolders are labels."""

import copy
import os
import re
import stat
import zipfile
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeVar

import numpy as np
import PIL
import torch

from sparring.data.cache import identity, key
from sparring.data.decode import DECODING, FORMATS, SUFFIXES, Decoded, Header, decode, header, quiet
from sparring.data.mapped import Room
from sparring.data.ready import recall, remember
from sparring.data.settings import AUTO, DataSettings, check_image_memory, choose_size, class_names, open_file, reason, shown
from sparring.data.source import Finite
from sparring.data.space import Images
from sparring.data.traits import TABLE, read_table
from sparring.errors import InputError

Progress = Callable[[int, int], None]
T = TypeVar("T")

BAD_SHARE = 0.05              # more bad images than this and the data is refused
NAMED_IN_MESSAGES = 5
HEAD = 1 << 16                # bytes that nearly always hold an image's header
FILE_LIMIT = 256 << 20        # bytes of one image file
RATIO_LIMIT, RATIO_FREE = 200, 16 << 20     # a zip entry beyond both is a bomb
ENTRY_LIMIT = 2_000_000       # entries of one zip
AN_IMAGE, A_PIXEL = 150_000, 10 # nanoseconds, about, that it takes to decode one
LONG = 500_000_000            # nanoseconds of decoding that are worth a file in the cache
TABLE_LIMIT = 1 << 28         # bytes of a labels.csv
BLOCK = 32                    # images that a thread takes at a time
WORKERS = min(8, os.cpu_count() or 1)
HIDDEN = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
SPLITS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation", "dev"})


class Files(NamedTuple):
    """The image files of a folder or zip, in order, and how to get at their bytes."""

    where: str
    names: list[str]                                  # with / between folders, relative to the folder or zip
    read: Callable[[int, int | None], bytes]          # (position, at most so many bytes or None for all)
    others: Counter[str]                              # how many files of which extension were passed over
    identity: Callable[[], object]                    # what changes when any of them does
    table: Callable[[], bytes | None] = lambda: None  # the labels.csv beside them, where there is one


def read_images(path: Path, settings: DataSettings = AUTO, progress: Progress | None = None) -> Finite:
    """Every image under a folder or in a .zip, as uint8[N, C, H, W] in order of name; what took long to decode is kept for next time.

    `progress(done, total)` counts two steps an image: its header, then its pixels.
    InputError when nothing can be read, or more than one image in twenty is bad.
    """
    progress = progress or (lambda done, total: None)
    with image_files(path) as files:
        if not files.names:
            raise InputError(_nothing_found(files))
        of = key(files.names, files.identity(), sorted(files.others.items()), settings.model_dump(), DECODING, PIL.__version__,
                 (files.table() or b"").hex())
        if (source := recall(of)) is not None:
            progress(2 * len(files.names), 2 * len(files.names))
            return source
        with quiet():
            source, _, effort = _read(files, settings, progress)
        if effort >= LONG and (unkept := remember(of, source)):
            source.notes = (*source.notes, f"they are decoded anew at every start: {unkept}")
        return source


def read_listed(files: Files, settings: DataSettings, progress: Progress, room: Room | None = None) -> tuple[Finite, list[int]]:
    """The images of these files, in memory or the `room` given, and which of the files they are: bad ones are left out."""
    source, kept, _ = _read(files, settings, progress, room)
    return source, kept


def _read(files: Files, settings: DataSettings, progress: Progress, room: Room | None = None) -> tuple[Finite, list[int], int]:
    """The images, which of the files they are, and how many nanoseconds that takes about."""
    n, bad = len(files.names), dict[int, str]()
    found = [h if isinstance(h, Header) else bad.setdefault(i, h)
             for i, h in enumerate(each(n, lambda i: header_of(files, i), lambda done: progress(done, 2 * n)))]
    _refuse_many(files, bad, n)
    headers = {i: h for i, h in enumerate(found) if isinstance(h, Header)}
    size, why = choose_size([h.size for h in headers.values()], settings)
    grey = sum(h.grey for h in headers.values())
    channels = int(settings.channels) if settings.channels != "auto" else 1 if grey == len(headers) else 3
    if room is None:
        check_image_memory(n, channels, size)
    out = np.empty((n, channels, *size), np.uint8) if room is None else room((n, channels, *size))

    def pixels(i: int) -> tuple[bool, bool] | str:
        if i in bad:
            return bad[i]
        return _reason_or(lambda: _into(out[i], decode(files.read(i, None), size, channels, settings.alpha)))

    facts = list(each(n, pixels, lambda done: progress(n + done, 2 * n)))
    bad = {i: fact for i, fact in enumerate(facts) if isinstance(fact, str)}
    _refuse_many(files, bad, n)
    kept = [i for i in range(n) if i not in bad]
    for place, i in enumerate(kept):                    # close the gaps in place: no second copy of the data
        if place != i:
            out[place] = out[i]
    names = [files.names[i] for i in kept]
    if (table := files.table()) is not None:
        numbers, traits = read_table(table, names, files.where)
    labels, classes = folder_labels(names) if table is None else (None, [])
    good = [fact for fact in facts if not isinstance(fact, str)]
    notes = [_summary(len(kept), size, why, channels, grey, settings),
             *_skipped(files, bad), *_oddities(good, settings), *_label_note(labels, classes)]
    index = None if labels is None else torch.tensor(labels, dtype=torch.int64)
    effort = AN_IMAGE * n + A_PIXEL * sum(h.size[0] * h.size[1] for h in headers.values())
    images = Images(channels, *size, class_names(classes))
    if table is not None:
        images, index = replace(images, labels=traits.in_words(), traits=traits), numbers
        notes.append(f"{len(traits.names)} labels an image from {TABLE}: {', '.join(traits.names[:10])}")
    return Finite(images, torch.from_numpy(out[:len(kept)]), index, notes=tuple(notes)), kept, effort


def folder_labels(names: list[str]) -> tuple[list[int] | None, list[str]]:
    """Class indices and sorted class names from file names like train/cat/1.png.

    Folders that all share are dropped; then, if every file lies in a folder and the outermost ones differ, those are
    the classes.  Otherwise (None, []).
    """
    folders = [name.split("/")[:-1] for name in names]
    low, high = min(folders), max(folders)              # what the extremes share, all share
    common = next((k for k, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    if any(len(folder) == common for folder in folders):
        return None, []
    first = [folder[common] for folder in folders]
    classes = sorted(set(first))
    position = {name: k for k, name in enumerate(classes)}
    return [position[name] for name in first], classes


def header_of(files: Files, i: int) -> Header | str:
    """From the first bytes where they suffice, for reading whole files twice would be slow."""
    def look() -> Header:
        head = files.read(i, HEAD)
        if len(head) == HEAD and not head.startswith((b"II", b"MM")):      # a TIFF keeps its header anywhere
            try:
                return header(head)
            except InputError:
                pass
        return header(head if len(head) < HEAD else files.read(i, None))
    return _reason_or(look)


def _into(target: np.ndarray, image: Decoded) -> tuple[bool, bool]:
    target[:] = image.values
    return image.transparent, image.frames


def _reason_or(work: Callable[[], T]) -> T | str:
    """What the work returns, or why the image is bad."""
    try:
        return work()
    except InputError as error:
        return str(error)


def each(n: int, work: Callable[[int], T], done: Callable[[int], None]) -> Iterator[T]:
    """work(0) ... work(n - 1) on a few threads, in order."""
    with ThreadPoolExecutor(WORKERS) as pool:
        blocks = pool.map(lambda start: [work(i) for i in range(start, min(n, start + BLOCK))], range(0, n, BLOCK))
        count = 0
        try:
            for block in blocks:
                count += len(block)
                done(count)
                yield from block
        finally:
            pool.shutdown(wait=True, cancel_futures=True)     # on Ctrl-C, do not read the rest first


# -- where the files are ----------------------------------------------------------------------------------------------

def image_files(path: Path) -> AbstractContextManager[Files]:
    """The image files below a folder or in a .zip; InputError when it cannot be read."""
    return _zip_files(path) if path.suffix.lower() == ".zip" and not path.is_dir() else _folder_files(path)


@contextmanager
def _folder_files(root: Path) -> Iterator[Files]:
    names = sorted(_walk(root))
    images, others = _sort_out(names)

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
        path = root / TABLE
        try:
            return path.read_bytes() if path.is_file() and path.stat().st_size <= TABLE_LIMIT else None
        except OSError as error:
            raise InputError(f"{shown(path)} cannot be read: {error.strerror}. Mend it, or move it elsewhere.") from None

    yield Files(shown(root), images, read, others, identities, table)


def _walk(root: Path) -> Iterator[str]:
    """Names of all files below root.  A folder is entered once, under its own name rather than a link's."""
    seen: set[tuple[int, int]] = set()
    folders, links = deque([""]), deque[str]()
    while folders or links:
        folder = folders.popleft() if folders else links.popleft()
        try:
            status = (root / folder).stat()
            if (status.st_dev, status.st_ino) in seen:        # a link to where we have been: perhaps a loop
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(root / folder) as entries:
                for entry in sorted(entries, key=lambda e: e.name):
                    name = f"{folder}/{entry.name}" if folder else entry.name
                    if _hidden(entry.name):
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
def _zip_files(path: Path) -> Iterator[Files]:
    # we open the file ourselves, since closing entries on several threads must never close the archive
    with open_file(path) as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except Exception as error:                            # damaged directories raise many things
            raise InputError(f"{shown(path)} cannot be read as a zip ({reason(error)}). It is damaged, cut short or "
                             f"not a zip: download or pack it again.") from None
        with archive:
            infos = _checked_entries(path, archive)
            images, others = _sort_out(sorted(infos))
            for name in images:
                if infos[name].flag_bits & 1:
                    raise InputError(f"{shown(path)} is encrypted ({shown(name)}). Unpack it with its password and "
                                     f"give the folder.")
            yield Files(shown(path), images, lambda i, limit: _entry(archive, infos[images[i]], limit), others,
                        lambda: (identity(path), [(infos[name].CRC, infos[name].file_size) for name in images]),
                        lambda: _entry(archive, infos[TABLE], None) if TABLE in infos else None)


def _checked_entries(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The files of a zip by name; InputError for names that point outside it, since such a zip means harm."""
    every = archive.infolist()
    if len(every) > ENTRY_LIMIT:
        raise InputError(f"{shown(path)} has {len(every):,} entries, more than {ENTRY_LIMIT:,}. Split it.")
    infos: dict[str, zipfile.ZipInfo] = {}
    for info in every:
        name = info.filename.replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/") or re.match(r"[A-Za-z]:", name):
            raise InputError(f"{shown(path)} has an entry named {shown(info.filename)!r}, which points outside the "
                             f"archive. Pack it again with relative names.")
        if not name.endswith("/") and not any(map(_hidden, name.split("/"))):
            infos[name] = info
    return infos


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


def _hidden(part: str) -> bool:
    return part.startswith(".") or part.lower() in HIDDEN


def _sort_out(names: Iterable[str]) -> tuple[list[str], Counter[str]]:
    images, others = [], Counter[str]()
    for name in names:
        suffix = PurePosixPath(name).suffix.lower()
        if suffix in SUFFIXES:
            images.append(name)
        else:
            others[shown(suffix) or "(no extension)"] += 1
    return images, others


# -- what to tell -----------------------------------------------------------------------------------------------------

def _counted(others: Counter[str]) -> str:
    most = others.most_common(NAMED_IN_MESSAGES)
    rest = len(others) - len(most)
    return ", ".join(f"{count} {suffix}" for suffix, count in most) + (f" and {rest} other kinds" if rest else "")


def _nothing_found(files: Files) -> str:
    found = f"only other files: {_counted(files.others)}" if files.others else "no files at all"
    packed = " To read one of the archives or arrays in it, give that file." \
        if {".zip", ".npy", ".npz", ".parquet"} & files.others.keys() else ""
    return f"there is no image in {files.where}; it holds {found}. Images are read from {', '.join(FORMATS)}: give a folder or .zip " \
           f"of those.{packed}"


def _first_named(files: Files, bad: dict[int, str]) -> str:
    first = islice(sorted(bad.items()), NAMED_IN_MESSAGES)
    named = "; ".join(f"{shown(files.names[i])}: {reason}" for i, reason in first)
    return named + (f"; and {len(bad) - NAMED_IN_MESSAGES} more" if len(bad) > NAMED_IN_MESSAGES else "")


def _refuse_many(files: Files, bad: dict[int, str], n: int) -> None:
    if len(bad) > BAD_SHARE * n:
        raise InputError(f"{len(bad)} of the {n} images in {files.where} cannot be used, more than 1 in 20 ("
                         f"{_first_named(files, bad)}). Repair or remove them.")


def _skipped(files: Files, bad: dict[int, str]) -> list[str]:
    notes = []
    if bad:
        notes.append(f"skipped {len(bad)} of {len(files.names)} images ({_first_named(files, bad)})")
    if files.others:
        notes.append(f"passed over {files.others.total()} files that are not images ({_counted(files.others)})")
    return notes


def _summary(n: int, size: tuple[int, int], why: str, channels: int, grey: int, settings: DataSettings) -> str:
    kind = {1: "grey", 3: "RGB", 4: "RGB and transparency"}[channels]
    mixed = f" ({grey} are grey)" if settings.channels == "auto" and channels == 3 and grey else ""
    return f"{n:,} images at {size[0]}x{size[1]} (height x width): {why}. Channels: {channels}, {kind}{mixed}"


def _oddities(facts: list[tuple[bool, bool]], settings: DataSettings) -> list[str]:
    transparent, frames = (sum(column) for column in zip(*facts, strict=True))
    notes = []
    if transparent and settings.channels != "4":
        other = "black" if settings.alpha == "white" else "white"
        notes.append(f"{transparent} images have transparency, laid on {settings.alpha}; alpha={other} changes that, "
                     f"channels=4 keeps it")
    if frames:
        notes.append(f"{frames} images have several frames or pages; the first is used")
    return notes


def _label_note(labels: list[int] | None, classes: list[str]) -> list[str]:
    if labels is None:
        return []
    count = Counter(labels)
    some = ", ".join(f"{shown(name)} ({count[k]})" for k, name in enumerate(classes[:10]))
    more = f" and {len(classes) - 10} more" if len(classes) > 10 else ""
    split = ". These look like parts of one data set, not classes: give one of them alone if so" \
        if {name.lower() for name in classes} <= SPLITS else ""
    return [f"labels from folders: {some}{more}{split}"]
