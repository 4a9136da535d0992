"""IDX files, the form MNIST is published in (LeCun et al., 1998): a big-endian header, then bytes."""

import gzip
import io
import math
import os
import re
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.data.beside import unused
from sparring.data.images.assumed import cut_off, sliver
from sparring.data.images.decode import reformat
from sparring.data.settings import AUTO, DataSettings, check_image_memory, check_memory, choose_size, open_file
from sparring.data.source import Finite
from sparring.errors import InputError, reason, shown
from sparring.spaces import Images

IMAGES_NAME = re.compile(r"images([-.])idx3-ubyte(\.gz)?$")
LABELS_NAME = re.compile(r"labels[-.]idx1-ubyte(\.gz)?$")
UNSIGNED_BYTE = 8
DEFLATE = 1032                       # the largest factor by which gzip makes anything smaller
HELD_OUT = ("t10k", "test")          # what the part kept for scores is called where training is called train


def is_idx(path: Path) -> bool:
    """Whether the name, or a name in the folder, is that of an IDX file."""
    names = [p.name for p in path.iterdir()] if path.is_dir() else [path.name]
    return any(IMAGES_NAME.search(name) or LABELS_NAME.search(name) for name in names)


def read_idx(path: Path, settings: DataSettings = AUTO) -> Finite:
    """An images file with the labels beside it, or a folder with a train pair and perhaps a t10k pair (held out).

    Values are uint8[N, C, H, W].  InputError when header, length or labels do not fit.
    """
    train = _train_file(path) if path.is_dir() else path
    if LABELS_NAME.search(train.name):
        images = train.name.replace("labels", "images").replace("idx1", "idx3")
        raise InputError(f"{shown(train)} holds labels; give the images file, {shown(images)}, or the folder.")
    test = _held_out_file(train) if path.is_dir() else None
    pixels, stored, size, channels, why = _images(train, settings)
    raw = _labels(train, len(pixels))
    names = tuple(str(k) for k in np.unique(raw)) if raw is not None else ()
    space = Images(channels, *size, names)
    notes = [f"{len(pixels):,} images at {size[0]}x{size[1]} (height x width): {why}"]
    if raw is None:
        notes.append(f"no labels file beside {shown(train.name)}, so the images have no labels")
    held_out = None
    if test is not None:
        rest, *_ = _images(test, settings, size)
        theirs = _labels(test, len(rest)) if raw is not None else None
        if raw is not None and theirs is None:
            raise InputError(f"{shown(train.name)} has labels and {shown(test.name)} has none. Add or remove a file.")
        held_out = Finite(space, torch.from_numpy(rest), _indices(test, theirs, names))
        notes.append(f"{len(rest):,} images in {shown(test.name)} are held out for scores")
    odd = [*(unused(path, used(path, train, test)) if path.is_dir() else []), *cut_off([stored], size),
           *sliver(int(pixels.min()), int(pixels.max()))]
    return Finite(space, torch.from_numpy(pixels), _indices(train, raw, names), held_out=held_out, notes=tuple(notes), odd=tuple(odd))


def used(folder: Path, *images: Path | None) -> set[Path]:
    """These images files with their labels, each packed and unpacked."""
    names = {one.name.removesuffix(".gz") for one in images if one is not None}
    names |= {IMAGES_NAME.sub(r"labels\1idx1-ubyte", name) for name in names}
    return {folder / (name + end) for name in names for end in ("", ".gz")}


def _train_file(folder: Path) -> Path:
    files = sorted(p for p in folder.iterdir() if IMAGES_NAME.search(p.name))
    train = [p for p in files if "train" in p.name and not (p.suffix == ".gz" and p.with_suffix("") in files)]
    if len(train) == 1:
        return train[0]
    found = ", ".join(shown(p.name) for p in files) or "no images file"
    raise InputError(f"{shown(folder)} should hold one train-images-idx3-ubyte file (.gz or not); found {found}. "
                     f"Give the images file itself.")


def _held_out_file(train: Path) -> Path | None:
    for name in HELD_OUT:
        plain = train.with_name(train.name.replace("train", name, 1).removesuffix(".gz"))
        for candidate in (plain, plain.with_name(plain.name + ".gz")):
            if candidate.is_file():
                return candidate
    return None


