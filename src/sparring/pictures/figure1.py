"""Figure 1 of Goodfellow et al. (2014), live: real and generated density, D, D*, and where G takes the latents."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.data.builtin.synthetic import Mixture
from sparring.game import Game
from sparring.objectives import theory
from sparring.pictures import style
from sparring.pictures.looking import generated, judged
from sparring.pictures.style import GENERATED, JUDGE, LABELS, QUIET, REAL, THEORY, TICKS
from sparring.rng import generator

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
SAMPLES, CELLS, ARROWS = 100_000, 300, 31
SMOOTH = 2.5                                     # the kernel's deviation in cells: hides noise, moves no mode


def density_figure(game: Game, truth: Mixture, title: str, seed: int) -> "Figure":
    """Draw a game on one-dimensional data.  The generator is the one that plays, since D plays against that one."""
    low = min(mean[0] - 5 * dev for mean, dev in zip(truth.means, truth.deviations, strict=True))
    high = max(mean[0] + 5 * dev for mean, dev in zip(truth.means, truth.deviations, strict=True))
    latents = game.prior(SAMPLES, generator(seed, "show"))
    figure = style.new_figure(8.0, 6.4)
    top, bottom = figure.subplots(2, 1, height_ratios=[3, 1.1])
    top.set_xlim(low, high)
    samples = generated(game, truth.space, latents, live=True)
    _densities(top, game, truth, samples, np.linspace(low, high, CELLS + 1))
    top.set_title(title, fontsize=LABELS)
    _arrows(bottom, latents, samples, (low, high))
    style.legend_below(figure, top)
    return figure


def smooth_density(samples: Floats, edges: Floats) -> Floats:
    """A histogram of float64[N] over equal cells, smoothed over a few of them; float64[len(edges) - 1]."""
    counts = np.histogram(samples, edges)[0] / (len(samples) * (edges[1] - edges[0]))
    reach = np.arange(-int(4 * SMOOTH), int(4 * SMOOTH) + 1)
    kernel = np.exp(-((reach / SMOOTH) ** 2) / 2)
    return np.convolve(counts, kernel / kernel.sum(), mode="same")


def _densities(axes: "Axes", game: Game, truth: Mixture, samples: Tensor, edges: Floats) -> None:
    """The upper panel.  Densities are read on the left; D, between 0 and 1, on the right."""
    x = (edges[1:] + edges[:-1]) / 2
    points = torch.from_numpy(x)[:, None]
    real, fake = truth.pdf(points).numpy(), smooth_density(samples.double().numpy().ravel(), edges)
    style.dress(axes, "x", "density")
    axes.plot(x, real, color=REAL, linestyle=":", linewidth=2.4, label="real p(x)")
    axes.plot(x, fake, color=GENERATED, linewidth=2.2, label="generated q(x)")
    axes.fill_between(x, fake, color=GENERATED, alpha=0.12, linewidth=0)
    axes.set_ylim(0, 1.75 * real.max())              # by the data alone: the same at every step
    d = judged(game, truth.space, points)
    if d is None:
        return
    right = axes.twinx()
    known = real + fake > 1e-3 * real.max()          # elsewhere D* is a ratio of two noises
    best = np.where(known, theory.optimal_discriminator(real, fake), np.nan)
    right.plot(x, best, color=THEORY, linewidth=1.8)
    right.plot(x, d.numpy(), color=JUDGE, linestyle="--", linewidth=2.0)
    right.axhline(0.5, color=QUIET, linewidth=0.8, alpha=0.5)
    right.set_ylim(0, 1.02)
    right.set_ylabel("D", fontsize=LABELS, color=JUDGE)
    right.tick_params(labelsize=TICKS, colors=JUDGE)
    right.spines["top"].set_visible(False)
    axes.plot([], [], color=JUDGE, linestyle="--", linewidth=2.0, label="D(x)")       # for the one legend
    axes.plot([], [], color=THEORY, linewidth=1.8, label="theory D* = p / (p + q)")


def _arrows(axes: "Axes", latents: Tensor, samples: Tensor, span: tuple[float, float]) -> None:
    """The lower panel: from latents, on the line below, to what G makes of them on the x axis above.

    A latent of several numbers is placed by its part along the direction that G follows most (least squares).
    """
    if latents.ndim != 2:
        axes.set_visible(False)
        return
    some, made = latents[:4000].double(), samples[:4000].double().reshape(-1, 1)
    direction = torch.linalg.lstsq(some, made - made.mean()).solution[:, 0]
    along = some @ (direction / direction.norm().clamp_min(1e-12))
    share = (np.arange(ARROWS) + 0.5) / ARROWS                  # equally likely places
    chosen = along.argsort()[(share * len(along)).astype(int)]
    z, images = along[chosen], made[chosen].numpy().ravel()
    low, high = span
    reach = 1.08 * float(z.abs().max())
    starts = low + (z.numpy() + reach) / (2 * reach) * (high - low)
    axes.quiver(starts, np.zeros(ARROWS), images - starts, np.ones(ARROWS), angles="xy", scale_units="xy", scale=1,
                width=0.0016, headwidth=7, headlength=8, headaxislength=7, color=GENERATED, alpha=0.75)
    axes.axhline(1, color=REAL, linewidth=1.6)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.set(xlim=span, ylim=(0, 1), yticks=[])
    ticks = np.linspace(-1, 1, 5) * np.floor(reach * 2) / 2
    places = low + (ticks + reach) / (2 * reach) * (high - low)
    axes.set_xticks(places, [f"{tick:.3g}" for tick in ticks], fontsize=TICKS)
    name = "z" if latents.shape[1] == 1 else "z along its main direction"
    axes.set_xlabel(f"{name}; arrows lead to G(z) on the x axis", fontsize=LABELS)
