"""What the numbers of a latent are: parts that stand one after the other, each drawn in its own way."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot


@dataclass(frozen=True)
class Normal:
    """Numbers from N(0, 1)."""

    size: int

    def draw(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return torch.randn(n, self.size, generator=rng)


@dataclass(frozen=True)
class Uniform:
    """Numbers that are even between two bounds."""

    size: int
    low: float = -1.0
    high: float = 1.0

    def draw(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.low + (self.high - self.low) * torch.rand(n, self.size, generator=rng)


@dataclass(frozen=True)
class OneHot:
    """A code of so many values, all as likely, as a one-hot."""

    size: int

    def draw(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return one_hot(torch.randint(self.size, (n,), generator=rng), self.size).float()


Part = Normal | Uniform | OneHot


def draw(parts: tuple[Part, ...], n: int, rng: torch.Generator | None = None) -> Tensor:
    """n latents, float[n, the sum of sizes], on the CPU; from torch's own generator where none is given."""
    return torch.cat([part.draw(n, rng) for part in parts], 1)
