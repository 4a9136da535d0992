"""Charts of the logs: losses beside log 4, D beside one half, what is only watched, and scores, over the rounds."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import InputError
from sparring.objectives.theory import LOG4
from sparring.pictures.style import COLOURS, LABELS, QUIET, REAL, TICKS, dress, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
Series = tuple[Floats, Floats]                   # steps and values, of equal length
Rows = Sequence[Mapping[str, Any]]               # the objects of log.jsonl or scores.jsonl
REFERENCES = ("_theory", "_floor", "_real")      # endings of names of what another score is held against
LOSS, SHARE, WATCHED = "loss", "probability or share", "watched, not minimized"      # what the axes of a log's panels are called
UNBOUNDED = ("elbo", "compilations")             # last parts of names: watched, and no shares even where they lie between 0 and 1
ONLY_WATCHED = (*UNBOUNDED, "augmented")
TOWERS = 10.0                                    # times, from which on a line above the others asks for a logarithmic axis
MOST = 2000                                      # points a line: more cannot be told apart, and take long


def loss_curves(rows: Rows, path: Path, blind: float | None = LOG4) -> Path:
    """Chart log.jsonl: the terms that are minimized above, D and accuracy below, and other watched values on an axis of their own; a
    pale line as logged and a running median.

    `blind` is the discriminator's loss where it cannot tell, which is drawn beside what it believes; None where there is no such loss.
    InputError when nothing was logged.
    """
    found = series([row for row in rows if any("/" in name for name in row)], lambda name: "/" in name)
    if not found:
        raise InputError("the log holds no losses yet. Train for at least one round, then try again.")
    panels = panels_of(found)
    believes = any("/D(" in name for name in panels.get(SHARE, ()))         # accuracy alone may be that of a classifier
    figure = new_figure(8.0, 1.2 + 3.1 * len(panels))
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (panel, lines) in zip(grid, panels.items(), strict=True):
        dress(axes, "", panel)
        _lines(axes, lines)
        if panel == LOSS:
            shown = [values for _, values in lines.values()]
            if blind is not None and believes:                  # of a critic, or without a D, log 4 says nothing
                _reference(axes, blind, "log 4: D cannot tell" if blind == LOG4 else f"{blind:.3g}: D cannot tell")
                shown = [*shown, np.array([blind])]
            low, high = robust_limits(shown)
            if towers(shown):                                   # an L1 term times 100 would flatten the game beside it
                axes.set_yscale("log")
                low = min(float(np.quantile(values, 0.005)) for values in shown) / 1.5
            axes.set_ylim(low, high)
        elif panel == SHARE:
            if believes:
                _reference(axes, 0.5, "1/2: D cannot tell")
            axes.set_ylim(-0.03, 1.03)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=TICKS - 1, frameon=False)
    steps = [step for line in found.values() for step in (line[0][0], line[0][-1])]
    if min(steps) == max(steps):
        grid[-1].set_xlim(steps[0] - 1, steps[0] + 1)
    _rounds(grid[-1])
    return save_figure(figure, path)


def score_curves(rows: Rows, path: Path) -> Path | None:
    """Chart scores.jsonl, a small panel a score; None, and no file, when there are fewer than two rows.

    What a score is held against (`loss_theory` beside `loss`) is dotted in the score's own panel.
    """
    found = {name: line for name, line in series(rows, lambda name: name not in ("step", "time")).items()
             if len(line[0]) > 1}
    if not found:
        return None
    beside = {name: found.pop(name) for name in list(found) if name.rpartition("_")[0] in found and name.endswith(REFERENCES)}
    across = min(3, len(found))
    down = -(-len(found) // across)
    figure = new_figure(8.0, 1.0 + 2.3 * down)
    for i, (name, (steps, values)) in enumerate(found.items()):
        axes = figure.add_subplot(down, across, i + 1)
        dress(axes, "", "", name)
        axes.title.set_fontsize(LABELS)
        axes.plot(*thin((steps, values)), color=COLOURS[0], linewidth=1.6, marker="o" if len(steps) <= 40 else "",
                  markersize=4)
        for other, (at, reference) in beside.items():
            if other.rpartition("_")[0] == name:
                axes.plot(*thin((at, reference)), color=REAL, linewidth=1.4, linestyle=":", label=other.rpartition("_")[2])
                axes.legend(fontsize=TICKS, frameon=False)
        axes.margins(y=0.15)
        _rounds(axes, ticks=3, label=i + across >= len(found))
    return save_figure(figure, path)


# --------------------------------------------------------------------------------------------- from rows to lines
def series(rows: Rows, wanted: Callable[[str], bool]) -> dict[str, Series]:
    """Every wanted name's steps and finite values, in order of first appearance; rows may lack names."""
    columns: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        for name, value in row.items():
            if wanted(name) and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                columns.setdefault(name, []).append((row["step"], value))
    return {name: (pairs[:, 0], pairs[:, 1])
            for name, pairs in ((n, np.asarray(c, dtype=np.float64)) for n, c in columns.items())}


