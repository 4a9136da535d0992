"""Truncation: fewer kinds of samples, and more typical ones, in either of two ways.

Where a latent z goes straight to the layers: z from a normal distribution of which the tails are cut off (Brock et al., 2019, section
3.1).  Where a mapping network makes a style w of it: w nearer to the average style, w_mean + psi (w - w_mean) (Karras et al., 2019,
section 3.2 and appendix B).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sparring.errors import InputError
from sparring.game.latents import Normal
from sparring.latent.parts import Parts, of_normal, told_parts
from sparring.nets.style import StyleGenerator


class Truncation(NamedTuple):
    """What was asked for: a bound on the numbers of z, or, where there are styles, psi."""

    bound: float = math.inf
    psi: float = 1.0


def truncated(z: Tensor, bound: float, parts: Parts = ()) -> Tensor:
    """Latents float[n, d] with all normal numbers bounded (see `bounded`)."""
    return z if bound == math.inf else of_normal(parts, z, lambda numbers: bounded(numbers, bound))


def bounded(z: Tensor, bound: float) -> Tensor:
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


def has_styles(net: nn.Module | None) -> bool:
    """Whether a generator has a mapping network, and so is truncated in W."""
    return isinstance(net, StyleGenerator)


def asked(net: nn.Module | None, value: float | None, parts: Parts = ()) -> Truncation:
    """The kind that this generator takes; None for no truncation.  InputError for a psi outside [0, 1], or where there is no average of
    styles yet, and for a bound that is not above zero."""
    if not isinstance(net, StyleGenerator):
        if value is not None and parts and not any(isinstance(part, Normal) for part in parts):
            raise InputError(f"truncation={value} cuts off the tails of normal numbers, and this model's latent is {told_parts(parts)}. "
                             "Leave it out.")
        return Truncation(bound=checked(value))
    if value is None:
        return Truncation()
    try:
        psi = float(value)
    except (TypeError, ValueError):
        psi = math.nan
    if not 0 <= psi <= 1:
        raise InputError(f"truncation={value}: this model is truncated in W, where psi says how far styles are from their average. Give "
                         "a number from 0 to 1, such as 0.7, or leave it out for no truncation.")
    if psi < 1 and not float(net.seen) > 0:
        raise InputError(f"truncation={value} draws styles to their average, and this model has none yet: it has not trained a round. "
                         "Train it first, or leave truncation out.")
    return Truncation(psi=psi)


def of_latents(net: nn.Module | None, value: float | None, parts: Parts = ()) -> float:
    """The bound on latents that was asked for.  InputError where truncation leaves latents as they are."""
    if value is not None and has_styles(net):
        raise InputError(f"truncation={value}: this model is truncated in W, and its latents stay as they are. Leave it out here, and give "
                         "it to `generate` or `sample`.")
    return asked(net, value, parts).bound


def told(net: nn.Module | None, value: float) -> str:
    """Which kind of truncation this is, for people."""
    if has_styles(net):
        return f"truncation {value:g} in W: styles at {value:g} of their distance from the average style"
    return f"truncation {value:g} of latents: no number in them is larger than that"
