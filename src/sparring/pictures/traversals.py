"""Samples as something about their latents changes: a sheet of all of it, and frames for a slider."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sparring.data.space import Curves, Images, Space, Vectors
from sparring.pictures.grids import image_grid
from sparring.pictures.strips import families
from sparring.pictures.style import COLOURS, dress, new_figure, save_figure, save_image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE = 128                                      # pixels of an image in a frame, at most
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


def frames(space: Space, samples: Tensor, folder: Path, name: str, columns: int = 8) -> list[Path]:
    """Samples in user units, float[frames, n, *shape]: one PNG a frame, all on the same axes."""
    places = [folder / f"{name}-{i:03d}.png" for i in range(len(samples))]
    if isinstance(space, Images):
        return [save_image(image_grid(small(one), columns), place) for one, place in zip(samples, places, strict=True)]
    assert isinstance(space, Curves | Vectors)
    flat = samples.flatten(2).double()
    return [save_figure(_frame(space, one, flat), place) for one, place in zip(flat, places, strict=True)]


def small(images: Tensor) -> Tensor:
    """Images no larger than a frame has room for."""
    height, width = images.shape[-2:]
    if max(height, width) <= SIDE:
        return images
    scale = SIDE / max(height, width)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return interpolate(images, size, mode="bilinear", antialias=True)


def _frame(space: Curves | Vectors, samples: Tensor, every: Tensor) -> "Figure":
    """One frame, float[n, N]: lines over the columns, or points where there are one or two; the axes hold all frames."""
    figure = new_figure(6.4, 3.6)
    axes, size = figure.add_subplot(), samples.shape[1]
    if isinstance(space, Vectors) and size <= 2:
        dress(axes, "column 1", "column 2" if size == 2 else "sample")
        y = samples[:, 1] if size == 2 else torch.arange(len(samples))
        axes.scatter(samples[:, 0].numpy(), y.numpy(), s=14, color=COLOURS[2], alpha=0.7, linewidths=0)
        axes.set_xlim(*_limits(every[..., 0]))
        if size == 2:
            axes.set_ylim(*_limits(every[..., 1]))
        return figure
    dress(axes, "x" if isinstance(space, Curves) else "column", "y")
    x = space.x if isinstance(space, Curves) else tuple(range(1, size + 1))
    for i, line in enumerate(samples):
        axes.plot(x, line.numpy(), color=COLOURS[i % len(COLOURS)], linewidth=1.8)
    axes.set_ylim(*_limits(every))
    return figure


def _limits(values: Tensor) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin
