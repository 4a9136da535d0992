"""Arrays in memory or in .npy / .npz files, to vectors or images."""

import math
import os
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray
from torch import Tensor

from sparring.data.arrays.keys import chosen
from sparring.data.images.assumed import cut_off, sliver
from sparring.data.images.decode import reformat
from sparring.data.labels import in_a_list, read_rows
from sparring.data.labels import odd as strange
from sparring.data.settings import AUTO, DataSettings, check_image_memory, check_memory, choose_size, open_file, refuse_settings
from sparring.data.source import Finite
from sparring.data.tables.kinds import like_classes, more
from sparring.errors import InputError, reason, shown
from sparring.spaces import Images, Traits, Vectors, class_names, number_order

Array = NDArray[Any]
THE_ARRAY = "the array"           # what an array in memory is called
CHUNK = 1024                     # images that are converted at a time, so that memory stays bounded
BLOCK = 1 << 24                  # and numbers of vectors
WORK = 20                        # bytes of memory that a number of a vector takes while it is standardized
DEFLATE = 1032                   # the largest factor by which deflate makes anything smaller
ROUNDING = 1e-6                  # how far outside [0, 1] or [-1, 1] arithmetic may have pushed a value
FLOAT32_MAX = float(np.finfo(np.float32).max)
KINDS = {"c": "complex numbers", "O": "Python objects", "U": "text", "S": "bytes", "V": "records",
         "M": "dates", "m": "time spans"}


def read_arrays(data: Path | Array | Tensor | tuple[Any, ...], settings: DataSettings = AUTO, form: str = "") -> Finite:
    """An array, (array, labels) or a file of them, to a source.

    [N] and [N, D] are vectors, standardized column by column; [N, H, W], [N, H, W, C] and [N, C, H, W] are images: uint8, uint16, bool,
    or floats in [0, 1] or [-1, 1], which of them is seen from the values unless `form` says it.  `labels` are N integers or strings, or
    numbers [N, K]: several labels a sample.
    InputError for anything else.
    """
    channels_first, odd = False, list[str]()
    if isinstance(data, Path):
        what = shown(data)
        x, y, odd = _load(data)
    else:
        what = THE_ARRAY
        if isinstance(data, tuple) and len(data) != 2:
            raise InputError(f"a tuple of {len(data)} was given; expected (x, labels). Give these two, or the array alone.")
        given, y = data if isinstance(data, tuple) else (data, None)
        channels_first = isinstance(given, Tensor)
        x = _numpy(given, what)
    _check(x, what)
    if x.dtype == np.bool_:
        x = x.view(np.uint8) != 0                   # files may hold truth values that are neither 0 nor 1
    labels, names, traits = (None, (), None) if y is None else _labels(y, len(x), what)
    if x.ndim <= 2:
        refuse_settings(settings, f"{what} of shape {list(x.shape)} holds vectors")
        source = vectors(x, what)
    else:
        source = _images(x, settings, what, channels_first, form)
    assert isinstance(source.space, Vectors | Images)
    space = replace(source.space, labels=names if traits is None else traits.in_words(), traits=traits)
    notes = () if traits is None else (f"{len(traits.names)} labels a sample, as numbers",)
    if traits is not None and labels is not None:
        odd += in_a_list(strange(labels, traits))
    return Finite(space, source.values, labels, notes=(*source.notes, *notes), odd=(*odd, *source.odd))


def float_form(data: object) -> str:
    """In which range floats of images in an array, or in a file of them, are seen to be: "[0, 1]", "[-1, 1]", or "" for all other data."""
    try:
        if isinstance(data, str | Path):
            path = Path(data).expanduser()
            x = _load(path)[0] if path.is_file() and path.suffix.lower() in (".npy", ".npz") else None
        else:
            given = data[0] if isinstance(data, tuple) and data else data
            x = _numpy(given, THE_ARRAY) if isinstance(given, np.ndarray | Tensor) else None
        return _form(x.min().item(), x.max().item()) if x is not None and x.dtype.kind == "f" and x.ndim > 2 and x.size else ""
    except InputError:
        return ""                                               # told by whoever reads it


# -- reading ----------------------------------------------------------------------------------------------------------

