"""Rows of tables: the marginals of each column, and how columns belong together, generated beside real."""

from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from sparring.errors import shown
from sparring.pictures.style import GENERATED, REAL, TICKS, dress, legend_below, new_figure
from sparring.spaces import Table
from sparring.spaces.columns import Category, Constant, Number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

COLUMNS, ACROSS, BARS, BINS, LETTERS = 16, 4, 10, 30, 14


def marginals(space: Table, made: Tensor | None, title: str, real: Tensor | None = None) -> "Figure":
    """Cells, float64[N, K]: bars of the most frequent values of names, histograms of numbers, for the first columns."""
    chosen = [k for k, one in enumerate(space.columns) if not isinstance(one, Constant)][:COLUMNS]
    rows = max(1, -(-len(chosen) // ACROSS))
    figure = new_figure(11.0, 2.3 * rows + 0.8)
    grid = list(figure.subplots(rows, ACROSS, squeeze=False).flat)
    for axes, k in zip(grid, chosen, strict=False):
        column = space.columns[k]
        dress(axes, "", "", short(column.name))
        sets = [("real", REAL, real[:, k])] if real is not None else []
        sets += [("generated", GENERATED, made[:, k])] if made is not None else []
        if isinstance(column, Category):
            bars(axes, column, sets)
        elif isinstance(column, Number):
            histogram(axes, column, sets)
    for axes in grid[len(chosen):]:
        axes.set_axis_off()
    more = len([one for one in space.columns if not isinstance(one, Constant)]) - len(chosen)
    figure.suptitle(title + (f"; {more} more columns are not shown" if more else ""))
    if chosen:
        legend_below(figure, figure.axes[0])
    return figure


def bars(axes: "Axes", column: Category, sets: list[tuple[str, str, Tensor]]) -> None:
    count, wide = min(BARS, len(column.values)), 0.8 / len(sets)
    for i, (name, colour, cells) in enumerate(sets):
        shares = np.bincount(cells.long().numpy(), minlength=len(column.values))[:count] / max(1, len(cells))
        axes.bar(np.arange(count) + (i - (len(sets) - 1) / 2) * wide, shares, wide, color=colour, label=name)
    names = [short("missing" if value in column.missing else value) for value in column.values[:count]]
    axes.set_xticks(range(count), names, rotation=90, fontsize=TICKS - 3)


def histogram(axes: "Axes", column: Number, sets: list[tuple[str, str, Tensor]]) -> None:
    edges = np.linspace(column.low, column.high if column.high > column.low else column.low + 1, BINS + 1)
    for name, colour, cells in sets:
        there = cells[~cells.isnan()].numpy()
        each = np.full(len(there), 1 / max(1, len(cells)))
        axes.hist(there, edges.tolist(), weights=each, histtype="step", color=colour, linewidth=1.6, label=name)
    ends = [edges[0], edges[-1]]
    axes.set_xticks(ends, [column.written(end) for end in ends], fontsize=TICKS - 3)


def short(text: str) -> str:
    text = shown(text).replace("$", r"\$")
    return text if len(text) <= LETTERS else text[:LETTERS - 1] + "\u2026"


def association_maps(names: list[str], real: "NDArray[np.float64]", made: "NDArray[np.float64]") -> "Figure":
    """How strongly each pair of columns belongs together, float64[pairs] as `sparring.metrics.rows.associations` gives them: in real
    rows, in generated ones, and the difference."""
    wide = 0.22 * len(names) + 1.8
    figure = new_figure(3 * wide + 1.0, wide + 0.6)
    panels = figure.subplots(1, 3)
    for axes, title, values, colours, least in ((panels[0], "real", real, "Greys", 0.0), (panels[1], "generated", made, "Greys", 0.0),
                                                (panels[2], "generated - real", made - real, "PuOr", -1.0)):
        square = np.full((len(names), len(names)), np.nan)
        square[np.tril_indices(len(names), -1)] = values
        shade = axes.imshow(square, cmap=colours, vmin=least, vmax=1.0)
        axes.set_title(title)
        axes.set_xticks(range(len(names)), map(short, names), rotation=90, fontsize=TICKS - 3)
        axes.set_yticks(range(len(names)), map(short, names) if axes is panels[0] else [], fontsize=TICKS - 3)
        axes.spines[:].set_visible(False)
        if axes is not panels[0]:
            figure.colorbar(shade, ax=axes, fraction=0.05).ax.tick_params(labelsize=TICKS - 3)
    return figure
