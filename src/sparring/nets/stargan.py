"""StarGAN's networks: one generator that is told the domain, and a discriminator that says real or not, and which domain."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from sparring.nets.colours import Colours
from sparring.nets.resnet_translator import Doubled
from sparring.nets.skip import onto

SMALLEST = 8            # pixels a side


class Block(nn.Module):
    """x + f(x) with instance norms that have scales and shifts (Choi et al., 2018, appendix 7.2)."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(maps, maps, 3, 1, 1, bias=False), nn.InstanceNorm2d(maps, affine=True), nn.ReLU(),
                                  nn.Conv2d(maps, maps, 3, 1, 1, bias=False), nn.InstanceNorm2d(maps, affine=True))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class DomainGenerator(nn.Module):
    """G(x, c): float[B, C, H, W] and domains int64[B] to float[B, C, H, W] in [-1, 1] (Choi et al., 2018, table 4).

    The domain goes in as maps that are one where it is and zero elsewhere, beside the colours.  Any H and W of at least 8.  The image
    is halved as often as `halvings` says, and reworked there.  `doubled`: it is brought back by doubling and convolving, not by transposed
    convolutions.  `skip`: what is computed is the change, and at first there is none.  `colours`: each pixel takes the nearest of so many
    learned ones of its domain; 0: any.
    """

    def __init__(self, channels: int, domains: int, width: int, blocks: int, halvings: int = 2, doubled: bool = False,
                 skip: bool = False, colours: int = 0) -> None:
        super().__init__()
        self.domains, self.skip = domains, skip
        halved = [width * 2**i for i in range(halvings)]
        self.first = nn.Sequential(nn.Conv2d(channels + domains, width, 7, 1, 3, bias=False), nn.InstanceNorm2d(width, affine=True),
                                   nn.ReLU())
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(maps, 2 * maps, 4, 2, 1, bias=False), nn.InstanceNorm2d(2 * maps, affine=True), nn.ReLU())
            for maps in halved)
        self.blocks = nn.Sequential(*(Block(width * 2**halvings) for _ in range(blocks)))
        self.up = nn.ModuleList(Doubled(2 * maps, maps) if doubled else nn.ConvTranspose2d(2 * maps, maps, 4, 2, 1, bias=False)
                                for maps in reversed(halved))
        self.norms = nn.ModuleList(nn.InstanceNorm2d(maps, affine=True) for maps in reversed(halved))
        self.last = nn.Conv2d(width, channels, 7, 1, 3, bias=False)
        self.colours = Colours(channels, domains, colours) if colours else None
        if skip:
            nn.init.zeros_(self.last.weight)

    def forward(self, x: Tensor, domain: Tensor) -> Tensor:
        maps = one_hot(domain, self.domains).to(x.dtype)[:, :, None, None].expand(-1, -1, *x.shape[-2:])
        sizes, y = [], self.first(torch.cat([x, maps], 1))
        for layer in self.down:
            sizes.append(y.shape[-2:])
            y = layer(y)
        y = self.blocks(y)
        for layer, norm in zip(self.up, self.norms, strict=True):
            y = torch.relu(norm(layer(y, output_size=sizes.pop())))
        y = onto(x, self.last(y)) if self.skip else torch.tanh(self.last(y))
        return y if self.colours is None else self.colours(y, domain)


class DomainDiscriminator(nn.Module):
    """float[B, C, H, W] to D_src, a score for each of its patches, float[B, P], and D_cls, logits float[B, domains].

    Strided convolutions halve the image until its shorter side is two or three, at most six times, without norms (Choi et al.,
    2018, table 5: six times for 128 pixels); both heads share them.
    """

    def __init__(self, channels: int, domains: int, height: int, width_px: int, width: int) -> None:
        super().__init__()
        halvings = max(1, min(6, int(math.log2(min(height, width_px))) - 1))
        layers: list[nn.Module] = []
        for i in range(halvings):
            layers += [nn.Conv2d(channels if i == 0 else width * 2**(i - 1), width * 2**i, 4, 2, 1), nn.LeakyReLU(0.01)]
        self.features = nn.Sequential(*layers)
        maps, left = width * 2**(halvings - 1), (height >> halvings, width_px >> halvings)
        self.source = nn.Conv2d(maps, 1, 3, 1, 1, bias=False)
        self.domain = nn.Conv2d(maps, domains, left, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(x)
        return self.source(features).flatten(1), self.domain(features).flatten(1)
