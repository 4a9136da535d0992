"""Two-dimensional mixtures: D against D*, and the loss against log 4 - 2 JSD, over the cells of a grid."""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from sparring.data.builtin.synthetic import Mixture
from sparring.game import Game
from sparring.metrics.density import generated
from sparring.objectives import theory
from sparring.rng import generator

CELLS, POINTS = 100, 20_000


def edges(truth: Mixture) -> Tensor:
    """float64[CELLS + 1], the same for both axes: all of the data and three deviations more."""
    reach = 6 * max(truth.deviations)
    values = [m for mean in truth.means for m in mean]
    return torch.linspace(min(values) - reach, max(values) + reach, CELLS + 1, dtype=torch.float64)


def masses(truth: Mixture, grid: Tensor) -> Tensor:
    """The probability of each cell, in closed form: float64[CELLS, CELLS]."""
    total = torch.zeros(CELLS, CELLS, dtype=torch.float64)
    for weight, mean, deviation in zip(truth.weights, truth.means, truth.deviations, strict=True):
        x, y = (torch.erf((grid - m) / (deviation * math.sqrt(2))).diff() / 2 for m in mean)
        total += weight * torch.outer(x, y)
    return total / total.sum()


def cell_of(points: Tensor, grid: Tensor) -> Tensor:
    """The cell, counted row by row, of each point float[N, 2]; points outside belong to the outermost cells."""
    column = (torch.bucketize(points.double().contiguous(), grid) - 1).clamp(0, CELLS - 1)
    return column[:, 0] * CELLS + column[:, 1]


@torch.no_grad()
def score(game: Game, truth: Mixture, seed: int) -> dict[str, float]:
    """For the networks as they play: `d_error`, the mean |D - D*| over samples of the data, with D* = P / (P + Q) of the
    sample's cell; `loss`, the discriminator's, beside `loss_theory` = log 4 - 2 JSD of the cells (which a D that sees more
    than cells may undercut).  Nothing where the discriminator is no belief."""
    if game.judge is None:
        return {}
    grid, playing = edges(truth), generated(game, truth, seed, live=True)
    p = masses(truth, grid).flatten()
    q = torch.bincount(cell_of(playing, grid), minlength=CELLS**2).double() / len(playing)
    real, fake = truth.draw(POINTS, generator(seed, "plane")), playing[:POINTS]
    on_real, on_fake = (game.judge(truth.space.encode(points)).double().cpu() for points in (real, fake))
    best = torch.from_numpy(theory.optimal_discriminator(p.numpy(), q.numpy()))[cell_of(real, grid)]
    return {"d_error": float((on_real.sigmoid() - best).abs().mean()),
            "loss": float(softplus(-on_real).mean() + softplus(on_fake).mean()),
            "loss_theory": theory.LOG4 - 2 * theory.jsd(p.numpy(), q.numpy())}
