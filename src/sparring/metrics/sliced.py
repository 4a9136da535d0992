"""Sliced Wasserstein distance (Rabin et al., 2011): defined for any data, needs no feature network.

Of the several things of that name, this is the mean over random directions of the 1-Wasserstein distance of what is seen along
each, as Karras et al. (2018, section 5) take it of patches; here it is taken of whole samples or their features.
"""

import numpy as np
import torch
from torch import Tensor

from sparring.metrics.intervals import Estimate, around, deal, jackknife
from sparring.rng import generator

PROJECTIONS = 256


def sliced_wasserstein(a: Tensor, b: Tensor, seed: int, projections: int = PROJECTIONS) -> float:
    """Mean over random directions of the 1-Wasserstein distance between the projected samples.

    a, b: float[N, ...], the same N; the unit is that of the values.  It is positive by chance even for equal
    distributions: compare with the distance between two halves of the real data.
    """
    first, second = projected(a, b, seed, projections)
    return apart(in_order(first), in_order(second))


def in_order(x: Tensor) -> Tensor:
    """Every column sorted.  NumPy does it faster than torch, and check-ups mostly sort."""
    return torch.from_numpy(np.sort(x.cpu().numpy(), axis=0))


def measure(real: Tensor, fake: Tensor, seed: int) -> dict[str, Estimate]:
    """`swd`, and the interval for the mean of what other samples, as many, would give.  float[N, D], float[N, D]."""
    seen = projected(real, fake, seed, PROJECTIONS)
    (group, _), count = deal([len(real), len(fake)], seed)
    ordered = [part.sort(0) for part in seen]
    value = apart(ordered[0].values, ordered[1].values)
    without = []
    for g in range(count):          # the same groups of both, so that equally many stay
        left = [part.values.T[group[part.indices.T] != g].view(PROJECTIONS, -1).T for part in ordered]
        without.append(apart(*left))
    return {"swd": around(value, jackknife(value, without)[0], count, least=0.0, directions=PROJECTIONS, order=1)}


def projected(a: Tensor, b: Tensor, seed: int, projections: int) -> tuple[Tensor, Tensor]:
    """Both sets along the same random directions: float[N, projections]."""
    a, b = a.flatten(1).float(), b.flatten(1).float()
    if a.shape != b.shape:
        raise ValueError(f"both sets need equally many samples of one size; got {tuple(a.shape)} and {tuple(b.shape)}")
    directions = torch.randn(a.shape[1], projections, generator=generator(seed, "directions"))
    directions /= directions.norm(dim=0)
    return a @ directions, b @ directions


def apart(first: Tensor, second: Tensor) -> float:
    return float((first - second).abs().mean())
