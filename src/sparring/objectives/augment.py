"""Differentiable augmentation of what a discriminator sees, real and generated alike, so that few images suffice.

Everything here is plain torch and can be differentiated twice, also by `torch.func`, so that penalties may look through it.  All
images are float[B, C, H, W] in [-1, 1], and every draw comes from the global generator, which a round seeds.
"""

import math
from typing import Any

import torch
from torch import Tensor

from sparring.game.processes import total

TARGET = 0.6        # of r_t, the share of real samples that D is sure of, less the share that it is wrong about


def warp(x: Tensor, inverse: Tensor) -> Tensor:
    """Images moved by affine maps: `inverse`, float[B, 2, 3], leads from each output pixel, counted from the centre as (x, y, 1), to
    where its colour comes from.  Bilinear; beyond the edges the image is mirrored.

    By gathering and not by grid_sample, which cannot be differentiated twice.
    """
    _, channels, height, width = x.shape
    ys = torch.arange(height, device=x.device) - (height - 1) / 2
    xs = torch.arange(width, device=x.device) - (width - 1) / 2
    at = torch.stack([xs.expand(height, width), ys[:, None].expand(height, width), torch.ones_like(xs).expand(height, width)])
    source = inverse @ at.flatten(1)                                            # [B, 2, H W]
    columns, rows = (_mirrored(source[:, i] + (n - 1) / 2, n) for i, n in ((0, width), (1, height)))
    left, top = columns.floor(), rows.floor()
    across, down = ((place - edge).to(x.dtype)[:, None] for place, edge in ((columns, left), (rows, top)))
    left, top = left.long(), top.long()
    right, bottom = (left + 1).clamp(max=width - 1), (top + 1).clamp(max=height - 1)
    flat = x.flatten(2)

    def pick(row: Tensor, column: Tensor) -> Tensor:
        return flat.gather(2, (row * width + column)[:, None].expand(-1, channels, -1))

    upper = torch.lerp(pick(top, left), pick(top, right), across)
    lower = torch.lerp(pick(bottom, left), pick(bottom, right), across)
    return torch.lerp(upper, lower, down).view_as(x)


def _mirrored(place: Tensor, n: int) -> Tensor:
    """Places on a line of n pixels, reflected at its ends until they lie on it."""
    if n == 1:
        return torch.zeros_like(place)
    return (n - 1) - ((place % (2 * (n - 1))) - (n - 1)).abs()


def recolour(x: Tensor, matrix: Tensor) -> Tensor:
    """Colours moved by affine maps, float[B, 3, 4]; grey images by the mean of the three rows.  Alpha is left alone."""
    if x.shape[1] < 3:
        grey = torch.cat([x[:, :1]] * 3, 1)
        return torch.cat([recolour(grey, matrix).mean(1, keepdim=True), x[:, 1:]], 1)
    matrix = matrix.to(x.dtype)
    colours = torch.einsum("bij,bjhw->bihw", matrix[:, :, :3], x[:, :3]) + matrix[:, :, 3, None, None]
    return torch.cat([colours, x[:, 3:]], 1)


def ada(x: Tensor, p: float) -> Tensor:
    """Adaptive augmentation's pixel blits, geometry and colours, each with probability p (Karras et al., 2020, appendix B).

    Bilinear where the paper filters with wavelets; its image filters and corruptions, which it found to do harm, are left out.
    """
    return recolour(warp(x, geometry(len(x), x.shape[3], x.shape[2], p, x.device)), colour(len(x), p, x.device)) if p > 0 else x


def diff(x: Tensor) -> Tensor:
    """Colour, translation and cutout of every image (Zhao et al., 2020, section 3.2 and appendix B)."""
    n, _, height, width = x.shape
    device = x.device
    mean = x.mean(1, keepdim=True)
    brighter = x + torch.rand(n, 1, 1, 1, device=device) - 0.5
    saturated = mean + (brighter - mean) * 2 * torch.rand(n, 1, 1, 1, device=device)
    middle = saturated.mean((1, 2, 3), keepdim=True)
    contrasted = middle + (saturated - middle) * (0.5 + torch.rand(n, 1, 1, 1, device=device))
    most = _pair(width / 8, height / 8, device).round()
    shift = ((2 * torch.rand(n, 2, device=device) - 1) * (most + 0.5)).round()
    return _cut(warp(contrasted, _moves(shift)))


def _cut(x: Tensor) -> Tensor:
    """A square of half the size, anywhere, in grey."""
    n, _, height, width = x.shape
    rows = (torch.rand(n, 1, device=x.device) * height - torch.arange(height, device=x.device)).abs() <= height / 4
    columns = (torch.rand(n, 1, device=x.device) * width - torch.arange(width, device=x.device)).abs() <= width / 4
    return x * ~(rows[:, None, :, None] & columns[:, None, None, :])


