"""Discriminators that see images through a frozen network that learned from photographs (Projected GAN; Sauer et al., 2021)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.nn.utils.parametrizations import spectral_norm

from sparring.nets.efficientnet import MAPS, STRIDES
from sparring.nets.mlp import projection

WIDE, MOST = 64, 256        # maps of the mixed features, and the most of a discriminator
GROUP = 16                  # maps that are normalized together
KINDS = 64                  # numbers that a class is compared by
LAST = 4                    # side of the grid that a score is made from
LONG = 4                    # so many times the area of a square: what a strip may cost
TAME = 0.1                  # of a score: one step of Adam would move it by more than a margin


class Mixing(nn.Module):
    """Fixed random mixtures of four stages' features, across channels and then across scales, the coarse ones added to the finer ones
    (Sauer et al., 2021, sections 3.2 and 4.2), so that no part of the features can be ignored.

    Four of float[B, MAPS[i], h / 2^i, w / 2^i] to four of float[B, WIDE, h / 2^i, w / 2^i].  He's weights keep their scale.
    """

    def __init__(self) -> None:
        super().__init__()
        self.channels = nn.ModuleList(nn.Conv2d(maps, WIDE, 1, bias=False) for maps in MAPS)
        self.scales = nn.ModuleList(nn.Conv2d(WIDE, WIDE, 3, 1, 1, bias=False) for _ in MAPS)
        for conv in (*self.channels, *self.scales):
            nn.init.kaiming_normal_(conv.weight)
        self.requires_grad_(False)

    def forward(self, stages: list[Tensor]) -> list[Tensor]:
        mixed = [conv(stage) for conv, stage in zip(self.channels, stages, strict=True)]
        found, coarse = list[Tensor](), None
        for finer, conv in zip(reversed(mixed), reversed(self.scales), strict=True):
            if coarse is not None:
                finer = finer + interpolate(coarse, finer.shape[2:], mode="bilinear", align_corners=False)
            coarse = conv(finer) / math.sqrt(2)
            found.append(coarse)
        return found[::-1]


class Head(nn.Module):
    """One discriminator: mixed features float[B, WIDE, h, w] (and int64[B] class indices) to scores float[B].

    It halves the sides until the shorter one is LAST to 2 LAST - 1.  Every layer is divided by its largest singular value (Miyato et al.,
    2018), and normalized over each sample by itself, so that no sample's score depends on the others.  Classes enter by projection.
    """

    def __init__(self, height: int, width: int, classes: int) -> None:
        super().__init__()
        layers, maps = list[nn.Module](), WIDE
        while min(height, width) >= 2 * LAST:
            more = min(MOST, 2 * maps)
            layers += [spectral_norm(nn.Conv2d(maps, more, 4, 2, 1)), nn.GroupNorm(more // GROUP, more), nn.LeakyReLU(0.2)]
            maps, height, width = more, height // 2, width // 2
        self.layers = nn.Sequential(*layers)
        last = (min(LAST, height), min(LAST, width))
        self.score = spectral_norm(nn.Conv2d(maps, 1, last))
        self.described = spectral_norm(nn.Conv2d(maps, KINDS, last)) if classes else None
        self.classes = nn.Embedding(classes, KINDS) if classes else None

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.layers(x)
        score = self.score(x).mean((1, 2, 3))
        if self.classes is None or self.described is None:
            return score
        assert labels is not None
        return score + (projection(self.classes, labels) * self.described(x).mean((2, 3))).sum(1) / math.sqrt(KINDS)


def enlarged(height: int, width: int, side: int) -> tuple[int, int]:
    """The size at which images are shown to the network: the shorter side about `side`, or less where the image would have more than
    `LONG` times the area of a square of that side; both multiples of the largest stride, or a little off in shape where they have to be."""
    scale, step = min(side / min(height, width), side * math.sqrt(LONG / (height * width))), STRIDES[-1]
    return max(step, round(height * scale / step) * step), max(step, round(width * scale / step) * step)


class ProjectedDiscriminator(nn.Module):
    """image: float[B, C, H, W] in [-1, 1], C = 1 or 3 (and int64[B] class indices) to scores float[B, 4], one a scale.

    `stages` gives the frozen network's features of float[B, 3, h, w]; the network is not among this one's parameters and is not saved
    with it.  The random mixtures are, as parameters that never learn.  `side`: see `enlarged`.  Grey images are shown in three channels.
    """

    def __init__(self, shape: tuple[int, int, int], stages: Callable[[Tensor], list[Tensor]], side: int, classes: int = 0) -> None:
        super().__init__()
        self.stages, self.size = stages, enlarged(*shape[1:], side)
        self.mixing = Mixing()
        self.heads = nn.ModuleList(Head(self.size[0] // stride, self.size[1] // stride, classes) for stride in STRIDES)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        x = x.expand(-1, 3, -1, -1) if x.shape[1] == 1 else x
        if x.shape[2:] != self.size:
            x = interpolate(x, self.size, mode="bilinear", align_corners=False, antialias=self.size[0] < x.shape[2])
        mixed = self.mixing(self.stages(x.contiguous(memory_format=torch.channels_last)))
        return TAME * torch.stack([head(part, labels) for head, part in zip(self.heads, mixed, strict=True)], 1)
