"""Operators of torch that ONNX does not have, made of ones that it has, in double precision, so that nothing is lost on the way.

`TABLE` says by what each is replaced when a network is written into a file; networks themselves are computed as ever.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

# The upper tail of the normal distribution over its density, a ratio of two polynomials (Hart et al., Computer Approximations, 1968, index
# 5666, as in West, "Better approximations to cumulative normal functions", 2005); its largest error is 1e-15.
UPPER = (3.52624965998911e-02, 0.700383064443688, 6.37396220353165, 33.912866078383, 112.079291497871, 221.213596169931, 220.206867912376)
LOWER = (8.83883476483184e-02, 1.75566716318264, 16.064177579207, 86.7807322029461, 296.564248779674, 637.333633378831, 793.826512519948,
         440.413735824752)
FAR = 7.07106781186547          # from where on a continued fraction takes their place
LEAST = -37.0                   # beyond which the share below is no number in double precision

# The quantiles of the normal distribution in three ranges (Wichura, Algorithm AS 241, routine PPND16, 1988), from the highest power down.
MIDDLE = ((2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457, 13731.693765509461125,
           1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
          (5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867, 5394.1960214247511077,
           687.1870074920579083, 42.313330701600911252, 1.0))
TAIL = ((7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258, 3.64784832476320460504,
         5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734),
        (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459, 0.68976733498510000455,
         1.6763848301838038494, 2.05319162663775882187, 1.0))
ENDS = ((2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093, 0.29656057182850489123,
         1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772),
        (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4, 0.0148753612908506148525,
         0.13692988092273580531, 0.59983220655588793769, 1.0))


def polynomial(powers: Sequence[float], x: Tensor) -> Tensor:
    """From the highest power down (Horner)."""
    found = torch.full_like(x, powers[0])
    for one in powers[1:]:
        found = found * x + one
    return found


def below(x: Tensor) -> Tensor:
    """The share of a normal distribution below x, float64 of float64, for x of at most 0; also where it is very small."""
    size = -x.clamp(LEAST, 0.0)
    near = polynomial(UPPER, size) / polynomial(LOWER, size)
    far = size.clamp(min=1.0)
    for k in (0.65, 4.0, 3.0, 2.0, 1.0):
        far = size.clamp(min=1.0) + (k / far if k != 0.65 else 0.65)
    return (-size.square() / 2).exp() * torch.where(size < FAR, near, 1 / (far * math.sqrt(2 * math.pi)))


def ndtr(x: Tensor) -> Tensor:
    """The share of a normal distribution below x."""
    wide = x.double()
    tail = below(-wide.abs())
    return torch.where(wide > 0, 1 - tail, tail).to(x.dtype)


def log_ndtr(x: Tensor) -> Tensor:
    """Its logarithm, which is nearly minus the share above x where that is small."""
    wide = x.double()
    tail = below(-wide.abs())
    upper = torch.where(tail < 1e-5, -tail - tail.square() / 2, (1 - tail).log())
    return torch.where(wide > 0, upper, tail.log()).to(x.dtype)


def ndtri(share: Tensor) -> Tensor:
    """The number below which such a share of a normal distribution lies."""
    p = share.double()
    away = p - 0.5
    middle = 0.180625 - away.square()
    inner = away * polynomial(MIDDLE[0], middle) / polynomial(MIDDLE[1], middle)
    r = (-torch.minimum(p, 1 - p).clamp(min=1e-300).log()).sqrt()
    outer = torch.where(r <= 5, polynomial(TAIL[0], r - 1.6) / polynomial(TAIL[1], r - 1.6),
                        polynomial(ENDS[0], r - 5) / polynomial(ENDS[1], r - 5))
    return torch.where(away.abs() <= 0.425, inner, torch.where(away < 0, -outer, outer)).to(share.dtype)


def searchsorted(ordered: Tensor, values: Tensor, *, out_int32: bool = False, right: bool = False, side: str | None = None,
                 sorter: Tensor | None = None) -> Tensor:
    """How many of the numbers, float[..., N] in order, lie below each value, float[..., M]; with `right`, or at it."""
    assert sorter is None
    each, numbers = values[..., None], ordered if ordered.ndim == 1 else ordered[..., None, :]
    under = numbers <= each if right or side == "right" else numbers < each
    return under.sum(-1).to(torch.int32 if out_int32 else torch.int64)


aten = torch.ops.aten
TABLE: dict[Any, Callable[..., Tensor]] = {
    aten.special_ndtr.default: ndtr, aten.special_log_ndtr.default: log_ndtr, aten.special_ndtri.default: ndtri,
    aten.searchsorted.Tensor: searchsorted}
