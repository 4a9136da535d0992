"""The command `sample`: samples of a run or a model as a picture, an array, a table, or a folder of pictures."""

import csv
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sparring import api
from sparring.cli.sample_lines import sample_lines
from sparring.cli.sample_rows import rows
from sparring.data.asked import Shares
from sparring.data.labels import TABLE, table_of
from sparring.data.tables.csv_file import CLASS, TRAIT
from sparring.errors import InputError, listed, shown
from sparring.latent.truncation import told
from sparring.latent.where import refuse_for_rows
from sparring.latent.writing import refuse_for_lines
from sparring.pictures.samples import draw_samples
from sparring.spaces import Images, Table, Texts, Vectors, digits, shares_of, to_uint8

PICTURE, ROWS = "samples.png", "samples.csv"        # where to, when nobody says
FORMATS = "Give --out FILE.png, FILE.npy, FILE.npz, FILE.csv or a folder"
MOST = 5                # classes that are named


def sample(run: Path, n: int, seed: int, out: str, label: str | None, truncation: float | None = None,
           shares: Any = "even", where: str | None = None, temperature: float | None = None, prefix: str = "",
           recipe: str | None = None) -> dict[str, Any]:
    """Draw n samples into a picture, an array, a table, or a folder of pictures."""
    model = api.load(run, recipe=recipe)
    if isinstance(model.space, Table):
        refuse_for_rows(label=label, truncation=truncation, shares=None if shares == "even" else shares, temperature=temperature,
                        prefix=prefix or None)
        return rows(model, model.space, n, seed, Path(out or ROWS), where)
    if isinstance(model.space, Texts):
        refuse_for_lines(label=label, truncation=truncation, shares=None if shares == "even" else shares)
        return sample_lines(model, n, seed, out, temperature, prefix)
    if where is not None:
        raise InputError(f"--where {shown(where)}: only rows of tables are asked for by column. Classes are asked for with --label.")
    if temperature is not None or prefix:
        raise InputError("--temperature and --prefix are for lines of text, and this model draws none. Leave them out.")
    out = out or PICTURE
    path = Path(out)
    form = "" if path.is_dir() or out.endswith(("/", "\\")) else path.suffix.lower()
    labels = None if label is None else [label] if label in model.labels else [word.strip() for word in label.split(",")]
    refuse(model, path, form)
    samples = model.sample(n, seed=seed, labels=labels, truncation=truncation, shares=shares)
    which = model.labels_for(n, labels, shares=shares)
    again = path.is_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_samples(model, samples, which, path, form)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror or error}. Give another --out.") from None
    first = f"{n} samples: {path}{', which replaced that file' if again else ''}"
    kind = [] if truncation is None else [told(model.game.generator, truncation)]
    said = [first, *kind, *about_classes(model, form, shares, asked=labels is not None)]
    return {"out": str(path), "n": n, "seed": seed, "shape": list(samples.shape), "shares": shares, "text": "\n".join(said)}


def refuse(model: api.Model, out: Path, form: str) -> None:
    """InputError for a format that there is not, or that these samples do not go into, and for a folder that holds something."""
    images = isinstance(model.space, Images)
    if form not in ("", ".png", ".npy", ".npz", ".csv"):
        raise InputError(f"'{form}' is not a format for samples. {FORMATS}; the name of a folder with a dot in it needs a / at its end.")
    if form == ".csv" and images:
        raise InputError("images do not go into a .csv table. Give --out FILE.png, FILE.npy or a folder.")
    if form == "" and not images:
        raise InputError("only images go into a folder of pictures. Give --out FILE.png, FILE.npy or FILE.csv.")
    try:
        first = next(islice(out.iterdir(), 1), None) if form == "" and out.is_dir() else None
    except OSError as error:
        raise InputError(f"the folder {shown(out)} cannot be read: {error.strerror}. Give another --out.") from None
    if first is not None:
        raise InputError(f"{shown(out)} is not empty: it holds {shown(first.name)}, for one. Samples of two calls would be mixed there. "
                         "Give a new folder, or delete this one first.")


