"""How far apart two pictures are to a network that learned from photographs: a perceptual distance after Zhang et al. (2018).

It is their eq. 1 with one weight for everything: nothing is learned from people's judgements.  Each of the four stages of EfficientNet-Lite
gives a vector at every place; vectors are brought to length one, and the distance of a stage is the mean over places of their squared
difference, which is twice one less their cosine.  The distance is the mean over the stages: 0 for equal pictures, at most 4,
symmetric, differentiable, and hardly moved by light and contrast, or by a pixel to one side, which pixels take for a great difference.

The network sees a picture at its own size, and one whose shorter side is below LEAST enlarged by a whole number, bilinearly: below, its
deep stages would see borders and little else.  It learned from 224 pixels, but pictures of 64 enlarged twice or thrice are compared worse:
a blurred picture should be farther from the original than one moved by a pixel, and is 6.5 times as far at 64 pixels, 4.8 times at 128
and 3.9 times at 192, which take three and eight times as long.

Losses look through Lite0 and figures through Lite1, so that no run is measured with the network that it was trained by.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sparring.data.pretrained import TRAINING, Published, pretrained
from sparring.errors import InputError
from sparring.game.precision import full
from sparring.nets.efficientnet import EfficientNet, in_colour

LEAST = 64              # pixels of the shorter side that the network sees
TINY = 1e-10            # added to squared lengths: a place that nothing is seen at has no direction
Distance = Callable[[Tensor, Tensor], Tensor]


def shown(images: Tensor) -> Tensor:
    """What the network sees of images float[B, C, H, W] in [-1, 1], C = 1, 3 or 4: float[B, 3, kH, kW]."""
    times, x = -(-LEAST // min(images.shape[2:])), in_colour(images)
    if times > 1:
        x = interpolate(x, (times * x.shape[2], times * x.shape[3]), mode="bilinear")
    return x.contiguous(memory_format=torch.channels_last)


def directions(net: EfficientNet, images: Tensor) -> list[Tensor]:
    """By stage, the vectors at all places of images float[B, C, H, W] in [-1, 1], of length one: float32[B, maps, h, w]."""
    found = [full(stage) for stage in net.stages(shown(images))]
    return [stage * (stage.square().sum(1, keepdim=True) + TINY).rsqrt() for stage in found]


def apart(a: list[Tensor], b: list[Tensor]) -> Tensor:
    """The distance of pictures whose `directions` these are, float32[B]."""
    return torch.stack([(x - y).square().sum(1).mean((1, 2)) for x, y in zip(a, b, strict=True)]).mean(0)


def distance(net: EfficientNet, a: Tensor, b: Tensor) -> Tensor:
    """The distance of images from images, both float[B, C, H, W] in [-1, 1]: float32[B], each in [0, 4]."""
    return apart(directions(net, a), directions(net, b))


def from_these(net: EfficientNet, goal: Tensor) -> Callable[[Tensor], Tensor]:
    """The distance from images that stay as they are, which are looked at once."""
    with torch.no_grad():
        known = directions(net, goal)
    return lambda images: apart(directions(net, images), known)


def as_loss(device: torch.device) -> Distance:
    """`distance` as losses see it.  Where the network cannot be had it raises InputError when it is asked, and not before: a finished
    model is built and used without it."""
    try:
        return partial(distance, pretrained(TRAINING, device))
    except InputError as error:
        said = str(error)

    def refuse(a: Tensor, b: Tensor) -> Tensor:
        raise InputError(said)

    return refuse


def refuse_without_network(weight: float, *needed: Published) -> None:
    """InputError, with the line to type, for a weight above 0 that needs a network that is not there."""
    for weights in (needed or (TRAINING,)) if weight else ():
        try:
            pretrained(weights)
        except InputError as error:
            raise InputError(f"perceptual={weight:g}: {error}") from None
