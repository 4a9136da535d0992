"""The command `translate`: files, folders and zips of images through a trained translator, one PNG each."""

from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import torch
from PIL import Image

from sparring import api
from sparring.data.anywhere import files_of
from sparring.data.decode import decode, quiet
from sparring.data.files import Files
from sparring.data.settings import shown
from sparring.data.space import Images, to_uint8
from sparring.errors import InputError
from sparring.progress import Line
from sparring.translate import Fit, target


class Item(NamedTuple):
    """One image to translate: where it is from, its position there, and where its translation goes."""

    files: Files
    at: int
    out: Path


def translate(run: Path, inputs: list[Path], out: Path, to: str | None, fit: Fit, seed: int | None) -> dict[str, Any]:
    """Translate every image of the inputs into the folder `out`; InputError when nothing can be, or an input would be overwritten."""
    model = api.load(run)
    if model.game.translation is None:
        raise InputError(f"{run} holds a model of {model.recipe}, which draws samples and translates nothing. "
                         f"Use sparring sample {run}.")
    number = target(model.game.translation, to)
    name, given = model.game.translation.names[number], model.game.translation.takes[number]
    skipped: list[str] = []
    line = Line(f"to {name}")
    with ExitStack() as stack, quiet():
        items = planned([(path, stack.enter_context(files_of(path))) for path in inputs], out)
        for done, item in enumerate(items):
            try:
                made = model.translate(pixels(item, given), to=number, fit=fit, seed=seed)
                write(to_uint8(made)[0], item.out)
            except InputError as error:
                skipped.append(f"{shown(item.files.names[item.at])}: {error}")
            line.update(done + 1, len(items), {})
    line.leave()
    if len(skipped) == len(items):
        raise InputError(f"none of the {len(items)} images could be translated. {skipped[0]}")
    how = {"resize": f"at {given.height}x{given.width}, the size of training, and scaled back", "whole": "at their own size",
           "tile": f"in overlapping tiles of {given.height}x{given.width}"}[fit]
    text = f"{len(items) - len(skipped)} images translated to {name}, {how}: {out}"
    return {"out": str(out), "to": name, "fit": fit, "n": len(items) - len(skipped), "skipped": skipped,
            "text": "\n".join([text, *(f"skipped {one}" for one in skipped)])}


def planned(sets: list[tuple[Path, Files]], out: Path) -> list[Item]:
    """Where each translation goes; InputError for two in one place, or in the place of an input."""
    items = [Item(files, i, out / PurePosixPath(name).with_suffix(".png")) for _, files in sets for i, name in enumerate(files.names)]
    if not items:
        raise InputError(f"there is no image in {' and '.join(shown(path) for path, _ in sets)}. Give images, folders or .zips.")
    originals = {(path if path.is_dir() else path.parent).resolve() / name for path, files in sets if path.suffix.lower() != ".zip"
                 for name in files.names}
    taken: set[Path] = set()
    for item in items:
        place = item.out.resolve()
        if place in originals:
            raise InputError(f"the translation of {shown(item.files.names[item.at])} would overwrite the input {shown(place)}. Give "
                             f"another --out.")
        if place in taken:
            raise InputError(f"two translations would be written to {shown(item.out)}. Translate them one by one, with another --out.")
        taken.add(place)
    if out.exists() and not out.is_dir():
        raise InputError(f"{shown(out)} is a file; --out is a folder, into which one PNG an image is written.")
    return items


def pixels(item: Item, given: Images) -> torch.Tensor:
    """One image in its own size, float[1, C, H, W] in [-1, 1]."""
    values = decode(item.files.read(item.at, None), None, given.channels, "white").values
    return given.encode(torch.from_numpy(values.copy()))[None]


def write(image: torch.Tensor, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = image.permute(1, 2, 0).numpy()
    Image.fromarray(values[:, :, 0] if values.shape[2] == 1 else values).save(path)
