"""Precision and recall of a set of samples (Kynkaanniemi et al., 2019): are they like the data, and do they cover it?"""

import torch
from torch import Tensor

CHUNK = 256             # rows of distances held at once


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> tuple[float, float]:
    """Shares of fakes within the real manifold, and of reals within that of the fakes.  float[N, ...], float[M, ...], N, M > k.

    A set's manifold is the union of balls around its members, each out to the k-th nearest other member (Kynkaanniemi et al.,
    2019, eqs. 1 to 3).  Distances are Euclidean in whatever features are given: the paper takes those of a network, and raw
    pixels, where shifted copies are far apart, are only good for small, centred images.  Compare sets of equal size.
    """
    real, fake = real.flatten(1).float(), fake.flatten(1).float()
    if min(len(real), len(fake)) <= k:
        raise ValueError(f"each set needs more than k={k} members; got {len(real)} and {len(fake)}")
    return within(fake, real, radii(real, k)), within(real, fake, radii(fake, k))


def radii(points: Tensor, k: int) -> Tensor:
    """The distance from each point to its k-th nearest other point: float[N, D] -> float[N]."""
    found = []
    for i, rows in enumerate(points.split(CHUNK)):
        distances = apart(rows, points)
        distances[torch.arange(len(rows)), i * CHUNK + torch.arange(len(rows))] = torch.inf
        found.append(distances.kthvalue(k, dim=1).values)
    return torch.cat(found)


def within(points: Tensor, centres: Tensor, reach: Tensor) -> float:
    """The share of points that lie in the ball of any centre."""
    inside = [(apart(rows, centres) <= reach).any(1) for rows in points.split(CHUNK)]
    return float(torch.cat(inside).double().mean())


def apart(a: Tensor, b: Tensor) -> Tensor:
    """Distances without the shortcut by matrix products, which leaves equal points apart."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