def panels_of(found: Mapping[str, Series]) -> dict[str, dict[str, Series]]:
    """The lines of each panel that has any, by what its axis is called."""
    panels: dict[str, dict[str, Series]] = {LOSS: {}, SHARE: {}, WATCHED: {}}
    for name, line in found.items():
        panels[kind_of(name, line[1])][name] = line
    return {panel: lines for panel, lines in panels.items() if lines}


def kind_of(name: str, values: Floats) -> str:
    """LOSS for a term that is minimized; SHARE for a probability or a share, as D(x), accuracy, or how much is augmented; WATCHED for
    what else is only looked at, as a critic's mean scores.  The log does not say which is which; the names do."""
    last = name.rpartition("/")[2]
    if not (last.endswith(")") or last in ONLY_WATCHED or "accuracy" in last):
        return LOSS
    return SHARE if last not in UNBOUNDED and ((values >= 0) & (values <= 1)).all() and not last.startswith("score(") else WATCHED


def thin(line: Series) -> Series:
    """At most MOST points that keep every peak: the smallest and the largest value of equal stretches."""
    steps, values = line
    if len(steps) <= MOST:
        return line
    edges = np.linspace(0, len(steps), MOST // 2 + 1).astype(int)
    kept: list[int] = []
    for start, end in itertools.pairwise(edges):
        stretch = values[start:end]
        kept += sorted({start + int(stretch.argmin()), start + int(stretch.argmax())})
    return steps[kept], values[kept]


def running_median(line: Series, points: int = 400) -> Series:
    """The median of a window of a twentieth of the run, at no more than `points` places."""
    steps, values = line
    half = max(1, len(values) // 40)
    places = np.unique(np.linspace(0, len(values) - 1, min(points, len(values))).astype(int))
    medians = []
    for place in places:
        ahead = min(half, max(place, half // 8))            # short at the start, where much happens
        medians.append(float(np.median(values[max(0, place - half):place + ahead + 1])))
    return steps[places], np.asarray(medians)


def robust_limits(lines: list[Floats]) -> tuple[float, float]:
    """A range that shows all but the rarest values of every line: one peak must not flatten everything else."""
    low = min(float(np.quantile(values, 0.005)) for values in lines)
    high = max(float(np.quantile(values, 0.995)) for values in lines)
    room = 0.08 * (high - low) or 0.5
    return low - room, high + room


def towers(lines: list[Floats]) -> bool:
    """Whether one of several positive lines lies more than TOWERS times above the next."""
    if len(lines) < 2 or min(float(np.quantile(values, 0.005)) for values in lines) <= 0:
        return False
    *_, next_one, largest = sorted(float(np.median(values)) for values in lines)
    return largest > TOWERS * next_one


# ------------------------------------------------------------------------------------------------------- drawing
def _lines(axes: "Axes", lines: dict[str, Series]) -> None:
    for i, (name, line) in enumerate(lines.items()):
        colour = COLOURS[i % len(COLOURS)]
        dots = "o" if len(line[0]) <= 3 else ""
        label = name.replace("/", "\n", 1)           # turn and term on lines of their own keep the legend narrow
        if len(line[0]) > 20:
            axes.plot(*thin(line), color=colour, linewidth=0.7, alpha=0.3)
            line = running_median(line)
        axes.plot(*line, color=colour, linewidth=1.9, marker=dots, label=label,
                  linestyle=("-", "--", "-.")[i // len(COLOURS) % 3])


def _reference(axes: "Axes", value: float, label: str) -> None:
    axes.axhline(value, color=REAL, linewidth=1.1, linestyle=":", label=label.replace(": ", "\n"))


def _rounds(axes: "Axes", ticks: int = 7, label: bool = True) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=ticks, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_formatter(FuncFormatter(short))
    axes.tick_params(axis="x", colors=QUIET)
    axes.set_xlabel("rounds" if label else "", fontsize=LABELS)


def short(step: float, _: int | None = None) -> str:
    """1,500 as 1.5k and 2,000,000 as 2M."""
    if abs(step) >= 1e6:
        return f"{step / 1e6:g}M"
    return f"{step / 1e3:g}k" if abs(step) >= 1e3 else f"{step:g}"
