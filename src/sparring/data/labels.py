"""Several labels at once, or measured ones: a row of numbers a sample, in an array or in a labels.csv beside the images."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparring.errors import InputError, did_you_mean, reason, shown
from sparring.spaces import Traits, class_names, digits, mixed

TABLE = "labels.csv"        # its first column names a file, each other one a trait
EXAMPLES = 256              # rows that a model carries with it, to draw samples that are like the data
MOST = 1000                 # traits
KINDS = 20                  # of different whole numbers in a column: so many may be names of kinds


def read_rows(rows: np.ndarray, names: Sequence[str], what: str) -> tuple[Tensor, Traits]:
    """float32[N, K] as networks see it, and what the columns mean, from numbers [N, K] in their own units.

    Columns of zeros and ones stay as they are; the others get mean 0 and deviation 1.  InputError for a number that is not finite,
    a column that never changes, or too many columns.
    """
    rows = rows.astype(np.float64)
    if not 1 <= rows.shape[1] <= MOST:
        raise InputError(f"{what} has {rows.shape[1]:,} labels a sample; expected 1 to {MOST:,}. Leave out columns, or give one.")
    with np.errstate(over="ignore", invalid="ignore"):
        binary = np.isin(rows, (0.0, 1.0)).all(0)
        shift, scale = np.where(binary, 0.0, rows.mean(0)), np.where(binary, 1.0, rows.std(0))
    for k, name in enumerate(names):
        if not np.isfinite(rows[:, k]).all() or not (np.isfinite(shift[k]) and np.isfinite(scale[k])):
            raise InputError(f"{what}: label '{shown(name)}' has numbers that are missing, infinite or too large. Fill them in or leave "
                             f"that column out.")
        if (rows[:, k] == rows[0, k]).all():
            raise InputError(f"{what}: label '{shown(name)}' is {rows[0, k]:g} for every sample. Leave this column out.")
    distinct, count = np.unique(rows, axis=0, return_counts=True)
    places = np.linspace(0, len(distinct) - 1, min(EXAMPLES, len(distinct))).round().astype(int)
    nearest = np.searchsorted((places[:-1] + places[1:]) / 2, np.arange(len(distinct)))     # in their order, the example of each row
    shares = np.bincount(nearest, weights=count, minlength=len(places)) / len(rows)
    traits = Traits(class_names(names), tuple(shift.tolist()), tuple(scale.tolist()), tuple(map(tuple, distinct[places].tolist())),
                    tuple(shares.tolist()))
    return traits.encode(torch.from_numpy(rows)).float(), traits


class Table(NamedTuple):
    """A labels.csv as it was written."""

    what: str                       # how messages call it
    names: list[str]
    rows: dict[str, list[str]]      # by file, named as from the folder that the table lies in

    def strangers(self, files: Iterable[str]) -> list[str]:
        """The files that have a row and are not there."""
        return sorted(self.rows.keys() - set(files))


def parse_table(text: bytes, where: str, beside: str = "") -> Table:
    """The rows of a labels.csv that lies in the folder `beside`; InputError without a header, and for a file with two rows."""
    what = f"{where}: {beside}{TABLE}"
    wanted = "Its first row should be file,NAME,NAME... and each other one a file with its numbers."
    try:
        lines = [[word.strip() for word in row] for row in csv.reader(io.StringIO(text.decode("utf-8-sig"))) if row]
    except UnicodeDecodeError:
        raise InputError(f"{what} is not text in UTF-8. Save it as such. {wanted}") from None
    except csv.Error as error:
        raise InputError(f"{what} cannot be read ({reason(error)}). {wanted}") from None
    if not lines:
        raise InputError(f"{what} is empty. {wanted} Remove it if there are no labels.")
    header, *rows = lines
    if len(header) < 2:
        other = next((name for mark, name in ((";", "semicolons"), ("\t", "tabs")) if mark in header[0]), "")
        raise InputError(f"{what} has {other} between its columns. Save it with commas." if other else
                         f"{what} has one column only. Its first row should be file,NAME,NAME... with a name for each label.")
    if all(map(says_a_number, header[1:])):
        raise InputError(f"{what} begins with the row {shown(','.join(header))}, which names no labels. {wanted}")
    if "" in header[1:] or len(set(header[1:])) < len(header) - 1:
        raise InputError(f"{what}: its first row, {shown(','.join(header))}, has a label without a name, or two of one name. Name each.")
    found: dict[str, list[str]] = {}
    for file, *words in rows:
        if len(words) != len(header) - 1:
            raise InputError(f"{what}: the row of {shown(file)} has {len(words) + 1} fields and the header {len(header)}. Mend it.")
        if found.setdefault(beside + file.replace("\\", "/").removeprefix("./"), words) is not words:
            raise InputError(f"{what} has two rows for {shown(file)}. Leave one of them out.")
    return Table(what, header[1:], found)


def read_table(table: Table, files: Sequence[str]) -> tuple[Tensor, Traits]:
    """The same from a labels.csv with a row for each of these files; rows of other files are skipped.

    InputError for a file without a row, and a row without a number.
    """
    if lacking := [file for file in files if file not in table.rows]:
        row = f"; it names {shown(next(iter(table.rows)))}, for one" if table.rows else ", nor for any other"
        raise InputError(f"{table.what} has no row for {shown(lacking[0])} ({len(lacking):,} of {len(files):,} images have none){row}. Add "
                         "a row for each image, with its path relative to the table, or remove the table.")
    out = np.empty((len(files), len(table.names)))
    for i, file in enumerate(files):
        for k, word in enumerate(table.rows[file]):
            out[i, k] = number(word, f"{table.what}: the row of {shown(file)}", table.names[k])
    return read_rows(out, table.names, table.what)


def says_a_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False


def in_words(rows: Tensor, traits: Traits) -> dict[str, str]:
    """What each label is like over the data, float32[N, K] as networks see it: how many have it, or between which numbers it lies."""
    said = {}
    for name, column, shift, scale in zip(traits.names, rows.double().T, traits.shift, traits.scale, strict=True):
        if bool(((column == 0) | (column == 1)).all()):
            said[name] = f"{int(column.sum()):,} of {len(column):,}"
        else:
            least, mean, most = (round((float(value) + shift / scale) * 1e6) * 1e-6 * scale      # less what encoding rounded
                                 for value in (column.min(), column.mean(), column.max()))
            said[name] = f"{least:.4g} to {most:.4g}, mean {mean:.4g}"
    return said


def number(word: str, where: str, name: str) -> float:
    """A number, or yes and no; InputError for other words."""
    known = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}.get(word.strip().lower())
    try:
        value = float(word) if known is None else known
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        if not word.strip():
            raise InputError(f"{where} says nothing for {shown(name)}. Fill it in, or leave that label or that image out.")
        raise InputError(f"{where} says '{shown(word)}' for {shown(name)}; expected a number, or yes or no. For classes in words, put the "
                         f"images into a folder a class.")
    return value


def rows_for(traits: Traits, n: int, asked: object) -> Tensor:
    """n rows of labels in network units, float32[n, K].

    `asked` are numbers [M, K] in the data's own units, repeated in order; or some of the labels by name, as {name: value} or as words
    `name=value`: the others are those of the examples, mixed as in the data.  InputError for anything else.
    """
    order = torch.arange(n)
    if isinstance(asked, str):
        asked = [asked]
    if isinstance(asked, Sequence) and asked and all(isinstance(word, str) for word in asked):
        words = [word.partition("=") for word in asked]
        form = ",".join(f"{name}={value:g}" for name, value in zip(traits.names[:2], traits.examples[0], strict=False))
        if (bare := next((name for name, mark, _ in words if not mark), None)) is not None:
            raise InputError(f"--label {shown(bare)}: this model has several labels a sample, which are given by name, such as {form}. "
                             f"Labels: {', '.join(traits.names)}.")
        if len({name.strip() for name, _, _ in words}) < len(words):
            raise InputError(f"--label {shown(','.join(asked))} names a label twice. Give each once, such as {form}.")
        asked = {name.strip(): number(value, "--label", name.strip()) for name, _, value in words}
    if isinstance(asked, Mapping):
        rows = torch.tensor(traits.examples, dtype=torch.float64)[mixed(traits.shares, len(traits.examples), n)]
        for name, value in asked.items():
            if name not in traits.names:
                raise InputError(f"there is no label {name!r}.{did_you_mean(str(name), traits.names)} Labels: {', '.join(traits.names)}.")
            at = traits.names.index(name)
            if not (isinstance(value, bool | int | float) and math.isfinite(value)):
                raise InputError(f"{name}={shown(value)} is not a number. Give one, such as {name}={traits.examples[0][at]:g}.")
            if not 0 <= value <= 1 and all(row[at] in (0, 1) for row in traits.examples):
                raise InputError(f"{name}={value:g}: this label is yes or no in the data. Give 1 or 0, or a number between.")
            seen = [row[at] for row in traits.examples]
            reach = (max(seen) - min(seen)) / 2
            if not min(seen) - reach <= value <= max(seen) + reach:
                raise InputError(f"{name}={value:g} is far outside the data, where it is about {min(seen):g} to {max(seen):g}. Give a "
                                 "number in or near that range.")
            rows[:, at] = float(value)
        return traits.encode(rows).float()
    try:
        given = torch.as_tensor(np.asarray(asked, dtype=np.float64))
    except (TypeError, ValueError):
        given = torch.empty(0)
    if given.ndim != 2 or not len(given) or given.shape[1] != len(traits.names) or not given.isfinite().all():
        raise InputError(f"labels should be numbers [n, {len(traits.names)}] for {', '.join(traits.names[:10])}, or some of them by name, "
                         f"such as {traits.names[0]}={traits.examples[0][0]:g}.")
    return traits.encode(given)[order % len(given)].float()


def table_of(traits: Traits, which: Tensor) -> list[list[float]]:
    """The rows that indices of examples, or rows in network units, stand for, in the data's own units."""
    if not which.is_floating_point():
        return [list(traits.examples[i]) for i in which.tolist()]
    rows = which.double() * torch.tensor(traits.scale, dtype=torch.float64) + torch.tensor(traits.shift, dtype=torch.float64)
    places = [digits(shift, scale) - 3 for shift, scale in zip(traits.shift, traits.scale, strict=True)]     # less what encoding rounded
    return [[float(f"{value:.{k}g}") for value, k in zip(row, places, strict=True)] for row in rows.tolist()]


