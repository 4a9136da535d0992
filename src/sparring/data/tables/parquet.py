"""Parquet files, of images or of numbers, read by row groups when they are needed and never held in memory together.

A column of bytes, or of Hugging Face's {bytes, path}, holds images; otherwise all columns of numbers together are vectors.  A column of
integers or text named `label` (LABELS) holds classes.  The files' own footers say where every row lies, so any order is possible, it
is shuffled as exactly as data in memory, and resumes from the step alone.
"""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.data.beside import unused
from sparring.data.images.lazy_images import LOOKED_AT, Stored, looked_at
from sparring.data.settings import AUTO, DataSettings, gigabytes, refuse_settings
from sparring.data.source import Finite
from sparring.data.tables.kinds import like_classes, more
from sparring.data.tables.row_groups import FEW, HELD, Groups, damaged
from sparring.errors import InputError, RunFailed, needs, shown
from sparring.spaces import Images, Vectors, class_names, number_order

LABELS = ("label", "labels", "class", "target")
IMAGES = ("image", "images", "img", "jpg", "png")      # which column of bytes is meant, when there are several
LOOKED_INTO = 16                        # row groups, evenly over the files, whose images decide size and channels
ENDS = 1 << 16                          # bytes at both ends of a file that its fingerprint is made of
SLOW = 4 << 20                          # bytes of a row group from which on reading one to get at one image is slow
FLOAT32_MAX = float(np.finfo(np.float32).max)
Progress = Callable[[int, int], None]


class Columns(NamedTuple):
    """What the columns of a file are to us."""

    image: str | None                   # the column of encoded images, as it is read: "image" or "image.bytes"
    numbers: list[str]
    label: str | None
    over: list[str]                     # skipped


def parquet_in(path: Path) -> list[Path]:
    """The .parquet files at a path: itself, or those in a folder, by name."""
    if path.is_dir():
        return sorted(entry for entry in path.iterdir() if entry.suffix.lower() == ".parquet" and entry.is_file())
    return [path]


def read_parquet(path: Path, settings: DataSettings = AUTO, progress: Progress | None = None) -> Finite:
    """The images or vectors of one .parquet, or of all in a folder, as a source that reads them when they are needed.

    InputError when pyarrow is missing, a file is damaged or lacks, or the columns are neither images nor numbers.
    """
    with needs("pyarrow", "parquet", f"{shown(path)}: reading Parquet"):
        import pyarrow.parquet  # noqa: F401
    files = parquet_in(path)
    refuse_parts(path, files)
    schema = Groups(files[:1], []).schema(0)
    columns = sorted_out(schema, path)
    groups = Groups(files, [columns.image], FEW) if columns.image else Groups(files, columns.numbers)
    for number, file in enumerate(files):
        if (other := sorted_out(groups.schema(number), file)) != columns:
            raise InputError(f"{shown(file)} has other columns than {shown(files[0])} ({told(other)}; {told(columns)}). "
                             f"Give files of one kind.")
    if not len(groups):
        raise InputError(f"{shown(path)} holds no rows. Give a file with at least one.")
    try:
        labels, names, odd = classes(Groups(files, [columns.label]), columns.label, schema, progress) if columns.label else (None, (), [])
        odd += unused(path, files)
        if columns.over:
            odd.append(f"columns skipped: {', '.join(map(shown, columns.over[:10]))}" +
                         (f"; for classes, call one of integers or text {LABELS[0]}" if not columns.label else ""))
        return images(groups, columns, labels, names, odd, settings) if columns.image \
            else vectors(path, groups, columns, labels, names, odd, settings, progress)
    except RunFailed as error:                                  # a file that cannot be read from the start is the user's to mend
        raise InputError(str(error)) from None
    except InputError:
        raise
    except (ValueError, TypeError) as error:                    # pyarrow's errors are among them, and text that is none
        raise InputError(damaged(path, error)) from None


