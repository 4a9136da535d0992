"""Sliced Wasserstein distance (Rabin et al., 2011): defined for any data, needs no feature network."""

import torch
from torch import Tensor

from sparring.rng import generator


def sliced_wasserstein(a: Tensor, b: Tensor, seed: int, projections: int = 256) -> float:
    """Mean over random directions of the 1-Wasserstein distance between the projected samples.

    a, b: float[N, ...], the same N; the unit is that of the values.  It is positive by chance even for equal
    distributions: compare with the distance between two halves of the real data.
    """
    a, b = a.flatten(1).float(), b.flatten(1).float()
    if a.shape != b.shape:
        raise ValueError(f"both sets need equally many samples of one size; got {tuple(a.shape)} and {tuple(b.shape)}")
    directions = torch.randn(a.shape[1], projections, generator=generator(seed, "directions"))
    directions /= directions.norm(dim=0)
    return float(((a @ directions).sort(0).values - (b @ directions).sort(0).values).abs().mean())
