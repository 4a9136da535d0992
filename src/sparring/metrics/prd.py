"""Precision and recall as a curve, between two sets that are binned together (Sajjadi et al., 2018)."""

import math

import torch
from torch import Tensor

ANGLES, CLUSTERS = 1001, 20


def curve(made: Tensor, reference: Tensor, angles: int = ANGLES) -> tuple[Tensor, Tensor]:
    """Precision and recall, float64[angles], of shares float[K] of what was made and of the reference over the same K bins.

    precision(l) = sum_k min(l reference_k, made_k) and recall(l) = precision(l) / l for slopes l = tan(angle), angles evenly from
    almost 0 to almost pi / 2 (Sajjadi et al., 2018, eqs. 3 and 4).
    """
    slopes = torch.linspace(1e-10, math.pi / 2 - 1e-10, angles, dtype=torch.float64).tan()[:, None]
    precision = torch.minimum(slopes * reference.double(), made.double()).sum(1)
    return precision.clamp(0, 1), (precision / slopes[:, 0]).clamp(0, 1)


def of_features(real: Tensor, fake: Tensor, seed: int, clusters: int = CLUSTERS) -> tuple[Tensor, Tensor]:
    """The curve of two sets of features float[N, D] and float[M, D], binned by k-means over both (section 4.1)."""
    from sklearn.cluster import KMeans

    both = torch.cat([real, fake]).double().numpy()
    bins = torch.from_numpy(KMeans(clusters, n_init=10, random_state=seed % 2**32).fit(both).labels_).long()
    made, reference = (torch.bincount(part, minlength=clusters).double() / len(part) for part in (bins[len(real):], bins[:len(real)]))
    return curve(made, reference)
