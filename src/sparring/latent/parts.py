"""How latents move, part by part: normal numbers on a sphere, even ones within their bounds, and codes from one value to another.

A game that does not say what its latent is has normal numbers throughout.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from sparring.errors import InputError, listed
from sparring.game.latents import Normal, OneHot, Part, Uniform
from sparring.latent.slerp import slerp

Parts = tuple[Part, ...]
HOW = {Normal: "normal", Uniform: "uniform", OneHot: "a one-hot code"}


def places(parts: Parts, size: int) -> Iterator[tuple[Part, slice]]:
    """Each part, and where it is in a latent of so many numbers."""
    begin = 0
    for part in parts or (Normal(size),):
        yield part, slice(begin, begin + part.size)
        begin += part.size


def told_parts(parts: Parts) -> str:
    """What the parts are, in words."""
    return listed([f"a code of {part.size}" if isinstance(part, OneHot) else f"{part.size} {HOW[type(part)]}" for part in parts])


def between(parts: Parts) -> Callable[[Tensor, Tensor, Tensor | float], Tensor]:
    """The way from latents a to b, float[n, d], at a share of it: along the sphere, straight, or, of codes, at once in the middle."""
    def way(a: Tensor, b: Tensor, share: Tensor | float) -> Tensor:
        made = a.clone()
        for part, at in places(parts, a.shape[1]):
            match part:
                case Normal():
                    made[:, at] = slerp(a[:, at], b[:, at], share)
                case Uniform():
                    made[:, at] = torch.lerp(a[:, at], b[:, at], torch.as_tensor(share, dtype=a.dtype))
                case OneHot():
                    made[:, at] = torch.where(torch.as_tensor(share) < 0.5, a[:, at], b[:, at])
        return made
    return way


def path(points: Tensor, steps: int, parts: Parts = ()) -> Tensor:
    """The way through these latents, float[k, d] with k >= 2, one after the other: float[(k - 1) (steps - 1) + 1, d].

    `steps` are those of one leg with both of its ends.  InputError for fewer than two points or steps.
    """
    if len(points) < 2:
        raise InputError(f"interpolation needs at least two latents, and {len(points)} was given. Give more.")
    if steps < 2:
        raise InputError(f"steps={steps}: interpolation needs at least the two ends. Give steps=2 or more.")
    way = between(parts)
    legs = [way(points[:-1], points[1:], share) for share in torch.linspace(0, 1, steps, dtype=torch.float64)[:-1]]
    return torch.cat([torch.stack(legs, 1).flatten(0, 1), points[-1:]])


def of_normal(parts: Parts, z: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """The latents with their normal parts changed."""
    made = z.clone()
    for part, at in places(parts, z.shape[1]):
        if isinstance(part, Normal):
            made[:, at] = change(z[:, at])
    return made


def steady(parts: Parts, size: int) -> Tensor:
    """Which numbers may take any value, bool[size]: all but those of codes.  InputError where there are none."""
    free = torch.zeros(size, dtype=torch.bool)
    for part, at in places(parts, size):
        free[at] = not isinstance(part, OneHot)
    if not free.any():
        raise InputError(f"this model's latent is {told_parts(parts)}, and no number in it can be moved a little. Directions and inversion "
                         "need numbers; draw samples by code, with model.generate.")
    return free


def within(parts: Parts, z: Tensor) -> Tensor:
    """Latents float[..., d] whose uniform parts are brought to their bounds."""
    if not any(isinstance(part, Uniform) for part in parts):
        return z
    made = z.clone()
    for part, at in places(parts, z.shape[-1]):
        if isinstance(part, Uniform):
            made[..., at] = z[..., at].clamp(part.low, part.high)
    return made


def codes(parts: Parts, z: Tensor) -> list[Tensor]:
    """For each code of the latent, every latent with each of its values: float[n, values, d]."""
    found = []
    for part, at in places(parts, z.shape[1]):
        if isinstance(part, OneHot):
            made = z[:, None].repeat(1, part.size, 1)
            made[:, :, at] = torch.eye(part.size, dtype=z.dtype)
            found.append(made)
    return found


def refuse_others(parts: Parts, z: Tensor) -> None:
    """InputError for latents, float[n, d], that are not what the game says they are."""
    size = sum(part.size for part in parts)
    if parts and size != z.shape[1]:
        raise InputError(f"the game says that its latent is {told_parts(parts)}, {size} numbers, and prior gives {z.shape[1]}. Let "
                         "`latent` and `prior` say the same, such as prior=partial(draw, latent).")
    for part, at in places(parts, z.shape[1]) if parts else ():
        x = z[:, at]
        odd = isinstance(part, Uniform) and bool((x < part.low).any() or (x > part.high).any())
        odd |= isinstance(part, OneHot) and not bool(((x == 0) | (x == 1)).all() and (x.sum(1) == 1).all())
        if odd:
            raise InputError(f"the game says that numbers {at.start} to {at.stop - 1} of its latent are {HOW[type(part)]}"
                             f"{f' from {part.low:g} to {part.high:g}' if isinstance(part, Uniform) else ''}, and prior draws others. Let "
                             "`latent` and `prior` say the same, such as prior=partial(draw, latent).")
