"""A folder of images, or a .zip of one read in place, to a `Finite` source; subfolders are labels."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import PIL
import torch

from sparring.data.cache import key
from sparring.data.images.assumed import COLOURLESS, colourless, cut_off, sliver
from sparring.data.images.classes import Layout, folder_labels, laid_out, lost_classes
from sparring.data.images.decode import DECODING, FORMATS, Decoded, Header, decode, header, quiet
from sparring.data.images.decoded_cache import recall, remember
from sparring.data.images.disk_cache import Room
from sparring.data.images.files import Files, image_files
from sparring.data.labels import TABLE, in_a_list, parse_table, read_table
from sparring.data.labels import odd as strange
from sparring.data.settings import AUTO, DataSettings, check_image_memory, choose_size
from sparring.data.source import Finite
from sparring.errors import InputError, shown
from sparring.spaces import Images, class_names

Progress = Callable[[int, int], None]
T = TypeVar("T")

BAD_SHARE = 0.05              # more bad images than this and the data is refused
NAMED_IN_MESSAGES = 5
HEAD = 1 << 16                # bytes that nearly always hold an image's header
AN_IMAGE, A_PIXEL = 150_000, 10 # nanoseconds, about, that it takes to decode one
LONG = 500_000_000            # nanoseconds of decoding that are worth a file in the cache
BLOCK = 32                    # images that a thread takes at a time
WORKERS = min(8, os.cpu_count() or 1)
TELLING = 1                   # to be raised when other notes are made of the same files: sets in the cache hold theirs


def read_images(path: Path, settings: DataSettings = AUTO, progress: Progress | None = None) -> Finite:
    """Every image under a folder or in a .zip, as uint8[N, C, H, W] in order of name; what took long to decode is kept for next time.

    `progress(done, total)` counts two steps an image: its header, then its pixels.
    InputError when nothing can be read, or more than one image in twenty is bad.
    """
    progress = progress or (lambda done, total: None)
    with image_files(path) as files:
        if not files.names:
            raise InputError(_nothing_found(files))
        layout = laid_out(files)
        of = key(files.names, files.identity(), sorted(files.others.items()), settings.model_dump(), DECODING, PIL.__version__,
                 (files.table() or b"").hex(), TELLING, layout.odd)
        if (source := recall(of)) is not None:
            progress(2 * len(files.names), 2 * len(files.names))
            return source
        with quiet():
            source, _, effort = _read(files, settings, progress, layout=layout)
        if effort >= LONG and (unkept := remember(of, source)):
            source.notes = (*source.notes, f"they are decoded anew at every start: {unkept}")
        return source


def read_listed(files: Files, settings: DataSettings, progress: Progress, room: Room | None = None) -> tuple[Finite, list[int]]:
    """The images of these files, in memory or the `room` given, and which of the files they are: bad ones are left out."""
    source, kept, _ = _read(files, settings, progress, room)
    return source, kept


def _read(files: Files, settings: DataSettings, progress: Progress, room: Room | None = None,
          layout: Layout | None = None) -> tuple[Finite, list[int], int]:
    """The images, which of the files they are, and how many nanoseconds that takes about."""
    if layout is None:                                  # of a set whose folders were understood before
        layout = Layout(list(range(len(files.names))), *folder_labels(files.names))
    files = chosen(files, layout.kept)
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

    def pixels(i: int) -> Fact | str:
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
    twice = copies(out[:len(kept)]) if room is None else 0
    table = None if (text := files.table()) is None else parse_table(text, files.where, files.beside)
    if table is not None:
        numbers, traits = read_table(table, names)
    there, gone = lost_classes(files, layout, kept)
    labels, classes = (there.labels, there.classes) if table is None else (None, [])
    good = [fact for fact in facts if not isinstance(fact, str)]
    notes = [_summary(len(kept), size, why, channels, grey, settings), *_copied(twice), *_label_note(labels, classes)]
    if channels == 3 and all(fact.colourless for fact in good):
        notes.append(COLOURLESS)
    odd = [*layout.odd, *_skipped(files, bad), *(gone if table is None else []), *_oddities(good, settings),
           *cut_off([headers[i].size for i in kept], size),
           *sliver(min(fact.low for fact in good), max(fact.high for fact in good), deep=all(headers[i].deep for i in kept))]
    index = None if labels is None else torch.tensor(labels, dtype=torch.int64)
    effort = AN_IMAGE * n + A_PIXEL * sum(h.size[0] * h.size[1] for h in headers.values())
    images = Images(channels, *size, class_names(classes))
    if table is not None:
        if folder_labels(names)[0] is not None:
            odd.append(f"folders are no classes, since there is a {TABLE}")
        images, index = replace(images, labels=traits.in_words(), traits=traits), numbers
        notes.append(f"{len(traits.names)} labels an image from {TABLE}: {', '.join(traits.names[:10])}")
        if strangers := table.strangers(files.names):
            odd.append(f"{TABLE} has {len(strangers):,} rows for files that are not there, such as {shown(strangers[0])}")
        odd += in_a_list(strange(numbers, traits))
    source = Finite(images, torch.from_numpy(out[:len(kept)]), index, notes=tuple(notes), odd=tuple(odd))
    return source, [layout.kept[i] for i in kept], effort


def chosen(files: Files, rows: Sequence[int]) -> Files:
    """Some of these files."""
    return files if len(rows) == len(files.names) else files._replace(names=[files.names[i] for i in rows],
                                                                     read=lambda i, limit: files.read(rows[i], limit))


def copies(values: np.ndarray) -> int:
    """How many of uint8[N, C, H, W] have the same pixels as one before them."""
    return len(values) - len({hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in values})


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


class Fact(NamedTuple):
    """What is to be told of an image that was read."""

    transparent: bool
    frames: bool
    low: int                    # the least of its values, but for transparency
    high: int
    colourless: bool            # every pixel is grey


def _into(target: np.ndarray, image: Decoded) -> Fact:
    target[:] = image.values
    return Fact(image.transparent, image.frames, int(image.values[:3].min()), int(image.values[:3].max()), colourless(image.values))


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
        notes.append(f"{files.others.total()} files that are not images were skipped ({_counted(files.others)})")
    return notes


def _summary(n: int, size: tuple[int, int], why: str, channels: int, grey: int, settings: DataSettings) -> str:
    kind = {1: "grey", 3: "RGB", 4: "RGB and transparency"}[channels]
    mixed = f" ({grey} are grey)" if settings.channels == "auto" and channels == 3 and grey else ""
    return f"{n:,} images at {size[0]}x{size[1]} (height x width): {why}. Channels: {channels}, {kind}{mixed}"


def _oddities(facts: list[Fact], settings: DataSettings) -> list[str]:
    transparent, frames = sum(fact.transparent for fact in facts), sum(fact.frames for fact in facts)
    notes = []
    if transparent and settings.channels != "4":
        other = "black" if settings.alpha == "white" else "white"
        notes.append(f"{transparent} images have transparency, laid on {settings.alpha}; alpha={other} changes that, "
                     f"channels=4 keeps it")
    if frames:
        notes.append(f"{frames} images have several frames or pages; the first is used")
    return notes


def _copied(twice: int) -> list[str]:
    return [f"{twice:,} images are exact copies of another, as they are read here, and will be learned as often"] if twice else []


def _label_note(labels: list[int] | None, classes: list[str]) -> list[str]:
    if labels is None:
        return []
    count = Counter(labels)
    some = ", ".join(f"{shown(name)} ({count[k]})" for k, name in enumerate(classes[:10]))
    more = f" and {len(classes) - 10} more" if len(classes) > 10 else ""
    alone = [shown(name) for k, name in enumerate(classes) if count[k] == 1] if len(classes) > 1 else []
    few = f". {len(alone)} of these classes have one image, such as {alone[0]}, of which nothing can be learned: join or remove them" \
        if alone else ""
    return [f"labels from folders: {some}{more}{few}"]
