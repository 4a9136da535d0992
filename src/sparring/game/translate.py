"""Images of any size through a translator: brought to the size it was trained on, in tiles of that size, or as they are."""

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sparring.data.asked import place_of
from sparring.errors import InputError
from sparring.game import Translation
from sparring.rng import key

Fit = Literal["resize", "tile", "whole"]
RANGE = 1.5             # what images may reach: beyond 1, since resizing overshoots, and far below 255
FEW = 16                # images or tiles that are translated at once


def target(translation: Translation, to: Any) -> int:
    """The position of the domain of this name, where a number means the domain that is called so; None is the only one.  InputError when
    there is none such."""
    names = translation.names
    if to is None and len(names) > 1:
        raise InputError(f"this model translates into {len(names)} domains; say which: {', '.join(names)}.")
    return 0 if to is None else place_of(to, names, "domain")


@torch.no_grad()
def translate(translation: Translation, images: Tensor, to: int, fit: Fit = "resize", seed: int | None = None) -> Tensor:
    """Images float[B, C, H, W] in [-1, 1] into domain number `to`, float[B, C', H, W] on the CPU, of the size they came in.

    `resize` scales to the training size, its shape too, and back; `tile` translates overlapping tiles of the training size and
    fades them into each other; `whole` lets the networks, which are convolutional, see the image as it is.  With a `seed`, the noise of
    training is drawn from it.  InputError for images that the networks, or tiles, do not fit into.
    """
    given = translation.takes[to]
    if images.ndim != 4 or images.shape[1] != given.channels or not images.is_floating_point() or not images.numel():
        raise InputError(f"images of shape {tuple(images.shape)} and type {images.dtype} cannot be translated into "
                         f"{translation.names[to]}: expected float[B, {given.channels}, H, W] in [-1, 1].")
    if not (low := float(images.min())) >= -RANGE or not float(images.max()) <= RANGE:      # also when they are NaN
        raise InputError(f"images must be in [-1, 1], and these go from {low:.3g} to {float(images.max()):.3g}. Scale them: x / 127.5 - 1 "
                         "for 0 to 255, 2 * x - 1 for 0 to 1.")
    height, width = images.shape[-2:]
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(key(seed, "translate"))

        def run(x: Tensor) -> Tensor:
            return torch.cat([translation.run(part, to, noisy=seed is not None).float().cpu() for part in x.split(FEW)])

        match fit:
            case "resize":
                return scaled(run(scaled(images.float(), (given.height, given.width))), (height, width)).clamp(-1, 1)
            case "tile":
                return tiled(run, images.float(), given.height, given.width)
            case "whole":
                if min(height, width) < translation.least:
                    raise InputError(f"an image of {height}x{width} is smaller than the networks' {translation.least}x{translation.least}. "
                                     f"Use fit=resize.")
                return run(images.float())
    raise InputError(f"fit={fit!r}: expected resize, tile or whole.")


def scaled(x: Tensor, size: tuple[int, int]) -> Tensor:
    return x if x.shape[-2:] == size else interpolate(x, size, mode="bicubic", antialias=True, align_corners=False)


def tiled(run: object, x: Tensor, height: int, width: int) -> Tensor:
    """Tiles of this size that overlap by at least a quarter, each weighted by how far its pixels are from its edge."""
    assert callable(run)
    tops, lefts = places(x.shape[-2], height), places(x.shape[-1], width)
    ramp = [torch.minimum(torch.arange(n) + 1, n - torch.arange(n)).float() for n in (height, width)]
    weight, total, weights = torch.outer(*ramp), None, torch.zeros(x.shape[-2:])
    for top in tops:
        for left in lefts:
            rows, columns = slice(top, top + height), slice(left, left + width)
            made = run(x[..., rows, columns])
            total = x.new_zeros(len(x), made.shape[1], *x.shape[-2:]) if total is None else total
            total[..., rows, columns] += weight * made
            weights[rows, columns] += weight
    assert total is not None
    return total / weights


def places(length: int, tile: int) -> list[int]:
    """Where tiles of this length begin, evenly, so that they cover everything and overlap by a quarter or more.  InputError when one
    does not fit."""
    if length < tile:
        raise InputError(f"a side of {length} pixels is smaller than the tiles of {tile} that this model was trained on. Use fit=resize.")
    count = 1 if length == tile else 1 + -(-(length - tile) // max(1, tile * 3 // 4))
    return [round(i * (length - tile) / max(1, count - 1)) for i in range(count)]
