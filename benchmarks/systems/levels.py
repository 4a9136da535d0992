"""What LAPGAN learns, level by level."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from benchmarks.systems.trained import Claims, at_most, held_out, real, trained
from sparring.metrics.features import own
from sparring.metrics.kid import kid


@torch.no_grad()
def distance(x: Tensor, y: Tensor) -> float:
    """The kernel distance (KID) between two sets of grey images, in the project's own features of such."""
    return kid(*(own().apply(images).double() for images in (x, y)))


def lapgan(seed: int) -> Claims:
    """Held-out digits that are reduced to 4 x 4 and given details level by level are nearer to real digits than those that are only
    enlarged; and so are samples from noise alone."""
    model = trained("lapgan", 800, seed)
    x, some = held_out().x, real("lapgan", 1400).x
    z, made = model.game.prior(len(x), torch.Generator().manual_seed(0)).chunk(3, 1), avg_pool2d(x, 4)
    with torch.no_grad():
        for k in (1, 0):
            low = interpolate(made, scale_factor=2, mode="bilinear")
            made = low + model.game.model[k](torch.cat([z[k], low.flatten(1)], 1)) / model.settings.gain
    plain = interpolate(interpolate(avg_pool2d(x, 4), scale_factor=2, mode="bilinear"), scale_factor=2, mode="bilinear")
    enlarged, detailed, drawn = (distance(images, some) for images in (plain, made.clamp(-1, 1), model.sample(1000)))
    return (at_most("kernel distance to real digits of enlarged ones with details, over that without", detailed / enlarged, 0.5),
            at_most("the same of samples from noise", drawn / enlarged, 0.5))
