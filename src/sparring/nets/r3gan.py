"""R3GAN's residual networks without normalization (Huang et al., 2024, section 4), for any height and width and 1, 3 or 4 channels.

Both are a row of stages, one a resolution; each has a transition, which resamples bilinearly, and two residual blocks.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu

from sparring.nets.dcgan import halvings
from sparring.nets.mlp import projection

SLOPE = 0.2             # of the leaky ReLU below zero
BLOCKS = 2              # residual blocks a stage
WIDER = 2               # times the maps of a stage: those inside a block, an inverted bottleneck
GROUP = 16              # maps that a 3x3 convolution mixes with each other


class Block(nn.Module):
    """x and what three convolutions make of it: 1x1 to more maps, grouped 3x3, 1x1 back; nothing of them at first."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        inner = WIDER * maps
        self.widen, self.mix = nn.Conv2d(maps, inner, 1), nn.Conv2d(inner, inner, 3, 1, 1, groups=groups(inner))
        self.narrow = nn.Conv2d(inner, maps, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(leaky_relu(self.mix(leaky_relu(self.widen(x), SLOPE)), SLOPE))


class Up(nn.Module):
    """To another number of maps, and bilinearly to a larger size.  The two commute, and fewer pixels are cheaper to mix."""

    def __init__(self, before: int, after: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.size, self.maps = size, other_maps(before, after)

    def forward(self, x: Tensor) -> Tensor:
        return interpolate(self.maps(x), self.size, mode="bilinear", align_corners=False)


class Down(nn.Module):
    """To half the size, rounded up, and to another number of maps.  At half the size bilinear is the mean of two by two."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.maps = other_maps(before, after)

    def forward(self, x: Tensor) -> Tensor:
        return self.maps(avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False))


class R3Generator(nn.Module):
    """float[B, latent] (and int64[B] class indices, or labels float[B, classes]) to images float[B, C, H, W], not bounded.

    It begins with learned maps of the smallest size, each times a number that a linear layer makes of z, and of an embedding of the
    class beside it.  `width` is the number of feature maps at full resolution; it doubles with every halving, up to eight times.
    """

    def __init__(self, latent: int, shape: tuple[int, int, int], width: int, classes: int = 0) -> None:
        super().__init__()
        sizes, maps = stages(shape[1], shape[2], width)
        self.classes = nn.Embedding(classes, latent) if classes else None
        self.weigh = nn.Linear(latent * (2 if classes else 1), maps[-1])
        self.basis = nn.Parameter(nn.init.normal_(self.weigh.weight.new_empty(maps[-1], *sizes[-1])))
        layers: list[nn.Module] = blocks(maps[-1])
        for i in reversed(range(len(sizes) - 1)):
            layers += [Up(maps[i + 1], maps[i], sizes[i]), *blocks(maps[i])]
        self.layers = nn.Sequential(*layers, nn.Conv2d(maps[0], shape[0], 1))
        initialize(self)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.classes is not None:
            assert labels is not None
            z = torch.cat([z, projection(self.classes, labels).to(z.dtype)], 1)
        return self.layers(self.basis * self.weigh(z)[:, :, None, None])


class R3Discriminator(nn.Module):
    """images float[B, C, H, W] (and int64[B] class indices, or labels float[B, classes]) to logits float[B].

    A depthwise convolution as large as the last maps leaves one number of each, and a linear layer judges by these.  Classes enter by
    projection (Miyato and Koyama, 2018, eq. 4), divided by the root of how many numbers are compared.
    """

    def __init__(self, shape: tuple[int, int, int], width: int, classes: int = 0) -> None:
        super().__init__()
        sizes, maps = stages(shape[1], shape[2], width)
        layers: list[nn.Module] = [nn.Conv2d(shape[0], maps[0], 1)]
        for i in range(len(sizes) - 1):
            layers += [*blocks(maps[i]), Down(maps[i], maps[i + 1])]
        head = nn.Conv2d(maps[-1], maps[-1], sizes[-1], groups=maps[-1], bias=False)
        self.layers = nn.Sequential(*layers, *blocks(maps[-1]), head, nn.Flatten())
        self.score = nn.Linear(maps[-1], 1)
        self.classes = nn.Embedding(classes, maps[-1]) if classes else None
        initialize(self)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        features = self.layers(x)
        logits = self.score(features).squeeze(1)
        if self.classes is None:
            return logits
        assert labels is not None
        return logits + (projection(self.classes, labels) * features).sum(1) / features.shape[1]**0.5


def stages(height: int, width: int, maps: int) -> tuple[list[tuple[int, int]], list[int]]:
    """The size of each stage, from the image's own to one whose shorter side is 4 to 7, and its number of maps."""
    n = halvings(height, width)
    return [(-(-height // 2**i), -(-width // 2**i)) for i in range(n + 1)], [maps * min(8, 2**i) for i in range(n + 1)]


def groups(maps: int) -> int:
    """The most equal groups of at least 16 maps; one where there are fewer."""
    return max(n for n in range(1, max(1, maps // GROUP) + 1) if maps % n == 0)


def blocks(maps: int) -> list[nn.Module]:
    return [Block(maps) for _ in range(BLOCKS)]


def other_maps(before: int, after: int) -> nn.Module:
    return nn.Identity() if before == after else nn.Conv2d(before, after, 1, bias=False)


def initialize(net: nn.Module) -> None:
    """Weights that keep the scale of what goes through them; in the paper's simple form of Fixup (Zhang et al., 2019), the last layer of
    a residual block is zero, and the other two are scaled by L^(-1/4) for L blocks.  Biases are zero."""
    inside = [module for module in net.modules() if isinstance(module, Block)]
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for block in inside:
        for layer in (block.widen, block.mix):
            nn.init.kaiming_normal_(layer.weight, SLOPE, nonlinearity="leaky_relu")
            layer.weight.data.mul_(len(inside) ** -0.25)
        nn.init.zeros_(block.narrow.weight)
