"""A look at images before training on them: what each is, which cannot be read, and which are there twice.

    exact duplicate     the same pixels as an image before it, once both are upright, in 8 bits, and transparency lies on white
    near duplicate      of two images that are not that: both reduced to 16x16 by averaging, their root mean square difference is
                        at most 0.03 of the range, and their correlation, each less its own mean, at least 0.99

The second finds what was saved again, scaled or touched up, and not what was cropped or mirrored.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sparring.data.images.assumed import colourless
from sparring.data.images.classes import Parts, laid_out, lost_classes
from sparring.data.images.decode import decode, header, quiet
from sparring.data.images.files import Files, image_files
from sparring.data.images.folder import Progress, each
from sparring.data.labels import in_words, odd, parse_table, read_table
from sparring.data.source import Finite, Rows
from sparring.errors import InputError, RunFailed

SIDE, DIFFERENCE, CORRELATION = 16, 0.03, 0.99      # of a near duplicate
NEAR_AT_MOST = 70_000       # images that are all compared with each other; of more, the first so many
PAIRS = 10_000              # after which no more near duplicates are looked for
ROWS = 512                  # compared at once
FLAT = 1e-3                 # the length of a thumbnail less its mean, below which it is one plain colour

Thumb = NDArray[np.uint8]


class Sight(NamedTuple):
    """What is seen of one image."""

    size: tuple[int, int]       # height, width: upright
    mode: str                   # as stored, in Pillow's words
    form: str                   # such as PNG
    grey: bool
    transparent: bool
    frames: bool                # there are further frames or pages
    digest: bytes               # of its pixels
    thumb: Thumb                # uint8[16, 16, 3]
    low: int = 0                # the least of its values, but for transparency
    high: int = 255
    deep: bool = False          # stored in 16 bits
    colourless: bool = False    # grey in every pixel


class Labels(NamedTuple):
    """What a labels.csv beside the images says of each label; or why a run would refuse it."""

    about: dict[str, str] = {}  # noqa: RUF012 - a NamedTuple default, never changed
    odd: tuple[str, ...] = ()
    wrong: str = ""
    strangers: tuple[str, ...] = ()     # files that it knows and that are not there


class Sights(NamedTuple):
    """All images of a set: names, what was seen or why not, labels with the names of the classes, and what else lay there."""

    names: list[str]
    seen: list[Sight | str]
    labels: list[int] | None
    classes: list[str]
    others: dict[str, int]
    held_out: int = 0                   # so many of them, at the end, are held out from training
    table: Labels | None = None
    odd: tuple[str, ...] = ()           # what is left out or assumed, as far as folders and names tell
    wrong: str = ""                     # why every run would refuse how all lies there
    parts: str = ""                     # why all but translators would

    def good(self) -> list[int]:
        return [i for i, sight in enumerate(self.seen) if isinstance(sight, Sight)]


def look_at_files(path: Path, progress: Progress) -> Sights:
    """Every image file below a folder or in a .zip, whole; nothing is refused.  InputError when there is no such folder or zip."""
    with image_files(path) as files, quiet():
        n = len(files.names)

        def look(i: int) -> Sight | str:
            try:
                data = files.read(i, None)
                head, image = header(data), decode(data, None, 3, "white")
            except InputError as error:
                return str(error)
            return Sight((image.values.shape[1], image.values.shape[2]), head.mode, head.form, head.grey, image.transparent, image.frames,
                         digest_of(image.values), thumb_of(image.values), int(image.values.min()), int(image.values.max()), head.deep,
                         colourless(image.values))

        seen = list(each(n, look, lambda done: progress(done, n)))
        names = list(files.names)
        good = [names[i] for i, sight in enumerate(seen) if isinstance(sight, Sight)]
        table = look_at_table(files, good)
        bare = Sights(names, seen, None, [], dict(files.others.most_common()), table=table)
        try:
            labels, classes, odd = look_at_folders(files, seen)
        except Parts as error:
            return bare._replace(parts=str(error))
        except InputError as error:
            return bare._replace(wrong=str(error))
        return bare._replace(labels=labels, classes=classes, odd=tuple(odd))


def look_at_folders(files: Files, seen: Sequence[Sight | str]) -> tuple[list[int] | None, list[str], list[str]]:
    """The class of every image, -1 where it has none, and the names of all; and what a run would leave out.  InputError where it would
    refuse them."""
    if not files.names:
        return None, [], []
    layout = laid_out(files)
    good = [k for k, i in enumerate(layout.kept) if isinstance(seen[i], Sight)]
    there, gone = lost_classes(files, layout, good)
    if there.labels is None:
        return None, [], [*layout.odd, *gone]
    labels = [-1] * len(seen)
    for k, label in zip(good, there.labels, strict=True):
        labels[layout.kept[k]] = label
    return labels, there.classes, [*layout.odd, *gone]


def look_at_table(files: Files, good: list[str]) -> Labels | None:
    """The labels.csv beside the images, read for those that are good."""
    try:
        if (text := files.table()) is None or not good:
            return None
        table = parse_table(text, files.where, files.beside)
        rows, traits = read_table(table, good)
        return Labels(in_words(rows, traits), tuple(odd(rows, traits)), strangers=tuple(table.strangers(files.names)))
    except InputError as error:
        return Labels(wrong=str(error))


def pixels(values: Tensor | Rows, rows: Tensor) -> list[np.ndarray | str]:
    """The images at these positions, or why one of them cannot be read."""
    try:
        return list(values[rows].numpy())
    except RunFailed as error:
        return [str(error)] if len(rows) == 1 else [one for row in rows.split(1) for one in pixels(values, row)]


def look_at_values(source: Finite, progress: Progress) -> Sights:
    """The images of a source that holds their pixels, and after them those that are held out."""
    parts = [("", source)] + ([("held out ", source.held_out)] if source.held_out is not None else [])
    total, names, seen, labels = sum(len(part) for _, part in parts), list[str](), list[Sight | str](), list[int]()
    for prefix, part in parts:
        for start in range(0, len(part), ROWS):
            rows = torch.arange(start, min(len(part), start + ROWS))
            for i, image in zip(rows.tolist(), pixels(part.values, rows), strict=True):
                names.append(f"{prefix}{i}")
                seen.append(image if isinstance(image, str) else
                            Sight((image.shape[1], image.shape[2]), {1: "L", 3: "RGB", 4: "RGBA"}[len(image)], "array", len(image) == 1,
                                  len(image) == 4 and int(image[3].min()) < 255, False, digest_of(image), thumb_of(image[:3])))
            progress(len(seen), total)
        labels += [] if part.labels is None or part.labels.is_floating_point() else part.labels.tolist()
    return Sights(names, seen, labels or None, list(source.space.labels), {}, len(seen) - len(source), odd=source.odd)


def digest_of(values: NDArray[np.uint8]) -> bytes:
    return hashlib.blake2b(f"{values.shape}".encode() + np.ascontiguousarray(values).tobytes(), digest_size=16).digest()


def thumb_of(values: NDArray[np.uint8]) -> Thumb:
    """uint8[1 or 3, H, W] to uint8[16, 16, 3], the whole image squeezed."""
    pixels = values[0] if len(values) == 1 else np.ascontiguousarray(values.transpose(1, 2, 0))
    small = np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX))
    return small if small.ndim == 3 else small[:, :, None].repeat(3, 2)


def exact_duplicates(sights: Sequence[Sight]) -> list[tuple[int, int]]:
    """Pairs (first, copy): every image that has the pixels of one before it, with the first of these."""
    first: dict[bytes, int] = {}
    return [(before, i) for i, sight in enumerate(sights) if (before := first.setdefault(sight.digest, i)) != i]


def near_duplicates(sights: Sequence[Sight], progress: Callable[[int, int], None]) -> list[tuple[int, int]]:
    """Pairs of images that are nearly the same, as the head of this file defines it; of exact duplicates the first stands for all."""
    copies = {copy for _, copy in exact_duplicates(sights)}
    chosen = [i for i in range(len(sights)) if i not in copies][:NEAR_AT_MOST]
    if len(chosen) < 2:
        return []
    colours = 1 if all(sights[i].grey for i in chosen) else 3
    x = torch.from_numpy(np.stack([sights[i].thumb[:, :, :colours] for i in chosen])).flatten(1).float() / 255
    square, pairs = x.square().sum(1), list[tuple[int, int]]()
    for start in range(0, len(x), ROWS):
        rest = x[start:]                                        # every pair once
        apart = torch.addmm(square[start:start + ROWS, None] + square[start:], x[start:start + ROWS], rest.T, alpha=-2)
        for row, column in (apart <= DIFFERENCE**2 * x.shape[1] + 1e-4).nonzero().tolist():
            if row < column and alike(x[start + row], x[start + column]):
                pairs.append((chosen[start + row], chosen[start + column]))
                if len(pairs) == PAIRS:
                    return pairs
        progress(min(len(x), start + ROWS), len(x))
    return pairs


def alike(a: Tensor, b: Tensor) -> bool:
    """The definition, for two thumbnails float[D] in [0, 1]; of plain colours only the difference counts."""
    if float((a - b).square().mean()) > DIFFERENCE**2:
        return False
    p, q = a - a.mean(), b - b.mean()
    lengths = float(p.norm()), float(q.norm())
    if min(lengths) < FLAT:
        return max(lengths) < FLAT
    return float(p @ q) >= CORRELATION * lengths[0] * lengths[1]