# ------------------------------------------------------------------------------------------------- files and columns
def refuse_parts(path: Path, files: list[Path]) -> None:
    """InputError for a folder of several data sets, or one where a file of `NAME-00001-of-00005.parquet` lacks."""
    if path.is_file():
        return
    found = [re.fullmatch(r"(.*?)-?(\d+)-of-(\d+)", file.stem) for file in files]
    splits = Counter(match[1] if match else re.sub(r"[-_.]?\d+$", "", file.stem) for match, file in zip(found, files, strict=True))
    if len(splits) > 1:
        raise InputError(f"{shown(path)} holds several data sets ({', '.join(map(shown, list(splits)[:5]))}). Give one file, or move each "
                         f"set to a folder of its own.")
    if all(found) and files:
        of = int(found[0][3]) if found[0] else 0
        missing = sorted(set(range(min(of, 100_000))) - {int(match[2]) for match in found if match})
        if missing:
            raise InputError(f"{shown(path)} lacks file(s) {', '.join(map(str, missing[:5]))}{' and more' if len(missing) > 5 else ''} of "
                             f"{of}. Put them back, or give one file.")


def sorted_out(schema: Any, path: Path) -> Columns:
    """Which column is what.  InputError when there are neither images nor numbers, or several columns of images."""
    import pyarrow.types as kinds

    def of_bytes(kind: Any) -> bool:
        return bool(kinds.is_binary(kind) or kinds.is_large_binary(kind))

    def numeric(kind: Any) -> bool:
        return bool(kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_boolean(kind) or kinds.is_decimal(kind))

    if twice := [name for name, count in Counter(schema.names).items() if count > 1]:
        raise InputError(f"{shown(path)} has two columns named {shown(twice[0])}. Give every column a name of its own.")
    plain = {field.name: field.type for field in schema}
    coded = {name: name for name, kind in plain.items() if of_bytes(kind)}
    coded |= {name: f"{name}.bytes" for name, kind in plain.items() if kinds.is_struct(kind) and
              any(part.name == "bytes" and of_bytes(part.type) for part in kind)}
    labels = [name for name in LABELS if name in plain and classlike(plain[name])]
    chosen = next((name for name in IMAGES if name in coded), None) if len(coded) > 1 else next(iter(coded), None)
    numbers = [name for name, kind in plain.items() if numeric(kind) and name not in labels[:1]] if not coded else []
    if (coded and not chosen) or not (coded or numbers):
        held = ", ".join(f"{shown(name)} ({shown(kind)})" for name, kind in list(plain.items())[:8])
        raise InputError(f"{shown(path)} has the columns {held or 'of nothing'}: expected one of bytes (images), or named "
                         f"{' or '.join(IMAGES[:2])} when there are several, or columns of numbers. Write it again with one.")
    used = {chosen, *numbers, *labels[:1]}
    return Columns(coded[chosen] if chosen else None, numbers, labels[0] if labels else None, [name for name in plain if name not in used])


def classlike(kind: Any) -> bool:
    import pyarrow.types as kinds

    value = kind.value_type if kinds.is_dictionary(kind) else kind
    return bool(kinds.is_integer(value) or kinds.is_boolean(value) or kinds.is_string(value) or kinds.is_large_string(value))


def told(columns: Columns) -> str:
    of = f"images in {shown(columns.image)}" if columns.image else f"{len(columns.numbers)} of numbers"
    return of + (f", classes in {columns.label}" if columns.label else ", no classes")


# ----------------------------------------------------------------------------------------------------------- classes
def classes(groups: Groups, column: str, schema: Any, progress: Progress | None) -> tuple[Tensor | None, tuple[str, ...], list[str]]:
    """Class indices int64[N], the class names, and what to note."""
    import pyarrow.types as kinds

    known, codes = dict[Any, int](), list[NDArray[np.int64]]()
    for number in range(groups.count):
        for batch in groups.batches(number):
            values = batch.column(0)
            if values.null_count:
                raise InputError(f"{groups.name(number)}: column {column} has missing values. Give every row a class.")
            coded = (values.dictionary_decode() if kinds.is_dictionary(values.type) else values).dictionary_encode()
            place = [known.setdefault(value, len(known)) for value in coded.dictionary.to_pylist()]
            codes.append(np.asarray(place, np.int64)[coded.indices.to_numpy(zero_copy_only=False)])
        if progress:
            progress(number + 1, groups.count)
    names = sorted(known, key=lambda value: (type(value).__name__, number_order(value) if isinstance(value, str) else value))
    rank = {value: k for k, value in enumerate(names)}
    index = np.asarray([rank[value] for value in known], np.int64)[np.concatenate(codes)]
    if set(names) == {-1}:                                      # what Hugging Face writes for a test set
        return None, (), [f"column {column} is -1 throughout, which names no class"]
    given = named(schema, column)
    if given and all(type(value) is int and 0 <= value < len(given) for value in names):
        return torch.from_numpy(np.asarray(names, np.int64)[index]), class_names(given), []
    return torch.from_numpy(index), class_names(names), []


