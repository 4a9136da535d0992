"""How good rows of a table are, column by column and pair by pair: pure functions of cells, float64[N, K], and what the columns are."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.metrics.intervals import Estimate, around, deal, jackknife
from sparring.spaces import Table
from sparring.spaces.columns import Category, Constant, Number

BINS = 10               # of numbers, when pairs of columns are looked at: tenths of the real ones
MOST = 30               # values of a category that are looked at one by one there; the rest are one
Floats = NDArray[np.float64]


# -- one column -------------------------------------------------------------------------------------------------------
def ks(real: Tensor, made: Tensor) -> float:
    """The largest distance between two distribution functions (Kolmogorov, 1933; Smirnov, 1939); a missing number counts as larger than
    all others, so that its share is compared too."""
    a, b = (torch.where(x.isnan(), torch.inf, x).sort().values for x in (real, made))
    at = torch.cat([a, b])
    below = [torch.searchsorted(x, at, right=True).double() / len(x) for x in (a, b)]
    return float((below[0] - below[1]).abs().max())


def total_variation(real: Tensor, made: Tensor, values: int) -> float:
    """Half the sum of the differences between the shares of each value."""
    shares = [torch.bincount(x.long(), minlength=values).double() / len(x) for x in (real, made)]
    return float((shares[0] - shares[1]).abs().sum() / 2)


def marginal_distances(space: Table, real: Tensor, made: Tensor) -> dict[str, float]:
    """Of each column that is not constant: KS of numbers and dates, total variation of categories; 0 for equal, at most 1."""
    return {one.name: total_variation(real[:, k], made[:, k], len(one.values)) if isinstance(one, Category) else ks(real[:, k], made[:, k])
            for k, one in enumerate(space.columns) if not isinstance(one, Constant)}


def marginals(space: Table, real: Tensor, made: Tensor, seed: int) -> Estimate:
    """The mean of these, and the worst columns."""
    def mean(a: Tensor, b: Tensor) -> float:
        found = marginal_distances(space, a, b)
        return sum(found.values()) / max(1, len(found))

    each = marginal_distances(space, real, made)
    worst = dict(sorted(each.items(), key=lambda one: -one[1])[:5])
    return grouped(mean, real, made, seed, columns={name: round(x, 4) for name, x in each.items()}, worst=", ".join(worst))


def grouped(figure: Callable[[Tensor, Tensor], float], real: Tensor, made: Tensor, seed: int, **about: object) -> Estimate:
    """A figure of two sets with its jackknife interval over groups of both."""
    (mine, theirs), count = deal([len(real), len(made)], seed)
    without = [figure(real[mine != k], made[theirs != k]) for k in range(count)]
    value = figure(real, made)
    return around(value, jackknife(value, without)[0], count, least=0.0, **about)


# -- pairs of columns -------------------------------------------------------------------------------------------------
def binned(space: Table, cells: Tensor, real: Tensor) -> list[NDArray[np.int64]]:
    """Each column that is not constant as a few classes: tenths of the real numbers, the most frequent values, missing ones apart.  A
    number that lies between two tenths is a class of its own: in a column that is mostly 0, this is the 0."""
    found = []
    for k, one in enumerate(space.columns):
        if isinstance(one, Category):
            found.append(cells[:, k].long().clamp(max=MOST).numpy())
        elif isinstance(one, Number):
            there = real[:, k][~real[:, k].isnan()]
            edges = torch.unique(torch.quantile(there[:100_000], torch.linspace(0, 1, BINS + 1, dtype=there.dtype))[1:-1]) \
                if len(there) else torch.zeros(0, dtype=real.dtype)
            x = torch.where(cells[:, k].isnan(), 0.0, cells[:, k]).contiguous()
            place = torch.searchsorted(edges, x, right=True) + torch.searchsorted(edges, x)
            found.append(torch.where(cells[:, k].isnan(), 2 * len(edges) + 1, place).numpy())
    return found


def associations(classes: list[NDArray[np.int64]], keep: NDArray[np.bool_] | None = None) -> Floats:
    """Cramer's V of each pair of columns, from 0, independent, to 1 (Cramer, 1946), with its bias taken off (Bergsma, 2013)."""
    some = classes if keep is None else [one[keep] for one in classes]
    n, hot, first = len(some[0]), [], [0]
    for one in some:
        codes, values = np.unique(one, return_inverse=True)
        part = np.zeros((n, len(codes)), np.float32)
        part[np.arange(n), values] = 1.0
        hot.append(part)
        first.append(first[-1] + len(codes))
    joined = np.concatenate(hot, 1)
    table = (joined.T @ joined).astype(np.float64)
    return np.array([cramer(table[first[i]:first[i + 1], first[j]:first[j + 1]]) for i in range(len(some)) for j in range(i)])


def cramer(table: Floats) -> float:
    """Cramer's V of a contingency table, bias corrected (Bergsma, 2013, eq. 9)."""
    n, (r, c) = table.sum(), table.shape
    if min(r, c) < 2 or n < 2:
        return 0.0
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / n
    phi = max(0.0, float(((table - expected)**2 / expected).sum() / n) - (r - 1) * (c - 1) / (n - 1))
    least = min(r - (r - 1)**2 / (n - 1), c - (c - 1)**2 / (n - 1)) - 1
    return float(np.sqrt(min(1.0, phi / least))) if least > 0 else 0.0


def pairs(space: Table, real: Tensor, made: Tensor, seed: int) -> Estimate:
    """The mean difference between the associations of pairs of columns, in the real rows and in the others; the pair that differs most."""
    mine, theirs = binned(space, real, real), binned(space, made, real)
    if len(mine) < 2:
        return Estimate(0.0, 0.0, 0.0, {"worst": ""})
    a, b = associations(mine), associations(theirs)
    groups, count = deal([len(real), len(made)], seed)
    left = [np.abs(associations(mine, (groups[0] != k).numpy()) - associations(theirs, (groups[1] != k).numpy())).mean()
            for k in range(count)]
    names = [one.name for one in space.columns if not isinstance(one, Constant)]
    couples = [(names[i], names[j]) for i in range(len(names)) for j in range(i)]
    worst = couples[int(np.abs(a - b).argmax())]
    value = float(np.abs(a - b).mean())
    return around(value, jackknife(value, list(map(float, left)))[0], count, least=0.0, worst=f"{worst[1]} and {worst[0]}")
