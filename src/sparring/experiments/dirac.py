"""The Dirac-GAN (Mescheder et al., 2018, section 2): the smallest game there is, and whether training converges.

The data are all at 0, the generator is one number theta, where all of its samples lie, and D(x) = psi x.  The only
equilibrium is (0, 0).  Whether a training rule finds it, circles it for ever, or diverges, can be seen in the plane.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim import SGD

from sparring.experiments.claims import Finding, Picture, Row, Setting, at_least, at_most, beginning, equals, figure, shown
from sparring.game import Game, Player, Report, Turn, play, play_at_once
from sparring.objectives import losses, penalties
from sparring.objectives.unroll import weights_of, with_weights
from sparring.pictures import style
from sparring.rng import seed_round

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLAIM = "Undamped, gradient descent is still far from the equilibrium of the Dirac-GAN after 500 steps. Instance noise or a zero-centred "\
        "penalty brings it there."
SOURCE = "Mescheder et al., 2018, sections 2 and 3"
STEP, STEPS, START = 0.2, 500, (1.0, 1.0)
UNIT = f"distance from equilibrium after {STEPS} steps"
NOISES = 1000                                                   # samples that stand for the expectation over instance noise
ORIGIN = torch.zeros(1, 1, dtype=torch.float64)                    # all of the data


class Point(nn.Module):
    """G: one sample, theta, as float64[1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.full((1,), START[0], dtype=torch.float64))

    def forward(self) -> Tensor:
        return self.theta[None]


