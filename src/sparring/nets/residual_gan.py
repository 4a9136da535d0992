"""Residual convolutional networks (Miyato et al., 2018, appendix B.4), for any height and width and 1, 3 or 4 channels."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from sparring.nets.dcgan import halvings
from sparring.nets.mlp import projection, with_class


class Modulated(nn.Module):
    """Batch normalization whose gain and bias follow from the latents, and from the class that is beside them.

    Self-modulation (Chen et al., 2019, eq. 2), with one linear layer; with classes alone it is conditional batch normalization.
    float[B, C, H, W] and float[B, N] to float[B, C, H, W]; at first the gain is near one and the bias near zero.
    """

    def __init__(self, maps: int, inputs: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(maps, affine=False)
        self.gain, self.bias = nn.Linear(inputs, maps), nn.Linear(inputs, maps)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        gain, bias = (1 + self.gain(z))[:, :, None, None], self.bias(z)[:, :, None, None]
        return torch.addcmul(bias, self.norm(x), gain)


class UpBlock(nn.Module):
    """A residual block that doubles both sides (nearest neighbour), or keeps them."""

    def __init__(self, before: int, after: int, inputs: int, up: bool = True) -> None:
        super().__init__()
        self.up = up
        self.first_norm, self.second_norm = Modulated(before, inputs), Modulated(after, inputs)
        self.first, self.second = nn.Conv2d(before, after, 3, 1, 1, bias=False), nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.skip = nn.Conv2d(before, after, 1, bias=False) if before != after else nn.Identity()

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        within = self.first(self.larger(relu(self.first_norm(x, z))))
        return self.second(relu(self.second_norm(within, z))) + self.larger(self.skip(x))   # a 1x1 convolution is cheaper before

    def larger(self, x: Tensor) -> Tensor:
        return interpolate(x, scale_factor=2.0) if self.up else x


class DownBlock(nn.Module):
    """A residual block that halves both sides, without normalization: each sample's slope is its own.

    The first one of a network meets colours, which no rectifier should cut off.
    """

    def __init__(self, before: int, after: int, down: bool = True, first: bool = False) -> None:
        super().__init__()
        self.down, self.meets_colours = down, first
        self.first, self.second = nn.Conv2d(before, after, 3, 1, 1), nn.Conv2d(after, after, 3, 1, 1)
        self.skip = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        within = self.first(x if self.meets_colours else relu(x))
        return self.smaller(self.second(relu(within))) + self.skip(self.smaller(x))

    def smaller(self, x: Tensor) -> Tensor:
        return avg_pool2d(x, 2) if self.down else x


class ResidualGenerator(nn.Module):
    """float[B, latent] (and int64[B] class indices) to image: float[B, C, H, W] in [-1, 1].

    `width` is the number of feature maps at full resolution; it doubles with every halving, up to eight times.
    """

    def __init__(self, latent: int, shape: tuple[int, int, int], width: int, classes: int = 0) -> None:
        super().__init__()
        self.classes, (channels, self.height, self.width) = classes, shape
        n, inputs = halvings(self.height, self.width), latent + classes
        maps = [width * min(8, 2 ** (n - i)) for i in range(n + 1)]
        self.grid = (maps[0], -(-self.height // 2**n), -(-self.width // 2**n))
        self.first = nn.Linear(inputs, math.prod(self.grid))
        self.blocks = nn.ModuleList(UpBlock(before, after, inputs) for before, after in pairwise(maps))
        self.norm = nn.BatchNorm2d(maps[-1])
        self.last = nn.Conv2d(maps[-1], channels, 3, 1, 1)
        initialize(self)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        z = with_class(z, labels, self.classes)
        x = self.first(z).unflatten(1, self.grid)
        for block in self.blocks:
            x = block(x, z)
        x = torch.tanh(self.last(relu(self.norm(x))))
        top, left = (x.shape[2] - self.height) // 2, (x.shape[3] - self.width) // 2
        return x[:, :, top:top + self.height, left:left + self.width]


class ResidualDiscriminator(nn.Module):
    """image: float[B, C, H, W] (and int64[B] class indices) to logits float[B].

    The mean over the last grid and a linear layer; classes by projection (Miyato and Koyama, 2018, eq. 4).
    """

    def __init__(self, shape: tuple[int, int, int], width: int, classes: int = 0) -> None:
        super().__init__()
        channels, height, wide = shape
        n = halvings(height, wide)
        maps = [channels] + [width * min(8, 2**i) for i in range(1, n + 1)]
        blocks = [DownBlock(before, after, first=i == 0) for i, (before, after) in enumerate(pairwise(maps))]
        self.blocks = nn.Sequential(*blocks, DownBlock(maps[-1], maps[-1], down=False), nn.ReLU())
        self.score = nn.Linear(maps[-1], 1)
        self.classes = nn.Embedding(classes, maps[-1]) if classes else None
        initialize(self)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        features = self.blocks(x).sum((2, 3))
        logits = self.score(features).squeeze(1)
        if self.classes is None:
            return logits
        assert labels is not None
        return logits + (projection(self.classes, labels) * features).sum(1)


def initialize(net: nn.Module) -> None:
    """Orthogonal weights (Brock et al., 2019, section 3), biases zero; what modulates begins at a hundredth of that."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
            nn.init.orthogonal_(module.weight)
            if not isinstance(module, nn.Embedding) and module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in net.modules():
        if isinstance(module, Modulated):
            for layer in (module.gain, module.bias):
                nn.init.normal_(layer.weight, 0.0, 0.02)
