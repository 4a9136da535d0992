"""Perceptual path length: how far samples change when a latent, or a style, moves a little (Karras et al., 2019, section 4.1).

A smooth generator changes little everywhere.  Where it draws what is in no data, between two modes for one, it changes much.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from sparring.errors import InputError
from sparring.metrics.intervals import Estimate, around

STEP = 1e-4             # of the way from one end to the other
LEAST = 2               # pairs


def path_lengths(draw: Callable[[Tensor], Tensor], apart: Callable[[Tensor, Tensor], Tensor], ends: tuple[Tensor, Tensor], share: Tensor,
                 way: Callable[[Tensor, Tensor, Tensor], Tensor] = torch.lerp, step: float = STEP) -> Tensor:
    """d(G(w(t)), G(w(t + step))) / step^2 for each pair of ends float[n, ...] and share t of the way, float[n]: float[n] (eq. 2 and 3).

    `draw` makes samples of what `way(a, b, t)` gives, on a straight line for styles and along the sphere for latents; `apart` is a
    distance that grows with the square, such as the perceptual one.
    """
    a, b = ends
    t = share.view(-1, *[1] * (a.ndim - 1))
    with torch.no_grad():
        return apart(draw(way(a, b, t)), draw(way(a, b, t + step))) / step**2


def estimated(lengths: Tensor, **about: object) -> Estimate:
    """Their mean, with Student's 95 % interval.  InputError for fewer than two."""
    if len(lengths) < LEAST:
        raise InputError(f"path length needs at least {LEAST} pairs, and there is {len(lengths)}. Give more.")
    values = lengths.double()
    error = float(values.std() / math.sqrt(len(values)))
    return around(float(values.mean()), error, len(values), least=0.0, interval="95 %, of the mean over pairs", step=STEP, **about)