def about_classes(model: api.Model, form: str, shares: Shares, *, asked: bool) -> list[str]:
    """How the classes of what was written are mixed, and what a format leaves out."""
    if not model.labels or form == ".png":
        return []
    keeps = "FILE.npz" if isinstance(model.space, Images) else "FILE.npz or FILE.csv"
    renamed = [] if form or model.traits else [name for k, name in enumerate(model.labels) if folder_name(model.labels, k) != name]
    said = [f"classes whose names make no folder go by their numbers: {listed(renamed, MOST)}"] if renamed else []
    if form == ".npz" and model.traits is not None:
        said.append(f"a .npz holds no names of labels: they are, in order, {listed(model.traits.names)}")
    said += [f"a .npy holds no {'labels' if model.traits else 'classes'}: give {keeps} to keep them"] if form == ".npy" else []
    if asked or model.traits is not None:
        return said
    share = shares_of(model.space)
    if float(share.max() - share.min()) < 1e-3:
        return said
    order = share.argsort(descending=True).tolist()
    mixed = ", ".join(f"{shown(model.labels[k])} {float(share[k]):.1%}" for k in order[:MOST]) + (", ..." if len(order) > MOST else "")
    return [*said, f"classes are mixed as in the data: {mixed}" if shares == "data" else
            f"classes come in equal shares; in the data they are {mixed}. Before you train on these samples, give --shares data"]


def write_samples(model: api.Model, samples: torch.Tensor, which: torch.Tensor, out: Path, form: str) -> None:
    plain = to_uint8(samples).permute(0, 2, 3, 1).numpy() if isinstance(model.space, Images) else samples.numpy()
    match form:
        case ".png":
            draw_samples(model.space, samples, out)
        case ".npy":
            with open(out, "wb") as file:                       # given a name, np.save may append to it
                np.save(file, plain)
        case ".npz":
            with open(out, "wb") as file:
                if model.labels:
                    np.savez(file, x=plain, y=labels_in_array(model, which))
                else:
                    np.savez(file, x=plain)
        case ".csv":
            write_table(model, samples, which, out)
        case _:
            write_folder(model, plain, which, out)


def labels_in_array(model: api.Model, which: torch.Tensor) -> np.ndarray:
    return np.array([model.labels[y] for y in which.tolist()]) if model.traits is None else np.array(table_of(model.traits, which))


def write_table(model: api.Model, samples: torch.Tensor, which: torch.Tensor, out: Path) -> None:
    """Numbers in columns called as in the data, or x0, x1, ..., then the class or the labels; `train --data` reads it back."""
    space = model.space
    names = list(space.columns if isinstance(space, Vectors) else ()) or [f"x{i}" for i in range(samples.shape[1])]
    places = list(map(digits, space.shift, space.scale)) if isinstance(space, Vectors) else [9] * len(names)
    rows: list[list[Any]] = [[f"{v:.{k}g}" for v, k in zip(row, places, strict=True)] for row in samples.tolist()]
    if model.labels:
        added, columns = labelled(model, which)
        names = [*names, *([CLASS] if model.traits is None else [f"{TRAIT}{name}" for name in added])]
        rows = [[*row, *more] for row, more in zip(rows, columns, strict=True)]
    with open(out, "w", newline="") as table:
        csv.writer(table, lineterminator="\n").writerows([names, *rows])


def write_folder(model: api.Model, images: np.ndarray, which: torch.Tensor, out: Path) -> None:
    """One PNG a sample, in a folder a class when there are classes, or beside a labels.csv: a data set that can be trained on again."""
    from PIL import Image

    for i, (image, y) in enumerate(zip(images, which.tolist(), strict=True)):
        folder = out / folder_name(model.labels, y) if model.labels and model.traits is None else out
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(folder / f"{i:06d}.png")
    if model.traits is not None:
        names, rows = labelled(model, which)
        with open(out / TABLE, "w", newline="") as table:
            csv.writer(table, lineterminator="\n").writerows([["file", *names], *([f"{i:06d}.png", *row] for i, row in enumerate(rows))])


def labelled(model: api.Model, which: torch.Tensor) -> tuple[list[str], list[list[Any]]]:
    """Columns that say what each sample was asked to be: names, and a row a sample."""
    if model.traits is None:
        return [CLASS], [[model.labels[y]] for y in which.tolist()]
    return list(model.traits.names), table_of(model.traits, which)


def folder_name(labels: tuple[str, ...], y: int) -> str:
    """A class as the name of a folder; one that a file system could misread, such as `../x`, goes by its number."""
    plain = all(letter.isalnum() or letter in " _-+." for letter in labels[y]) and labels[y].strip(". ") == labels[y] != ""
    return labels[y] if plain and len(labels[y]) <= 100 else f"class {y}"