def _numpy(x: object, what: str) -> Array:
    if isinstance(x, Tensor):
        try:
            dense = x.detach().cpu().resolve_conj().resolve_neg()
            return (dense.float() if dense.dtype == torch.bfloat16 else dense).numpy()
        except (RuntimeError, TypeError, NotImplementedError) as error:
            raise InputError(f"{what} is a tensor that cannot be read ({reason(error)}). "
                             f"Give a dense tensor of numbers.") from None
    if isinstance(x, np.ma.MaskedArray):
        raise InputError(f"{what} is masked. Fill or drop the masked values first: x.filled(...).")
    if isinstance(x, np.ndarray):
        return np.asarray(x)
    raise InputError(f"{what} is a {type(x).__name__}; expected a numpy array or a torch tensor. "
                     f"Convert it with np.asarray(x).")


def _load(path: Path) -> tuple[Array, Array | None, list[str]]:
    """The values and labels in a file, and what of it is not used; its header is checked against memory before anything is read."""
    with open_file(path) as file:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")             # numpy's, of files that Python 2 wrote: they are read well
                if path.suffix.lower() == ".npz":
                    return _load_npz(path, file)
                _check_header(path, file, os.fstat(file.fileno()).st_size)
                file.seek(0)
                return npy.read_array(file, allow_pickle=False), None, []
        except InputError:
            raise
        except Exception as error:             # damaged files raise nearly everything
            raise InputError(f"{shown(path)} cannot be read as {path.suffix[1:]} ({reason(error)}). It is damaged "
                             f"or cut short: save it again with np.save or np.savez.") from None


def _load_npz(path: Path, file: IO[bytes]) -> tuple[Array, Array | None, list[str]]:
    with zipfile.ZipFile(file) as archive:
        value, label, odd = chosen(path, archive)

        def array(key: str) -> Array:
            info = archive.getinfo(f"{key}.npy")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):   # others inflate without bound
                raise InputError(f"{shown(path)} is packed with zip method {info.compress_type}. Use np.savez.")
            with archive.open(info) as stream:
                _check_header(path, stream, min(info.file_size, DEFLATE * info.compress_size), "US" if key == label else "")
            with archive.open(info) as stream:
                return npy.read_array(stream, allow_pickle=False)

        return array(value), None if label is None else array(label), odd


def _check_header(path: Path, stream: IO[bytes], size: int, also: str = "") -> None:
    """InputError for what is not numbers or of a kind in `also`, ValueError for more than a stream of this size can hold."""
    if npy.read_magic(stream) != (1, 0):       # versions 2 and 3 exist for records with very many or foreign names
        raise InputError(f"{shown(path)} holds records; expected an array of numbers. Save one column of them alone.")
    shape, _, dtype = npy.read_array_header_1_0(stream)
    if dtype.hasobject:
        raise InputError(f"{shown(path)} holds Python objects, which are never unpickled. "
                         f"Convert numbers with np.asarray(x, dtype=np.float32), and words with .astype(str), and save again.")
    if dtype.kind not in "buif" + also:
        raise InputError(f"{shown(path)} holds {KINDS[dtype.kind]}; expected numbers. Convert them and save again.")
    if any(k < 0 for k in shape):
        raise ValueError("it declares fewer samples than none")
    total = math.prod(shape) * dtype.itemsize
    check_memory(total, f"{shown(path)} holds {shown(list(shape))} of {dtype}", "Give fewer samples.")
    room = size - stream.tell()
    if total > room:                           # told before memory is taken for it
        raise ValueError(f"it declares {total:,} bytes and can hold {max(0, room):,}")


# -- checking ---------------------------------------------------------------------------------------------------------

def _check(x: Array, what: str) -> None:
    """InputError unless these are real, finite numbers in one of the shapes that are read."""
    if x.dtype.kind not in "buif":
        raise InputError(f"{what} holds {KINDS.get(x.dtype.kind, x.dtype)}; expected numbers. "
                         f"Convert it, for example with .astype(np.float32).")
    if not 1 <= x.ndim <= 4:
        raise InputError(f"{what} has shape {list(x.shape)}; expected [N], [N, D], [N, H, W], [N, H, W, C] or "
                         f"[N, C, H, W]. Reshape it.")
    if x.size == 0:
        raise InputError(f"{what} has shape {list(x.shape)}: it is empty. Give at least one sample.")
    if x.dtype.kind == "f":
        bad = ~np.isfinite(x)
        if bad.any():
            where = [int(k) for k in np.unravel_index(int(bad.argmax()), x.shape)]
            raise InputError(f"{what} has {int(bad.sum())} values that are NaN or infinite, the first at {where}. "
                             f"Drop those samples or fill the values in.")


