"""The critic's loss follows the quality of the samples (Arjovsky et al., 2017, section 4.2): held against the exact distance.

On 25 Gaussians in the plane the 1-Wasserstein distance between two samples can be computed exactly, by optimal assignment.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from sparring.data.builtin.synthetic import grid
from sparring.data.source import batches
from sparring.experiments.cases import solve
from sparring.experiments.claims import Finding, Picture, Row, Setting, at_least, at_most, by_name, figure, on_its_way, shown, unless_short
from sparring.game import evaluate, play
from sparring.objectives.losses import OBJECTIVES
from sparring.pictures import style
from sparring.recipes import RECIPES
from sparring.rng import generator, seed_round
from sparring.settings import make
from sparring.setup.build import build

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLAIM = "A Wasserstein critic's loss follows the distance of the samples from the data. The loss of a GAN's discriminator does not."
SOURCE = "Arjovsky et al., 2017, section 4.2, figures 3 and 4; Gulrajani et al., 2017, section 5.3"
CPU = torch.device("cpu")
SCORED = 8192                                                   # real and generated samples over which a loss is taken
WINDOW = 9                                                      # looks that the median filter spans
TITLES = {"wgan-gp": "WGAN-GP", "gan": "GAN (non-saturating)"}
GIVEN: dict[str, dict[str, Any]] = {
    "wgan-gp": {"lr": 5e-4, "decay": 0.0, "ema": 0.0, "penalty_weight": 1.0},
    "gan": {"lr": 5e-4, "decay": 0.0, "ema": 0.0},
}


def wasserstein(a: Tensor, b: Tensor) -> float:
    """min over assignments of the mean |a_i - b_s(i)|: the 1-Wasserstein distance of two samples float[N, D]."""
    from scipy.optimize import linear_sum_assignment

    cost = torch.cdist(a.double(), b.double()).numpy()
    return float(cost[linear_sum_assignment(cost)].mean())


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's rank correlation: the correlation of the ranks, ties sharing their mean rank."""
    from scipy.stats import rankdata

    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def smoothed(values: ArrayLike, window: int = WINDOW) -> NDArray[np.float64]:
    """The median over `window` neighbours, as in the paper's figures; the ends are continued by their own values."""
    from scipy.ndimage import median_filter

    return np.asarray(median_filter(np.asarray(values, dtype=np.float64), window, mode="nearest"))


