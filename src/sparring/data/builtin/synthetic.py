"""Data whose truth is known: the family of quadratic curves, and mixtures of Gaussians in one and two dimensions."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sparring.spaces import Curves, Vectors


@dataclass(frozen=True)
class Quadratic:
    """y = a x^2 + (a - 1) with a ~ U(low, high), at `points` places on [-1, 1]."""

    points: int = 15
    low: float = 1.0
    high: float = 2.0

    @property
    def space(self) -> Curves:
        return Curves(tuple(torch.linspace(-1, 1, self.points).tolist()))

    @property
    def fingerprint(self) -> str:
        return repr(self)

    def curve(self, a: Tensor) -> Tensor:
        """float[B] -> float[B, points]."""
        square = torch.linspace(-1, 1, self.points).square()
        return a[:, None] * square + (a[:, None] - 1)

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        return self.curve(torch.rand(n, generator=rng) * (self.high - self.low) + self.low)


@dataclass(frozen=True)
class Mixture:
    """A mixture of isotropic Gaussians: component k has weight w_k, mean m_k (D numbers) and deviation s_k."""

    weights: tuple[float, ...]
    means: tuple[tuple[float, ...], ...]
    deviations: tuple[float, ...]

    @property
    def space(self) -> Vectors:
        """Standardized by the mixture's own mean and deviation, in closed form."""
        w, m, s = self._tensors()
        mean = (w[:, None] * m).sum(0)
        variance = (w[:, None] * (m.square() + s[:, None].square())).sum(0) - mean.square()
        return Vectors(tuple(mean.tolist()), tuple(variance.sqrt().tolist()))

    @property
    def fingerprint(self) -> str:
        return repr(self)

    def _tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        double = torch.float64
        return (torch.tensor(self.weights, dtype=double), torch.tensor(self.means, dtype=double),
                torch.tensor(self.deviations, dtype=double))

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        w, m, s = (t.float() for t in self._tensors())
        which = torch.multinomial(w, n, replacement=True, generator=rng)
        return m[which] + s[which, None] * torch.randn(n, m.shape[1], generator=rng)

    def pdf(self, x: Tensor) -> Tensor:
        """The density at x: float[..., D] -> float64[...], user units."""
        w, m, s = self._tensors()
        x = x.double()[..., None, :]
        square = ((x - m) / s[:, None]).square().sum(-1)
        dims = m.shape[1]
        each = w * (-square / 2).exp() / (s * math.sqrt(2 * math.pi)) ** dims
        return each.sum(-1)


def gaussian() -> Mixture:
    """N(1, 0.5^2)."""
    return Mixture((1.0,), ((1.0,),), (0.5,))


def mixture() -> Mixture:
    """0.5 N(-1.5, 0.4^2) + 0.5 N(1.5, 0.6^2)."""
    return Mixture((0.5, 0.5), ((-1.5,), (1.5,)), (0.4, 0.6))


def ring() -> Mixture:
    """Eight Gaussians on the unit circle, deviation 0.01 (Lin et al., 2018, section 4.1)."""
    angles = [2 * math.pi * k / 8 for k in range(8)]       # eight different angles: no repeated end point
    return Mixture((1 / 8,) * 8, tuple((math.cos(t), math.sin(t)) for t in angles), (0.01,) * 8)


def grid() -> Mixture:
    """Twenty-five Gaussians at {-4, -2, 0, 2, 4}^2, deviation 0.05 (Lin et al., 2018, section 4.1)."""
    ticks = (-4.0, -2.0, 0.0, 2.0, 4.0)
    return Mixture((1 / 25,) * 25, tuple((x, y) for x in ticks for y in ticks), (0.05,) * 25)
