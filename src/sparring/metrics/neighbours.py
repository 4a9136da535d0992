"""What nearest neighbours say of two sets: precision and recall (Kynkaanniemi et al., 2019), density and coverage (Naeem et al., 2020).

A set's manifold is the union of closed balls around its members, each out to its k-th nearest other member.

    precision   the share of generated samples inside the manifold of the real ones    (Kynkaanniemi et al., 2019, eq. 1 and 2, k = 3)
    recall      the share of real samples inside the manifold of the generated ones    (eq. 3)
    density     in how many real balls a generated sample lies, on average, over k     (Naeem et al., 2020, eq. 5, k = 5)
    coverage    the share of real balls that hold a generated sample                   (eq. 6)

Distances are Euclidean in whatever features are given.  All but density depend on the number of samples: compare sets of equal size.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.metrics.intervals import Estimate, around, deal, jackknife, share

MANIFOLD, COVER = 3, 5  # the neighbour that a ball reaches to: for precision and recall, and for density and coverage
LEAST = COVER + 2       # samples a set: without one group there must still be a k-th neighbour
CHUNK = 256             # rows of distances held at once
SPARE = 20              # further neighbours that are kept, to find the k-th one when some are left out
SAME = 1e-12            # of |a|^2 + |b|^2: squared distances below are rounding errors of equal points

Distances = NDArray[np.float32]


class Balls(NamedTuple):
    """The squared reach of the ball around each of N points: float32[N] of the whole set, float32[G, N] without each group; a ball
    that is itself left out has reach -1."""

    whole: Distances
    without: Distances


def precision_recall(real: Tensor, fake: Tensor, k: int = MANIFOLD) -> tuple[float, float]:
    """Shares of fakes within the real manifold, and of reals within that of the fakes.  float[N, ...], float[M, ...], N, M > k."""
    x, y = centred(real, fake, k)
    nothing = [torch.zeros(len(part), dtype=torch.int64) for part in (x, y)]
    of_real, of_fake = (reaches(part, group, 1, (k,))[0].whole for part, group in zip((x, y), nothing, strict=True))
    inside, recalled = np.zeros(len(y), bool), []
    for start, d in rows(x, y):
        inside |= (d <= of_real[start:start + len(d), None]).any(0)
        recalled.append((d <= of_fake).any(1))
    return float(inside.mean()), float(np.concatenate(recalled).mean())


def expected_coverage(n: int, m: int, k: int = COVER) -> float:
    """Of n real and m generated samples of one distribution, whatever it is (Naeem et al., 2020, section 3.3): the chance that the k
    nearest of n - 1 + m others are not all real."""
    missed = 1.0
    for i in range(1, k + 1):
        missed *= (n - i) / (n + m - i)
    return 1 - missed


def measure(real: Tensor, fake: Tensor, seed: int) -> dict[str, Estimate]:
    """All four, with their intervals.  float[N, D], float[M, D]."""
    x, y = centred(real, fake, COVER)
    (a, b), count = deal([len(x), len(y)], seed)
    member_a, member_b = (np.arange(count)[:, None] == group.numpy() for group in (a, b))
    order = torch.argsort(b, stable=True)           # generated samples by group, so that the nearest of each group is one slice away
    y, member_b = y[order], member_b[:, order.numpy()]
    ends = np.cumsum(member_b.sum(1))
    near, wide = reaches(x, a, count, (MANIFOLD, COVER))
    far, = reaches(y, b[order], count, (MANIFOLD,))
    inside = np.zeros((count + 1, len(y)), bool)    # row 0: nothing left out; row 1 + g: without group g
    recalled, covered = (np.zeros((count + 1, len(x)), bool) for _ in range(2))
    counted = np.zeros((count + 1, len(y)), np.int64)
    for start, d in rows(x, y):
        here = slice(start, start + len(d))
        nearest = np.minimum.reduceat(d, ends - np.diff(ends, prepend=0), axis=1)       # of each group: float32[rows, count]
        for g in range(count + 1):
            r, w, f = (balls.whole if g == 0 else balls.without[g - 1] for balls in (near, wide, far))
            inside[g] |= np.logical_or.reduce(d <= r[here, None], 0)
            counted[g] += np.add.reduce(d <= w[here, None], 0, dtype=np.uint16)
            recalled[g, here] = np.logical_or.reduce(d <= f, 1)
            kept = nearest if g == 0 else np.delete(nearest, g - 1, 1)
            covered[g, here] = kept.min(1) <= w[here]
    stay_a, stay_b = (np.vstack([np.ones((1, member.shape[1]), bool), ~member]) for member in (member_a, member_b))
    rates = {"precision": (inside, stay_b, MANIFOLD), "recall": (recalled, stay_a, MANIFOLD), "density": (counted / COVER, stay_b, COVER),
             "coverage": (covered, stay_a, COVER)}
    found, distinct = {}, len({row.tobytes() for row in y.numpy()})     # copies say nothing more, and no jackknife sees how few they are
    for name, (table, stay, k) in rates.items():
        value, *without = (float(row[kept].mean()) for row, kept in zip(table, stay, strict=True))
        error = jackknife(value, without)[0]
        found[name] = around(value, error, count, least=0.0, k=k) if name == "density" else \
            share(value, error, count, min(table.shape[1], distinct), k=k)
    if found["density"].value == 0:             # no sample lies among the data: as many might as a share of 0 allows, at their density
        found["density"] = share(0.0, 0.0, count, distinct, k=COVER)
    return found


def centred(real: Tensor, fake: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Both as float64[N, D] around the mean of the real ones, which keeps rounding errors small."""
    if min(len(real), len(fake)) <= k:
        raise ValueError(f"each set needs more than k={k} members; got {len(real)} and {len(fake)}")
    x, y = real.flatten(1).double(), fake.flatten(1).double()
    middle = x.mean(0)
    return x - middle, y - middle


def rows(x: Tensor, y: Tensor):  # type: ignore[no-untyped-def]  # of pairs (int, Distances)
    """Squared distances from some of x to all of y at a time, and where these begin: float32[<= CHUNK, M]."""
    square = y.square().sum(1)
    for start in range(0, len(x), CHUNK):
        part = x[start:start + CHUNK]
        scale = part.square().sum(1)[:, None] + square
        d = torch.addmm(scale, part, y.T, alpha=-2)
        yield start, d.masked_fill_(d < SAME * scale, 0.0).float().numpy()


def reaches(points: Tensor, group: Tensor, count: int, ks: tuple[int, ...]) -> list[Balls]:
    """The balls around float64[N, D] for each k, with every point and without each of the groups.

    SPARE more neighbours than k are enough to find the k-th that stays: groups are dealt at random, and small sets are kept whole.
    """
    n, keep = len(points), min(len(points) - 1, max(ks) + SPARE)
    found = [Balls(np.empty(n, np.float32), np.full((count, n), -1.0, np.float32)) for _ in ks]
    who = group.numpy()
    for start, d in rows(points, points):
        here = np.arange(start, start + len(d))
        d[np.arange(len(d)), here] = np.inf
        distance, index = torch.from_numpy(d).topk(keep, 1, largest=False)
        near, of = distance.numpy(), who[index.numpy()]
        for balls, k in zip(found, ks, strict=True):
            balls.whole[here] = near[:, k - 1]
        for g in range(count if count > 1 else 0):
            staying = of != g
            rank, mine = np.cumsum(staying, 1), who[here] != g
            for balls, k in zip(found, ks, strict=True):
                place = np.argmax(rank == k, 1)                 # the first with k that stay
                balls.without[g, here[mine]] = near[np.arange(len(d)), place][mine]
    return found