def _labels(y: object, n: int, what: str) -> tuple[Tensor, tuple[str, ...], Traits | None]:
    """Class indices int64[n] and the sorted class names; or of numbers [n, K] several labels a sample, and what they are."""
    whose = "the labels" if what == THE_ARRAY else f"{what}: the labels"
    try:
        array = _numpy(y, "the array of labels") if isinstance(y, Tensor | np.ma.MaskedArray) else np.asarray(y)
    except InputError:
        raise
    except Exception as error:                 # numpy asks the user's own objects, which may raise anything
        raise InputError(f"{whose} are not one list ({reason(error)}). "
                         f"Give one integer or string a sample.") from None
    if array.dtype.kind == "O" and all(isinstance(v, str) for v in array.flat):
        array = array.astype(str)
    if array.ndim not in (1, 2):
        raise InputError(f"{whose} have shape {list(array.shape)}; expected [{n}], one a sample, or [{n}, K], K of them. Reshape them.")
    if array.dtype.kind not in ("buif" if array.ndim == 2 else "buiU"):
        raise InputError(f"{whose} are {KINDS.get(array.dtype.kind, array.dtype)}; expected integers or strings. Convert them, for example "
                         f"with .astype(int). Give measured numbers as [{n}, 1], one row per sample.")
    if len(array) != n:
        raise InputError(f"there are {n} samples in {what}, but {len(array)} labels. Give one label a sample.")
    if array.ndim == 2:
        if array.shape[1] > 1 and np.isin(array, (0, 1)).all() and (array.sum(1) == 1).all():
            raise InputError(f"{whose} are one-hot: each row is one class. Give the classes, labels.argmax(1).")
        rows, traits = read_rows(array, [str(k) for k in range(array.shape[1])], whose)
        return rows, (), traits
    names, index = np.unique(array, return_inverse=True)
    if array.dtype.kind == "U":                         # of text, "10" would come before "2"
        order = np.array(sorted(range(len(names)), key=lambda k: number_order(str(names[k]))))
        names, index = names[order], np.argsort(order)[index]
    return torch.from_numpy(index.astype(np.int64)), class_names(names), None


# -- converting -------------------------------------------------------------------------------------------------------

