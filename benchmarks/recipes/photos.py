"""Photographs and drawings in colour, by images seen: recipe `images` as it chooses for itself, beside its discriminator of before.

    python -m benchmarks.recipes.photos [WORD...]       only cases whose names begin so; SPARRING_DATA is where the sets are

Default settings only, apart from the size and the number of rounds.  Runs lie in runs/photos and go on where they were stopped; a run has
one core, so that two can go side by side.
"""

import csv
import io
import os
import sys
import time
import zipfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks.record import DATA, record
from sparring.api import Model, load, run
from sparring.data.source import Finite
from sparring.evaluation.samples import evaluate, open_like
from sparring.metrics import lite1
from sparring.metrics.compared_sets import seen, stored
from sparring.metrics.features import extract, photos
from sparring.progress import Line
from sparring.runs.folder import read_json
from sparring.setup.prepare import prepare
from sparring.setup.request import Request, resolve

RUNS = Path(os.environ.get("SPARRING_RUNS", "runs/photos"))
FIGURES = ("kid", "precision", "recall", "density", "coverage", "memorization")
ZEBRA = 340             # its number among the classes of ImageNet
SAMPLES = 1000          # of a model, for whatever counts single ones
GROUPS = ("faces", "people", "", "animals", "food", "travel", "activities", "objects", "symbols")      # of emoji, by Unicode's number


class Set(NamedTuple):
    """What is learned from: files of an archive by the folder that they are to lie in, and at which size."""

    archive: str
    folder_of: Callable[[str], str | None]      # None: left out
    size: int


def kept(name: str, part: str) -> str | None:
    return "" if f"{part}/" in name else None


def style_of(name: str) -> str | None:
    return Path(name).parent.name


@cache
def groups() -> dict[str, str]:
    with (DATA / "emoji/emoji_labels.csv").open() as file:
        return {row["key"]: GROUPS[int(row["group"])] for row in csv.DictReader(file) if int(row["group"]) < len(GROUPS)}   # four flags


def group_of(name: str) -> str | None:
    """Of Noto's emoji alone, the group."""
    return groups().get(Path(name).stem) if Path(name).parent.name == "noto" else None


ZEBRAS, EMOJI = "horse2zebra/horse2zebra_jpg.zip", "emoji/emoji4_64_png.zip"
SETS = {
    "zebras": Set(ZEBRAS, partial(kept, part="trainB"), 64),
    "zebras at 128": Set(ZEBRAS, partial(kept, part="trainB"), 128),
    "emoji by style": Set(EMOJI, style_of, 64),
    "noto by group": Set(EMOJI, group_of, 64),
    "cifar": Set("cifar10/cifar10_train_5k_png.zip", style_of, 32),
}


def unpacked(name: str) -> Path:
    """The folder of a set, made once."""
    one = SETS[name]
    folder = RUNS / "data" / name.replace(" ", "-")
    if not folder.exists():
        writing = folder.with_name(f".{folder.name}-{os.getpid()}")
        with zipfile.ZipFile(DATA / one.archive) as archive:
            for entry in sorted(archive.namelist()):
                within = one.folder_of(entry) if entry.endswith((".png", ".jpg")) else None
                if within is not None:
                    (writing / within).mkdir(parents=True, exist_ok=True)
                    (writing / within / Path(entry).name).write_bytes(io.BytesIO(archive.read(entry)).getvalue())
        writing.rename(folder)
    return folder


def trained(name: str, images: int, seed: int, given: dict[str, Any]) -> Path:
    """The folder of a run that has seen so many images; its batch is what the recipe chooses."""
    folder = RUNS / "-".join([*name.split(), *(f"{k}-{v}" for k, v in given.items()), str(images), str(seed)])
    if not (folder / "model").exists():
        asked = {"size": SETS[name].size, "threads": 1, **({"conditional": True} if name == "noto by group" else {}), **given}
        batch = resolve(Request("images", str(unpacked(name)), asked | {"steps": 1}, seed)).settings.batch
        began = time.monotonic()
        request = Request("images", str(unpacked(name)), asked | {"steps": images // batch}, seed,
                          command="python -m benchmarks.recipes.photos")
        _, outcome = run(prepare(request, folder), Line(f"{name} {given or ''} {seed}"))
        if not (folder / "model").exists():
            raise SystemExit(f"{name} {seed} stopped after {outcome.step:,} rounds; the same command goes on.")
        print(f"{folder}: {(time.monotonic() - began) / 60:.0f} minutes, if it was not stopped in between", flush=True)
    return folder


def case(name: str, images: int, seed: int, given: dict[str, Any]) -> dict[str, Any]:
    folder = trained(name, images, seed, given)
    config, model = read_json(folder / "config.json"), load(folder)
    asked = [*FIGURES, *(["cas"] if name == "cifar" else [])]
    real = DATA / "cifar10/cifar10_test_10k_png.zip" if name == "cifar" else None
    found = evaluate(folder, real=real, metrics=asked, n=5000 if name == "cifar" else 10_000, features="lite1")["metrics"]
    chosen = {k: config["settings"][k] for k in config["reasons"] if k in config["settings"]}
    return {"images seen": images, "settings": chosen, "precision": config["run_settings"]["precision"],
            **{metric: {k: v for k, v in figure.items() if k != "protocol"} for metric, figure in found.items()},
            **(called_zebra(model, name) if name.startswith("zebras") else {}),
            **(right_group(model, name) if name == "noto by group" else {}),
            "protocol": next(iter(found.values()))["protocol"]}


def drawn(model: Model, labels: Tensor | None = None) -> Tensor:
    """Samples in network units, rounded as in files."""
    made = model.sample(SAMPLES, seed=1) if labels is None else model.sample_at(labels, seed=1)
    return seen(stored(model.space, made, None))


def called_zebra(model: Model, name: str) -> dict[str, Any]:
    """The share of samples, and of photographs, that Lite1 takes for a zebra rather than for another of 1,000 classes."""
    real = open_like(model.space, unpacked(name))
    assert isinstance(real, Finite)
    sets = {"called zebra": drawn(model), "called zebra, photographs": real.at(torch.arange(len(real))).x}
    return {what: float((lite1.named(x) == ZEBRA).float().mean()) for what, x in sets.items()}


def right_group(model: Model, name: str) -> dict[str, Any]:
    """Of samples that were asked for by group, the share whose nearest drawing, by the angle of Lite1's features, is of that group; and
    the share by chance."""
    real = open_like(model.space, unpacked(name))
    assert isinstance(real, Finite) and real.labels is not None
    labels = torch.arange(SAMPLES) % len(model.space.labels)
    a, b = (torch.nn.functional.normalize(extract(photos(), x), dim=1) for x in (drawn(model, labels), seen(real)))
    nearest = real.labels[(a @ b.T).argmax(1)]
    shares = {group: round(float((nearest[labels == k] == k).float().mean()), 3) for k, group in enumerate(model.space.labels)}
    known = torch.bincount(real.labels).double() / len(real)
    return {"right group": float((nearest == labels).float().mean()), "by chance": float(known.mean()), "by group": shares}


BEFORE = {"projected": False}
CASES: dict[str, Callable[[], dict[str, Any]]] = {}
for seed in (0, 1, 2):
    for name, images in (("zebras", 100_000), ("emoji by style", 60_000), ("noto by group", 60_000), ("cifar", 40_000)):
        CASES[f"{name}, seed {seed}"] = partial(case, name, images, seed, {})
for name, images in (("zebras", 100_000), ("emoji by style", 60_000), ("noto by group", 60_000), ("cifar", 40_000)):
    CASES[f"{name}, before, seed 0"] = partial(case, name, images, 0, BEFORE)
CASES["zebras at 128, seed 0"] = partial(case, "zebras at 128", 100_000, 0, {})

if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    record("photos", "Recipe `images` by images seen, default settings apart from size and rounds; `before`: projected=false, the "
           "discriminator that begins with nothing. Figures by `sparring evaluate` in features lite1, of as many samples as there are "
           "photographs (cifar: 5,000 against 5,000 test images), with 95 % intervals. `called zebra`: of 1,000 samples. `right group`: "
           "of 1,000 samples asked for by group, those whose nearest drawing is of that group.",
           {"zebras": "kid <= 0.03 and a fifth of `before`; recall >= 0.25; memorization as held-out data; called zebra >= 0.45",
            "emoji": "kid a third of `before`; right group >= 0.5", "cifar": "cas and kid beside `before`"},
           [(name, one) for name, one in CASES.items() if not words or any(name.startswith(word) for word in words)])
