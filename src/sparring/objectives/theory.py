"""The closed forms of Goodfellow et al. (2014), section 4, that runs are checked against.  All in nats.

Densities are given on a grid of cells of equal width: float64[N] arrays `p`, `q` that integrate to one
(`normalize` makes them so), or as Gaussians by mean and deviation.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Density = NDArray[np.float64]

LOG4 = math.log(4.0)
"""The discriminator's loss when it can tell nothing: -2 log(1/2) = 1.386294 (Theorem 1, negated)."""


def normalize(p: ArrayLike, width: float = 1.0) -> Density:
    """Scale non-negative values so that they integrate to one over cells of this width."""
    p = np.asarray(p, dtype=np.float64)
    total = p.sum() * width
    if not (p >= 0).all() or not np.isfinite(total) or total <= 0:
        raise ValueError("a density needs finite, non-negative values that are not all zero")
    return p / total


def optimal_discriminator(p: ArrayLike, q: ArrayLike) -> Density:
    """D*(x) = p / (p + q) (Proposition 1); 1/2 where both densities vanish."""
    p, q = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    total = p + q
    return np.divide(p, total, out=np.full_like(total, 0.5), where=total > 0)


def kl(p: ArrayLike, q: ArrayLike, width: float = 1.0) -> float:
    """KL(p || q) = E_p[log p/q]; infinite where q vanishes and p does not."""
    p, q = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    mass = p > 0
    if (q[mass] == 0).any():
        return math.inf
    return float((p[mass] * np.log(p[mass] / q[mass])).sum() * width)


def jsd(p: ArrayLike, q: ArrayLike, width: float = 1.0) -> float:
    """JSD(p, q) = KL(p || m)/2 + KL(q || m)/2 with m = (p + q)/2; between 0 and log 2."""
    p, q = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    m = (p + q) / 2
    return (kl(p, m, width) + kl(q, m, width)) / 2


def criterion(p: ArrayLike, q: ArrayLike, width: float = 1.0) -> float:
    """C(G) = max_D V(D, G) = 2 JSD(p, q) - log 4 (Theorem 1, eq. 6)."""
    return 2 * jsd(p, q, width) - LOG4


def discriminator_loss(p: ArrayLike, q: ArrayLike, d: ArrayLike, width: float = 1.0) -> float:
    """-V(D, G) = -E_p[log D] - E_q[log(1 - D)] for any D given on the grid; log 4 - 2 JSD when D = D*."""
    p, q, d = (np.asarray(a, dtype=np.float64) for a in (p, q, d))
    tiny = np.finfo(np.float64).tiny
    return float(-(p * np.log(np.maximum(d, tiny)) + q * np.log(np.maximum(1 - d, tiny))).sum() * width)


def gaussian_kl(mean1: float, dev1: float, mean2: float, dev2: float) -> float:
    """KL(N(m1, s1^2) || N(m2, s2^2)) = log(s2/s1) + (s1^2 + (m1 - m2)^2) / (2 s2^2) - 1/2."""
    return math.log(dev2 / dev1) + (dev1**2 + (mean1 - mean2) ** 2) / (2 * dev2**2) - 0.5


def gaussian_jsd(mean1: float, dev1: float, mean2: float, dev2: float) -> float:
    """JSD of two Gaussians.  It has no elementary closed form; this is Gauss-Hermite quadrature, to about 1e-10
    where the deviations differ by less than a factor of ten."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    weights = weights / weights.sum()

    def log_density(x: Density, mean: float, dev: float) -> Density:
        return -(((x - mean) / dev) ** 2) / 2 - math.log(dev * math.sqrt(2 * math.pi))

    def to_middle(mean: float, dev: float) -> float:
        x = mean + dev * nodes
        middle = np.logaddexp(log_density(x, mean1, dev1), log_density(x, mean2, dev2)) - math.log(2)
        return float((weights * (log_density(x, mean, dev) - middle)).sum())

    return (to_middle(mean1, dev1) + to_middle(mean2, dev2)) / 2
