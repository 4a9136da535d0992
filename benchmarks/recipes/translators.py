"""The runs that the translation benchmarks measure, each in a folder of its own, where it goes on when it was stopped."""

import os
import sys
from pathlib import Path
from typing import Any

import torch

from benchmarks.record import DATA
from sparring.api import Model, load, run
from sparring.data.settings import DataSettings
from sparring.data.source import Finite
from sparring.data.translation.sets import Domains
from sparring.progress import Line
from sparring.rng import generator
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.spaces import Images

RUNS = Path(os.environ.get("SPARRING_RUNS", "runs/translation"))
FACADES, HORSES = str(DATA / "facades/facades_256_ab_jpg.zip"), str(DATA / "horse2zebra/horse2zebra_jpg.zip")
HELD_OUT = 93           # emoji of each style that no network is trained on

EMOJI = {"size": 64, "width": 16, "blocks": 3, "batch": 8, "lr": 5e-4, "doubled": True, "skip": True, "colours": 64,
         "discriminator_steps": 2, "precision": "fp32"}
SKIP = {"size": "64", "width": 24, "doubled": True, "skip": True, "identity": 0, "lr": 3e-4, "field": 34, "precision": "fp32"}
SMOOTH = SKIP | {"cycle": 1, "discriminator_steps": 8, "gamma": 0.3, "ema": 0.998}

RUN: dict[str, tuple[str, str, dict[str, Any]]] = {     # recipe, data, settings
    "shapes-pix2pix": ("pix2pix", "shapes", {"steps": 2500, "width": 16}),
    "shapes-cyclegan": ("cyclegan", "shapes", {"steps": 3000, "width": 16, "blocks": 1, "identity": 0}),
    "shapes-cyclegan-identity": ("cyclegan", "shapes", {"steps": 3000, "width": 16, "blocks": 3}),
    "tints-stargan": ("stargan", "tints", {"steps": 2000, "size": 16, "width": 16, "blocks": 2, "batch": 8, "lr": 5e-4}),
    "tints-stargan-halved-twice": ("stargan", "tints", {"steps": 2000, "size": 16, "width": 16, "blocks": 2, "batch": 8, "lr": 5e-4,
                                                        "halvings": 2}),
    "facades64-pix2pix": ("pix2pix", FACADES, {"steps": 2000, "size": 64, "direction": "BtoA"}),
    "facades64-l1": ("pix2pix", FACADES, {"steps": 2000, "size": 64, "direction": "BtoA", "adversarial": 0}),
    "facades64-cyclegan": ("cyclegan", FACADES, {"steps": 2000, "size": 64, "width": 16}),
    "facades128-pix2pix": ("pix2pix", FACADES, {"steps": 1200, "size": 128, "direction": "BtoA", "width": 32}),
    "facades128-l1": ("pix2pix", FACADES, {"steps": 1200, "size": 128, "direction": "BtoA", "width": 32, "adversarial": 0}),
    "horse2zebra": ("cyclegan", HORSES, {"steps": 3000, "size": 64, "width": 24}),
    "horse2zebra-skip": ("cyclegan", HORSES, SKIP | {"steps": 3000, "cycle": 3, "discriminator_steps": 10}),
    "horse2zebra-long": ("cyclegan", HORSES, SKIP | {"steps": 12_000, "cycle": 2, "discriminator_steps": 10, "ema": 0.998}),
    "horse2zebra-smooth": ("cyclegan", HORSES, SMOOTH | {"steps": 10_500}),
    "horse2zebra-further": ("cyclegan", HORSES, SMOOTH | {"steps": 11_200}),
    "horse2zebra-furthest": ("cyclegan", HORSES, SMOOTH | {"steps": 16_000}),
    "horse2zebra-averaged": ("cyclegan", HORSES, SMOOTH | {"steps": 12_500, "ema": 0.9995}),
    "emoji64": ("stargan", "emoji", EMOJI | {"steps": 3600}),
    "emoji64-average": ("stargan", "emoji", EMOJI | {"steps": 3600, "cycle": 30, "ema": 0.995}),
    "emoji64-on": ("stargan", "emoji", EMOJI | {"steps": 4200, "cycle": 30}),
    "emoji64-further": ("stargan", "emoji", EMOJI | {"steps": 4800, "cycle": 30}),
}
GOES_ON = {"emoji64-on": "emoji64", "emoji64-further": "emoji64-on",         # forks of runs that came to their end
           "horse2zebra-further": "horse2zebra-smooth", "horse2zebra-furthest": "horse2zebra-further"}


def emoji(size: int = 64) -> Domains:
    """Four styles, of which the same HELD_OUT emoji of each are held out."""
    from sparring.data.images.files import image_files
    from sparring.data.images.folder import read_listed
    with image_files(DATA / "emoji/emoji4_64_png.zip") as files:
        images, _ = read_listed(files, DataSettings(size=str(size)), lambda done, total: None)
    assert isinstance(images.space, Images) and images.labels is not None and isinstance(images.values, torch.Tensor)
    count = len(images) // len(images.space.labels)                    # in order of style, then of emoji
    rest = torch.zeros(count, dtype=torch.bool)
    rest[torch.randperm(count, generator=generator(0, "held out emoji"))[:HELD_OUT]] = True
    rest = rest.repeat(len(images.space.labels))
    parts = [Finite(images.space, images.values[chosen], images.labels[chosen]) for chosen in (~rest, rest)]
    return Domains(parts[0], images.space, held_out=parts[1])


def trained(name: str, seed: int) -> Model:
    """The model of this run, trained as far as it is not."""
    recipe, data, given = RUN[name]
    folder = RUNS / f"{name}-{seed}"
    if not (folder / "model").exists():
        every = given["steps"] // 4
        own = {key: value for key, value in given.items() if key != "size" or data != "emoji"}
        own |= {"threads": 1, "show_every": every, "score_every": every}
        request = Request(recipe, emoji(given["size"]) if data == "emoji" else data, own, seed)
        if name in GOES_ON and not (folder / "config.json").exists():
            trained(GOES_ON[name], seed)
            made = prepare(request, RUNS / f"{GOES_ON[name]}-{seed}", fork=folder)
        else:
            made = prepare(request, folder)
        run(made, Line(f"{name} {seed}"))
    return load(folder)


if __name__ == "__main__":
    for one in sys.argv[1:]:
        what, _, number = one.rpartition("-")
        trained(what, int(number))
