"""Samples of a model that was loaded without its data."""

import math
from pathlib import Path

from torch import Tensor

from sparring.pictures import plots
from sparring.pictures.grids import columns_for, image_grid
from sparring.pictures.style import save_figure, save_image
from sparring.pictures.tables import marginals
from sparring.spaces import Curves, Images, Space, Table, Vectors


def draw_samples(space: Space, samples: Tensor, path: Path) -> Path:
    """Draw samples in user units, float[B, *space.shape]: a grid of images, or curves, points or histograms."""
    title = f"{len(samples):,} generated sample{'' if len(samples) == 1 else 's'}"
    match space:
        case Images():
            square = math.ceil(math.sqrt(len(samples)))
            return save_image(image_grid(samples, max(1, min(square, columns_for(space.width, 32)))), path)
        case Curves():
            return save_figure(plots.curves(space.x, samples, title), path)
        case Vectors() if space.shape == (2,):
            return save_figure(plots.scatter(samples, title), path)
        case Vectors():
            return save_figure(plots.histograms(samples, title), path)
        case Table() as table:
            return save_figure(marginals(table, samples, title), path)
    raise AssertionError(space)
