"""Which objectives find every mode: eight Gaussians on a ring, twenty-five on a grid (Lin et al., 2018, section 4.1)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from sparring.data.builtin.synthetic import Mixture, grid, ring
from sparring.data.source import batches
from sparring.experiments.cases import solve
from sparring.experiments.claims import (
    Finding,
    Picture,
    Row,
    Setting,
    at_least,
    at_most,
    by_name,
    figure,
    mean_and_error,
    on_its_way,
    percent,
    shown,
    unless_short,
)
from sparring.game import play
from sparring.metrics.modes import score
from sparring.nets.mlp import mlp
from sparring.nets.multiscale import CellGenerator, CodebookGenerator, JumpingGenerator, wave_discriminator
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
    chance: float                       # share of good samples, were they spread evenly over a square that holds the modes
    published: tuple[str, dict[str, float]]     # who, and modes, share of good samples and reverse KL there
    source: str


JUMPING = {"r3gan-cells": ("r3gan", {"batch": 256, "latent": 8})}      # the recipe as `sparring train r3gan --data ring` plays it

PROTOCOLS = {
    "ring8": Protocol("The relativistic GAN with R1 and R2 and a generator that may jump finds all eight modes of a ring, every time, in "
                      "equal shares, with nearly all samples in them; a plain GAN loses most.",
                      {**METHODS, **JUMPING}, "r3gan-cells", 800, {"r3gan": 1000, "r3gan-cells": 5000}, 8.0, 0.95, 0.02, 0.004,
                      ("PacGAN2", {"modes": 7.9, "high_quality": 0.96, "reverse_kl": 0.07}), "Lin et al., 2018, table 1"),
    "grid25": Protocol("The relativistic GAN with R1 and R2 finds the modes of a grid in nearly equal shares; a plain GAN loses most.",
                       {**METHODS, **CELLS}, "r3gan-cells", 1000, {"r3gan": 3500, "r3gan-cells": 4500}, 25.0, 0.95, 0.03, 0.018,
                       ("PacGAN4", {"modes": 24.8, "high_quality": 0.936, "reverse_kl": 0.04}), "Lin et al., 2018, table 1"),
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
        return CellGenerator(2, 2) if data == "grid25" else JumpingGenerator(8, 2, 256, 128, 3, 0.2)
    return CodebookGenerator(2, 2, 128) if data == "grid25" else mlp(2, 128, 3, 2, 0.2)


def run(data: str, setting: Setting) -> Finding:
    """Every method with ten seeds, means with standard errors; the quick run takes three methods and one seed."""
    protocol = PROTOCOLS[data]
    methods = ("vanilla", "wgan-gp", protocol.best) if setting.quick else tuple(protocol.methods)
    rounds = {method: 250 if setting.quick else protocol.longer.get(method, protocol.rounds) for method in methods}
    seeds = range(1 if setting.quick else 10)
    found = solve(setting, work, [(data, method, seed, rounds[method]) for method in methods for seed in seeds])
    results = {method: [found[data, method, seed, rounds[method]] for seed in seeds] for method in methods}
    rows = scores(results, protocol) + (quick_claims if setting.quick else claims)(results, protocol)
    path = style.save_figure(portraits(data, {m: found[data, m, 0, rounds[m]]["samples"] for m in methods}), setting.out / f"{data}.png")
    caption = (f"500 samples of each GAN (green) with seed 0 after {rounds[methods[0]]:,} rounds, of {protocol.best} after "
               f"{rounds[protocol.best]:,}; black rings are three deviations around the true modes.")
    return Finding(rows, [Picture(path, caption)])


Results = Mapping[str, list[dict[str, Any]]]        # by method, a dict of scores a seed


CLAIMED = "the claim, "             # how the names of rows about protocol.best begin


def units(protocol: Protocol) -> dict[str, str]:
    return {"modes": f"modes of {protocol.modes:.0f}", "high_quality": "share within 3 deviations of a mode", "reverse_kl": "nats"}


def scores(results: Results, protocol: Protocol) -> list[Row]:
    """Of each method the modes, the share of good samples and the reverse KL, always all three; and what was published."""
    rows: list[Row] = []
    for method, each in results.items():
        for name, unit in units(protocol).items():
            mean, error = mean_and_error([result[name] for result in each])
            rows.append(shown(f"{method}: {name}", mean, unit, f"mean of {len(each)} seeds, standard error {error:.3g}"
                              if len(each) > 1 else "this run, one seed"))
        rows.append(shown(f"{method}: seeds with all modes", complete(each, protocol), f"seeds of {len(each)}"))
    who, published = protocol.published
    return rows + [shown(f"published, {who}: {name}", published[name], unit, protocol.source) for name, unit in units(protocol).items()]


def complete(each: list[dict[str, Any]], protocol: Protocol) -> int:
    """Seeds in which every mode was found."""
    return sum(result["modes"] >= protocol.modes for result in each)


def average(each: list[dict[str, Any]], name: str) -> float:
    return mean_and_error([result[name] for result in each])[0]


def claims(results: Results, protocol: Protocol) -> list[Row]:
    """What is asked of the method that the claim is about, and of the plain GAN beside it."""
    best, at = results[protocol.best], f"{CLAIMED}{protocol.best}"
    rows = [at_least(f"{at}: seeds with all modes", complete(best, protocol), len(best), protocol.source, f"seeds of {len(best)}"),
            at_most(f"{at}: mean reverse KL", average(best, "reverse_kl"), protocol.reverse_kl, protocol.source, "nats")]
    if protocol.high_quality:
        rows.append(at_least(f"{at}: mean share of good samples", average(best, "high_quality"), protocol.high_quality, protocol.source,
                             units(protocol)["high_quality"]))
    return [*rows, plain_loses(results, protocol)]


def plain_loses(results: Results, protocol: Protocol) -> Row:
    return at_most("a plain GAN: mean modes", average(results["vanilla"], "modes"), protocol.modes / 2,
                   "what is claimed of these networks; published plain GANs with others keep more", units(protocol)["modes"])


def quick_claims(results: Results, protocol: Protocol) -> list[Row]:
    """The same of one seed.  A few rounds are not enough for most of it, and only what is far off fails."""
    young, at, unit = results[protocol.best][0], f"{CLAIMED}{protocol.best}", units(protocol)
    rows = [on_its_way(at_least(f"{at}: modes", young["modes"], protocol.modes, protocol.source, unit["modes"]), 0.6 * protocol.modes,
                       True),
            on_its_way(at_most(f"{at}: reverse KL", young["reverse_kl"], protocol.reverse_kl, protocol.source, "nats"), 0.5, True)]
    if protocol.high_quality:
        rows.append(on_its_way(at_least(f"{at}: share of good samples", young["high_quality"], protocol.high_quality, protocol.source,
                                        unit["high_quality"]), 3 * protocol.chance, True))
    why = "" if young["modes"] >= protocol.modes else f"{protocol.best} has not found all modes itself, but {young['modes']:.0f}"
    rows.append(unless_short(at_least(f"{at}: seeds with all modes", complete(results[protocol.best], protocol), 1, protocol.source,
                                      "seeds of 1"), "one seed does not show that all modes are found every time"))
    return [*rows, unless_short(plain_loses(results, protocol), why)]


def headline(rows: Sequence[Row]) -> str:
    """The method of the claim beside the plain GAN and what was published, each with its share of good samples."""
    at = by_name(rows)
    best = next(row.name for row in rows if row.name.startswith(CLAIMED)).removeprefix(CLAIMED).split(":")[0]
    published = next(row.name for row in rows if row.name.startswith("published, ")).split(":")[0]

    def found(name: str) -> str:
        share = percent(at[f"{name}: high_quality"].ours)
        return f"{figure(at[f'{name}: modes'].ours)} modes, {share} good samples, reverse KL {figure(at[f'{name}: reverse_kl'].ours)}"

    all_of = at[f"{best}: seeds with all modes"]
    return (f"{best} has all modes in {all_of.ours:.0f} of {all_of.unit.split()[-1]} seeds. On average, of "
            f"{at[f'{best}: modes'].unit.split()[-1]}: {best} "
            f"{found(best)} nats; vanilla {found('vanilla')}; {published} {found(published)}. Good: within three deviations of a mode.")


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