# ---------------------------------------------------------------------------------------------------- affine maps
def geometry(n: int, width: int, height: int, p: float, device: torch.device) -> Tensor:
    """What leads back from an augmented image, float[n, 2, 3] in pixels: flips, quarter turns, shifts, scales and turns."""
    size = _pair(width, height, device)

    def happens(probability: float = p) -> Tensor:
        return (torch.rand(n, device=device) < probability).float()

    flip, quarter = 1 - 2 * happens() * (torch.rand(n, device=device) < 0.5), happens() * torch.randint(4, (n,), device=device)
    whole = ((2 * torch.rand(n, 2, device=device) - 1) * size / 8).round() * happens()[:, None]
    both = (0.2 * torch.randn(n, device=device) * happens()).exp2()
    once = 1 - math.sqrt(1 - p)                                 # two turns, so that either happens with probability p
    first, last = (happens(once) * (2 * torch.rand(n, device=device) - 1) * math.pi for _ in range(2))
    uneven = (0.2 * torch.randn(n, device=device) * happens()).exp2()
    part = torch.randn(n, 2, device=device) * size / 8 * happens()[:, None]
    steps = [_scales(flip, torch.ones_like(flip)), _turns(quarter * math.pi / 2), _moves(whole), _scales(both, both), _turns(first),
             _scales(uneven, 1 / uneven), _turns(last), _moves(part)]
    total = torch.eye(3, device=device).expand(n, 3, 3)
    for step in steps:
        total = total @ torch.cat([step, torch.eye(3, device=device)[2:].expand(n, 1, 3)], 1)
    return total[:, :2]


def _pair(across: float, down: float, device: torch.device) -> Tensor:
    """Two numbers as float[2].  Not by torch.tensor: from a list it moves to an accelerator in a way that torch.func does not allow."""
    return torch.stack([torch.full((), float(number), device=device) for number in (across, down)])


def _moves(shift: Tensor) -> Tensor:
    eye = torch.eye(2, device=shift.device).expand(len(shift), 2, 2)
    return torch.cat([eye, -shift[:, :, None]], 2)


def _scales(across: Tensor, down: Tensor) -> Tensor:
    zero = torch.zeros_like(across)
    return torch.stack([torch.stack([1 / across, zero, zero], 1), torch.stack([zero, 1 / down, zero], 1)], 1)


def _turns(angle: Tensor) -> Tensor:
    c, s, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    return torch.stack([torch.stack([c, s, zero], 1), torch.stack([-s, c, zero], 1)], 1)


def colour(n: int, p: float, device: torch.device) -> Tensor:
    """Maps of colours, float[n, 3, 4]: brightness, contrast, luma flip, hue and saturation around the axis of greys."""
    def happens() -> Tensor:
        return (torch.rand(n, 1, 1, device=device) < p).float()

    eye = torch.eye(3, device=device).expand(n, 3, 3)
    grey = torch.full((3, 3), 1 / 3, device=device)             # the projection on the axis of greys
    contrast = (0.5 * torch.randn(n, 1, 1, device=device) * happens()).exp2()
    brightness = 0.2 * torch.randn(n, 1, 1, device=device) * happens()
    luma = eye - 2 * grey * happens() * (torch.rand(n, 1, 1, device=device) < 0.5)
    angle = (2 * torch.rand(n, 1, 1, device=device) - 1) * math.pi * happens()
    around = torch.eye(3, device=device).roll(1, 0)             # red to green, green to blue, blue to red
    cross = (around - around.T) / math.sqrt(3)                  # the cross product with (1, 1, 1), of length one
    hue = angle.cos() * eye + angle.sin() * cross + (1 - angle.cos()) * grey        # Rodrigues' formula around (1, 1, 1)
    saturation = grey + (eye - grey) * (torch.randn(n, 1, 1, device=device) * happens()).exp2()
    linear = saturation @ hue @ luma * contrast
    shift = (saturation @ hue @ luma @ torch.ones(3, 1, device=device)) * brightness
    return torch.cat([linear, shift], 2)


# --------------------------------------------------------------------------------------------------- how strongly
class Adaptive:
    """The probability p of `ada`, led by r_t = E[sign(D(real))]: up while D is surer of real samples than TARGET, down while it is less
    (Karras et al., 2020, section 3).  Part of a checkpoint.

    `images` is how many real images p takes from 0 to 1.  Judged over four batches at a time.
    """

    def __init__(self, images: float) -> None:
        self.images, self.p = images, 0.0
        self.batches, self.seen, self.signs = 0, 0, 0.0

    def __call__(self, x: Tensor) -> Tensor:
        return ada(x, self.p)

    def observe(self, real: Tensor) -> None:
        """Take the logits of a batch of real samples into account."""
        signs, seen = total(torch.stack([real.detach().sign().sum(), torch.tensor(float(len(real)), device=real.device)])).tolist()
        self.batches, self.seen, self.signs = self.batches + 1, self.seen + int(seen), self.signs + signs
        if self.batches == 4:
            step = math.copysign(self.seen / self.images, self.signs / self.seen - TARGET)
            self.p = min(1.0, max(0.0, self.p + step))
            self.batches, self.seen, self.signs = 0, 0, 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"p": self.p, "batches": self.batches, "seen": self.seen, "signs": self.signs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.p, self.signs = min(1.0, max(0.0, float(state["p"]))), float(state["signs"])
        self.batches, self.seen = int(state["batches"]), int(state["seen"])
