"""Which objectives find every mode: eight Gaussians on a ring, twenty-five on a grid (Lin et al., 2018, section 4.1)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from sparring.data.builtin.synthetic import Mixture, grid, ring
from sparring.data.source import batches
from sparring.experiments.cases import solve
from sparring.experiments.claims import Finding, Picture, Row, Setting, at_least, at_most, mean_and_error, shown
from sparring.game import play
from sparring.metrics.modes import score
from sparring.nets.mlp import mlp
from sparring.nets.multiscale import CellGenerator, CodebookGenerator, wave_discriminator
from sparring.pictures import style
from sparring.recipes import RECIPES
from sparring.rng import generator, seed_round
from sparring.setup.build import build

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLES, BATCH = 2500, 128
TRUTHS: dict[str, Callable[[], Mixture]] = {"ring8": ring, "grid25": grid}
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "vanilla": ("gan", {}),
    "unrolled": ("gan", {"unroll": 5}),
    "packed": ("gan", {"pack": 4}),
    "wgan": ("wgan", {"lr": 5e-4, "clip": 0.05, "first_steps": 20}),
    "wgan-gp": ("wgan-gp", {"decay": 0.6}),
    "r1": ("gan", {"penalty": "r1", "penalty_weight": 0.01}),
    "r3gan": ("r3gan", {"batch": 512, "discriminator_steps": 3, "gamma_last": 0.2, "beta2": 0.999, "decay": 0.6}),
}
CELLS = {f"{method}-cells": METHODS[method] for method in ("vanilla", "r3gan")}     # with another generator, see `work`


@dataclass(frozen=True)
class Protocol:
    """What is asked of the best, after so many rounds, and where the figures beside it come from."""

    claim: str
    methods: Mapping[str, tuple[str, dict[str, Any]]]
    best: str
    rounds: int
    longer: Mapping[str, int]           # rounds of the methods that take more
    modes: float
    high_quality: float
    reverse_kl: float
    source: str


PROTOCOLS = {
    "ring8": Protocol("The relativistic GAN with R1 and R2 finds all eight modes of a ring, every time and in equal shares.",
                      METHODS, "r3gan", 800, {"r3gan": 1000}, 8.0, 0.0, 0.02,
                      "PacGAN2 (Lin et al., 2018, table 1): 7.9 modes, KL 0.07"),
    "grid25": Protocol("The relativistic GAN with R1 and R2 finds the modes of a grid in nearly equal shares; a plain GAN loses most.",
                       {**METHODS, **CELLS}, "r3gan-cells", 1000, {"r3gan": 3500, "r3gan-cells": 4500}, 25.0, 0.95, 0.03,
                       "PacGAN4 (Lin et al., 2018, table 1): 24.8 modes, 93.6 % high quality, KL 0.04"),
}


def work(data: str, method: str, seed: int, rounds: int) -> dict[str, Any]:
    """Train one GAN on fresh samples, and score 2,500 of its own; the first 500 are kept for the picture.

    All methods have the same networks: a discriminator of random waves, and as the generator an MLP on the ring and a
    codebook on the grid, where bridges between modes would otherwise be most of what is wrong.  Methods named `-cells` have
    a generator that may jump, so that no bridge is needed.
    """
    truth, cpu = TRUTHS[data](), torch.device("cpu")
    name, given = PROTOCOLS[data].methods[method]
    recipe = RECIPES[name]
    settings = recipe.settings(**{**recipe.defaults(truth.space), "latent": 2, "batch": BATCH, "steps": rounds, **given})
    torch.manual_seed(seed)
    pack = getattr(settings, "pack", 1)
    G = generator_for(data, method)
    own: Mapping[str, nn.Module] = {"generator": G, "discriminator": wave_discriminator(2 * pack, 128, 2)}
    game = build(recipe, settings, truth.space, cpu, seed, own)
    stream = batches(truth, settings.batch, seed)
    for step in range(rounds):
        seed_round(seed, cpu, step)
        play(game, stream, step)
    samples = truth.space.decode(game.sample(game.prior(SAMPLES, generator(seed, "score"))))
    return {**score(samples, truth), "samples": [[round(v, 3) for v in point] for point in samples[:500].tolist()]}


def generator_for(data: str, method: str) -> nn.Module:
    if method in CELLS:
        return CellGenerator(2, 2)
    return CodebookGenerator(2, 2, 128) if data == "grid25" else mlp(2, 128, 3, 2, 0.2)


def run(data: str, setting: Setting) -> Finding:
    """Every method with ten seeds, means with standard errors; the quick run takes three methods and one seed."""
    protocol = PROTOCOLS[data]
    methods = ("vanilla", "wgan-gp", protocol.best) if setting.quick else tuple(protocol.methods)
    rounds = {method: 250 if setting.quick else protocol.longer.get(method, protocol.rounds) for method in methods}
    seeds = range(1 if setting.quick else 10)
    found = solve(setting, work, [(data, method, seed, rounds[method]) for method in methods for seed in seeds])
    results = {method: [found[data, method, seed, rounds[method]] for seed in seeds] for method in methods}
    rows = quick_claims(results, protocol) if setting.quick else claims(results, protocol)
    path = style.save_figure(portraits(data, {m: found[data, m, 0, rounds[m]]["samples"] for m in methods}), setting.out / f"{data}.png")
    caption = (f"500 samples of each GAN (green) with seed 0 after {rounds[methods[0]]:,} rounds, of {protocol.best} after "
               f"{rounds[protocol.best]:,}; black rings are three deviations around the true modes.")
    return Finding(rows, [Picture(path, caption)])


Results = Mapping[str, list[dict[str, Any]]]        # by method, a dict of scores a seed


def claims(results: Results, protocol: Protocol) -> list[Row]:
    """Means and standard errors over the seeds; and of the best method, which is the one that most often finds all modes
    and has the least reverse KL then, what is asked."""
    rows: list[Row] = []
    means: dict[str, dict[str, float]] = {}
    complete = {method: sum(result["modes"] >= protocol.modes for result in each) for method, each in results.items()}
    for method, each in results.items():
        means[method] = {}
        for name in ("modes", "high_quality", "reverse_kl"):
            means[method][name], error = mean_and_error([result[name] for result in each])
            rows.append(shown(f"{method}: {name}", means[method][name], f"mean of {len(each)} seeds, standard error {error:.3g}"))
        rows.append(shown(f"{method}: seeds with all modes", complete[method], f"of {len(each)}"))
    best = max(results, key=lambda method: (complete[method], -means[method]["reverse_kl"]))
    rows += [at_least(f"best ({best}): seeds with all modes", complete[best], len(results[best]), protocol.source),
             at_most(f"best ({best}): mean reverse KL, nats", means[best]["reverse_kl"], protocol.reverse_kl, protocol.source)]
    if protocol.high_quality:
        sharpest = max((method for method in results if complete[method] >= 0.5 * len(results[method])),
                       key=lambda method: means[method]["high_quality"], default=best)
        rows.append(at_least(f"sharpest of those that find all modes in half of the seeds ({sharpest}): high-quality share",
                             means[sharpest]["high_quality"], protocol.high_quality, protocol.source))
    return rows


def quick_claims(results: Results, protocol: Protocol) -> list[Row]:
    """Easy ones, of one seed: far from done, but far from collapsed."""
    rows = [shown(f"{method}: {name}", each[0][name]) for method, each in results.items()
            for name in ("modes", "high_quality", "reverse_kl")]
    young, name = results[protocol.best][0], protocol.best
    if protocol.high_quality:                                   # samples spread evenly over the square have 0.02
        rows.append(at_least(f"{name}: high-quality share after a short run", young["high_quality"], 0.05, protocol.source))
    return [*rows, at_least(f"{name}: modes after a short run", young["modes"], 0.6 * protocol.modes, protocol.source),
            at_most(f"{name}: reverse KL after a short run, nats", young["reverse_kl"], 0.5, protocol.source)]


def portraits(data: str, samples: Mapping[str, list[list[float]]]) -> "Figure":
    """A panel a method."""
    from matplotlib.patches import Circle

    truth, wide = TRUTHS[data](), min(4, len(samples))
    tall = -(-len(samples) // wide)
    figure = style.new_figure(2.6 * wide + 0.6, 2.7 * tall + 0.5)
    reach = 1.25 * max(max(mean) for mean in truth.means)
    for i, (method, points) in enumerate(samples.items()):
        axes = figure.add_subplot(tall, wide, i + 1)
        style.dress(axes, "", "", method)
        for mean, deviation in zip(truth.means, truth.deviations, strict=True):
            axes.add_patch(Circle((mean[0], mean[1]), 3 * deviation, fill=False, color=style.REAL, linewidth=0.8))
        x, y = zip(*points, strict=True)
        outside = sum(max(abs(a), abs(b)) > reach for a, b in points) / len(points)
        if outside > 0.01:
            axes.text(0.03, 0.03, f"{outside:.0%} outside", transform=axes.transAxes, fontsize=style.TICKS)
        axes.plot(x, y, ".", color=style.GENERATED, markersize=3, alpha=0.6)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    return figure
