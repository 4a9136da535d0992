"""How well a model's generator can make given samples, beside how well it can make those that it learned from and others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from sparring.api import Model
from sparring.data import open_source
from sparring.data.images.decode import decode, quiet
from sparring.data.images.inputs import files_of
from sparring.data.source import Finite
from sparring.errors import InputError, did_you_mean, shown
from sparring.evaluation.samples import of_run
from sparring.latent import styles
from sparring.latent.inversion import Inversion
from sparring.latent.truncation import has_styles
from sparring.metrics.compared_sets import seen
from sparring.rng import generator
from sparring.spaces import Images
from sparring.training.plan import Progress

MOST = 16               # samples that are inverted, of those given and of each set beside them
SEARCHED = 20_000       # training samples that are looked through for the nearest
STARTS, STEPS = 4, 200
IN_W = 500              # steps in W and W+, from one start
Where = Literal["z", "w", "w+"]
PLACES: tuple[Where, ...] = ("z", "w", "w+")


class Set(NamedTuple):
    """Samples in user units and what they are called."""

    names: list[str]
    samples: Tensor                 # float[n, *shape]
    notes: list[str]


class Inverted(NamedTuple):
    """One set's inversions, and its distances to the nearest training sample where the data is here, both as in `Inversion`."""

    of: Set
    found: Inversion | styles.Inverted
    nearest: Tensor | None          # float[n]
    neighbours: Tensor | None       # float[n, *shape]


def where(model: Model, asked: str) -> Where:
    """Where to look: in W+ for models with styles, which reaches most images, and in z for others, unless it was `asked` for.

    InputError for another word, and for W where there are no styles."""
    if asked == "auto":
        return "w+" if has_styles(model.game.generator) else "z"
    chosen = next((place for place in PLACES if place == asked.lower()), None)
    if chosen is None:
        raise InputError(f"--space {shown(asked)}: inversion looks in z, w or w+.{did_you_mean(asked, PLACES)}")
    if chosen != "z" and not has_styles(model.game.generator):
        raise InputError(f"--space {chosen} is for models with styles (recipe stylegan), and this is one of {model.recipe}. Leave it out.")
    return chosen


# ------------------------------------------------------------------------------------------------------- what is given
def given(model: Model, path: Path) -> Set:
    """At most MOST samples from a file, folder or zip of images, or from an array where the model's samples are numbers.

    Images are brought to the model's size and channels as training data are.  InputError when nothing there can be read.
    """
    return images(model.space, path) if isinstance(model.space, Images) else numbers(model, path)


def images(space: Images, path: Path) -> Set:
    names, parts, notes = list[str](), list[Tensor](), list[str]()
    with files_of(path) as files, quiet():
        for i, name in enumerate(files.names[:MOST]):
            try:
                own = decode(files.read(i, None), None, space.channels, "white").values.shape
                values = decode(files.read(i, None), (space.height, space.width), space.channels, "white").values
            except InputError as error:
                notes.append(f"{shown(name)} was left out: {error}")
                continue
            if own[1:] != (space.height, space.width):
                notes.append(f"{shown(name)} has {own[1]}x{own[2]} pixels and was scaled and cropped to {space.height}x{space.width}")
            names.append(shown(name))
            parts.append(space.encode(torch.from_numpy(values.copy())))
        if len(files.names) > MOST:
            notes.append(f"the first {MOST} of {len(files.names):,} images were inverted")
    if not parts:
        raise InputError(f"there is no image to invert in {shown(path)}. {' '.join(notes) or 'Give an image, a folder or a .zip.'}")
    return Set(names, torch.stack(parts), notes)


def numbers(model: Model, path: Path) -> Set:
    source = open_source(path)
    if not isinstance(source, Finite) or source.space.shape != model.space.shape or isinstance(source.space, Images):
        raise InputError(f"{shown(path)} holds samples of shape {source.space.shape}, and this model has {model.space.shape}. Give samples "
                         "of that shape.")
    first = Finite(source.space, source.values[torch.arange(min(MOST, len(source)))])
    notes = [f"the first {MOST} of {len(source):,} rows were inverted"] if len(source) > MOST else []
    return Set([f"row {i}" for i in range(len(first))], source.space.decode(seen(first)), notes)


# ---------------------------------------------------------------------------------------------------- what it is beside
def data_of(run: Path) -> tuple[Finite | None, list[str]]:
    """The data that a run learned from, and what is odd about it; or None, and why it cannot be had."""
    try:
        _, source, _, notes = of_run(run, None)
    except InputError as error:
        return None, [str(error)]
    return (source, notes) if isinstance(source, Finite) else (None, ["the data is generated and never repeated: nothing to memorize"])


def sets_beside(model: Model, source: Finite | None, seed: int) -> dict[str, tuple[Set, Tensor | None]]:
    """Generated samples, which can be made by definition, and where the data is here, some of training, with their rows, and some held
    out."""
    made: dict[str, tuple[Set, Tensor | None]] = {"generated": (Set([], model.sample(MOST, seed=seed, shares="data"), []), None)}
    for name, part in (("training", source), ("held out", source.held_out if source is not None else None)):
        if part is not None:
            rows = torch.randperm(len(part), generator=generator(seed, "inverted"))[:MOST]
            made[name] = (Set([], part.space.decode(part.at(rows).x), []), rows if name == "training" else None)
    return made


def nearest(source: Finite, x: Tensor, own: Tensor | None) -> tuple[Tensor, Tensor]:
    """The root mean squared distance of samples in network units to the nearest training sample, other than their `own` row, and which."""
    among = torch.arange(min(len(source), SEARCHED))
    best, which = torch.full((len(x),), torch.inf), torch.zeros(len(x), dtype=torch.int64)
    for rows in among.split(4096):
        far = torch.cdist(x.flatten(1), source.at(rows).x.flatten(1), compute_mode="donot_use_mm_for_euclid_dist")
        if own is not None:
            far[own[:, None] == rows] = torch.inf
        least, place = far.min(1)
        which = torch.where(least < best, rows[place], which)
        best = torch.minimum(best, least)
    return best / x[0].numel() ** 0.5, which


def inverted(model: Model, of: Set, source: Finite | None, own: Tensor | None, label: Any, seed: int, line: Progress,
             perceptual: float, place: Where = "z") -> Inverted:
    """Invert one set."""
    found: Inversion | styles.Inverted
    if place == "z":
        found = model.invert(of.samples, labels=label, starts=STARTS, steps=STEPS, seed=seed, perceptual=perceptual, watch=steps(line))
    else:
        found = model.invert_styles(of.samples, labels=label, plus=place == "w+", steps=IN_W, seed=seed, perceptual=perceptual,
                                    watch=steps(line))
    if source is None:
        return Inverted(of, found, None, None)
    x = of.samples if isinstance(model.space, Images) else model.space.encode(of.samples)
    far, which = nearest(source, x, own)
    return Inverted(of, found, far, source.space.decode(source.at(which).x))


def steps(line: Progress) -> Callable[[int, int], None]:
    return lambda done, total: line.update(done, total, {})
