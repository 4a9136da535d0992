"""From a name, a path or an array to a source of samples."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from torch import Tensor

from sparring.data.builtin.digits import digits
from sparring.data.builtin.synthetic import Quadratic, gaussian, grid, mixture, ring
from sparring.data.formats import IMAGES, READ, Progress, format_of
from sparring.data.settings import AUTO, DataSettings, open_file, refuse_settings
from sparring.data.source import Arranged, Endless, Finite, Source
from sparring.errors import InputError, did_you_mean, reason, shown

SCENES = {"shapes": "pix2pix or cyclegan", "tints": "stargan"}         # built in too, for those who translate
NAMED: dict[str, Callable[[], Source]] = {
    "quadratic": Quadratic,
    "gaussian": gaussian,
    "mixture": mixture,
    "ring": ring,
    "grid": grid,
    "digits": digits,
}
NOT_YET = {".json": "text", ".jsonl": "text"}
PACKED = (".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar")


def open_source(data: str | Path | np.ndarray | Tensor | tuple[Any, ...] | Source, settings: DataSettings = AUTO,
                progress: Progress | None = None) -> Source:
    """A source from one of the NAMED, a path, an array, (array, labels), or a source, which is returned as it is.

    A name wins over a file of that name; write ./ring for the file.  `progress(done, total)` is told how far the
    reading of image files has come.  InputError when the data cannot be used, or the settings do not apply to it.
    """
    if isinstance(data, (np.ndarray, Tensor, tuple)):
        from sparring.data.arrays.arrays import read_arrays
        return read_arrays(data, settings)
    if isinstance(data, str) and data in NAMED:
        return _named(data, settings)
    if isinstance(data, (str, Path)):
        return _open_path(data, settings, progress)
    if isinstance(data, (Finite, Endless, Arranged)):
        refuse_settings(settings, "a source in memory is used as it is")
        return data
    if isinstance(data, list | tuple) and len(data) > 1 and all(isinstance(one, str | Path) for one in data):
        raise InputError(f"{len(data)} data sets are given ({', '.join(map(shown, data))}), and this takes one. Put them into one folder "
                         "as subfolders, or give one.")
    raise InputError(f"the data is a {type(data).__name__}; expected a name ({', '.join(NAMED)}), a path, a numpy "
                     f"array, a torch tensor or (array, labels). Convert it, for example with np.asarray(data).")


def _named(name: str, settings: DataSettings) -> Source:
    source = NAMED[name]()
    if settings == AUTO:
        return source
    if name != "digits":
        refuse_settings(settings, f"'{name}' has none")
    assert isinstance(source, Finite)
    return _resized(source, settings)


def _resized(source: Finite, settings: DataSettings) -> Finite:
    """A source of images at another size or with other channels."""
    import torch

    from sparring.data.images.assumed import cut_off
    from sparring.data.images.decode import reformat
    from sparring.data.settings import choose_size
    from sparring.spaces import Images

    space = source.space
    assert isinstance(space, Images) and isinstance(source.values, Tensor)
    size, _ = choose_size([(space.height, space.width)], settings)
    channels = space.channels if settings.channels == "auto" else int(settings.channels)
    values = torch.from_numpy(reformat(source.values.numpy(), size, channels, settings.alpha))
    rest = None if source.held_out is None else _resized(source.held_out, settings)
    return Finite(Images(channels, *size, space.labels), values, source.labels, held_out=rest, notes=source.notes,
                  odd=(*source.odd, *cut_off([(space.height, space.width)], size)))


def _open_path(data: str | Path, settings: DataSettings, progress: Progress | None) -> Finite:
    path = existing(data)
    form = format_of(path)
    if form is None:
        refuse_format(path)
    return form.open(path, settings, progress)


def refuse_format(path: Path) -> NoReturn:
    """InputError for a file of no format that is read, with what to do about it."""
    from sparring.data.images.decode import SUFFIXES

    open_file(path).close()
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        raise InputError(f"{shown(path)} is one image, and one image is not a data set: give its folder, "
                         f"{shown(path.parent)}.")
    if suffix == ".txt":
        raise InputError(f"{shown(path)} holds lines of text, which are not read as numbers or images. To learn from them: sparring train "
                         f"seqgan --data {shown(path)}. If it holds only numbers, save it as .csv.")
    if suffix in NOT_YET:
        raise InputError(f"{shown(path)}: {NOT_YET[suffix]} ({suffix}) are not read yet. If it holds only numbers, "
                         f"convert it to .npy: np.save('data.npy', np.loadtxt(path, delimiter=',', skiprows=1)).")
    if suffix in PACKED:
        raise InputError(f"{shown(path)}: {suffix} files are not read. Unpack it and give the folder, or use .zip.")
    raise InputError(f"{shown(path)} is not of a kind that is read: {READ}.")


def image_files_at(data: Any) -> Path | None:
    """Where image files lie when this is the path of a folder or .zip of them, not of shards or IDX files; None for all else.
    InputError when there is nothing there."""
    if not isinstance(data, (str, Path)) or (isinstance(data, str) and data in NAMED):
        return None
    path = existing(data)
    return path if format_of(path) is IMAGES and (path.is_dir() or path.is_file()) else None


def existing(data: str | Path, kinds: str = "") -> Path:
    """The path, if there is anything there; InputError with the nearest name otherwise, which may be that of built-in data unless
    `kinds` of files are wanted."""
    text = str(data)
    if not text.strip() or "\0" in text:
        raise InputError(f"the data is {shown(repr(text))}; expected a name ({', '.join(NAMED)}) or a path. Give a name, or {READ}.")
    if "://" in text:
        raise InputError(f"{shown(text)} is an address; nothing is downloaded. Download it and give the file.")
    try:
        path = Path(data).expanduser()
        if path.exists():
            return path
        parent = path.parent
        near = [entry.name for entry in islice(parent.iterdir(), 10_000)] if parent.is_dir() else []
    except (OSError, RuntimeError) as error:          # a name too long, a folder we may not list, ~ without a home
        raise InputError(f"{shown(text)} cannot be opened ({reason(error)}). Check the path.") from None
    place = f"in {shown(parent.absolute())}" if parent.is_dir() else f"since there is no folder {shown(parent)}"
    if kinds:
        raise InputError(f"there is no file or folder {shown(text)!r} {place}.{did_you_mean(path.name, map(shown, near))} Give {kinds}.")
    if text in SCENES:
        raise InputError(f"'{text}' is synthetic data for {SCENES[text]}. Train that recipe, or give {READ}.")
    hint = did_you_mean(text, NAMED) or did_you_mean(path.name, map(shown, near))
    raise InputError(f"{shown(text)!r} is not the name of a data set ({', '.join(NAMED)}), and there is no such file "
                     f"or folder {place}.{hint} Give a name, or {READ}.")
