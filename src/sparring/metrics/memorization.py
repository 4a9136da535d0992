"""Do samples copy the training data?  How close each comes to it, beside how close held-out data does (Meehan et al., 2020)."""

import torch
from torch import Tensor

from sparring.metrics.intervals import LEVEL, MANY, Estimate, share
from sparring.rng import generator

NEAR = 0.05             # the share of held-out samples that count as near
RESAMPLES, CHUNK = 1000, 256
LEAST = 20              # held-out samples: fewer have no twentieth part


def nearest(points: Tensor, train: Tensor, own: Tensor | None = None) -> Tensor:
    """The distance of each point to its nearest training sample, float32[N] from float[N, D] and float[M, D].

    `own`, int64[N], is where a point stands among those samples itself, and is skipped; -1, or beyond them, where it does not.
    """
    middle = train.double().mean(0)
    x, y = points.double() - middle, train.double() - middle
    square, found = y.square().sum(1), []
    for start in range(0, len(x), CHUNK):
        part = x[start:start + CHUNK]
        scale = part.square().sum(1)[:, None] + square
        d = torch.addmm(scale, part, y.T, alpha=-2)
        d.masked_fill_(d < 1e-12 * scale, 0.0)                  # what rounding leaves of a distance to a copy
        if own is not None:
            at = own[start:start + CHUNK]
            among = ((at >= 0) & (at < len(y))).nonzero().flatten()
            d[among, at[among]] = torch.inf
        found.append(d.amin(1))
    return torch.cat(found).sqrt().float()


def c_t(generated: Tensor, held_out: Tensor) -> float:
    """The data-copying test over the whole space, in standard deviations (Meehan et al., 2020, section 3.1): the Mann-Whitney U of
    the distances, which is far below 0 when samples lie closer to the training data than held-out data does; ties count half."""
    n, m = len(generated), len(held_out)
    ordered = held_out.sort().values
    below, upto = (torch.searchsorted(ordered, generated, right=right).double() for right in (False, True))
    u = float((below + upto).sum() / 2)             # pairs in which the generated sample is the farther one
    return (u - n * m / 2) / (n * m * (n + m + 1) / 12)**0.5


def measure(generated: Tensor, held_out: Tensor, seed: int) -> Estimate:
    """The share of generated samples as near to the training data as the nearest 5 % of held-out ones: that 5 %, the `baseline`, when
    they copy no more than those do, 1 when all are copies.  Distances to the training data, float32[N] and float32[M].

    The distances of independent samples to a given training set are independent, so here the bootstrap is sound: percentiles over
    resamples of both; but nowhere narrower than Wilson's interval of a share, for all resamples are alike where none or all are near.
    """
    found = []
    for i in range(RESAMPLES):
        rng = generator(seed, "bootstrap", i)
        found.append(near(*(part[torch.randint(len(part), (len(part),), generator=rng)] for part in (generated, held_out)))[0])
    low, high = torch.tensor(found).quantile(torch.tensor([(1 - LEVEL) / 2, (1 + LEVEL) / 2])).tolist()
    value, baseline = near(generated, held_out)
    wilson = share(value, 0.0, MANY, len(generated))
    return Estimate(value, min(low, wilson.low), max(high, wilson.high), {"baseline": baseline, "c_t": c_t(generated, held_out),
                                                                           "interval": "95%, bootstrap of the distances"})


def near(generated: Tensor, held_out: Tensor) -> tuple[float, float]:
    """The share of both within the 5 % quantile of the held-out ones; of these it is more only where several are as far."""
    reach = held_out.kthvalue(max(1, round(NEAR * len(held_out)))).values
    return float((generated <= reach).double().mean()), float((held_out <= reach).double().mean())