def vectors(x: Array, what: str, names: tuple[str, ...] = ()) -> Finite:
    """float32[N, D] in network units: every column with mean 0 and deviation 1; `names` are those of columns, where they have some."""
    called = [f"column {shown(name)}" for name in names] or [f"column {k}" for k in range(x.size // len(x))]
    check_memory(WORK * x.size, f"{what} holds {x.size:,} numbers, each of which takes {WORK} bytes to standardize",
                 "Give fewer samples.")
    with np.errstate(over="ignore", invalid="ignore"):        # what is too large is told below
        columns = x.reshape(len(x), -1).astype(np.float64)
        constant = columns.min(0) == columns.max(0)
        shift = np.where(constant, columns[0], columns.mean(0))
        scale = np.where(constant, 1.0, columns.std(0))
    scale[scale == 0] = 1.0                                   # a spread too small for 64 bits
    large = ~(np.maximum(np.abs(columns).max(0), scale) < FLOAT32_MAX)
    if large.any():
        k = int(large.argmax())
        raise InputError(f"{called[k]} of {what} has values up to {np.abs(columns[:, k]).max():g}, too large for "
                         f"32-bit numbers. Divide it, or take its logarithm.")
    space = Vectors(tuple(shift.tolist()), tuple(scale.tolist()), columns=names)
    notes = [f"{len(x):,} vectors of {columns.shape[1]} numbers, each column standardized"]
    if constant.any():
        some = ", ".join(called[k].removeprefix("column ") for k in np.flatnonzero(constant)[:10])
        notes.append(f"{int(constant.sum())} of the columns never change ({some}); leave them out")
    kinds = [None if one is None else len(one) for one in (more(set(), column) for column in columns.T)] if columns.shape[1] > 1 else [None]
    way = "call that column label" if names else \
        "leave that column out, and give it as labels: (x, labels), or an array `labels` in an .npz"
    odd = like_classes(called, kinds, len(x), constant, way)
    values, rows = torch.empty(columns.shape), max(1, BLOCK // columns.shape[1])
    for start in range(0, len(x), rows):
        values[start:start + rows] = space.encode(torch.from_numpy(columns[start:start + rows]))
    return Finite(space, values, notes=tuple(notes), odd=tuple(odd))


def _images(x: Array, settings: DataSettings, what: str, channels_first: bool, form: str) -> Finite:
    x, layout = _channels_first(x, what, channels_first)
    convert, values_note = _to_bytes(x, what, form)
    n, have, height, width = x.shape
    size, why = choose_size([(height, width)], settings)
    channels = int(settings.channels) if settings.channels != "auto" else min(have, 3)
    check_image_memory(n, channels, size)
    out = np.empty((n, channels, *size), np.uint8)
    for start in range(0, n, CHUNK):
        out[start:start + CHUNK] = reformat(convert(x[start:start + CHUNK]), size, channels, settings.alpha)
    notes = [f"{n:,} images at {size[0]}x{size[1]} (height x width): {why}. Channels: {channels}", layout, values_note]
    odd = [*cut_off([(height, width)], size), *sliver(int(out[:, :3].min()), int(out[:, :3].max()), deep=x.dtype.itemsize == 2 and
                                                      x.dtype.kind == "u", whole=x.dtype.kind != "f")]
    if have == 4 and channels != 4:
        odd.append(f"transparency was laid on {settings.alpha}; channels=4 keeps it")
    return Finite(Images(channels, *size), torch.from_numpy(out),
                  notes=tuple(note for note in notes if note), odd=tuple(odd))


def _channels_first(x: Array, what: str, prefer_first: bool) -> tuple[Array, str]:
    """Any image layout to [N, C, H, W], and what was assumed."""
    shape, allowed = list(x.shape), (1, 3, 4)
    if x.ndim == 3:
        if shape[2] in allowed and shape[1] != shape[2]:
            raise InputError(f"{what} has shape {shape}, which looks like one image. "
                             f"Give many: [N, H, W] or [N, H, W, C].")
        x, note = x[:, None], f"shape {shape} was read as [N, H, W]"
    else:
        first, last = shape[1] in allowed, shape[3] in allowed
        if not first and not last:
            raise InputError(f"{what} has shape {shape}; expected 1, 3 or 4 channels, last or second. Reshape it.")
        use_first = first and (prefer_first or not last)
        note = f"shape {shape} was read as [N, {'C, H, W' if use_first else 'H, W, C'}]"
        if first and last:
            note += ", though it could be the other; transpose it if that is wrong"
        x = x if use_first else x.transpose(0, 3, 1, 2)
    if min(x.shape[2:]) < 2:
        raise InputError(f"{what} has shape {shape}: images of {x.shape[2]}x{x.shape[3]} pixels are too small. Give larger images, or "
                         "reshape to [N, D] if they are vectors.")
    return x, note


def _form(low: float, high: float) -> str:
    """The range that floats between these are seen to be in; "" when it is neither of the two that are read."""
    if not high <= 1 + ROUNDING or not low >= -1 - ROUNDING:
        return ""
    return "[0, 1]" if low >= -ROUNDING else "[-1, 1]"


def _to_bytes(x: Array, what: str, form: str = "") -> tuple[Any, str]:
    """A function from a part of x to uint8, and what was assumed of the values."""
    if x.dtype == np.uint8:
        return (lambda part: part), ""
    if x.dtype == np.bool_:
        return (lambda part: part.astype(np.uint8) * 255), "false was read as black, true as white"
    if x.dtype.kind == "u" and x.dtype.itemsize == 2:
        return (lambda part: ((part.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)), \
            "16-bit values were read as 0 to 65535"
    low, high = x.min().item(), x.max().item()
    if x.dtype.kind != "f":
        cast = "If they are 0 to 255, give x.astype(np.uint8)." if low >= 0 and high <= 255 else \
            "Scale them to 0 to 255 and give x.astype(np.uint8)."
        raise InputError(f"{what} holds {x.dtype} from {low} to {high}; images are uint8, uint16, bool or floats. "
                         f"{cast}")
    seen = _form(low, high)
    if not seen:
        fix = "Divide by 255." if low >= 0 and 2 < high <= 255 else "Scale it: (x - x.min()) / (x.max() - x.min())."
        raise InputError(f"{what} holds floats from {low:g} to {high:g}; images are floats in [0, 1] or [-1, 1]. {fix}")
    form = form or seen
    scale, shift = (255.0, 0.0) if form == "[0, 1]" else (127.5, 127.5)
    return (lambda part: np.clip(np.rint(part.astype(np.float32) * scale + shift), 0, 255).astype(np.uint8)), \
        f"values from {low:.3g} to {high:.3g} were read as {form}"
