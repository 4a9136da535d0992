"""StyleGAN by images seen: beside `images`, with and without its penalty on paths, and what its styles can do.

    python -m benchmarks.recipes.styles [WORD...] [--toy]       only cases whose names begin so; SPARRING_DATA is where the sets are

Default settings, apart from the size, the number of rounds and compilation, which is off.  Runs lie in runs/styles and go on where they
were stopped; a run has one core, so that two can go side by side.  With --toy everything is tiny, and is only printed.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks.recipes.fashion import Memory
from benchmarks.record import DATA, record, spread
from sparring.api import load, run
from sparring.bench.contests import CONTESTS, TURNS, compete
from sparring.data.pretrained import JUDGING, pretrained
from sparring.data.source import Finite, batches
from sparring.evaluation.samples import evaluate, open_like
from sparring.game import Game, play
from sparring.latent import steering
from sparring.latent import styles as in_w
from sparring.metrics.path_length import path_lengths
from sparring.nets.style import StyleGenerator
from sparring.objectives import perceptual
from sparring.progress import Line
from sparring.recipes import RECIPES
from sparring.rng import generator, seed_round
from sparring.runs.folder import read_json
from sparring.settings import make
from sparring.setup.autotune import in_precision
from sparring.setup.build import build
from sparring.setup.prepare import prepare
from sparring.setup.request import Request, resolve
from sparring.spaces import Images

TOY = "--toy" in sys.argv
RUNS = Path(os.environ.get("SPARRING_RUNS", "runs/styles")) / ("toy" if TOY else "")
CPU, Found = torch.device("cpu"), dict[str, Any]
BEFORE = {"projected": False}           # the discriminator of `images` that begins with nothing, as that of `stylegan` does
LEVELS, WHITE = 8, 0.1                  # of a colour channel in a histogram; how far from white a drawing's inside is


@dataclass(frozen=True)
class Set:
    """What is learned from, at which size, and the features that it is judged in."""

    place: str
    size: int
    features: str


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    images: Mapping[str, int]           # seen in a run, by set
    compared: int                       # samples of each set
    lengths: int                        # pairs of latents
    pairs: int                          # whose styles are mixed
    inverted: int                       # held-out pictures
    starts: tuple[int, int]             # of inversion in z, and steps from each; W and W+ have as many in all, from one start
    rounds: int                         # in which memory is watched
    timed: tuple[int, int]              # pairs of measurements, rounds of each
    given: Mapping[str, Any] = field(default_factory=dict)      # settings, where a recipe has them


SETS = {"fashion": Set(str(DATA / "fashion-mnist"), 32, "auto"),
        "emoji 32": Set(str(DATA / "emoji/emoji4_64_png.zip"), 32, "lite1"),
        "emoji 64": Set(str(DATA / "emoji/emoji4_64_png.zip"), 64, "lite1")}
FULL = Scale({"fashion": 200_000, "emoji 32": 100_000, "emoji 64": 60_000}, 10_000, 2000, 500, 64, (4, 200), 5000, (5, 2 * TURNS))
SMALL = Scale({name: 32 for name in SETS}, 20, 4, 4, 2, (1, 3), 10, (1, 1), {"width": 4, "latent": 8, "batch": 16})
S = SMALL if TOY else FULL


# ---------------------------------------------------------------------------------------------------------- training
def asked(name: str, recipe: str, given: Mapping[str, Any]) -> Found:
    few = {k: v for k, v in S.given.items() if k in RECIPES[recipe].settings.model_fields}
    return {"size": SETS[name].size, "threads": 1, "compile": "off", **few, **given}


def trained(name: str, recipe: str, images: int, seed: int, given: Mapping[str, Any]) -> Path:
    """The folder of a run that has seen so many images; its batch is what the recipe chooses."""
    folder = RUNS / "-".join([*name.split(), recipe, *(f"{k}-{v}" for k, v in given.items()), str(images), str(seed)])
    if not (folder / "model").exists():
        wanted, place = asked(name, recipe, given), SETS[name].place
        batch = resolve(Request(recipe, place, wanted | {"steps": 1}, seed)).settings.batch
        request = Request(recipe, place, wanted | {"steps": max(1, images // batch)}, seed, command="python -m benchmarks.recipes.styles")
        _, outcome = run(prepare(request, folder), Line(f"{name} {recipe} {dict(given) or ''} {seed}"))
        if not (folder / "model").exists():
            raise SystemExit(f"{name} {recipe} {seed} stopped after {outcome.step:,} rounds; the same command goes on.")
    return folder


def case(name: str, recipe: str, seed: int, given: Mapping[str, Any]) -> Found:
    """KID, precision and recall, and of a model with styles the length of its paths."""
    return figures(name, trained(name, recipe, S.images[name], seed, given), recipe)


def figures(name: str, folder: Path, recipe: str) -> Found:
    config = read_json(folder / "config.json")
    metrics = ["kid", "precision", "recall", *(["path_length"] if recipe == "stylegan" else [])]
    found = evaluate(folder, metrics=metrics, n=S.compared, features=SETS[name].features)["metrics"]
    chosen = {k: config["settings"][k] for k in config["reasons"] if k in config["settings"]}
    seen = config["settings"]["batch"] * config["settings"]["steps"]
    return {"images seen": seen, "settings": chosen, "precision of arithmetic": config["run_settings"]["precision"],
            "seconds": load(folder).trained["seconds"],
            **{metric: {k: v for k, v in figure.items() if k != "protocol"} for metric, figure in found.items()},
            "protocol": next(iter(found.values()))["protocol"]}


# -------------------------------------------------------------------------------------------------------------- time
def pace() -> Found:
    """Images a second of the processor's time, of both recipes in turn, in the precision that their first runs have chosen."""
    games = {recipe: played("fashion", recipe) for recipe in ("stylegan", "images")}
    rates: dict[str, list[float]] = {recipe: [] for recipe in games}
    for _ in range(S.timed[0] + 1):
        for recipe, (game, stream, batch) in games.items():
            began = time.process_time()
            for step in range(S.timed[1]):
                seed_round(0, CPU, step)
                play(game, stream, step)
            rates[recipe].append(batch * S.timed[1] / (time.process_time() - began))
    found = {recipe: spread(rate[1:]) for recipe, rate in rates.items()}        # the first makes the optimizers' moments
    return {f"{recipe}, images/s": rate for recipe, rate in found.items()} | {
        "times as many images": found["images"]["median"] / found["stylegan"]["median"]}


