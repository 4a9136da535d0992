"""One look for every picture, and the only place that opens a picture file for writing.

The colours are those of Okabe and Ito (2008), which people with any kind of colour vision can tell apart.  They
mean the same everywhere: data black, generated green, the discriminator blue, theory orange, as in Figure 1 of
Goodfellow et al. (2014).  Figures are made without pyplot, so there is no global state and no window.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure
    from PIL.Image import Image
    from PIL.PngImagePlugin import PngInfo

REAL, GENERATED, JUDGE, THEORY = "#000000", "#009E73", "#0072B2", "#E69F00"
COLOURS = (JUDGE, "#D55E00", GENERATED, "#CC79A7", THEORY, "#56B4E9", "#8C8C8C")
QUIET, RULE = "#595959", "#D9D9D9"
DPI = 100                                       # 8 inches are the 800 pixels at which pictures are shown
TICKS, LABELS, TITLE = 11, 12, 13               # points; 11 are 15 pixels


def new_figure(width: float = 8.0, height: float = 5.0) -> "Figure":
    """An empty white figure, in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def dress(axes: "Axes", x: str, y: str, title: str = "") -> None:
    """Label the axes and keep only the lines that help reading."""
    axes.set_xlabel(x, fontsize=LABELS)
    axes.set_ylabel(y, fontsize=LABELS)
    axes.set_title(title, fontsize=TITLE)
    axes.tick_params(labelsize=TICKS)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=RULE, linewidth=0.6, alpha=0.6)
    axes.set_axisbelow(True)


def plain_log(axis: "Axis") -> None:
    """A logarithmic axis with ticks at 1, 2 and 5 times the powers of ten, written out: 0.05, 0.1, 0.2."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def legend_below(figure: "Figure", axes: "Axes", columns: int = 4) -> None:
    """The legend of these axes under the figure, where it cannot cover a line."""
    from matplotlib.lines import Line2D

    handles, labels = axes.get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=TICKS, frameon=False)
    for handle in legend.legend_handles:
        if isinstance(handle, Line2D):
            handle.set_alpha(1.0)               # thin, pale lines would not be seen there


def verdict_colours() -> "LinearSegmentedColormap":
    """Pale orange where D says fake, white where it cannot tell, pale blue where it says real."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("verdict", ["#F8DFB0", "#FFFFFF", "#B5D6EA"])


def save_figure(figure: "Figure", path: Path) -> Path:
    """Write the PNG in one step: whoever looks into the folder never sees half a picture."""
    temporary = _temporary(path)
    figure.savefig(temporary, format="png", dpi=DPI)
    os.replace(temporary, path)
    return path


def save_image(image: "Image", path: Path, about: "PngInfo | None" = None) -> Path:
    """Write the PNG in one step, pixel for pixel, with what it says `about` itself; nothing is left of an interrupted one."""
    temporary = _temporary(path)
    try:
        image.save(temporary, format="PNG", pnginfo=about)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _temporary(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".writing-{path.name}")
