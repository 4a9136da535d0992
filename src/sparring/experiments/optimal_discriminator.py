"""Against a generator that stands still, D becomes D* = p / (p + q) and its loss log 4 - 2 JSD (Goodfellow et al., 2014, section 4).

The frozen generators draw from mixtures of Gaussians, so that D*, the divergence and C(G) are known.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from sparring.data.builtin.synthetic import Mixture, gaussian, mixture
from sparring.data.source import Batch
from sparring.experiments.cases import solve
from sparring.experiments.claims import Finding, Picture, Row, Setting, at_least, at_most, by_name, equals, figure, on_its_way
from sparring.game import Game, play
from sparring.metrics.density import cells, judged, mass
from sparring.objectives import theory
from sparring.pictures import style
from sparring.recipes import RECIPES
from sparring.rng import generator, seed_round
from sparring.settings import make
from sparring.spaces import Vectors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CLAIM = "Trained against a frozen generator, D reaches p / (p + q) and its loss log 4 - 2 JSD, which is largest, log 4, where p_g = p_data."
SOURCE = "Goodfellow et al., 2014, Proposition 1 and Theorem 1"
TRUTHS = {"gaussian": gaussian(), "mixture": mixture()}
FROZEN = {"narrow": (0.3, 0.5), "shifted": (1.6, 0.8)}          # mean and deviation of a frozen generator's Gaussian
SHIFTS = {"far left": (-1.0, 0.5), "left": (0.5, 0.5), "right": (2.0, 0.5), "far right": (3.0, 0.5)}      # of the data's N(1, 0.5^2)
BATCH, WIDTH = 4096, 128
BELIEF, LOSS = "max |D - D*|", "|loss - (log 4 - 2 JSD)|"      # endings of the names of rows
EQUAL, ELSEWHERE = "C(G) at p_g = p_data, mean over the data", "least C(G) of a generator with p_g != p_data"


class Drawn(nn.Module):
    """G whose samples have exactly a mixture's density, in the network units of the data's space.

    float[B, latent] from N(0, I): the last number makes the sample, and the first, where there are components to choose
    from, chooses by its quantile.
    """

    def __init__(self, density: Mixture, space: Vectors) -> None:
        super().__init__()
        weights, means, deviations = density._tensors()
        self.latent = min(2, len(weights))
        self.mean = nn.Parameter(((means[:, 0] - space.shift[0]) / space.scale[0]).float())
        self.deviation = nn.Parameter((deviations / space.scale[0]).float())
        self.bounds = weights.cumsum(0)[:-1]

    def forward(self, z: Tensor) -> Tensor:
        which = torch.bucketize(torch.special.ndtr(z[:, 0].double()), self.bounds)
        return (self.mean[which] + self.deviation[which] * z[:, -1])[:, None]


def trained_alone(truth: Mixture, density: Mixture, seed: int, rounds: int, batch: int = BATCH, width: int = WIDTH) -> Game:
    """The game after `rounds` rounds in which D alone played against a generator of this density; its judge is D's average."""
    recipe, space, cpu = RECIPES["gan"], truth.space, torch.device("cpu")
    decay = 1 - 6 / rounds                                      # an average over about the last sixth of the run
    drawn = Drawn(density, space)
    settings = make(recipe.settings, {"steps": rounds, "batch": batch, "latent": drawn.latent, "ema": decay, "depth": 3,
                                      "width": width, "beta1": 0.9})
    torch.manual_seed(seed)
    game = recipe.game(settings, space, cpu, {"generator": drawn})
    alone = replace(game, turns={"discriminator": game.turns["discriminator"]})
    player = game.players["discriminator"]
    average = AveragedModel(player.net, multi_avg_fn=get_ema_multi_avg_fn(decay))

    def real() -> Iterator[Batch]:
        for i in range(rounds):
            yield Batch(space.encode(truth.draw(batch, generator(seed, "data", i))))

    stream = real()
    for step in range(rounds):
        seed_round(seed, cpu, step)
        play(alone, stream, step)
        average.update_parameters(player.net)
    return replace(game, judge=lambda x: average(x).detach())


def optimum(truth: Mixture, mean: float, deviation: float, seed: int, rounds: int = 6000) -> dict[str, float]:
    """D against a frozen Gaussian generator, compared with Proposition 1 and Theorem 1."""
    density = Mixture((1.0,), ((mean,),), (deviation,))
    found = against_theory(trained_alone(truth, density, seed, rounds), truth, density)
    return {name: found[name] for name in ("max |D - D*|", "loss", "log 4 - 2 JSD")}


