"""Samples as something about their latents changes: a sheet of all of it, and frames for a slider."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from sparring.pictures.grids import image_grid
from sparring.pictures.strips import families
from sparring.pictures.style import COLOURS, dress, new_figure, save_figure, save_image
from sparring.spaces import Curves, Images, Space, Vectors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 200                                    # samples in a frame, when each is a point


def sheet(space: Space, samples: Tensor, path: Path, names: tuple[str, ...], key: tuple[str, str, str]) -> Path:
    """Samples in user units, float[rows, columns, *shape], what changes from left to right: one PNG, a row for each name.

    Other samples than images share a panel a row, up to four of them, in colours from the first column's to the last's, which
    `key` tells: what the first is, what the last is, and what all are.
    """
    columns = samples.shape[1]
    if isinstance(space, Images):
        return save_image(image_grid(samples.flatten(0, 1), columns, names), path)
    assert isinstance(space, Curves | Vectors)
    return save_figure(families(space, samples.flatten(2), torch.linspace(0, 1, columns), names, key), path)


def in_a_frame(space: Space, most: int) -> int:
    """How many samples are drawn in a frame of a slider: clouds need many where a sample is a point."""
    return POINTS if isinstance(space, Vectors) and space.shape[0] <= 2 else most


def frames(space: Space, samples: Tensor, folder: Path, name: str, columns: int, side: int) -> list[Path]:
    """Samples in user units, float[frames, n, *shape]: one PNG a frame, images with sides of at most `side`,
    everything else on the same axes."""
    places = [folder / f"{name}-{i:03d}.png" for i in range(len(samples))]
    if isinstance(space, Images):
        return [save_image(image_grid(small(one, side), columns), place) for one, place in zip(samples, places, strict=True)]
    assert isinstance(space, Curves | Vectors)
    return _figures(space, samples.flatten(2).double(), places)


def small(images: Tensor, side: int) -> Tensor:
    """Images of which no side is longer than this."""
    height, width = images.shape[-2:]
    if max(height, width) <= side:
        return images
    scale = side / max(height, width)
    return interpolate(images, (max(1, round(height * scale)), max(1, round(width * scale))), mode="bilinear", antialias=True)


def _figures(space: Curves | Vectors, samples: Tensor, places: list[Path]) -> list[Path]:
    """One figure for all frames, float[frames, n, N]: lines over the columns, or points where there are one or two."""
    figure = new_figure(6.4, 3.6)
    axes, size, many = figure.add_subplot(), samples.shape[2], samples.shape[1]
    if isinstance(space, Vectors) and size <= 2:
        points = samples if size == 2 else torch.stack([samples[..., 0], torch.arange(many).double().expand(len(samples), many)], 2)
        dress(axes, "column 1", "column 2" if size == 2 else "sample")
        drawn = axes.scatter([], [], s=14, color=COLOURS[2], alpha=0.7, linewidths=0)
        axes.set(xlim=_limits(points[..., 0]), ylim=_limits(points[..., 1]))
        for one, place in zip(points, places, strict=True):
            drawn.set_offsets(one.numpy())
            packed(figure, place)
        return places
    dress(axes, "x" if isinstance(space, Curves) else "column", "y")
    x = space.x if isinstance(space, Curves) else tuple(range(1, size + 1))
    lines = [axes.plot(x, x, color=COLOURS[i % len(COLOURS)], linewidth=1.8)[0] for i in range(many)]
    axes.set_ylim(*_limits(samples))
    for one, place in zip(samples, places, strict=True):
        for line, y in zip(lines, one, strict=True):
            line.set_ydata(y.numpy())
        packed(figure, place)
    return places


def packed(figure: "Figure", path: Path) -> None:
    """The figure as a PNG of 64 colours, a quarter of the size; where things are in it does not change from here on."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    figure.set_layout_engine("none")
    drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    save_image(drawn.quantize(64, dither=Image.Dither.NONE), path)


def _limits(values: Tensor) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin
