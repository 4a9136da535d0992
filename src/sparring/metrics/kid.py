"""The kernel distance between two sets of features (Binkowski et al., 2018: KID), unbiased for any number of samples."""

import math

import torch
from torch import Tensor

from sparring.metrics.intervals import Estimate, around, deal, jackknife

BLOCK = 10_000          # samples compared with each other; larger sets are cut into blocks, whose estimates are averaged
CHUNK = 128             # rows of the kernel held at once
KERNEL = "(x.y/D + 1)^3"
LEAST = 3               # samples a set: without one group there must still be pairs


def kernel(x: Tensor, y: Tensor) -> Tensor:
    """k(x, y) = (x.y / D + 1)^3 (Binkowski et al., 2018, eq. 4): float64[N, D], float64[M, D] -> float64[N, M]."""
    k = torch.addmm(x.new_ones(1), x, y.T, alpha=1 / x.shape[1])
    return k * k * k


def sums(x: Tensor, y: Tensor, a: Tensor, b: Tensor, count: int, *, same: bool = False) -> Tensor:
    """The kernel summed over each group of x with each group of y, float64[count, count]; without k(x, x) when they are the `same`."""
    member = [torch.nn.functional.one_hot(group, count).double() for group in (a, b)]
    total = x.new_zeros(count, count)
    for rows, who in zip(x.split(CHUNK), member[0].split(CHUNK), strict=True):
        total += who.T @ (kernel(rows, y) @ member[1])
    if same:
        own = (x.square().sum(1) / x.shape[1] + 1)**3
        total -= torch.diag(member[0].T @ own)
    return total


def mmd(xx: float, yy: float, xy: float, n: float, m: float) -> float:
    """The unbiased estimate of the squared maximum mean discrepancy (Gretton et al., 2012, eq. 3) from sums of the kernel."""
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)


def kid(real: Tensor, fake: Tensor) -> float:
    """The estimate over all pairs of float[N, D] and float[M, D]: 0 on average for equal distributions, and below it half the time."""
    return compared(real, fake, 0)[0]


def compared(real: Tensor, fake: Tensor, seed: int) -> tuple[float, list[float]]:
    """The estimate, and those without each group."""
    x, y = real.double(), fake.double()
    (a, b), count = deal([len(x), len(y)], seed)
    xx, yy, xy = sums(x, x, a, a, count, same=True), sums(y, y, b, b, count, same=True), sums(x, y, a, b, count)
    n, m = torch.bincount(a, minlength=count), torch.bincount(b, minlength=count)
    value = mmd(float(xx.sum()), float(yy.sum()), float(xy.sum()), len(x), len(y))
    left = [(s.sum() - s.sum(1) - s.sum(0) + s.diagonal()).tolist() for s in (xx, yy, xy)]      # of each without group g
    return value, [mmd(left[0][g], left[1][g], left[2][g], len(x) - int(n[g]), len(y) - int(m[g])) for g in range(count)]


def measure(real: Tensor, fake: Tensor, seed: int, block: int = BLOCK) -> dict[str, Estimate]:
    """`kid` of float[N, D] and float[M, D]: the mean over as many disjoint blocks as the larger set fills, at most `block` each.

    One block takes all pairs and is the most precise.  The paper averages over blocks of 1,000 drawn at random, which estimates the
    same with more noise, and whose spread is not the error of the mean.
    """
    parts = -(-max(len(real), len(fake)) // block)
    found = [(value, jackknife(value, without)[0], len(without)) for value, without in
             (compared(x, y, seed) for x, y in zip(real.tensor_split(parts), fake.tensor_split(parts), strict=True))]
    error = math.sqrt(sum(e * e for _, e, _ in found)) / parts
    count = parts * (found[0][2] - 1) + 1
    return {"kid": around(sum(value for value, _, _ in found) / parts, error, count, kernel=KERNEL, blocks=parts)}