def against_theory(game: Game, truth: Mixture, density: Mixture) -> dict[str, Any]:
    """The largest |D - D*| over the cells that hold 99 % of the data; losses on the grid, not from a sample, so that their
    error is that of D alone; and the curves, for a picture."""
    grid = cells(truth)
    p, q, d = grid.average(truth), grid.average(density), judged(game, truth, grid.centres)
    best, under = theory.optimal_discriminator(p, q), mass(p, grid.width)
    return {"max |D - D*|": float(np.abs(d - best)[under].max()), "loss": theory.discriminator_loss(p, q, d, grid.width),
            "log 4 - 2 JSD": theory.LOG4 - 2 * theory.jsd(p, q, grid.width),
            "x": grid.centres.tolist(), "p": p.tolist(), "q": q.tolist(), "D": d.tolist(), "D*": best.tolist(), "under": under.tolist()}


def density_of(data: str, kind: str) -> Mixture:
    if kind == "equal":
        return TRUTHS[data]
    mean, deviation = (FROZEN | SHIFTS)[kind]
    return Mixture((1.0,), ((mean,),), (deviation,))


def title(data: str, kind: str) -> str:
    """The data and the frozen generator, in words."""
    if kind == "equal":
        return f"{data}, p_g = p_data"
    mean, deviation = (FROZEN | SHIFTS)[kind]
    return f"{data}, p_g = N({mean}, {deviation}²)"


def case(data: str, kind: str, rounds: int, batch: int, width: int) -> dict[str, Any]:
    truth, density = TRUTHS[data], density_of(data, kind)
    return against_theory(trained_alone(truth, density, 0, rounds, batch, width), truth, density)


def run(setting: Setting) -> Finding:
    """Two kinds of data under generators that are exact, too narrow and shifted, and a family of ever farther ones."""
    size = (400, 512, 64) if setting.quick else (1500, 2048, 64)
    data, kinds = (("gaussian",), ("equal", "shifted")) if setting.quick else (tuple(TRUTHS), ("equal", *FROZEN))
    family = [] if setting.quick else [("gaussian", kind) for kind in SHIFTS]
    chosen = [(name, kind) for name in data for kind in kinds] + family
    solved = solve(setting, case, [(*pair, *size) for pair in chosen])
    found = {pair: solved[(*pair, *size)] for pair in chosen}
    rows = [row for pair in chosen for row in claims(*pair, found[pair], setting.quick)]
    costs = {pair: -result["loss"] for pair, result in found.items()}
    rows.append(at_least(ELSEWHERE, min(c for (_, kind), c in costs.items() if kind != "equal"),
                         max(c for (_, kind), c in costs.items() if kind == "equal") + 0.01, "Theorem 1: the minimum is at p_g = p_data",
                         "nats"))
    rows += [equals(EQUAL, float(np.mean([c for (_, kind), c in costs.items() if kind == "equal"])), -theory.LOG4,
                    "Theorem 1: -log 4 = -1.386294", "nats", relative=1e-3)]
    pictures = [Picture(style.save_figure(beliefs({pair: found[pair] for pair in chosen if pair not in family}),
                                          setting.out / "optimal-discriminator.png"),
                        "Above: the density of the data and of the frozen generator. Below: D after training beside D* = p / (p + q); "
                        "grey is where the data have less than 1 % of their mass.")]
    pictures.append(Picture(style.save_figure(costs_drawn(costs), setting.out / "criterion.png"),
                            "C(G) as the trained D finds it, for generators with mean m, beside 2 JSD - log 4."))
    return Finding(rows, pictures)


def headline(rows: Sequence[Row]) -> str:
    """How near D and its loss come to theory at worst, and where C(G) is least."""
    at = by_name(rows)
    beliefs, losses = ([row.ours for row in rows if row.name.endswith(what)] for what in (BELIEF, LOSS))
    return (f"Against {len(beliefs)} frozen generators D comes within {figure(max(beliefs))} of D* where 99 % of the data lie, and its "
            f"loss within {figure(max(losses))} nats of log 4 - 2 JSD. C(G) is {at[EQUAL].ours:.5f} nats at p_g = p_data (theory: "
            f"{-theory.LOG4:.5f}), and {at[ELSEWHERE].ours:.3f} or more elsewhere.")


