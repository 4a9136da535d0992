"""Features of photographs: 1,280 numbers of EfficientNet-Lite1 (Tan and Le, 2019), which learned to name what is in 1.28 million of them.

Not of Lite0, which `projected` trains with: no run is measured by the network that it was trained by.
"""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sparring.data.pretrained import JUDGING, pretrained
from sparring.nets.efficientnet import in_colour

NAME, SIDE = JUDGING.name, 224          # a multiple of 32, the network's largest stride; it learned from 240
FEW = 8                                 # images at once: they take 100 MB, and 32 are no faster
RESIZE = f"{SIDE}x{SIDE} bilinear with antialiasing; transparency on white; grey in three equal channels"


def enlarged(images: Tensor) -> Tensor:
    """What the network sees of images float[B, C, H, W] in [-1, 1]: float[B, 3, SIDE, SIDE]."""
    x = in_colour(images)
    if x.shape[2:] != (SIDE, SIDE):
        x = interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True)
    return x.contiguous(memory_format=torch.channels_last)


def features(images: Tensor) -> Tensor:
    """float[B, 1280] of images float[B, C, H, W] in [-1, 1].  InputError without the extra `photos`."""
    net = pretrained(JUDGING)
    return torch.cat([net.features(enlarged(part)) for part in images.split(FEW)])


def named(images: Tensor) -> Tensor:
    """The number of the class of ImageNet that each image is taken for, int64[B]: 340 is a zebra."""
    return pretrained(JUDGING).classify(features(images)).argmax(1)
