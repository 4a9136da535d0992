"""Curves, points and histograms: generated samples, beside real ones where there are real ones.  All in user units."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.pictures.style import GENERATED, REAL, TICKS, TITLE, dress, legend_below, new_figure, verdict_colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
MOST_COLUMNS, BINS = 8, 40


def limits(values: Floats, margin: float = 0.15) -> tuple[float, float]:
    """The range of the finite values and a little more; never empty."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    room = (high - low) * margin or max(1.0, abs(low)) * margin
    return low - room, high + room


def curves(x: tuple[float, ...], drawn: Tensor, title: str, *, band: tuple[Tensor, Tensor] | None = None,
           band_name: str = "", real: Tensor | None = None) -> "Figure":
    """Generated curves float[B, N], over the band between two curves and a few thin real ones when they are given."""
    figure = new_figure()
    axes = figure.add_subplot()
    dress(axes, "x", "y", title)
    made = drawn.double().numpy()
    if band is not None:
        low, high = (edge.double().numpy() for edge in band)
        axes.fill_between(x, low, high, color=REAL, alpha=0.09, linewidth=0, label=band_name)
        for edge in (low, high):
            axes.plot(x, edge, color=REAL, linewidth=1.2, alpha=0.55)
        axes.set_ylim(*limits(np.stack([low, high]), 0.25))     # by the data alone: the same at every step
    if real is not None:
        axes.plot(x, real.double().numpy().T, color=REAL, linewidth=0.8, linestyle=(0, (4, 3)), alpha=0.8, zorder=3,
                  label=["real", *["_"] * (len(real) - 1)])
    axes.plot(x, made.T, color=GENERATED, linewidth=1.6, alpha=0.75, label=["generated", *["_"] * (len(made) - 1)])
    axes.set_xlim(x[0], x[-1])
    legend_below(figure, axes)
    return figure


def plane(lower: tuple[float, float], upper: tuple[float, float], n: int = 80) -> Tensor:
    """The centres of n x n cells between two corners, row by row, float[n * n, 2]."""
    centres = (torch.arange(n) + 0.5) / n
    x, y = (a + centres * (b - a) for a, b in zip(lower, upper, strict=True))
    yy, xx = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([xx.flatten(), yy.flatten()], 1)


def corners(points: Tensor) -> tuple[tuple[float, float], tuple[float, float]]:
    """Lower left and upper right of a picture of these points float[B, 2]."""
    (x0, x1), (y0, y1) = (limits(points[:, i].double().numpy()) for i in (0, 1))
    return (x0, y0), (x1, y1)


def scatter(drawn: Tensor, title: str, *, real: Tensor | None = None, verdict: Tensor | None = None) -> "Figure":
    """Generated points float[B, 2] over real ones; `verdict` is D at `plane(*corners(real))`."""
    figure = new_figure(8.0, 6.6)
    axes = figure.add_subplot()
    dress(axes, "column 1", "column 2", title)
    (x0, y0), (x1, y1) = corners(drawn if real is None else real)
    if verdict is not None:
        n = round(len(verdict) ** 0.5)
        field = axes.imshow(verdict.view(n, n).numpy(), extent=(x0, x1, y0, y1), origin="lower", vmin=0, vmax=1,
                            cmap=verdict_colours(), aspect="auto", interpolation="bilinear")
        bar = figure.colorbar(field, ax=axes, pad=0.02, ticks=[0, 0.25, 0.5, 0.75, 1])
        bar.ax.tick_params(labelsize=TICKS)
        bar.set_label("D(x): 0 fake, 1 real", fontsize=TICKS)
    if real is not None:
        axes.plot(*real.double().numpy().T, "o", color=REAL, markersize=6, alpha=0.35, markeredgewidth=0, label="real")
    axes.plot(*drawn.double().numpy().T, "o", color=GENERATED, markersize=3, alpha=0.6, markeredgewidth=0,
              label="generated")
    axes.set(xlim=(x0, x1), ylim=(y0, y1))
    legend_below(figure, axes)
    return figure


def histograms(drawn: Tensor, title: str, *, real: Tensor | None = None) -> "Figure":
    """Up to eight columns of float[B, D], one panel each; values beyond the real range count in the outermost bins."""
    shown = min(MOST_COLUMNS, drawn.shape[1])
    wide = 1 if shown == 1 else 2 if shown <= 4 else 4
    tall = -(-shown // wide)
    figure = new_figure(8.0, max(4.5, 2.6 * tall))
    more = "" if shown == drawn.shape[1] else f"\nthe first {shown} of {drawn.shape[1]} columns"
    figure.suptitle(title + more, fontsize=TITLE)
    made, data = drawn.double().numpy(), None if real is None else real.double().numpy()
    bins = min(BINS, 5 + len(made) // 15)
    name = "generated" if real is None else "generated (far values: outermost bins)"
    for i in range(shown):
        axes = figure.add_subplot(tall, wide, i + 1)
        low, high = limits((made if data is None else data)[:, i], 0.1)
        edges = np.linspace(low, high, bins + 1).tolist()
        dress(axes, f"column {i + 1}", "density" if i % wide == 0 else "")
        if data is not None:
            axes.hist(data[:, i], edges, density=True, color=REAL, alpha=0.2, label="real")
        inside = np.clip(made[np.isfinite(made[:, i]), i], low, high)
        if inside.size:
            axes.hist(inside, edges, density=True, color=GENERATED, histtype="step", linewidth=1.8, label=name)
        axes.locator_params(axis="x", nbins=3 if wide == 4 else 6)
    legend_below(figure, figure.axes[0])
    return figure
