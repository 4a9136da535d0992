"""The command `sample`: samples of a run or a model as a picture, an array, a table, or a folder of pictures."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sparring import api
from sparring.data.labels import TABLE, table_of
from sparring.errors import InputError
from sparring.pictures.samples import draw_samples
from sparring.spaces import Images, to_uint8


def sample(run: Path, n: int, seed: int, out: Path, label: str | None, truncation: float | None = None) -> dict[str, Any]:
    """Draw n samples into a picture, an array, a table, or a folder of pictures."""
    model = api.load(run)
    labels = None if label is None else [label] if label in model.labels else [word.strip() for word in label.split(",")]
    samples, which = model.sample(n, seed=seed, labels=labels, truncation=truncation), model.labels_for(n, labels)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_samples(model, samples, which, out)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror or error}. Give another --out.") from None
    return {"out": str(out), "n": n, "seed": seed, "shape": list(samples.shape), "text": f"{n} samples: {out}"}


def write_samples(model: api.Model, samples: torch.Tensor, which: torch.Tensor, out: Path) -> None:
    images = isinstance(model.space, Images)
    match "" if out.is_dir() else out.suffix.lower():
        case ".png":
            draw_samples(model.space, samples, out)
        case ".npy":
            with open(out, "wb") as file:                       # given a name, np.save may append to it
                np.save(file, to_uint8(samples).permute(0, 2, 3, 1).numpy() if images else samples.numpy())
        case ".csv" if images:
            raise InputError("images do not go into a .csv table. Give --out FILE.png, FILE.npy or a folder.")
        case ".csv":
            names = [f"x{i}" for i in range(samples.shape[1])]
            rows = [[f"{v:.9g}" for v in row] for row in samples.tolist()]
            if model.labels:
                added, columns = labelled(model, which)
                names, rows = [*names, *added], [[*row, *more] for row, more in zip(rows, columns, strict=True)]
            with open(out, "w", newline="") as table:
                csv.writer(table, lineterminator="\n").writerows([names, *rows])
        case "":
            write_folder(model, samples, which, out)
        case other:
            raise InputError(f"'{other}' is not a format for samples. Give --out FILE.png, FILE.npy, FILE.csv or a folder.")


def write_folder(model: api.Model, samples: torch.Tensor, which: torch.Tensor, out: Path) -> None:
    """One PNG a sample, in a folder a class when there are classes, or beside a labels.csv: a data set that can be trained on again."""
    from PIL import Image

    if not isinstance(model.space, Images):
        raise InputError("only images go into a folder of pictures. Give --out FILE.png, FILE.npy or FILE.csv.")
    for i, (image, y) in enumerate(zip(to_uint8(samples).permute(0, 2, 3, 1).numpy(), which.tolist(), strict=True)):
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
        return ["label"], [[model.labels[y]] for y in which.tolist()]
    return list(model.traits.names), table_of(model.traits, which)


def folder_name(labels: tuple[str, ...], y: int) -> str:
    """A class as the name of a folder; one that a file system could misread, such as `../x`, goes by its number."""
    plain = all(letter.isalnum() or letter in " _-+." for letter in labels[y]) and labels[y].strip(". ") == labels[y] != ""
    return labels[y] if plain and len(labels[y]) <= 100 else f"class {y}"
