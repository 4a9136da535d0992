"""What a perceptual loss (`perceptual=WEIGHT`, through Lite0) changes in pix2pix: facades from labels to photographs, judged by Lite1.

Runs stay in the folder that benchmarks/recipes/translators.py names, where they go on when they were stopped, with a sheet of pictures.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from benchmarks.recipes import translators
from benchmarks.record import ROOT, record
from sparring.api import load, run
from sparring.data.settings import TranslationSettings
from sparring.data.source import Pair, batches
from sparring.data.translation.opening import open_pairs
from sparring.evaluation.translations import seen_apart
from sparring.game import play
from sparring.metrics import translated
from sparring.metrics.features import extract, photos
from sparring.metrics.kid import kid
from sparring.pictures.grids import image_grid
from sparring.progress import Line
from sparring.setup.build import build
from sparring.setup.prepare import prepare
from sparring.setup.request import Request, resolve

ROUNDS, SIZE, SHOWN = 800, 64, 12
GIVEN = {"size": SIZE, "direction": "BtoA", "steps": ROUNDS, "threads": 1, "precision": "fp32", "compile": "off", "show_every": ROUNDS,
         "score_every": ROUNDS, "save_every": ROUNDS}
RUN: dict[str, dict[str, float]] = {"plain": {}, **{f"perceptual={weight}": {"perceptual": weight} for weight in (10, 30, 100)},
                                    "perceptual=100 adversarial=0": {"perceptual": 100, "adversarial": 0}}


def test_pairs() -> Pair:
    """The 106 test pairs, photographs first."""
    source = open_pairs(translators.FACADES, TranslationSettings(size=str(SIZE), flip=False, jitter=0))
    examples = source.examples(10_000, 0)
    assert isinstance(examples, Pair)
    return examples


def figures(made: Tensor, truth: Tensor) -> dict[str, float]:
    real, fake = (extract(photos(), x) for x in (truth, made))
    return {"perceptual(lite1)": seen_apart(made, truth).value, "kid(lite1)": kid(real, fake), "l1": translated.l1(made, truth),
            "ssim": translated.ssim(made, truth)}


def folder_of(name: str, seed: int) -> Path:
    return translators.RUNS / f"perceptual-{name.replace(' ', '-').replace('=', '')}-{seed}"


def photographs(folder: Path, labels: Tensor) -> Tensor:
    translation = load(folder).game.translation
    assert translation is not None
    return translated.run(translation, labels, 0)


def trained(name: str, seed: int) -> dict[str, Any]:
    folder = folder_of(name, seed)
    if not (folder / "model").exists():
        run(prepare(Request("pix2pix", translators.FACADES, GIVEN | RUN[name], seed), folder), Line(f"{name} {seed}"))
    test = test_pairs()
    made = photographs(folder, test.b)
    image_grid(torch.cat([x[:SHOWN] for x in (test.b, made, test.a)]), SHOWN, ("labels", name, "truth")).save(folder / "test.png")
    return figures(made, test.a)


def sheet(path: Path, count: int = 8) -> None:
    """The picture of docs/translation.md: the first test pairs, seed 0."""
    test, names = Pair(*(half[:count] for half in test_pairs())), ("plain", "perceptual=30", "perceptual=100")
    rows = [test.b, *(photographs(folder_of(name, 0), test.b) for name in names), test.a]
    image_grid(torch.cat(rows), count, ("labels", *names, "truth")).save(path)


def cost() -> dict[str, Any]:
    """Seconds a round of 4 pairs, the median of 20 of each kind in turn."""
    taken: dict[str, list[float]] = {}
    games = {}
    for name in ("plain", "perceptual=30"):
        asked = resolve(Request("pix2pix", translators.FACADES, GIVEN | RUN[name]))
        games[name] = build(asked.recipe, asked.settings, asked.source.space, torch.device("cpu"), 0), batches(asked.source, 4, 0)
    for step in range(22):
        for name, (game, drawn) in games.items():
            begun = perf_counter()
            play(game, drawn, step)
            taken.setdefault(name, []).append(perf_counter() - begun)
    return {f"seconds a round, {name}": median(all_[2:]) for name, all_ in taken.items()}


def without_network() -> dict[str, Any]:
    """What two translations that nobody wants get: the labels as they are, and another photograph."""
    test = test_pairs()
    return {f"{name}, {key}": value for name, made in (("labels", test.b), ("another photograph", test.a.roll(1, 0)))
            for key, value in figures(made, test.a).items() if key != "kid(lite1)" or name == "labels"}


CASES: dict[str, Callable[[], dict[str, Any]]] = {
    "no network": without_network, "cost": cost, **{f"{name}, seed 0": partial(trained, name, 0) for name in RUN}}

if __name__ == "__main__":
    torch.set_num_threads(1)
    record("perceptual", f"pix2pix on facades at {SIZE} px, labels to photographs, {ROUNDS} rounds of 4 pairs, one thread, fp32, beside "
           "other work; the 106 test pairs. The loss looks through lite0; perceptual and kid through lite1.",
           {"perceptual=30": "perceptual and kid below plain, l1 at most 5 % above it"}, list(CASES.items()))
    sheet(ROOT / "docs/pictures/pix2pix-perceptual.png")