def _images(path: Path, settings: DataSettings,
            size: tuple[int, int] | None = None) -> tuple[NDArray[np.uint8], tuple[int, int], tuple[int, int], int, str]:
    """uint8[N, C, H, W], the stored (H, W), that which they have now, C and why this size; a size that is given wins."""
    raw = _read(path, dims=3)
    n, height, width = raw.shape
    if min(height, width) < 2:
        raise InputError(f"{shown(path)} declares images of {height}x{width} pixels, which is too small. Check that it is the right file.")
    chosen, why = choose_size([(height, width)], settings)
    channels = 1 if settings.channels == "auto" else int(settings.channels)
    check_image_memory(n, channels, size or chosen)
    return reformat(raw[:, None], size or chosen, channels, settings.alpha), (height, width), size or chosen, channels, why


def _labels(images: Path, n: int) -> NDArray[np.uint8] | None:
    """The labels file that belongs to this images file, uint8[n]; None when there is none."""
    plain = IMAGES_NAME.sub(r"labels\1idx1-ubyte", images.name)
    for name in (plain + ".gz", plain) if images.suffix == ".gz" else (plain, plain + ".gz"):
        if name != images.name and images.with_name(name).exists():
            labels = _read(images.with_name(name), dims=1)
            if len(labels) != n:
                raise InputError(f"{shown(images)} holds {n} images, but {shown(name)} {len(labels)} labels. "
                                 f"They must be of the same set: get both files again.")
            return labels
    return None


def _indices(path: Path, raw: NDArray[np.uint8] | None, names: tuple[str, ...]) -> Tensor | None:
    if raw is None:
        return None
    known = np.array([int(name) for name in names])
    if not np.isin(raw, known).all():
        extra = ", ".join(map(str, np.setdiff1d(raw, known)))
        raise InputError(f"{shown(path)} has labels that do not occur in training ({extra}). Both files must belong to the same set.")
    return torch.from_numpy(np.searchsorted(known, raw).astype(np.int64))


def _read(path: Path, dims: int) -> NDArray[np.uint8]:
    """The array in an IDX file of unsigned bytes; reads no further than its header says, plus one byte."""
    with open_file(path) as file:
        packed = file.read(2) == b"\x1f\x8b"                  # gzip by content: downloads are often renamed
        file.seek(0)
        most = os.fstat(file.fileno()).st_size * (DEFLATE if packed else 1)
        try:
            if not packed:
                return _parse(path, file, dims, most)
            with gzip.GzipFile(fileobj=file) as stream:
                return _parse(path, stream, dims, most)
        except (EOFError, OSError, zlib.error) as error:
            raise InputError(f"{shown(path)} is damaged or cut short ({reason(error)}). Download it again.") from None


def _parse(path: Path, stream: io.BufferedIOBase, dims: int, most: int) -> NDArray[np.uint8]:
    """What `_read` returns, from a stream that can hold so many bytes at most."""
    what = "an images" if dims == 3 else "a labels"
    head = stream.read(4 + 4 * dims)
    if len(head) < 4 + 4 * dims or head[:4] != bytes([0, 0, UNSIGNED_BYTE, dims]):
        raise InputError(f"{shown(path)} is not {what} file in IDX form: it begins with "
                         f"{head[:4].hex(' ') or 'nothing'}, expected 00 00 08 {dims:02x}. "
                         f"Check the file's name and download it again.")
    shape = tuple(int(k) for k in np.frombuffer(head, ">u4", offset=4))
    total = math.prod(shape)
    if total == 0:
        raise InputError(f"{shown(path)} declares {'x'.join(map(str, shape))}: it is empty. Download it again.")
    check_memory(total, f"{shown(path)} declares {'x'.join(map(str, shape))} bytes", "Check that it is not damaged.")
    if total > most - len(head):         # told before memory is taken for it
        raise InputError(f"{shown(path)} declares {'x'.join(map(str, shape))} = {total} bytes, but holds "
                         f"only {most - len(head)} at most. It is damaged: download it again.")
    data = np.empty(total, np.uint8)
    view, have = data.data, 0
    while have < total and (count := stream.readinto(view[have:have + (1 << 24)])):
        have += count
    if have < total or stream.read(1):
        raise InputError(f"{shown(path)} declares {'x'.join(map(str, shape))} = {total} bytes, but holds "
                         f"{'only ' + str(have) if have < total else 'more'}. It is damaged: download it again.")
    return data.reshape(shape)
