"""How far a figure may be from what it estimates: 95 % intervals from the jackknife over groups of samples.

The bootstrap is not used where a distance is computed between two sets.  It draws with replacement, and copies spoil these
statistics: the Frechet distance between two resamples carries its bias, about (1/N + 1/M) times a constant, twice over; and where
a point meets its own copy the distance to its k-th neighbour shrinks, so that precision, recall and coverage fall.  Leaving samples
out makes no copies.  Each set is dealt into the same number of groups at random, and the figure is computed again without group 1
of both, without group 2 of both, and so on.  For a symmetric function of independent groups the jackknife's variance is on average
at least that of the function of one group fewer (Efron and Stein, 1981): an interval may be too wide, as it is where two equal sets
are compared, and is not too narrow beyond the chance of a few groups, which Student's t allows for.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sparring.rng import generator

GROUPS = 20
LEVEL = 0.95
MANY = 10**9            # degrees of freedom of a figure whose error is known
JACKKNIFE = f"{LEVEL:.0%}, jackknife over groups of samples"
RESAMPLES = 1000
BOOTSTRAP = f"{LEVEL:.0%}, bootstrap over samples"


class Estimate(NamedTuple):
    """A figure, its 95 % interval, and what else belongs to its protocol."""

    value: float
    low: float
    high: float
    about: dict[str, object] = {}  # noqa: RUF012 - a NamedTuple default, never changed


def deal(sizes: Sequence[int], seed: int) -> tuple[list[Tensor], int]:
    """A group for every sample of each set, int64[n], dealt at random and evenly; and how many groups there are."""
    count = min(GROUPS, *sizes)
    return [torch.randperm(n, generator=generator(seed, "groups", i)) % count for i, n in enumerate(sizes)], count


def jackknife(value: float, without: Sequence[float]) -> tuple[float, float]:
    """The standard error of `value`, and its bias (Quenouille, 1956), from the same figure without each group."""
    count, mean = len(without), sum(without) / len(without)
    spread = sum((each - mean)**2 for each in without)
    return math.sqrt((count - 1) / count * spread), (count - 1) * (mean - value)


def around(value: float, error: float, count: int, *, least: float = -math.inf, **about: object) -> Estimate:
    """value +- t * error with count - 1 degrees of freedom, cut off at the least that it can be."""
    reach = quantile(count - 1) * error
    return Estimate(value, max(least, value - reach), max(least, value + reach), about)


def share(value: float, error: float, count: int, n: int, **about: object) -> Estimate:
    """The same for a share of n samples, within [0, 1], and nowhere narrower than if they were independent of each other: Wilson's
    interval (1927), which has some width at 0 and 1 too."""
    z, reach = quantile(MANY), quantile(count - 1) * error
    middle, weight = value + z * z / (2 * n), 1 + z * z / n
    wilson = z * math.sqrt(value * (1 - value) / n + z * z / (4 * n * n))
    low, high = min(value - reach, (middle - wilson) / weight), max(value + reach, (middle + wilson) / weight)
    return Estimate(value, max(0.0, low), min(1.0, high), about)


def resampled(above: Tensor, below: Tensor, seed: int, **about: object) -> Estimate:
    """sum(above) / sum(below), such as a mean over samples, float[N] each, with the percentiles of the same over resampled samples.  Here
    the bootstrap is sound: what a sample adds is looked up, not computed anew beside its own copies."""
    n, found = len(above), torch.zeros(RESAMPLES, dtype=torch.float64)
    for k in range(RESAMPLES):
        rows = torch.randint(n, (n,), generator=generator(seed, "bootstrap", k))
        found[k] = above[rows].sum() / below[rows].sum()
    low, high = found.nan_to_num(0.0).quantile(torch.tensor([(1 - LEVEL) / 2, (1 + LEVEL) / 2], dtype=torch.float64)).tolist()
    value = float(above.double().sum() / below.sum())
    return Estimate(value, min(low, value), max(high, value), {"interval": BOOTSTRAP, **about})


def quantile(freedom: float) -> float:
    """Of Student's t, two-sided."""
    from scipy.special import stdtrit  # scipy.stats takes long to import

    return float(stdtrit(freedom, (1 + LEVEL) / 2))
