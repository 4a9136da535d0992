"""Truncation: latents from a normal distribution of which the tails are cut off (Brock et al., 2019, section 3.1)."""

import math

import torch
from torch import Tensor

from sparring.errors import InputError


def truncated(z: Tensor, bound: float) -> Tensor:
    """z ~ N(0, I), any shape, to the same given that no number is larger than `bound`: in [-bound, bound].

    Brock et al. (2019) draw numbers outside again until all are inside.  This is the same distribution, reached by mapping each number's
    quantile among all numbers to the same quantile among those inside: F^-1(F(-t) + (F(t) - F(-t)) F(z)).  So the same z stays the same
    sample, nearer to the middle, and what is drawn changes smoothly with the bound; 0 gives zeros, infinity z itself.
    """
    if bound == math.inf:
        return z
    below = torch.special.ndtr(-z.double().abs())               # in the lower half, where small shares keep their digits
    outside = torch.special.ndtr(torch.tensor(-bound, dtype=torch.float64))
    size = -torch.special.ndtri(outside + (1 - 2 * outside) * below)
    return torch.copysign(size.clamp(0, bound), z.double()).to(z.dtype)


def checked(bound: float | None) -> float:
    """A bound that was asked for, None for no truncation; InputError unless it is above zero."""
    if bound is None:
        return math.inf
    try:
        number = float(bound)
    except (TypeError, ValueError):
        number = math.nan
    if not number > 0:
        raise InputError(f"truncation={bound}: give a number above 0, such as 0.7, or leave it out for no truncation.")
    return number
