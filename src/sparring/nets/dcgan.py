"""Small convolutional networks after DCGAN (Radford et al., 2016), for any height and width and 1, 3 or 4 channels."""

import math
from itertools import pairwise

from torch import Tensor, nn

from sparring.nets.mlp import projection, with_class


def halvings(height: int, width: int) -> int:
    """How often an image is halved until its shorter side is 4 to 7, at least once."""
    return max(1, int(math.log2(max(min(height, width), 8) / 4)))


def initialize(net: nn.Module) -> None:
    """Weights from N(0, 0.02^2), norm gains from N(1, 0.02^2), biases zero (Radford et al., 2016, section 4)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)


def keep_scale(net: nn.Module) -> None:
    """Convolutions' weights from N(0, 2 / (1.04 n)), n inputs a sum: activations keep their scale (He et al., 2015, eq. 15).

    Under DCGAN's weights each narrow layer makes them smaller, and behind eight of them nothing is left to judge by.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, 0.2, nonlinearity="leaky_relu")


class ConvGenerator(nn.Module):
    """float[B, latent] (and int64[B] class indices) to image: float[B, C, H, W] in [-1, 1].

    A linear layer makes a small grid, which is doubled `halvings` times (nearest neighbour, then a convolution, which
    leaves no checkerboard; Odena et al., 2016); what is left over is cropped evenly.
    `width` is the number of feature maps at full resolution.
    """

    def __init__(self, latent: int, shape: tuple[int, int, int], width: int, classes: int = 0) -> None:
        super().__init__()
        self.classes, (channels, self.height, self.width) = classes, shape
        n = halvings(self.height, self.width)
        maps = [width * min(8, 2 ** (n - 1 - i)) for i in range(n)] + [width]
        self.grid = (maps[0], -(-self.height // 2**n), -(-self.width // 2**n))
        self.first = nn.Linear(latent + classes, math.prod(self.grid))
        layers: list[nn.Module] = [nn.BatchNorm2d(maps[0]), nn.ReLU()]
        for before, after in pairwise(maps):
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, 1, 1, bias=False),
                       nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(maps[-1], channels, 3, 1, 1), nn.Tanh())
        initialize(self)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        grid = self.first(with_class(z, labels, self.classes)).unflatten(1, self.grid)
        x = self.layers(grid)
        top, left = (x.shape[2] - self.height) // 2, (x.shape[3] - self.width) // 2
        return x[:, :, top:top + self.height, left:left + self.width]


class ConvDiscriminator(nn.Module):
    """image: float[B, C, H, W] (and int64[B] class indices) to logits float[B].

    Classes enter by projection, psi(phi(x)) + <e_y, phi(x)> (Miyato and Koyama, 2018, eq. 4).  `deep`: every strided convolution is
    followed by a 3x3 one, without which one layer alone sees the details.
    """

    def __init__(self, shape: tuple[int, int, int], width: int, classes: int = 0, deep: bool = False) -> None:
        super().__init__()
        channels, height, wide = shape
        n = halvings(height, wide)
        maps = [channels] + [width * min(8, 2**i) for i in range(n)]
        layers: list[nn.Module] = []
        for before, after in pairwise(maps):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.2)]
            layers += [nn.Conv2d(after, after, 3, 1, 1), nn.LeakyReLU(0.2)] if deep else []
        self.features = nn.Sequential(*layers, nn.Flatten())
        size = maps[-1] * (height // 2**n) * (wide // 2**n)
        self.score = nn.Linear(size, 1)
        self.classes = nn.Embedding(classes, size) if classes else None
        initialize(self)
        if deep:
            keep_scale(self.features)
        if self.classes is not None:
            nn.init.normal_(self.classes.weight, 0.0, 0.02)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        features = self.features(x)
        logits = self.score(features).squeeze(1)
        if self.classes is None:
            return logits
        assert labels is not None
        return logits + (projection(self.classes, labels) * features).sum(1)
