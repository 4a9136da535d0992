"""A run's samples beside its data, for its report: nearest training samples, and metrics with their intervals."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sparring import api
from sparring.data.source import Finite, Source
from sparring.errors import InputError, RunFailed
from sparring.evaluation import rows as rows_of
from sparring.evaluation.samples import of_opened, of_run
from sparring.evaluation.translations import Measure
from sparring.metrics.catalogue import METRICS, Metric
from sparring.metrics.features import choose
from sparring.metrics.memorization import nearest
from sparring.pictures.grids import image_grid
from sparring.pictures.style import save_image
from sparring.progress import Silent
from sparring.recipes import Recipe
from sparring.rng import generator
from sparring.spaces import Images, Table, Texts

SHOWN, COMPARED, KNOWN = 8, 400, 4000           # samples in the picture, in the medians, and training samples looked through
NUMBERS = 2**24                                 # in those at most
FEW, LEAST = 1000, 200                          # samples that metrics are made of, fewer where each is large: a second or two
FEW_ROWS = 2000                                 # the same of rows of tables
WIDE = 2**22                                    # numbers in them at most
TRANSLATOR = ("A translator does not sample from noise, so this comparison does not apply. Use sparring evaluate to measure its "
              "translations.")
NO_SAMPLES = "This model draws no samples, so there is nothing to compare."
LINES = ("Lines of text have no distances that could be compared here. The run's scores have the shares of copies; `sparring evaluate` "
         "measures likelihood, BLEU beside self-BLEU and copies, at several temperatures.")
CALLED = ("generated", "nearest known", "held out", "nearest known")


class Opened(NamedTuple):
    """A run's model, its data, that part of it which may have been copied, and what is odd about it."""

    model: api.Model
    source: Source
    train: Finite | None
    notes: list[str]
    target: str | None = None           # of a table: the column that models predict


class Animating(NamedTuple):
    """A run's model that animates: it has no samples, and films instead."""

    model: api.Model


@dataclass(frozen=True)
class Nearness:
    """How near samples come to the training set: median distances of generated and of real ones, in what, and a picture of images."""

    generated: float
    real: float
    compared_with: str
    known: int
    picture: Path | None

    def sentence(self) -> str:
        """What the two medians say."""
        return (f"The median distance from a generated sample to the nearest of {self.known:,} training samples is {self.generated:.3g}; "
                f"from {self.compared_with} it is {self.real:.3g}. If generated samples were much nearer than real ones, they would be "
                "copies.")


def open_run(run: Path, system: Recipe | None = None) -> Opened | Animating | str:
    """What a report compares samples with; or why there is nothing."""
    try:
        model = api.load(run, recipe=system)
        if model.game.translation is not None:
            return TRANSLATOR
        if model.game.animation is not None:
            return Animating(model)
        if not model.game.shows:
            return NO_SAMPLES
        if isinstance(model.space, Texts):
            return LINES
        return Opened(*of_run(run, None, model))
    except (InputError, RunFailed) as error:
        return f"This cannot be shown: {error}"


def nearness(at: Opened, drawn: Path, seed: int = 0) -> Nearness | str:
    """The nearest training samples of generated ones, with real ones as the baseline, and images of them in the folder `drawn`; or why
    there are none.

    Distances are Euclidean, of raw numbers in network units.
    """
    model, source = at.model, at.source
    if not isinstance(source, Finite):
        return "The data is generated and never repeated, so there are no training samples to copy."
    if isinstance(source.space, Table):
        return "Of rows of a table, the metrics distance, copies and membership say how near they come to training rows."
    try:
        samples = model.sample(COMPARED, seed=seed, shares="data")
    except (InputError, RunFailed) as error:
        return f"The nearest training samples cannot be shown: {error}"
    made = (samples if isinstance(source.space, Images) else source.space.encode(samples)).flatten(1)      # in network units
    most = max(2 * SHOWN, min(KNOWN, NUMBERS // made.shape[1]))
    rows = torch.randperm(len(source), generator=generator(seed, "nearest"))[:most]
    known = source.at(rows).x
    held = source.held_out
    other = held.at(torch.arange(min(len(held), COMPARED))).x if held is not None else known[:COMPARED]
    own = None if held is not None else torch.arange(len(other))
    picture = None
    if isinstance(source.space, Images):
        rows_of = [made[:SHOWN].view(-1, *source.space.shape), other[:SHOWN]]
        found = [known[closest(x.flatten(1), known.flatten(1), own if i else None)] for i, x in enumerate(rows_of)]
        grid = torch.cat([rows_of[0], found[0], rows_of[1], found[1]])
        called = CALLED if held is not None else tuple(name.replace("held out", "training") for name in CALLED)
        picture = save_image(image_grid(grid, len(rows_of[0]), called), drawn / "nearest.png")
    mine, theirs = (float(nearest(x, known.flatten(1), at).median()) for x, at in ((made, None), (other.flatten(1), own)))
    return Nearness(mine, theirs, "a held-out one" if held is not None else "a training sample to another", len(known), picture)


def closest(x: Tensor, known: Tensor, own: Tensor | None) -> Tensor:
    """Which known sample is nearest to each of x, not counting itself: int64[N]."""
    distance = torch.cdist(x, known)
    if own is not None:
        distance[torch.arange(len(x)), own[:len(x)]] = torch.inf
    return distance.argmin(1)


def figures(at: Opened) -> tuple[list[tuple[str, ...]], list[str]] | str:
    """Metrics of FEW samples as (name, value, 95 % interval, better, what it is), and what is odd or left out; or why there are none."""
    size = math.prod(at.source.space.shape)
    slow = choose(at.source.space)[0].slow
    large = at.train is not None and (slow or len(at.train) * size > NUMBERS)    # too much to look through: the nearest are shown beside
    n = LEAST if slow else max(LEAST, min(FEW, WIDE // size))
    try:
        if isinstance(at.source, Finite) and isinstance(at.source.space, Table):
            return as_rows(rows_of.figures(at.model, at.source, at.train, at.notes, None, FEW_ROWS, 0, at.target, lambda what: Silent()),
                           rows_of.MEASURES)
        found = of_opened(at.model, at.source, None if large else at.train, at.notes, n, lambda what: Silent())
    except (InputError, RunFailed) as error:
        return f"Metrics with intervals cannot be had: {error}"
    if large:
        found["left_out"]["memorization"] = f"memorization takes its time {'in these features' if slow else 'with so much data'}; " \
                                            "`sparring evaluate` measures it"
    return as_rows(found, METRICS)


def as_rows(found: dict[str, Any], known: Mapping[str, Metric | Measure]) -> tuple[list[tuple[str, ...]], list[str]]:
    """What was found as a table, and what is odd or left out as sentences."""
    rows = list[tuple[str, ...]]()
    for name, one in found["metrics"].items():
        what, about = known[name.split("(")[0]], one["protocol"]
        rows.append((name, f"{one['value']:.4g}", f"{one['low']:.4g} to {one['high']:.4g}", what.better, what.meaning))
        if "baseline" in about:
            rows.append((f"{name} of {about['compared_with']}", f"{about['baseline']:.4g}", "", "", "to compare with"))
    notes = [*found["notes"], *(f"left out: {why}" for why in found["left_out"].values())]
    return rows, [f"{note[:1].upper()}{note[1:]}." for note in notes]
