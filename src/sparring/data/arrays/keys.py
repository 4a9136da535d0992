"""Which array of an .npz holds the samples, which one their labels, and which are passed over."""

import zipfile
from pathlib import Path

from numpy.lib import format as npy

from sparring.errors import InputError, shown

# In the order in which they are looked for, each with the labels that belong to it first.
VALUES = ("x", "images", "data", "X", "x_train", "X_train", "train_x", "train_X", "train_images", "images_train", "train_data", "features",
          "image", "imgs", "samples")
LABELS = ("y", "labels", "Y", "label", "target", "targets", "y_train", "Y_train", "train_y", "train_Y", "train_labels", "labels_train",
          "train_targets", "classes", "class")
SURE = ("y", "labels")      # these are labels or an error; the others are labels if they look like them
NAMED = 10

Header = tuple[tuple[int, ...], str]        # shape, and kind of numbers in NumPy's letters


def chosen(path: Path, archive: zipfile.ZipFile) -> tuple[str, str | None, list[str]]:
    """The names of the arrays of samples and of labels, and what to say of all others.  InputError when it is not clear which are the
    samples."""
    keys = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    heads = {key: header(archive, key) for key in keys}
    label = next((key for key in SURE if key in keys), None)
    rest = [key for key in keys if key not in (label, *(LABELS if len(keys) > 1 else ()))]
    value = next((key for key in VALUES if key in keys), rest[0] if len(rest) == 1 else None)
    if value is None:
        raise InputError(f"{shown(path)} holds {len(keys)} arrays ({', '.join(map(shown, keys[:NAMED])) or 'none'}); name one of them "
                         f"{', '.join(VALUES[:3])} or {VALUES[3]}, or give a .npy.")
    unfit = list[str]()
    for key in LABELS if label is None else ():
        if key in keys and key != value:
            if why := odd_labels(heads[key], heads[value]):
                unfit.append(f"{shown(key)} {why}")
            else:
                label = key
                break
    over = [key for key in keys if key not in (value, label)]
    return value, label, about(over, heads, value, label, unfit)


def about(over: list[str], heads: dict[str, Header | None], value: str, label: str | None, unfit: list[str]) -> list[str]:
    """What to say of arrays that are passed over."""
    if not over:
        return []
    named = ", ".join(f"{shown(key)}{shape_of(heads[key])}" for key in over[:NAMED]) + \
        (f" and {len(over) - NAMED} more" if len(over) > NAMED else "")
    used = f"the samples are {shown(value)}" + (f" and their labels {shown(label)}" if label else "")
    why = f". No labels: {'; '.join(unfit)}" if unfit and not label else ""
    return [f"not read: {len(over)} arrays of the .npz ({named}); {used}{why}"]


def shape_of(head: Header | None) -> str:
    return "" if head is None else f" of shape {list(head[0])}"


def odd_labels(head: Header | None, values: Header | None) -> str:
    """Why an array with this header is no array of labels of these samples; "" when it may be one."""
    if head is None or values is None:
        return "cannot be read"
    shape, kind = head
    if kind == "O":
        return "holds Python objects, which are never unpickled: save it as integers or text"
    if not shape or not values[0] or shape[0] != values[0][0]:
        return f"has {shape[0] if shape else 'no'} rows for {values[0][0] if values[0] else 'no'} samples"
    if len(shape) == 1 and kind in "buiU":
        return ""
    if len(shape) == 1 and kind == "f":
        return "holds decimal numbers: give measured labels as [N, 1], named labels"
    return "" if len(shape) == 2 and shape[1] == 1 and kind in "buif" else f"has shape {list(shape)}: name it labels if it holds labels"


def header(archive: zipfile.ZipFile, key: str) -> Header | None:
    """Shape and kind of an array, without reading it; None when it cannot be told."""
    try:
        with archive.open(f"{key}.npy") as stream:
            if npy.read_magic(stream) != (1, 0):
                return None
            shape, _, dtype = npy.read_array_header_1_0(stream)
            return shape, "O" if dtype.hasobject else dtype.kind
    except Exception:                           # damaged entries raise nearly everything: whoever reads it says so
        return None