def claims(data: str, kind: str, found: dict[str, Any], quick: bool) -> list[Row]:
    """D and its loss against theory.  Its steps are few in a quick run, which is then asked for less before it is said to fail."""
    name = title(data, kind)
    at = "D* = 1/2; 99 % of the data" if kind == "equal" else "Proposition 1; 99 % of the data"
    theorem = "Theorem 1: log 4 = 1.386294" if kind == "equal" else f"Theorem 1: log 4 - 2 JSD = {found['log 4 - 2 JSD']:.6f}"
    belief = at_most(f"{name}: {BELIEF}", found["max |D - D*|"], 0.02, at, "probability")
    loss = at_most(f"{name}: {LOSS}", abs(found["loss"] - found["log 4 - 2 JSD"]), 1e-3, theorem, "nats")
    return [on_its_way(belief, 0.1, quick), on_its_way(loss, 0.02, quick)]


def beliefs(found: dict[tuple[str, str], dict[str, Any]]) -> "Figure":
    """A column for each generator: the densities above, D and D* below."""
    figure = style.new_figure(3.6 * min(3, len(found)) + 0.6, 5.2 * -(-len(found) // 3))
    columns = min(3, len(found))
    for i, ((data, kind), result) in enumerate(found.items()):
        row, column = divmod(i, columns)
        above = figure.add_subplot(2 * -(-len(found) // columns), columns, 2 * row * columns + column + 1)
        below = figure.add_subplot(2 * -(-len(found) // columns), columns, (2 * row + 1) * columns + column + 1)
        draw_densities(above, result, title(data, kind), column == 0)
        draw_beliefs(below, result, column == 0)
    style.legend_below(figure, _joined(figure.axes[0], figure.axes[1]))
    return figure


def _joined(first: "Axes", second: "Axes") -> "Axes":
    """`first`, with what `second` has in its legend added to its own."""
    for line in second.get_lines():
        if not str(line.get_label()).startswith("_"):
            first.plot([], [], color=line.get_color(), linestyle=line.get_linestyle(), linewidth=line.get_linewidth(),
                       label=line.get_label())
    return first


def draw_densities(axes: "Axes", result: dict[str, Any], title: str, first: bool) -> None:
    style.dress(axes, "", "density" if first else "", title)
    axes.plot(result["x"], result["p"], color=style.REAL, linestyle=":", linewidth=2.4, label="data p(x)", zorder=3)
    axes.plot(result["x"], result["q"], color=style.GENERATED, linewidth=2, label="generator q(x)")
    axes.set_ylim(bottom=0)


def draw_beliefs(axes: "Axes", result: dict[str, Any], first: bool) -> None:
    style.dress(axes, "x", "D" if first else "")
    axes.plot(result["x"], result["D*"], color=style.THEORY, linewidth=3.2, label="theory D* = p / (p + q)")
    axes.plot(result["x"], result["D"], color=style.JUDGE, linestyle="--", linewidth=1.8, label="trained D(x)")
    axes.fill_between(result["x"], 0, 1, where=[not held for held in result["under"]], color=style.RULE, alpha=0.45, linewidth=0)
    axes.set_ylim(-0.03, 1.03)


def costs_drawn(costs: dict[tuple[str, str], float]) -> "Figure":
    """C(G) over the mean of a generator that is otherwise like the data N(1, 0.5^2), theory as a line."""
    figure = style.new_figure(8.0, 4.6)
    axes = figure.add_subplot()
    style.dress(axes, "mean m of the frozen generator (the data are N(1, 0.5²))", "C(G), nats")
    means = np.linspace(-1.4, 3.4, 193)
    for deviation, colour in ((0.5, style.THEORY), (0.8, style.QUIET)):
        axes.plot(means, [2 * theory.gaussian_jsd(1.0, 0.5, m, deviation) - theory.LOG4 for m in means], color=colour, linewidth=2,
                  label=f"2 JSD - log 4, q = N(m, {deviation}²)")
    places = {kind: density_of("gaussian", kind).means[0][0] for data, kind in costs if data == "gaussian"}
    axes.plot([places[kind] for data, kind in costs if data == "gaussian"], [c for (data, _), c in costs.items() if data == "gaussian"],
              "o", color=style.JUDGE, markersize=7, label="found by D")
    axes.axhline(-theory.LOG4, color=style.RULE, linewidth=1.2)
    axes.text(-1.4, -theory.LOG4 + 0.02, "-log 4", fontsize=style.TICKS, color=style.QUIET)
    style.legend_below(figure, axes)
    return figure
