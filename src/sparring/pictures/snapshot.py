"""What the generator makes after so many rounds, from the same latents every time."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sparring.data.builtin.synthetic import Mixture, Quadratic
from sparring.data.source import Arranged, Source
from sparring.game import Game
from sparring.objectives.theory import LOG4
from sparring.pictures import plots
from sparring.pictures.animations import animations
from sparring.pictures.figure1 import density_figure
from sparring.pictures.grids import by_class, columns_for, image_grid
from sparring.pictures.looking import generated, judged, opinion, real, undisturbed
from sparring.pictures.style import save_figure, save_image
from sparring.pictures.tables import marginals
from sparring.pictures.translations import translations
from sparring.rng import generator
from sparring.runs.folder import write_atomic
from sparring.spaces import Curves, Images, Table, Texts, Vectors

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

CURVES, THIN, POINTS, JUDGED, LINES = 32, 6, 1500, 512, 20


def snapshot(game: Game, source: Source, folder: Path, step: int, seed: int) -> Path:
    """Draw the game after `step` rounds into `folder`/000000.png and the like; the run does not feel it."""
    path = folder / f"{step:06d}.png"
    with undisturbed(game, seed):
        if game.translation is not None and isinstance(source, Arranged):
            return save_image(translations(game.translation, source, seed), path)
        if game.animation is not None and isinstance(source, Arranged):
            return save_image(animations(game.animation, source, seed), path)
        match source.space:
            case Images() as space:
                return save_image(_images(game, space, seed), path)
            case Texts() as space:                              # as text: not every font has every letter
                text = path.with_suffix(".txt")
                text.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(text, "".join(f"{line}\n" for line in space.write(game.sample(_latents(game, LINES, seed)))))
                return text
            case Curves() as space:
                return save_figure(_curves(game, source, space, step, seed), path)
            case Vectors() as space if isinstance(source, Mixture) and space.shape == (1,):
                return save_figure(density_figure(game, source, _title(game, source, step, seed), seed), path)
            case Vectors() as space:
                return save_figure(_vectors(game, source, space, step, seed), path)
            case Table() as space:
                samples, data = generated(game, space, _latents(game, POINTS, seed)), space.decode(real(source, POINTS, seed).x)
                return save_figure(marginals(space, samples, _title(game, source, step, seed), data), path)
    raise AssertionError(source.space)


def _title(game: Game, source: Source, step: int, seed: int) -> str:
    """How far the game is, and what D makes of fresh data: "after 1,000 rounds, D(real) = 0.51 ..."."""
    found = opinion(game, real(source, JUDGED, seed), _latents(game, JUDGED, seed))
    rounds = f"after {step:,} round{'' if step == 1 else 's'}"
    if found is None:
        return rounds
    return f"{rounds}: D(real) = {found.real:.2f}, loss of D = {found.loss:.3f} (log 4 = {LOG4:.3f})"


def _latents(game: Game, n: int, seed: int) -> Tensor:
    """The first n latents of the pictures' own stream: nothing else ever draws from it."""
    return game.prior(n, generator(seed, "show"))


def _images(game: Game, space: Images, seed: int) -> "Image":
    names = space.labels if game.classes else ()                # of a model that is told no class, rows are of none
    columns = columns_for(space.width, 10 if names else 8)
    labels = by_class(names, columns) if names else None
    rows = columns if labels is None else len(labels) // columns
    samples = generated(game, space, _latents(game, rows * columns, seed), labels)
    return image_grid(samples, columns, names)


def _curves(game: Game, source: Source, space: Curves, step: int, seed: int) -> "Figure":
    title, data = _title(game, source, step, seed), real(source, JUDGED, seed)
    if isinstance(source, Quadratic):
        band = source.curve(torch.tensor([source.low])).squeeze(0), source.curve(torch.tensor([source.high])).squeeze(0)
        name = f"the family, a = {source.low:g} to {source.high:g}"
    else:
        band, name = (data.x.quantile(0.05, 0), data.x.quantile(0.95, 0)), "where 90 % of the data are"
    samples = generated(game, space, _latents(game, CURVES, seed))
    return plots.curves(space.x, samples, title, band=band, band_name=name, real=space.decode(data.x[:THIN]))


def _vectors(game: Game, source: Source, space: Vectors, step: int, seed: int) -> "Figure":
    title, data = _title(game, source, step, seed), space.decode(real(source, POINTS, seed).x)
    samples = generated(game, space, _latents(game, POINTS, seed))
    if space.shape != (2,):
        return plots.histograms(samples, title, real=data)
    verdict = judged(game, space, plots.plane(*plots.corners(data)))
    return plots.scatter(samples, title, real=data, verdict=verdict)