class Line(nn.Module):
    """D(x) = psi x.  psi begins at -1: the published runs write D's argument with the other sign."""

    def __init__(self) -> None:
        super().__init__()
        self.psi = nn.Parameter(torch.full((1,), -START[1], dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.psi * x


@dataclass(frozen=True)
class Variant:
    """How the two play: their objective and what damps it."""

    title: str
    objective: losses.Adversarial
    damp: Callable[[Line, Tensor], Tensor] | None = None        # (D, fake) -> a penalty that D pays
    both: Callable[[losses.Adversarial, Point, Line], Tensor] | None = None     # a penalty that both pay
    clip: float = 0.0
    noise: float = 0.0


def squared_slope(weight: float) -> Callable[[Line, Tensor], Tensor]:
    return lambda D, fake: weight * penalties.r1(D, ORIGIN)


def slope_of_one(weight: float) -> Callable[[Line, Tensor], Tensor]:
    return lambda D, fake: weight / 2 * penalties.lipschitz(D, ORIGIN, fake)


def consensus(objective: losses.Adversarial, G: Point, D: Line) -> Tensor:
    """penalties.consensus with both players' weights as its argument."""
    def both(generator: penalties.Weights, discriminator: penalties.Weights) -> tuple[Tensor, Tensor]:
        fake, critic = with_weights(G, generator)(), with_weights(D, discriminator)
        real = critic(ORIGIN)
        return objective.generator(real, critic(fake)), objective.discriminator(real, critic(fake))

    return penalties.consensus(both, weights_of(G), weights_of(D))


def consensus_as_run(objective: losses.Adversarial, G: Point, D: Line) -> Tensor:
    """What the published runs added: the gradient of |v|^2 / 2, with half of what comes through the curvature of f.

    |v|^2 / 2 = q^2 (theta^2 + psi^2) / 2 with q = f'(theta psi); each factor is held fixed in turn.
    """
    q = torch.sigmoid(D(G()))
    radius = G.theta.square() + D.psi.square()
    return (q.detach().square() * radius / 2 + q.square() * radius.detach() / 4).sum()


VARIANTS = {
    "gan": Variant("GAN", losses.minimax),
    "nsgan": Variant("non-saturating GAN", losses.nonsaturating),
    "wgan-clip": Variant("WGAN, clipped at 1", losses.wasserstein, clip=1.0),
    "wgan-gp": Variant("WGAN-GP, weight 0.7", losses.wasserstein, damp=slope_of_one(0.7)),
    "instance-noise": Variant("instance noise, deviation 0.7", losses.minimax, noise=0.7),
    "gan+gp0.3": Variant("GAN + R1, weight 0.3", losses.minimax, damp=squared_slope(0.3)),
    "gan+gp1.0": Variant("GAN + R1, weight 1", losses.minimax, damp=squared_slope(1.0)),
    "consensus": Variant("consensus, weight 1, as published", losses.minimax, both=consensus_as_run),
    "nsgan+gp0.3": Variant("non-saturating + R1, 0.3", losses.nonsaturating, damp=squared_slope(0.3)),
    "consensus-exact": Variant("consensus, weight 1, exact", losses.minimax, both=consensus),
}
UNDAMPED = ("gan/", "nsgan/", "wgan-clip/", "wgan-gp/")        # beginnings of names; a clip or a slope of one does not damp
DAMPED = {"instance noise": ("instance-noise/",), "R1": ("gan+gp", "nsgan+gp"), "consensus": ("consensus/",)}
UPDATES = ("simultaneous", "alternating-1", "alternating-5")
PUBLISHED = {                                                   # radius after 500 steps, by update
    "gan": (3.09695, 1.42102, 1.84527), "nsgan": (0.640207, 0.283923, 0.138877),
    "wgan-clip": (1.00215, 1.02412, 0.916885), "wgan-gp": (1.80179, 1.22107, 0.716301),
    "gan+gp0.3": (2.64266e-06, 2.30091e-07, 9.2e-34), "gan+gp1.0": (9.52872e-22, 7.48124e-17, 5.1435e-12),
    "consensus": (2.08084e-10, 1.33231e-11, 4.6e-33), "nsgan+gp0.3": (2.21196e-06, 1.49942e-07, 4.0e-34),
}


def game(variant: Variant, discriminator_steps: int) -> Game:
    """The Dirac-GAN under plain gradient descent; the generator moves first, as in the published runs."""
    G, D = Point(), Line()
    generator, discriminator = Player(G, SGD(G.parameters(), STEP)), Player(D, SGD(D.parameters(), STEP))

    def seen(x: Tensor) -> Tensor:
        return x + variant.noise * torch.randn(NOISES, 1, dtype=x.dtype) if variant.noise else x

    def extra() -> dict[str, Tensor]:
        return {"agreement": variant.both(variant.objective, G, D)} if variant.both else {}

    def clip() -> None:
        if variant.clip:
            penalties.clip(D.parameters(), variant.clip)

    def generate(batch: None, step: int) -> Report:
        clip()
        return Report({"adversarial": variant.objective.generator(None, D(seen(G())))} | extra())

    def discriminate(batch: None, step: int) -> Report:
        clip()
        terms = {"adversarial": variant.objective.discriminator(D(seen(ORIGIN)), D(seen(G())))}
        if variant.damp:
            terms["penalty"] = variant.damp(D, G().detach())
        return Report(terms | extra())

    return Game({"generator": generator, "discriminator": discriminator},
                {"generator": Turn(generator, generate), "discriminator": Turn(discriminator, discriminate, times=discriminator_steps)},
                model=G, prior=lambda n, rng: torch.zeros(n, 1), sample=lambda z, labels=None, live=False: G())


def trajectory(variant: Variant, update: str, seed: int = 0) -> list[tuple[float, float]]:
    """(theta, psi) before every step and after the last, psi in the published sign."""
    table = game(variant, 5 if update == "alternating-5" else 1)
    one_round = play_at_once if update == "simultaneous" else play
    G, D = (table.players[name].net for name in ("generator", "discriminator"))
    assert isinstance(G, Point) and isinstance(D, Line)
    path, rounds = [START], repeat(None)
    for step in range(STEPS):
        seed_round(seed, torch.device("cpu"), step)
        one_round(table, rounds, step)
        if variant.clip:
            penalties.clip(D.parameters(), variant.clip)
        path.append((G.theta.item(), -D.psi.item()))
    return path


def run(setting: Setting) -> Finding:
    """Every variant under every update; nothing is left out in the quick run, which takes seconds."""
    rows, paths = [], {}
    for name, variant in VARIANTS.items():
        for column, update in enumerate(UPDATES):
            path = paths[name, update] = trajectory(variant, update)
            rows.append(claim(f"{name}/{update}", math.hypot(*path[-1]), PUBLISHED[name][column] if name in PUBLISHED else None))
        setting.tell(f"  {variant.title}: distance from equilibrium " + ", ".join(f"{row.ours:.3g}" for row in rows[-3:]) +
                     " after 500 steps")
    rows += told_apart(rows)
    picture = style.save_figure(portraits(paths), setting.out / "dirac.png")
    caption = ("Each way to play, beginning at (1, 1); the equilibrium is the origin. 500 steps of simultaneous gradient descent "
               "(blue) and of alternating steps (orange).")
    return Finding(rows, [Picture(picture, caption)])


def told_apart(rows: Sequence[Row]) -> list[Row]:
    """What the claim says of all of them at once: none comes near undamped, and all that are damped as published arrive."""
    damped = beginning(rows, *(start for starts in DAMPED.values() for start in starts))
    return [at_least("undamped, the nearest", min(row.ours for row in beginning(rows, *UNDAMPED)), 0.1, SOURCE, UNIT),
            at_most("damped, the farthest", max(row.ours for row in damped), 0.05, SOURCE, UNIT)]


def headline(rows: Sequence[Row]) -> str:
    """How far the players end from the equilibrium, undamped and damped, and how many published distances come out."""
    published = [row for row in rows if row.relation == "="]
    agree = sum(row.holds is True for row in published)
    damped = {name: span(beginning(rows, *starts)) for name, starts in DAMPED.items()}
    return (f"After {STEPS} steps that begin {math.hypot(*START):.3g} from the equilibrium, the players end "
            f"{span(beginning(rows, *UNDAMPED))} away from it undamped, {damped['instance noise']} with instance noise, {damped['R1']} "
            f"with R1, and {damped['consensus']} with consensus as published ({span(beginning(rows, 'consensus-exact/'))} with its exact "
            f"gradient). {agree} of {len(published)} published distances come out.")


def span(rows: Sequence[Row]) -> str:
    """The least and the largest figure of these rows."""
    return f"{figure(min(row.ours for row in rows))} to {figure(max(row.ours for row in rows))}"


def claim(name: str, radius: float, published: float | None) -> Row:
    """The radius, which is the distance of (theta, psi) from the equilibrium (0, 0), after 500 steps (it begins at 1.414),
    against the published runs to as many digits as are known."""
    if name.startswith("instance-noise"):
        return at_most(name, radius, 0.05, "Mescheder et al., 2018, published code run with seed 0: converges up to its noise", UNIT)
    if published is None:
        return shown(name, radius, UNIT, "the exact gradient of |v|^2 / 2; the published runs took half of its second part")
    digits = 6 if published > 1e-30 else 2
    return equals(name, radius, published, "Mescheder et al., 2018, published code, run", UNIT,
                  relative=max(1e-5, 0.5 * 10.0 ** (1 - digits)))


def portraits(paths: dict[tuple[str, str], list[tuple[float, float]]]) -> "Figure":
    """Nine phase portraits."""
    figure = style.new_figure(9.0, 9.6)
    names = [name for name in VARIANTS if name != "consensus-exact"]
    for i, name in enumerate(names):
        axes = figure.add_subplot(3, 3, i + 1)
        style.dress(axes, "generator" if i >= 6 else "", "discriminator" if i % 3 == 0 else "", VARIANTS[name].title)
        axes.title.set_fontsize(style.TICKS)
        for update, colour, label in (("simultaneous", style.JUDGE, "simultaneous steps"),
                                      ("alternating-1", style.THEORY, "alternating steps")):
            x, y = zip(*paths[name, update], strict=True)
            axes.plot(x, y, color=colour, linewidth=0.9, alpha=0.85, label=label)
            axes.plot(x[-1], y[-1], "o", color=colour, markersize=6, markeredgecolor="white")
        axes.plot(*START, "o", color=style.QUIET, markersize=5, label="start")
        axes.plot(0, 0, "+", color=style.REAL, markersize=12, markeredgewidth=2, label="equilibrium")
        axes.set(xlim=(-2.2, 2.2), ylim=(-2.2, 2.2), aspect="equal")
    style.legend_below(figure, figure.axes[0])
    return figure
