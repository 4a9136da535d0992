"""Spherical interpolation between latents: nearly all of a normal distribution lies on a sphere (Shoemake, 1985; White, 2016)."""

import torch
from torch import Tensor

NOTHING = 1e-9      # a part of a unit vector that is shorter is rounding


def slerp(a: Tensor, b: Tensor, share: Tensor | float) -> Tensor:
    """From a to b, float[n, ...] each, row by row: the direction turns along the great circle at a constant rate, and the length goes
    from one to the other on a straight line (Shoemake, 1985).

    Opposite vectors have no one circle: they turn towards the axis that is most nearly at right angles to them.  Vectors of one number
    have no circle at all and meet at zero; a vector of length zero has no direction, and takes the other's.
    """
    first, second = a.flatten(1).double(), b.flatten(1).double()
    lengths = [v.norm(dim=1, keepdim=True) for v in (first, second)]
    u, w = (v / length.clamp_min(torch.finfo(v.dtype).tiny) for v, length in zip((first, second), lengths, strict=True))
    u, w = torch.where(lengths[0] > 0, u, w), torch.where(lengths[1] > 0, w, u)
    cosine = (u * w).sum(1, keepdim=True)
    beside = w - cosine * u
    sine = beside.norm(dim=1, keepdim=True)
    across = torch.where(sine > NOTHING, beside / sine.clamp_min(NOTHING), perpendicular(u))
    angle = torch.where(sine > NOTHING, torch.atan2(sine, cosine), torch.atan2(torch.zeros_like(sine), cosine))
    way = (share * angle).cos() * u + (share * angle).sin() * across
    return (torch.lerp(lengths[0], lengths[1], torch.as_tensor(share).double()) * way).to(a.dtype).view_as(a)


def perpendicular(u: Tensor) -> Tensor:
    """Unit vectors at right angles to these, float[n, d]: the axis that they share least with, made perpendicular; zero where d = 1."""
    axis = torch.nn.functional.one_hot(u.abs().argmin(1), u.shape[1]).to(u.dtype)
    rest = axis - (axis * u).sum(1, keepdim=True) * u
    length = rest.norm(dim=1, keepdim=True)
    return torch.where(length > NOTHING, rest / length.clamp_min(NOTHING), torch.zeros_like(rest))