def in_a_list(sentences: Sequence[str]) -> list[str]:
    """Sentences as notes, which end without a full stop."""
    return [one.replace("Label", "label", 1).rstrip(".") for one in sentences]


def odd(rows: Tensor, traits: Traits) -> list[str]:
    """What to look at in labels, float32[N, K] as networks see them: a sentence each."""
    said = []
    for name, column, shift, scale in zip(traits.names, rows.double().T, traits.shift, traits.scale, strict=True):
        values, count = torch.unique(torch.round((column * scale + shift) * 1e4) / 1e4, return_counts=True)
        shown_values = [f"{float(value):g}" for value in values[:2]]
        if len(values) == 2 and len(column) > 2 and int(count.min()) == 1:
            said.append(f"Label '{name}' is the same for all images but one. Nothing can be learned of it: leave it out, or give more "
                        f"images.")
        elif len(values) == 2 and shown_values != ["0", "1"]:
            said.append(f"Label '{name}' is either {shown_values[0]} or {shown_values[1]}, and is learned as a measure. If that means no "
                        f"and yes, write 0 and 1.")
        elif 2 < len(values) <= min(KINDS, len(column) // 4) and bool((values == values.round()).all()):
            said.append(f"Label '{name}' takes {len(values)} whole numbers, and is learned as a measure, in which 2 lies between 1 and 3. "
                        f"If they stand for kinds of things, give each kind a column of 0 and 1, or a folder; in arrays, give labels of "
                        f"shape [N].")
    return said
