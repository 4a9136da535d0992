"""The U-Net translator: an encoder to a single vector and a decoder, each of whose layers sees its mirror image too."""

import math

import torch
from torch import Tensor, nn

from sparring.nets.patch import start_small


def dropped(x: Tensor, share: float) -> Tensor:
    """x with each number zero with this probability, and the others scaled up, so that the mean stays (Srivastava et al., 2014)."""
    return x * (torch.rand_like(x, dtype=torch.float32) >= share) / (1 - share) if share else x


class UNet(nn.Module):
    """float[B, channels, H, W] to float[B, out, H, W] in [-1, 1] (Isola et al., 2017, section 6.1.1), for any H and W.

    Strided 4x4 convolutions halve the image, at most eight times, until its shorter side is one; the paper's 256 pixels give its
    C64-C128-C256-C512-C512-C512-C512-C512.  Odd sides lose a half on the way in and get it back on the way out.  The innermost
    decoders drop half of their maps, which is the system's only noise.  Norms are taken over each image, as batch norm is in a
    batch of one; there is none where one pixel is left.
    """

    def __init__(self, channels: int, out: int, height: int, width_px: int, width: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.levels = min(8, int(math.log2(min(height, width_px))))
        maps = [width * min(8, 2**i) for i in range(self.levels)]
        last = self.levels - 1
        self.down = nn.ModuleList(
            nn.Sequential(*([nn.LeakyReLU(0.2)] if i else []),
                          nn.Conv2d(maps[i - 1] if i else channels, maps[i], 4, 2, 1, bias=i in (0, last)),
                          *([nn.InstanceNorm2d(maps[i], affine=True)] if 0 < i < last else [])) for i in range(self.levels))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(maps[i] * (1 if i == last else 2), maps[i - 1] if i else out, 4, 2, 1, bias=i == 0)
            for i in range(self.levels))
        self.norms = nn.ModuleList(nn.InstanceNorm2d(maps[i - 1], affine=True) for i in range(1, self.levels))
        self.dropout = dropout
        self.dropping = max(1, min(3, self.levels - 4))         # decoders that do, from the innermost
        start_small(self)

    def forward(self, x: Tensor, noisy: bool = False) -> Tensor:
        """`noisy` drops maps in evaluation mode too."""
        seen = [x]
        for layer in self.down:
            seen.append(layer(seen[-1]))
        y = seen.pop()
        for i in range(self.levels - 1, 0, -1):
            mirror = seen.pop()
            y = self.norms[i - 1](self.up[i](torch.relu(y), output_size=mirror.shape[-2:]))
            if i >= self.levels - self.dropping:
                y = dropped(y, self.dropout) if self.training or noisy else y
            y = torch.cat([y, mirror], 1)
        return torch.tanh(self.up[0](torch.relu(y), output_size=x.shape[-2:]))
