"""Discriminators that judge patches: a logit for each overlapping square of an image."""

import torch
from torch import Tensor, nn

from sparring.errors import InputError

FIELDS = {1: 0, 16: 1, 34: 2, 70: 3, 142: 4, 286: 5}     # the side of a patch in pixels: how many convolutions halve the image


def fitting_field(height: int, width: int) -> int:
    """The receptive field that stands to such images about as the paper's 70 to 256: the largest up to 70 that is at most half of
    a side, but 16 where that fits at all."""
    shorter = min(height, width)
    return max((field for field in FIELDS if field <= min(shorter // 2, 70) or field == 16 <= shorter), default=1)


def refuse_small(height: int, width: int, field: int, least: int = 1) -> None:
    """InputError for images that are smaller than a patch, or than the `least` that a translator takes."""
    if min(height, width) < least:
        raise InputError(f"translators need images of at least {least}x{least} pixels, and these are {height}x{width}. Give a larger size.")
    if min(height, width) < field:
        raise InputError(f"field={field} needs images of at least {field}x{field} pixels, and these are {height}x{width}. Give "
                         f"field={fitting_field(height, width)}, or a larger size.")


class PatchDiscriminator(nn.Module):
    """float[B, C, H, W] to logits float[B, 1, H', W'], one for each patch of `field` pixels a side (Isola et al., 2017, section 6.1.2).

    C64-C128-C256-C512 is the paper's field of 70; 16 and 286 have fewer and more halvings, and 1 sees single pixels.
    The first layer is not normalized.
    """

    def __init__(self, channels: int, width: int, field: int) -> None:
        super().__init__()
        halvings = FIELDS[field]
        if halvings == 0:
            layers: list[nn.Module] = [nn.Conv2d(channels, width, 1), nn.LeakyReLU(0.2),
                      nn.Conv2d(width, 2 * width, 1, bias=False), nn.InstanceNorm2d(2 * width, affine=True), nn.LeakyReLU(0.2),
                      nn.Conv2d(2 * width, 1, 1)]
        else:
            layers, last = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)], width
            for i in range(1, halvings + 1):                    # the last of these does not halve
                maps = width * min(8, 2**i)
                layers += [nn.Conv2d(last, maps, 4, 2 if i < halvings else 1, 1, bias=False), nn.InstanceNorm2d(maps, affine=True),
                           nn.LeakyReLU(0.2)]
                last = maps
            layers.append(nn.Conv2d(last, 1, 4, 1, 1))
        self.layers = nn.Sequential(*layers)
        start_small(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)

    def mean(self, x: Tensor) -> Tensor:
        """One logit an image, float[B], the mean of its patches': what a penalty on slopes is about."""
        return self(x).mean((1, 2, 3))


@torch.no_grad()
def start_small(net: nn.Module) -> None:
    """First weights N(0, 0.02^2), scales of norms N(1, 0.02^2), everything else zero (Isola et al., 2017, section 6.2)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.InstanceNorm2d) and module.affine:
            nn.init.normal_(module.weight, 1.0, 0.02)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
