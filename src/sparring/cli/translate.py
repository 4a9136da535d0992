"""The command `translate`: files, folders and zips of images through a trained translator, one PNG each."""

from contextlib import ExitStack, suppress
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple, get_args

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sparring import api
from sparring.data.images.decode import decode, quiet
from sparring.data.images.files import Files
from sparring.data.images.inputs import files_of
from sparring.errors import InputError, RunFailed, did_you_mean, shown
from sparring.game.translate import Fit, target
from sparring.pictures.style import save_image
from sparring.progress import Line
from sparring.spaces import Images, to_uint8

Half = Literal["left", "right"]
SOFTWARE = "sparring translate"         # written into each PNG, so that only they are written over
OF_A_RUN = ("samples", "checkpoint", "model", "best")   # its folders, into which nothing else is written


class Item(NamedTuple):
    """One image to translate: where it is from, its position there, and where its translation goes."""

    files: Files
    at: int
    out: Path


def translate(run: Path, inputs: list[Path], out: Path, to: str | None, fit: Fit, seed: int | None,
              half: Half | None = None, recipe: str | None = None) -> dict[str, Any]:
    """Translate every image of the inputs, or a half of each, into the folder `out`.

    InputError when nothing can be, or when a file would be overwritten that this command has not written; RunFailed when stopped.
    """
    refuse_words(fit=(fit, get_args(Fit)), half=(half, (None, *get_args(Half))))
    model = api.load(run, recipe=recipe)
    if model.game.translation is None:
        raise InputError(f"{run} is a model of recipe {model.recipe}, which generates samples and cannot translate. Use sparring sample "
                         f"{run}.")
    number = target(model.game.translation, to)
    name, given = model.game.translation.names[number], model.game.translation.takes[number]
    skipped: list[str] = []
    wide, written = 0, 0
    line = Line(f"to {name}")
    with ExitStack() as stack, quiet():
        items = planned([(path, stack.enter_context(files_of(path))) for path in inputs], out)
        try:
            for done, item in enumerate(items):
                try:
                    x = part_of(pixels(item, given), half)
                    wide += looks_like_a_pair(x, given)
                    write(to_uint8(model.translate(x, to=name, fit=fit, seed=seed))[0], item.out)
                    written += 1
                except InputError as error:
                    skipped.append(f"{shown(item.files.names[item.at])}: {error}")
                line.update(done + 1, len(items), {})
        except KeyboardInterrupt:
            line.leave()
            raise RunFailed(f"stopped; {written} of {len(items)} translations are in {out}. The same command writes all of them.") from None
    line.leave()
    if len(skipped) == len(items):
        raise InputError(f"no image of {len(items)} could be translated. {skipped[0]}")
    how = {"resize": f"at {given.height}x{given.width}, the size of training, and scaled back", "whole": "at their own size",
           "tile": f"in overlapping tiles of {given.height}x{given.width}"}[fit]
    text = f"{written} image{'' if written == 1 else 's'} translated to {name}, {how}: {out}"
    return {"out": str(out), "to": name, "fit": fit, "n": written, "skipped": skipped,
            "text": "\n".join([text, *([hint(wide, written)] if wide else []), *(f"skipped {one}" for one in skipped)])}


def refuse_words(**given: tuple[object, tuple[object, ...]]) -> None:
    """InputError for a word that is none of those it may be."""
    for name, (word, known) in given.items():
        if word not in known:
            words = [one for one in known if isinstance(one, str)]
            raise InputError(f"--{name} {shown(word)}: expected {' or '.join(words)}.{did_you_mean(str(word), words)}")


def part_of(x: torch.Tensor, half: Half | None) -> torch.Tensor:
    """The half that is asked for of images float[1, C, H, W] that hold a pair side by side; InputError for an odd width."""
    if half is None:
        return x
    if x.shape[-1] % 2:
        raise InputError(f"it is {x.shape[-1]} pixels wide, so its halves differ in size")
    return x.chunk(2, -1)[["left", "right"].index(half)]


def looks_like_a_pair(x: torch.Tensor, given: Images) -> bool:
    """Whether an image is twice as wide, for its height, as what the model was trained on."""
    return abs(x.shape[-1] * given.height - 2 * x.shape[-2] * given.width) <= 2 * given.height


def hint(wide: int, written: int) -> str:
    return f"{wide} of {written} images are twice as wide as the training images. If they hold pairs side by side, add --half left or " \
           "--half right"


def planned(sets: list[tuple[Path, Files]], out: Path) -> list[Item]:
    """Where each translation goes; InputError for two in one place, or in the place of an input."""
    items = [Item(files, i, out / PurePosixPath(name).with_suffix(".png")) for _, files in sets for i, name in enumerate(files.names)]
    if out.exists() and not out.is_dir():
        raise InputError(f"{shown(out)} is a file; --out is a folder, into which one PNG an image is written.")
    place = out.resolve()
    if (place / "config.json").exists() or any(place.relative_to(above).parts[0] in OF_A_RUN and (above / "config.json").exists()
                                               for above in place.parents):
        raise InputError(f"{shown(out)} belongs to a run or a model. Give another --out.")
    if not items:
        raise InputError(f"there is no image in {' and '.join(shown(path) for path, _ in sets)}. Give images, folders or .zips.")
    originals = {((path if path.is_dir() else path.parent) / name).resolve() for path, files in sets if path.suffix.lower() != ".zip"
                 for name in files.names}
    taken: dict[Path, str] = {}
    for item in items:
        place = item.out.resolve()
        if place in originals:
            raise InputError(f"the translation of {shown(item.files.names[item.at])} would overwrite the input {shown(place)}. Give "
                             f"another --out.")
        if place in taken:
            raise InputError(f"{taken[place]} and another {shown(item.files.names[item.at])} would both be written to {shown(item.out)}. "
                             "Give one of them another name, or translate them into different folders.")
        if item.out.exists() and not ours(item.out):
            raise InputError(f"{shown(item.out)} exists and is not an earlier translation, so it is not overwritten. Give another --out.")
        taken[place] = shown(item.files.names[item.at])
    return items


def pixels(item: Item, given: Images) -> torch.Tensor:
    """One image in its own size, float[1, C, H, W] in [-1, 1]."""
    values = decode(item.files.read(item.at, None), None, given.channels, "white").values
    return given.encode(torch.from_numpy(values.copy()))[None]


def write(image: torch.Tensor, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values, about = image.permute(1, 2, 0).numpy(), PngInfo()
    about.add_text("Software", SOFTWARE)
    save_image(Image.fromarray(values[:, :, 0] if values.shape[2] == 1 else values), path, about)


def ours(path: Path) -> bool:
    """Whether a file was written by this command before."""
    with suppress(Exception), Image.open(path, formats=["PNG"]) as image:
        return bool(image.info.get("Software") == SOFTWARE)
    return False
