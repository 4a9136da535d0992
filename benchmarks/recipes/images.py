"""Pictures with a budget of minutes: MNIST and Fashion-MNIST by class, emoji and zebras, with and without augmentation.

    python -m benchmarks.recipes.images [WORD...]       only cases whose names begin so; SPARRING_DATA is where the sets are

A run has one core, so that two can go side by side.  Runs lie in runs/images and go on where they were stopped; their rounds are planned
when they begin, so begin them while a core is idle.
"""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.record import DATA, record
from sparring.api import load, run
from sparring.data.source import Finite
from sparring.evaluation.samples import evaluate, open_like
from sparring.metrics.compared_sets import stored
from sparring.progress import Line
from sparring.runs.folder import read_json
from sparring.setup.prepare import prepare
from sparring.setup.request import Request

RUNS = Path(os.environ.get("SPARRING_RUNS", "runs/images"))
EMOJI, PHOTOS = str(DATA / "emoji/emoji4_64_png.zip"), str(DATA / "horse2zebra/horse2zebra_jpg.zip")
PLAIN = {"penalty": "none", "ema": 0, "augment": "none", "decay": 0}         # DCGAN (Radford et al., 2016) on the same networks
FIGURES = ("kid", "precision", "recall", "density", "coverage", "memorization")

SETS: dict[str, tuple[str, float, dict[str, Any]]] = {      # data, minutes of one core, settings of the recipe `images`
    "mnist": (str(DATA / "mnist"), 5, {}),
    "fashion": (str(DATA / "fashion-mnist"), 16, {}),
    "fashion plain": (str(DATA / "fashion-mnist"), 16, PLAIN),
    "emoji": (EMOJI, 30, {"size": 64}),
    "emoji for longer": (EMOJI, 75, {"size": 64}),
    "zebras": (PHOTOS, 14, {"size": 64}),
    "zebras unaugmented": (PHOTOS, 14, {"size": 64, "augment": "none"}),
    "zebras for longer": (PHOTOS, 45, {"size": 64}),
}


def zebras() -> str:
    """The zebras of the training part, unpacked once."""
    import zipfile
    folder = RUNS / "data" / "zebras"
    if not folder.exists():
        with zipfile.ZipFile(PHOTOS) as archive:
            for name in archive.namelist():
                if "trainB/" in name and name.endswith(".jpg"):
                    (folder / "part").mkdir(parents=True, exist_ok=True)
                    (folder / "part" / Path(name).name).write_bytes(archive.read(name))
    return str(folder / "part")


def case(name: str, seed: int) -> dict[str, Any]:
    data, minutes, given = SETS[name]
    folder = RUNS / f"{name.replace(' ', '-')}-{seed}"
    if not (folder / "model").exists():
        source = zebras() if name.startswith("zebras") else data
        request = Request("images", source, given | {"threads": 1}, seed, command="python -m benchmarks.recipes.images", minutes=minutes)
        _, outcome = run(prepare(request, folder), Line(f"{name} {seed}"))
        if not (folder / "model").exists():
            raise SystemExit(f"{name} {seed} stopped after {outcome.step:,} rounds; the same command goes on.")
    config = read_json(folder / "config.json")
    asked = [*FIGURES, *(["cas"] if name in ("mnist", "fashion") else [])]
    found = evaluate(load(folder), real=None if name.startswith("zebras") else data, metrics=asked, n=20_000)["metrics"]
    return {"rounds": config["settings"]["steps"], "minutes": minutes, "settings": {k: config["settings"][k] for k in config["reasons"]
                                                                                    if k in config["settings"]},
            **{metric: {k: v for k, v in figure.items() if k != "protocol"} for metric, figure in found.items()},
            **({"cas of real samples": found["cas"]["protocol"]["trained_on_real"]} if "cas" in found else {}),
            "protocol": next(iter(found.values()))["protocol"]}


def by_photographs() -> dict[str, Any]:
    """KID of as many samples as there are zebras, in features of a classifier of other small photographs, which pixels know nothing of."""
    from benchmarks.recipes.translation import eyes
    from sparring.metrics.domains import kid_of
    found: dict[str, Any] = {}
    for name in ("zebras", "zebras unaugmented"):
        models = [load(RUNS / f"{name.replace(' ', '-')}-{seed}") for seed in (0, 1, 2)]
        real = open_like(models[0].space, zebras())
        assert isinstance(real, Finite)
        x = real.at(torch.arange(len(real))).x
        found[name] = [round(kid_of(eyes(), stored(real.space, model.sample(len(x), seed=0), None).at(torch.arange(len(x))).x, x), 4)
                       for model in models]
    return found


CASES: dict[str, Callable[[], dict[str, Any]]] = {f"{name}, seed {seed}": partial(case, name, seed) for seed in (0, 1, 2) for name in SETS}
CASES["kid by photographs, seeds 0 to 2"] = by_photographs

if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    record("images", "Recipe `images`, as many rounds as `minutes` gave on one core, beside another run; figures of as many "
           "samples as there are held-out images (cas: of 20,000), by `sparring evaluate` with 95 % intervals. `plain`: without "
           "penalty, average, decay or augmentation. `shallow`: deep=false, 25 minutes, cas of 10,000. Emoji, "
           "but for that at a learning rate of 0.001, on a processor that computes bf16 slowly: in fp32, a round in about "
           "three times the time.",
           {"mnist": "cas >= 0.97, coverage, density >= 0.80", "fashion": "cas >= 0.86, coverage, density >= 0.80; kid below `plain`'s",
            "emoji, zebras": "recall > 0.2, memorization as held-out data; kid below `unaugmented`'s"},
           [(name, one) for name, one in CASES.items() if not words or any(name.startswith(word) for word in words)])