def looks(rounds: int, count: int) -> list[int]:
    """Half of them evenly over the run, and half dense at its beginning, where most happens."""
    even = np.linspace(1, rounds, count // 2)
    early = np.geomspace(1, rounds, count - count // 2)
    return sorted({round(step) for step in (*even, *early)})


def curve(name: str, seed: int, rounds: int, count: int, points: int, critic_steps: int = 0, first: int = 0) -> dict[str, Any]:
    """Minus the loss of the critic or discriminator, and the distance of samples from the data, along a run.

    Both look at the networks as they play, at the same latents and the same data each time.  A critic takes `critic_steps` a
    round and `first` more in each of the first 25, as in the code of the WGAN paper: it must be near its optimum to tell.
    """
    truth, recipe = grid(), RECIPES[name]
    space = truth.space
    settings = make(recipe.settings, {**recipe.defaults(space), **GIVEN[name], "steps": rounds,
                                      **({"critic_steps": critic_steps} if critic_steps else {})})
    game = build(recipe, settings, space, CPU, seed)
    critic, turn = game.players["discriminator"].net, game.turns["discriminator"]
    if first:
        game = replace(game, turns={"first": replace(turn, times=first, stop=25), **game.turns})
    loss = OBJECTIVES["wasserstein" if name == "wgan-gp" else "nonsaturating"].discriminator
    real, z = space.encode(truth.draw(SCORED, generator(seed, "held out"))), game.prior(SCORED, generator(seed, "latents"))
    at, stream = looks(rounds, count), batches(truth, settings.batch, seed)
    found: dict[str, list[float]] = {"minus loss": [], "distance": []}
    for step in range(rounds):
        seed_round(seed, CPU, step)
        play(game, stream, step)
        if step + 1 in at:
            fake = game.sample(z, live=True)
            found["minus loss"].append(-float(loss(evaluate(critic, real).flatten(), evaluate(critic, fake).flatten())))
            found["distance"].append(wasserstein(space.decode(real[:points]), space.decode(fake[:points])))
    return {"round": at, **found}


def run(setting: Setting) -> Finding:
    """A WGAN-GP on the 25 Gaussians, and a GAN beside it."""
    jobs = {"wgan-gp": ("wgan-gp", 0, *((60, 24, 256, 10, 30) if setting.quick else (600, 60, 500, 20, 100))),
            "gan": ("gan", 0, *((300, 24, 256) if setting.quick else (5000, 60, 500)))}
    solved = solve(setting, curve, list(jobs.values()))
    found = {name: solved[job] for name, job in jobs.items()}
    window = 3 if setting.quick else WINDOW
    ranks = {name: spearman(smoothed(each["minus loss"], window), each["distance"]) for name, each in found.items()}
    rows = claims(found, ranks, setting.quick)
    caption = ("Minus the loss (blue, median-filtered; raw values pale) and the exact 1-Wasserstein distance between generated and real "
               f"samples (green) along a run. Rank correlation of the two: {ranks['wgan-gp']:.2f} of the critic, {ranks['gan']:.2f} of D.")
    return Finding(rows, [Picture(style.save_figure(curves_drawn(found, ranks, window), setting.out / "wgan-curve.png"), caption)])


CRITIC = "WGAN-GP: Spearman of minus the critic's loss and the distance"
DISCRIMINATOR = "GAN: Spearman of minus the discriminator's loss and the distance"
NEARER = 0.5                        # of the distance at the first look: what has not come so near has not learned yet


def claims(found: dict[str, dict[str, Any]], ranks: dict[str, float], quick: bool) -> list[Row]:
    """Whether each loss follows the distance; along a run whose samples come no nearer there is nothing to follow."""
    follows = "Arjovsky et al., 2017, section 4.2: the loss correlates with quality"
    strays = "Arjovsky et al., 2017, section 4.2, figure 4: it does not"
    why = {name: "" if each["distance"][-1] <= NEARER * each["distance"][0] else
           f"the samples of the {TITLES[name]} come no nearer than {figure(each['distance'][-1])}, from {figure(each['distance'][0])}"
           for name, each in found.items()}
    rank, unit = "rank correlation, -1 to 1", "exact W1 of two samples, user units"
    rows = [on_its_way(unless_short(at_least(CRITIC, ranks["wgan-gp"], 0.8, follows, rank), why["wgan-gp"]), 0.4, quick),
            shown("WGAN-GP: the same without the median filter", spearman(found["wgan-gp"]["minus loss"], found["wgan-gp"]["distance"]),
                  rank),
            unless_short(at_most(DISCRIMINATOR, ranks["gan"], 0.5, strays, rank), why["gan"])]
    return rows + [shown(f"{TITLES[name].split()[0]}: distance at the {when}", found[name]["distance"][place], unit)
                   for name in ("wgan-gp", "gan") for when, place in (("beginning", 0), ("end", -1))]


def headline(rows: Sequence[Row]) -> str:
    """Both correlations, with how near the samples came."""
    at = by_name(rows)

    def way(name: str) -> str:
        return f"from {figure(at[f'{name}: distance at the beginning'].ours)} to {figure(at[f'{name}: distance at the end'].ours)}"

    return (f"As the samples' distance from the data goes {way('WGAN-GP')}, a WGAN-GP critic's loss {following(at[CRITIC].ours)}. As it "
            f"goes {way('GAN')}, the loss of a GAN's discriminator {following(at[DISCRIMINATOR].ours)}.")


def following(rank: float) -> str:
    """What a rank correlation of minus the loss and the distance says, in words."""
    said = "follows it" if rank >= 0.8 else "follows it loosely" if rank >= 0.5 else "goes the other way" if rank <= -0.5 else \
        "does not follow it"
    return f"{said} (rank correlation {rank:.2f})"


def curves_drawn(found: dict[str, dict[str, Any]], ranks: dict[str, float], window: int) -> "Figure":
    """A panel for each GAN: the loss on the left axis, the distance on the right."""
    figure = style.new_figure(8.0, 7.6)
    for i, (name, each) in enumerate(found.items()):
        axes = figure.add_subplot(2, 1, i + 1)
        style.dress(axes, "rounds" if i else "", "minus loss" + (" of the critic" if name == "wgan-gp" else " of D, nats"),
                    f"{TITLES[name]}: Spearman {ranks[name]:.2f}")
        axes.yaxis.label.set_color(style.JUDGE)
        axes.plot(each["round"], each["minus loss"], color=style.JUDGE, linewidth=1, alpha=0.3)
        axes.plot(each["round"], smoothed(each["minus loss"], window), color=style.JUDGE, linewidth=2.2,
                  label="minus loss, median-filtered")
        axes.plot([], [], color=style.GENERATED, linestyle="--", linewidth=2.2, label="1-Wasserstein distance, right axis")
        right = axes.twinx()
        right.plot(each["round"], each["distance"], color=style.GENERATED, linestyle="--", linewidth=2.2)
        right.set_ylabel("distance", fontsize=style.LABELS, color=style.GENERATED)
        right.tick_params(labelsize=style.TICKS, colors=style.GENERATED)
        right.set_ylim(bottom=0)
        right.spines["top"].set_visible(False)
        axes.set_xscale("log")
    style.legend_below(figure, figure.axes[0])
    return figure
