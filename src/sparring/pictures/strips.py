"""Several pictures in one: how the samples changed over a run, and what lies between two latents."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from sparring.errors import InputError
from sparring.game import Game
from sparring.latent.parts import between
from sparring.pictures.grids import image_grid
from sparring.pictures.looking import generated, undisturbed
from sparring.pictures.style import LABELS, QUIET, REAL, TICKS, dress, new_figure, save_figure, save_image
from sparring.rng import generator
from sparring.spaces import Curves, Images, Space, Vectors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FRAME, CAPTION, SPACE, ACROSS = 520, 40, 12, 3   # pixels: a frame's width, the line under it, between; frames a row


def filmstrip(samples_folder: Path, path: Path, most: int = 6) -> Path:
    """Up to `most` snapshots in one PNG, the round under each: the first, the last, and ever larger strides between.

    InputError when the folder holds no snapshot.
    """
    found = {int(p.stem): p for p in samples_folder.glob("*.png") if p.stem.isdigit()}
    if not found:
        raise InputError(f"{samples_folder} holds no pictures of samples. Train with pictures on, then try again.")
    frames = []
    for step in chosen(sorted(found), most):
        with Image.open(found[step]) as picture:
            frame = picture.convert("RGB")
        if frame.width > FRAME:
            frame = frame.resize((FRAME, round(frame.height * FRAME / frame.width)), Image.Resampling.LANCZOS)
        frames.append((step, frame))
    return save_image(_side_by_side(frames), path)


def chosen(steps: list[int], most: int) -> list[int]:
    """At most `most` of the sorted steps: first, last, and those nearest to a geometric series between the two."""
    if len(steps) <= most:
        return steps
    if most < 3:
        return [steps[0], steps[-1]][-most:]
    start, end = math.log(steps[1]), math.log(steps[-1])      # steps[1] > steps[0] >= 0, so it has a logarithm
    wanted = [start + (end - start) * i / (most - 2) for i in range(most - 2)]
    kept = [steps[0]]
    for i, goal in enumerate(wanted):
        free = steps[steps.index(kept[-1]) + 1:len(steps) - (len(wanted) - i)]    # leave one for each that follows
        kept.append(min(free, key=lambda step: abs(math.log(step) - goal)))
    return [*kept, steps[-1]]


def _side_by_side(frames: list[tuple[int, Image.Image]]) -> Image.Image:
    columns = min(ACROSS, len(frames))
    width, height = max(f.width for _, f in frames) + SPACE, max(f.height for _, f in frames) + CAPTION
    sheet = Image.new("RGB", (columns * width + SPACE, -(-len(frames) // columns) * height + SPACE), "white")
    font = ImageFont.load_default(26)
    for i, (step, frame) in enumerate(frames):
        row, column = divmod(i, columns)
        left, top = SPACE + column * width, SPACE + row * height
        sheet.paste(frame, (left + (width - SPACE - frame.width) // 2, top))
        place = (left + (width - SPACE) // 2, top + frame.height + 4)
        ImageDraw.Draw(sheet).text(place, f"round {step:,}", fill="black", font=font, anchor="ma")
    return sheet


def interpolation(game: Game, space: Space, path: Path, seed: int, columns: int = 10, rows: int = 4) -> Path:
    """Samples on the way between two latents: image strips, one pair (and one class) a row, or a family of curves."""
    with undisturbed(game, seed):
        rng = generator(seed, "interpolation")
        drawn = game.prior(2 * rows + 256, rng)
        way = between(game.latent)
        a, b = drawn[:rows], drawn[rows:2 * rows]
        shares = torch.linspace(0, 1, columns)
        latents = torch.stack([way(a, b, share) for share in shares], 1).flatten(0, 1)
        labels = (torch.arange(rows) % len(space.labels)).repeat_interleave(columns) if space.labels else None
        samples = generated(game, space, latents, labels)
    match space:
        case Images():
            return save_image(image_grid(samples, columns), path)
        case Curves() | Vectors():
            return save_figure(families(space, samples.view(rows, columns, -1), shares), path)
    raise AssertionError(space)


def families(space: Curves | Vectors, samples: Tensor, shares: Tensor, names: tuple[str, ...] = (),
             key: tuple[str, str, str] = ("0", "1", "from one latent (0) to another (1)")) -> "Figure":
    """float[rows, columns, N]: for curves a panel for each of up to four rows; for one or two numbers, their paths.  `key` says what
    the first and the last colour stand for, and what all of them do."""
    from matplotlib import colormaps

    colours = colormaps["viridis"](0.92 * shares.numpy())
    paths = samples.double().numpy()
    figure = new_figure(8.0, 5.6)
    if isinstance(space, Vectors) and space.shape[0] <= 2:
        _paths(figure, paths, shares.double().numpy(), colours)
    else:
        x = space.x if isinstance(space, Curves) else tuple(range(1, space.shape[0] + 1))
        shown = min(4, len(paths))
        grid = figure.subplots(-(-shown // 2), min(2, shown), sharex=True, sharey=True, squeeze=False)
        for i, (axes, family) in enumerate(zip(grid.flat, paths, strict=False)):
            last, first = i + 2 >= shown, i % 2 == 0
            dress(axes, ("x" if isinstance(space, Curves) else "column") if last else "", "y" if first else "", names[i] if names else "")
            for curve, colour in zip(family, colours, strict=True):
                axes.plot(x, curve, color=colour, linewidth=1.8)
        for axes in list(grid.flat)[shown:]:
            axes.set_visible(False)
    _key(figure, *key)
    return figure


def _paths(figure: "Figure", paths: np.ndarray, shares: np.ndarray, colours: np.ndarray) -> None:
    """One line a pair: a number over the share of the way, or points in the plane."""
    axes = figure.add_subplot()
    flat = paths.shape[2] == 2
    dress(axes, "column 1" if flat else "share of the way", "column 2" if flat else "column 1")
    for path in paths:
        x, y = path.T if flat else (shares, path[:, 0])
        axes.plot(x, y, color=QUIET, linewidth=1.0, alpha=0.6)
        axes.scatter(x, y, c=colours, s=36, edgecolors=REAL, linewidths=0.4, zorder=3)


def _key(figure: "Figure", least: str, most: str, words: str) -> None:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap

    ramp = ListedColormap(colormaps["viridis"](np.linspace(0, 0.92, 256)))
    bar = figure.colorbar(ScalarMappable(cmap=ramp), ax=figure.axes, pad=0.02, ticks=[0, 1])
    bar.ax.tick_params(labelsize=TICKS)
    bar.ax.set_yticklabels([least, most])
    bar.set_label(words, fontsize=LABELS)