def named(schema: Any, column: str) -> list[str]:
    """The names that Hugging Face's description of the columns gives to the classes 0, 1, ...; none when it gives none."""
    try:
        names = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"][column]["names"]
        return list(names) if isinstance(names, list) and all(isinstance(name, str) for name in names) else []
    except (KeyError, ValueError, TypeError, RecursionError):
        return []


# ------------------------------------------------------------------------------------------------------------ images
class EncodedImages:
    """The images of a column, by row."""

    def __init__(self, groups: Groups) -> None:
        self.groups, self.files = groups, groups.files

    def __len__(self) -> int:
        return len(self.groups)

    def read(self, rows: Any) -> list[bytes]:
        """A row without an image gives no bytes.  RunFailed when a file cannot be read any more."""
        found = [b""] * len(rows)
        for number, places, within in self.groups.of(rows):
            column = self.groups.held(number, encoded)
            for place, row in zip(places, within, strict=True):
                found[place] = column[int(row)].as_py() or b""
        return found

    def unusable(self, row: int, why: str) -> str:
        number, within = self.groups.at(row)
        return f"{self.groups.name(number)}: the image in row {self.groups.first_in_file(number) + within} cannot be used: {why}. Write " \
               f"that file again without it."

    def identify(self, digest: "hashlib._Hash") -> None:
        identify(self.groups, digest)


def encoded(batches: Iterator[Any]) -> tuple[Any, int]:
    """A row group's column of bytes, and how many bytes it takes."""
    import pyarrow as pa

    parts = [batch.column(0) for batch in batches]
    parts = [part.flatten()[0] if pa.types.is_struct(part.type) else part for part in parts]
    return pa.chunked_array(parts), sum(part.nbytes for part in parts)


def images(groups: Groups, columns: Columns, labels: Tensor | None, names: tuple[str, ...], odd: list[str],
           settings: DataSettings) -> Finite:
    pack = EncodedImages(groups)
    some = np.unique(np.linspace(0, groups.count - 1, LOOKED_INTO).astype(int)).tolist()
    each = -(-LOOKED_AT // len(some))
    rows = [row for number in some for row in np.unique(np.linspace(*groups.rows(number), each).astype(int)).tolist()]
    shape, why, seen = looked_at(pack, rows, settings)
    total, largest = groups.bytes()
    notes = list[str]()
    first = f"{len(pack):,} images in column {shown(columns.image)} of {len(groups.files)} Parquet file(s), read when they are " \
            f"needed, at {shape[1]}x{shape[2]} (height x width): {why}. Channels: {shape[0]}"
    if total > HELD and largest > SLOW:
        notes.append(f"its row groups take up to {largest / 1e6:,.0f} MB, and {gigabytes(HELD)} of them stay in memory: until its images "
                     f"are in the cache, a shuffled batch reads many row groups anew; written with row_group_size=100 they are smaller")
    return Finite(Images(*shape, names), Stored(pack, shape, settings.alpha), labels, notes=(first, *notes), odd=(*odd, *seen))


# ----------------------------------------------------------------------------------------------------------- vectors
class Numbers:
    """Standardized vectors by row: what a `Finite` holds in place of a tensor."""

    dtype = torch.float32

    def __init__(self, groups: Groups, space: Vectors) -> None:
        self.groups, self.space = groups, space
        self.shape: tuple[int, ...] = (len(groups), *space.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Tensor) -> Tensor:
        """float32[n, D] in network units."""
        at = rows.reshape(-1).numpy()
        out = np.empty((len(at), *self.shape[1:]), np.float32)
        for number, places, within in self.groups.of(at):
            out[places] = self.groups.held(number, self._standardized)[within]
        return torch.from_numpy(out)

    def _standardized(self, batches: Iterator[Any]) -> tuple[NDArray[np.float32], int]:
        values = np.concatenate([self.space.encode(torch.from_numpy(matrix(batch))).float().numpy() for batch in batches])
        return values, values.nbytes

    def ahead(self, workers: int) -> AbstractContextManager[Callable[[Tensor], Tensor]]:
        return nullcontext(self.__getitem__)

    def digest(self) -> bytes:
        digest = hashlib.sha256(repr((self.shape, self.groups.columns)).encode())
        identify(self.groups, digest)
        return digest.digest()


def matrix(batch: Any) -> NDArray[np.float64]:
    """float64[n, D] of a batch of columns of numbers; NaN where a value lacks."""
    import pyarrow as pa

    return np.stack([column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False) for column in batch.columns], 1)


