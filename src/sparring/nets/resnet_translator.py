"""The translator of residual blocks: a picture is halved twice, reworked at a quarter of its size, and brought back."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from sparring.nets.patch import start_small
from sparring.nets.skip import onto

SMALLEST = 8            # pixels a side


class Block(nn.Module):
    """x + f(x), where f is two 3x3 convolutions with reflected borders (Zhu et al., 2017, section 7.2)."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(maps, maps, 3, bias=False), nn.InstanceNorm2d(maps), nn.ReLU(),
                                  nn.ReflectionPad2d(1), nn.Conv2d(maps, maps, 3, bias=False), nn.InstanceNorm2d(maps))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Doubled(nn.Module):
    """Twice as large by nearest neighbours, then a 3x3 convolution: no pixel is reached by more weights than another, so that there is
    no checkerboard (Odena et al., 2016).  Called as nn.ConvTranspose2d is."""

    def __init__(self, maps: int, out: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(maps, out, 3, 1, 1, bias=False, padding_mode="reflect")

    def forward(self, x: Tensor, output_size: torch.Size) -> Tensor:
        return self.convolution(interpolate(x, output_size))


class ResNetTranslator(nn.Module):
    """float[B, channels, H, W] to float[B, out, H, W] in [-1, 1], for any H and W of at least 8 (Zhu et al., 2017, section 7.2).

    c7s1-64, d128, d256, R256 as often as `blocks` says, u128, u64, c7s1-3 are the paper's, with width 64.  `doubled`: u is
    not a transposed convolution, but one after doubling.  `skip`: what is computed is the change, and at first there is none.
    """

    def __init__(self, channels: int, out: int, width: int, blocks: int, doubled: bool = False, skip: bool = False) -> None:
        super().__init__()
        self.skip = skip

        def halve(maps: int) -> nn.Module:
            return nn.Sequential(nn.Conv2d(maps, 2 * maps, 3, 2, 1, bias=False), nn.InstanceNorm2d(2 * maps), nn.ReLU())

        self.first = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(channels, width, 7, bias=False), nn.InstanceNorm2d(width), nn.ReLU())
        self.down = nn.ModuleList([halve(width), halve(2 * width)])
        self.blocks = nn.Sequential(*(Block(4 * width) for _ in range(blocks)))
        self.up = nn.ModuleList(Doubled(2 * maps, maps) if doubled else nn.ConvTranspose2d(2 * maps, maps, 3, 2, 1, bias=False)
                                for maps in (2 * width, width))
        self.norms = nn.ModuleList(nn.InstanceNorm2d(maps) for maps in (2 * width, width))
        last = nn.Conv2d(width, out, 7)
        self.last = nn.Sequential(nn.ReflectionPad2d(3), last)
        start_small(self)
        if skip:
            nn.init.zeros_(last.weight)

    def forward(self, x: Tensor) -> Tensor:
        sizes, y = [], self.first(x)
        for layer in self.down:
            sizes.append(y.shape[-2:])
            y = layer(y)
        y = self.blocks(y)
        for layer, norm in zip(self.up, self.norms, strict=True):
            y = torch.relu(norm(layer(y, output_size=sizes.pop())))
        return onto(x, self.last(y)) if self.skip else torch.tanh(self.last(y))