def played(name: str, recipe: str) -> tuple[Game, Iterator[Any], int]:
    folder = trained(name, recipe, S.images[name], 0, {})
    config, model = read_json(folder / "config.json"), load(folder)
    settings = make(RECIPES[recipe].settings, config["settings"])
    game = in_precision(build(RECIPES[recipe], settings, model.space, CPU, 0), config["run_settings"]["precision"], CPU)
    return game, batches(open_like(model.space, SETS[name].place), settings.batch, 0), settings.batch


def at_equal_seconds(seed: int) -> Found:
    """`images` for as long as `stylegan` takes; how many more images that are is measured once, and then stays so."""
    path = RUNS / "pace.txt"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(pace()["times as many images"]))
    times = float(path.read_text())
    return figures("fashion", trained("fashion", "images", round(S.images["fashion"] * times), seed, {}), "images") | {"times": times}


def memory() -> Found:
    """Resident memory, in MB, early and late in a run of tiny networks with every part on."""
    watch, source = Memory(), Finite(Images(1, 8, 8), torch.randint(0, 256, (64, 1, 8, 8), dtype=torch.uint8))
    given = {"steps": S.rounds, "width": 2, "latent": 8, "batch": 4, "group": 2, "augment": "ada", "threads": 1, "compile": "off",
             "precision": "fp32", "log_every": max(1, S.rounds // 500), **dict.fromkeys(("show_every", "save_every", "score_every"), 10**9)}
    with tempfile.TemporaryDirectory() as folder:
        run(prepare(Request("stylegan", source, given), Path(folder) / "run"), watch)
    early, late = (median(mb for step, mb in watch.held if least * S.rounds <= step <= most * S.rounds)
                   for least, most in ((0.2, 0.4), (0.8, 1.0)))
    return {"rounds": S.rounds, "MB, from a fifth to two fifths": early, "MB, in the last fifth": late, "growth, MB": late - early}


def by_hand() -> Found:
    contest = CONTESTS["stylegan"]
    return compete(replace(contest, rounds=TURNS) if TOY else contest, 1, S.timed[0], print)


# ------------------------------------------------------------------------------------------------------------ styles
def net_of(folder: Path) -> tuple[Any, StyleGenerator]:
    model = load(folder)
    return model, in_w.styled(steering.network(model.game))


def precise() -> Found:
    """Path length with networks in float32 and in float64, by steps: the mean, and how far a pair's is off."""
    model, net = net_of(trained("fashion", "stylegan", S.images["fashion"], 0, {}))
    n = min(64, S.lengths)
    z, share = model.latents(2 * n, seed=1), torch.rand(n, generator=generator(0, "share"), dtype=torch.float64)
    which = steering.network_labels(model.game, model.space, model.labels_for(n))
    a, b = (in_w.styles(net, part, which).double() for part in z.split(n))
    found: Found = {"pairs": n}
    for step in (1e-2, 1e-3, 1e-4, 1e-5):
        lengths = {}
        for dtype in (torch.float32, torch.float64):
            own, judge = deepcopy(net).to(dtype), pretrained(JUDGING, CPU, dtype)
            draw = partial(as_seen, own, dtype)
            lengths[dtype] = torch.cat([path_lengths(draw, partial(perceptual.distance, judge), (a[i], b[i]), share[i], step=step)
                                        for i in torch.arange(n).split(8)]).double()
        off = (lengths[torch.float32] / lengths[torch.float64] - 1).abs()
        found[f"step {step:g}"] = {"float64": float(lengths[torch.float64].mean()), "float32": float(lengths[torch.float32].mean()),
                                   "a pair is off by": float(off.median())}
    return found


def as_seen(net: StyleGenerator, dtype: torch.dtype, w: Tensor) -> Tensor:
    with in_w.at_rest(net):
        return net.synthesis(net.everywhere(w.to(dtype))).clamp(-1, 1)


def mixing(name: str) -> Found:
    """Of two styles of one class, what changes when the coarse half of the layers, the fine half, or all take the other style.

    `edges`: half the L1 distance of gradients of lightness, each over its sum.  `silhouette`: the share of pixels that are white in one
    and not in the other.  `colour`: half the L1 distance of histograms of colours, over all pixels.  Each is a mean over pairs, also as
    a share of what it is when all layers change.
    """
    model, net = net_of(trained(name, "stylegan", S.images[name], 0, {}))
    z = model.latents(2 * S.pairs, seed=1)
    which = steering.network_labels(model.game, model.space, model.labels_for(S.pairs, shares="data"))
    a, b = (net.everywhere(in_w.styles(net, part, which)) for part in z.split(S.pairs))
    early = (torch.arange(net.synthesis.count) < in_w.middle(net))[:, None]
    drawn = {what: in_w.drawn(net, w).clamp(-1, 1) for what, w in
             {"none": a, "coarse": torch.where(early, b, a), "fine": torch.where(early, a, b), "all": b}.items()}
    found: Found = {"pairs": S.pairs, "first fine layer": in_w.middle(net), "layers": net.synthesis.count}
    for measure, apart in (("edges", edges_apart), ("silhouette", silhouettes_apart), ("colour", colours_apart)):
        mean = {what: float(apart(drawn["none"], drawn[what]).mean()) for what in ("coarse", "fine", "all")}
        found[measure] = mean | {f"{what}, of all": mean[what] / mean["all"] for what in ("coarse", "fine")}
    return found | {f"{measure}, coarse over fine": found[measure]["coarse"] / max(1e-9, found[measure]["fine"])
                    for measure in ("edges", "silhouette", "colour")}


def on_white(x: Tensor) -> Tensor:
    """Images float[n, C, H, W] in [-1, 1] as colours in [0, 1] on white, float[n, 3, H, W]."""
    x = (x + 1) / 2
    return x.expand(-1, 3, -1, -1) if x.shape[1] == 1 else x[:, :3] if x.shape[1] == 3 else 1 - x[:, 3:] * (1 - x[:, :3])


def edges(x: Tensor) -> Tensor:
    """How steep the lightness is at each place, over the sum of it: float[n, places]."""
    light = (on_white(x) * torch.tensor([0.2126, 0.7152, 0.0722]).view(1, 3, 1, 1)).sum(1)
    down, across = light[:, 2:, 1:-1] - light[:, :-2, 1:-1], light[:, 1:-1, 2:] - light[:, 1:-1, :-2]
    steep = (down.square() + across.square()).sqrt().flatten(1)
    return steep / steep.sum(1, keepdim=True).clamp_min(1e-9)


def edges_apart(x: Tensor, y: Tensor) -> Tensor:
    return (edges(x) - edges(y)).abs().sum(1) / 2


def silhouettes_apart(x: Tensor, y: Tensor) -> Tensor:
    within = [((1 - on_white(image)).amax(1) > WHITE).float().flatten(1) for image in (x, y)]
    return (within[0] - within[1]).abs().mean(1)


def colours(x: Tensor) -> Tensor:
    """The share of pixels in each of LEVELS^3 cells of colours: float[n, LEVELS^3]."""
    level = (on_white(x) * LEVELS).long().clamp(0, LEVELS - 1).flatten(2)
    cell = (level[:, 0] * LEVELS + level[:, 1]) * LEVELS + level[:, 2]
    return torch.zeros(len(x), LEVELS**3).scatter_add_(1, cell, torch.full(cell.shape, 1 / cell.shape[1]))


def colours_apart(x: Tensor, y: Tensor) -> Tensor:
    return (colours(x) - colours(y)).abs().sum(1) / 2


def inversion(seed: int) -> Found:
    """Root mean squared errors, in [-1, 1], of held-out pictures, whose classes are told: in z, W and W+ with as many steps in all."""
    model, _ = net_of(trained("fashion", "stylegan", S.images["fashion"], seed, {}))
    source = open_like(model.space, SETS["fashion"].place)
    assert isinstance(source, Finite) and source.held_out is not None and source.held_out.labels is not None
    rows = torch.randperm(len(source.held_out), generator=generator(0, "inverted"))[:S.inverted]
    x, names = source.held_out.at(rows).x, [model.labels[k] for k in source.held_out.labels[rows].tolist()]
    starts, steps = S.starts
    found = {"z": model.invert(x, labels=names, starts=starts, steps=steps).error,
             "W": model.invert_styles(x, labels=names, plus=False, steps=starts * steps).error,
             "W+": model.invert_styles(x, labels=names, steps=starts * steps).error}
    means = {place: float(error.mean()) for place, error in found.items()}
    return {"pictures": len(x), "steps": starts * steps, **{f"{place}, mean": mean for place, mean in means.items()},
            **{f"{place}, median": float(error.median()) for place, error in found.items()}, "W+ over z": means["W+"] / means["z"]}


CASES: dict[str, Callable[[], Found]] = {"memory": memory, "by hand": by_hand}
for seed in (0, 1, 2):
    CASES[f"fashion, stylegan, seed {seed}"] = partial(case, "fashion", "stylegan", seed, {})
    CASES[f"fashion, images, seed {seed}"] = partial(case, "fashion", "images", seed, {})
    CASES[f"fashion, path_weight=0, seed {seed}"] = partial(case, "fashion", "stylegan", seed, {"path_weight": 0.0})
    CASES[f"inversion, seed {seed}"] = partial(inversion, seed)
CASES["pace"] = pace
for seed in (0, 1, 2):
    CASES[f"at equal seconds, images, seed {seed}"] = partial(at_equal_seconds, seed)
CASES["path length in float32"] = precise
for name in ("emoji 32", "emoji 64"):
    CASES[f"{name}, stylegan"] = partial(case, name, "stylegan", 0, {})
    CASES[f"{name}, images"] = partial(case, name, "images", 0, BEFORE)
CASES["mixing, emoji 32"] = partial(mixing, "emoji 32")

PROTOCOL = ("Default settings apart from size, rounds and compilation (off); `images` of emoji with projected=false. Figures by "
            "`sparring evaluate` with 95 % intervals: fashion in its default features against 10,000 test images, emoji in lite1 "
            "against the drawings that it learned from; path lengths of 2,000 pairs in W. At equal seconds: `images` for as many images "
            "as it sees, by the processor's time, while `stylegan` sees 200,000. Inversion: 64 test pictures, classes told, 4 starts of "
            "200 steps in z, one of 800 in W and W+. Mixing: 500 pairs of one class each; coarse is the first half of the layers; "
            "edges: half the L1 distance of gradients of lightness, each over its sum; silhouette: share of pixels white in one only; "
            "colour: half the L1 distance of histograms of 512 colours.")
TARGETS = {"fashion": "kid of stylegan no worse than that of images", "emoji": "kid of stylegan below that of images",
           "path_weight=0": "default has a path_length 30 % lower, and kid within 10 %", "inversion": "W+ over z <= 0.5",
           "mixing": "edges, coarse over fine >= 3; colour, coarse over fine < 1", "by hand": "ratio >= 0.95", "memory": "growth about 0"}

if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    chosen = [(name, one) for name, one in CASES.items() if not words or any(name.startswith(word) for word in words)]
    if TOY:
        for name, one in chosen:
            print(name, one(), flush=True)
    else:
        record("styles", PROTOCOL, TARGETS, chosen)