def vectors(path: Path, groups: Groups, columns: Columns, labels: Tensor | None, names: tuple[str, ...], odd: list[str],
            settings: DataSettings, progress: Progress | None) -> Finite:
    refuse_settings(settings, f"{shown(path)} holds columns of numbers")
    shift, scale, constant, kinds = moments(groups, progress)
    notes = list[str]()
    space = Vectors(tuple(shift.tolist()), tuple(scale.tolist()), names, columns=tuple(columns.numbers))
    first = f"{len(groups):,} vectors of {len(shift)} numbers from {len(groups.files)} Parquet file(s), read when they are needed, each " \
            f"column standardized"
    if constant.any():
        some = ", ".join(shown(columns.numbers[k]) for k in np.flatnonzero(constant)[:10])
        notes.append(f"{int(constant.sum())} of the columns never change ({some}); leave them out")
    if 4 * len(groups) * len(shift) > HELD:
        notes.append(f"{gigabytes(HELD)} of the numbers stay in memory; a shuffled batch reads many row groups anew")
    odd += like_classes([shown(name) for name in columns.numbers], kinds, len(groups), constant,
                        f"move it out of the numbers: call a column of integers or text {LABELS[0]}")
    return Finite(space, Numbers(groups, space), labels, notes=(first, *notes), odd=tuple(odd))


def moments(groups: Groups,
            progress: Progress | None) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], list[int | None]]:
    """Each column's mean, deviation and whether it never changes, in one pass (Chan et al., 1979, eq. 2.1); and how many whole numbers it
    takes, None where they are others or many.

    InputError, with file, column and row, for numbers that are absent, not finite, or too large for 32 bits.
    """
    n, mean, squares = 0, np.zeros(len(groups.columns)), np.zeros(len(groups.columns))
    low, high = np.full(len(groups.columns), math.inf), np.full(len(groups.columns), -math.inf)
    kinds: list[set[float] | None] = [set() for _ in groups.columns]
    for number in range(groups.count):
        row = groups.first_in_file(number)
        for batch in groups.batches(number):
            values = matrix(batch)
            refuse_bad(values, groups, number, row)
            m, middle = len(values), values.mean(0)
            apart = middle - mean
            squares += values.var(0) * m + apart**2 * (n * m / (n + m))
            mean += apart * (m / (n + m))
            kinds = [more(one, values[:, k]) for k, one in enumerate(kinds)]
            low, high = np.minimum(low, values.min(0)), np.maximum(high, values.max(0))
            n, row = n + m, row + m
        if progress:
            progress(number + 1, groups.count)
    constant = low == high
    scale = np.where(constant, 1.0, np.sqrt(squares / n))
    scale[scale == 0] = 1.0                                     # a spread too small for 64 bits
    return np.where(constant, low, mean), scale, constant, [None if one is None else len(one) for one in kinds]


def refuse_bad(values: NDArray[np.float64], groups: Groups, number: int, row: int) -> None:
    good = np.isfinite(values) & (np.abs(values) < FLOAT32_MAX)
    if not good.all():
        i, k = (int(at) for at in np.argwhere(~good)[0])
        what = f"is {values[i, k]:g}, too large for 32-bit numbers" if np.isfinite(values[i, k]) else "is absent, NaN or infinite"
        raise InputError(f"{groups.name(number)}: column {shown(groups.columns[k])} {what} in row {row + i}. Drop such rows, or fill the "
                         f"values in, and write it again.")


def identify(groups: Groups, digest: "hashlib._Hash") -> None:
    """By the sizes and both ends of all files, footers included: enough to tell data sets apart without reading them whole."""
    for path in groups.files:
        size = path.stat().st_size
        with path.open("rb") as file:
            digest.update(str(size).encode() + file.read(ENDS))
            file.seek(max(0, size - 8))
            footer = int.from_bytes(file.read(4), "little")
            file.seek(max(0, size - max(ENDS, min(footer + 8, size))))
            digest.update(file.read())
