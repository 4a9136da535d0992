"""What LAPGAN in examples/ learns (`make examples`)."""

import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from example_systems import real, trained
from sparring.data import open_source
from sparring.metrics.features import own
from sparring.metrics.kid import kid
from sparring.metrics.sharpness import sharpness


@torch.no_grad()
def distance(x, y):
    """The kernel distance (KID) between two sets of grey images, in the project's own features of such."""
    return kid(*(own().apply(images).double() for images in (x, y)))


@pytest.mark.examples
def test_lapgan_adds_the_details_that_the_level_below_lacks():
    """Held-out digits that are reduced to 4 x 4 and given details level by level are at most half as far from real digits as those that are
    only enlarged; and so are samples from noise alone."""
    model = trained("lapgan", 800)
    x, some = open_source("digits").held_out.at(torch.arange(360)).x, real("lapgan", 1400).x
    z, made = model.game.prior(len(x), torch.Generator().manual_seed(0)).chunk(3, 1), avg_pool2d(x, 4)
    with torch.no_grad():
        for k in (1, 0):
            low = interpolate(made, scale_factor=2, mode="bilinear")
            made = low + model.game.model[k](torch.cat([z[k], low.flatten(1)], 1)) / model.settings.gain
    plain = interpolate(interpolate(avg_pool2d(x, 4), scale_factor=2, mode="bilinear"), scale_factor=2, mode="bilinear")
    enlarged, detailed, drawn = distance(plain, some), distance(made.clamp(-1, 1), some), distance(model.sample(1000), some)
    print(f"lapgan: enlarged {enlarged:.4f}, with details {detailed:.4f}, samples {drawn:.4f}, real {distance(x, some):.4f}, ",
          [float(sharpness(i).mean() / sharpness(x).mean()) for i in (plain, made, model.sample(300))], model.scores)
    assert detailed < enlarged / 2
    assert drawn < enlarged / 2
