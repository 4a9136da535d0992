"""The Frechet distance between two sets of features, each taken for a Gaussian (Heusel et al., 2017: with Inception's features, FID).

Estimated from N samples it is too large on average, by about a constant over N: also for two equal distributions, and by more for a
model with more spread.  So it means something beside its number of samples only.  `fid_infinity` takes that bias away.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from sparring.metrics.intervals import Estimate, around, deal, jackknife


class Gaussian(NamedTuple):
    """Mean float64[D] and covariance float64[D, D] (unbiased) of n samples: all that the distance needs of a set."""

    n: int
    mean: Tensor
    covariance: Tensor


def gaussian(features: Tensor) -> Gaussian:
    """The moments of float[N, D], N > 1."""
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"a covariance needs at least 2 samples, float[N, D]; got {tuple(features.shape)}")
    x = features.double()
    mean = x.mean(0)
    x = x - mean
    return Gaussian(len(x), mean, x.T @ x / (len(x) - 1))


def frechet(a: Gaussian, b: Gaussian) -> float:
    """|mu_a - mu_b|^2 + Tr(S_a + S_b - 2 (S_a S_b)^(1/2)) (Heusel et al., 2017, eq. 6), never negative.

    The trace of the root is the sum of the singular values of A^T B for any S_a = A A^T and S_b = B B^T.  Unlike the root of the
    product, which is not symmetric, these are real, exact to rounding, and need no full rank.
    """
    overlap = torch.linalg.svdvals(factor(a.covariance).T @ factor(b.covariance)).sum()
    return max(0.0, float((a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace() - 2 * overlap))


def factor(covariance: Tensor) -> Tensor:
    """A float64[D, R] with covariance = A A^T, R its rank up to rounding: by Cholesky, or ten times slower where the rank is not full."""
    lower, failed = torch.linalg.cholesky_ex(covariance)
    if not failed:
        return lower
    values, vectors = torch.linalg.eigh(covariance)
    kept = values > values[-1].clamp(min=0) * len(values) * torch.finfo(values.dtype).eps
    return vectors[:, kept] * values[kept].sqrt()


def without_each(features: Tensor, group: Tensor, count: int) -> list[Gaussian]:
    """The moments without each group, from those of the whole: float[N, D], int64[N]."""
    whole = gaussian(features)
    x = features.double() - whole.mean
    scatter, found = whole.covariance * (whole.n - 1), []
    for g in range(count):
        out = x[group == g]
        n, total = whole.n - len(out), -out.sum(0)
        found.append(Gaussian(n, whole.mean + total / n, (scatter - out.T @ out - torch.outer(total, total) / n) / (n - 1)))
    return found


def measure(real: Tensor, fake: Tensor, seed: int) -> dict[str, Estimate]:
    """`fid` at these numbers of samples, and `fid_infinity`, what it tends to as they grow.  float[N, D], float[M, D].

    The interval of `fid` is for the mean of what other samples, as many, of the same two distributions would give.  That of
    `fid_infinity` is for the distance between the two Gaussians themselves; as Chong and Forsyth (2020) extrapolate to infinitely
    many samples by a line through several numbers of them, the jackknife's bias does from two.  It may come out below zero.
    """
    (a, b), count = deal([len(real), len(fake)], seed)
    value = frechet(gaussian(real), gaussian(fake))
    without = [frechet(x, y) for x, y in zip(without_each(real, a, count), without_each(fake, b, count), strict=True)]
    error, bias = jackknife(value, without)
    return {"fid": around(value, error, count, least=0.0), "fid_infinity": around(value - bias, error, count)}


def least(features: int) -> int:
    """The fewest samples a set: with fewer than the covariance has rows it is singular, and the distance mostly counts samples."""
    return features + 1
