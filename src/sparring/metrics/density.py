"""One-dimensional densities: how far D is from D*, and how far the generated density from the real one."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from sparring.data.builtin.synthetic import Mixture
from sparring.game import Game
from sparring.objectives import theory
from sparring.rng import generator

SAMPLES, BINS = 200_000, 200


@dataclass(frozen=True)
class Cells:
    """A grid of cells of equal width over which densities are averaged: user units."""

    edges: NDArray[np.float64]

    @property
    def width(self) -> float:
        return float(self.edges[1] - self.edges[0])

    @property
    def centres(self) -> NDArray[np.float64]:
        return (self.edges[1:] + self.edges[:-1]) / 2

    def histogram(self, samples: torch.Tensor) -> NDArray[np.float64]:
        """Density per cell; samples outside count in the outermost cells, so that nothing is lost."""
        inside = np.clip(samples.double().numpy().ravel(), self.edges[0], self.edges[-1])
        return np.histogram(inside, self.edges)[0] / (len(inside) * self.width)

    def average(self, truth: Mixture, fine: int = 20) -> NDArray[np.float64]:
        """The true density, averaged over each cell."""
        offsets = (np.arange(fine) + 0.5) / fine * self.width
        points = torch.from_numpy((self.edges[:-1, None] + offsets)[..., None])
        return theory.normalize(truth.pdf(points).mean(1).numpy(), self.width)


def cells(truth: Mixture) -> Cells:
    """BINS cells over all of the data and three deviations more on either side."""
    low = min(m[0] - 6 * s for m, s in zip(truth.means, truth.deviations, strict=True))
    high = max(m[0] + 6 * s for m, s in zip(truth.means, truth.deviations, strict=True))
    return Cells(np.linspace(low, high, BINS + 1))


@torch.no_grad()
def generated(game: Game, truth: Mixture, seed: int, *, live: bool) -> torch.Tensor:
    """SAMPLES samples in user units, on the CPU."""
    parts = game.prior(SAMPLES, generator(seed, "density")).split(20_000)
    return truth.space.decode(torch.cat([game.sample(z, live=live).cpu() for z in parts]))


@torch.no_grad()
def judged(game: Game, truth: Mixture, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """D(x) at these points, in user units."""
    assert game.judge is not None
    points = truth.space.encode(torch.from_numpy(x).float()[:, None])
    return game.judge(points).sigmoid().double().cpu().numpy()


def score(game: Game, truth: Mixture, seed: int) -> dict[str, float]:
    """`jsd` (nats) between the real density and the averaged generator's; and for the networks as they play:
    `d_error`, the mean |D - D*| under the data, `d_error_max` where the data has 99 % of its mass,
    `loss`, the discriminator's loss on the grid, beside `loss_theory` = log 4 - 2 JSD."""
    grid = cells(truth)
    real = grid.average(truth)
    shipped = grid.histogram(generated(game, truth, seed, live=False))
    result = {"jsd": theory.jsd(real, shipped, grid.width)}
    if game.judge is not None:
        playing = grid.histogram(generated(game, truth, seed, live=True))
        d, best = judged(game, truth, grid.centres), theory.optimal_discriminator(real, playing)
        result |= {
            "d_error": float((np.abs(d - best) * real).sum() * grid.width),
            "d_error_max": float(np.abs(d - best)[mass(real, grid.width)].max()),
            "loss": theory.discriminator_loss(real, playing, d, grid.width),
            "loss_theory": theory.LOG4 - 2 * theory.jsd(real, playing, grid.width),
        }
    return result


def mass(density: NDArray[np.float64], width: float, share: float = 0.99) -> NDArray[np.bool_]:
    """The cells of highest density that together hold this share."""
    order = np.argsort(density)[::-1]
    held = np.cumsum(density[order]) * width
    chosen = np.zeros(len(density), dtype=bool)
    chosen[order[:int(np.searchsorted(held, share)) + 1]] = True
    return chosen
