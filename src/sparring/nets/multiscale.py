"""Networks for points whose density has structure at many scales, such as narrow modes far apart."""

import math

import torch
from torch import Tensor, nn

from sparring.nets.mlp import mlp

QUICKER, MOST = 8.0, 50.0     # how much faster than other weights the sharpness learns under Adam, and its bound


class Waves(nn.Module):
    """float[B, n] to [x, sin(x F), cos(x F)], float[B, n + 2k], with fixed random frequencies F (Rahimi and Recht, 2007;
    Tancik et al., 2020).

    Directions are random and the k lengths spread evenly, in their logarithm, from `lowest` to `highest` radians a unit, so
    that details of size 1 / highest can be told apart: a plain MLP learns those last (Rahaman et al., 2019).
    """

    frequencies: Tensor

    def __init__(self, inputs: int, k: int, lowest: float, highest: float) -> None:
        super().__init__()
        lengths = torch.empty(k).uniform_(math.log(lowest), math.log(highest)).exp()
        directions = nn.functional.normalize(torch.randn(inputs, k), dim=0)
        self.register_buffer("frequencies", directions * lengths)

    def forward(self, x: Tensor) -> Tensor:
        phase = x @ self.frequencies
        return torch.cat([x, phase.sin(), phase.cos()], 1)


def wave_discriminator(inputs: int, width: int, depth: int, k: int = 64, lowest: float = 1.0, highest: float = 40.0) -> nn.Sequential:
    """float[B, inputs] to logits float[B, 1]."""
    return nn.Sequential(Waves(inputs, k, lowest, highest), mlp(inputs + 2 * k, width, depth, 1, 0.2))


class CodebookGenerator(nn.Module):
    """float[B, latent] to float[B, outputs]: a soft choice among learned points, and a small free part beside it.

    Steep steps between plateaus are what narrow modes far apart ask of a generator, and what an MLP makes badly.  The logits
    of the choice are scaled by a learned sharpness: soft at first, so that every code can still move to where it is needed, and
    bounded, since a choice that is too sharp sends no gradient to codes that are not chosen.
    """

    def __init__(self, latent: int, outputs: int, width: int, codes: int = 64, sharpness: float = 10.0) -> None:
        super().__init__()
        self.choose = mlp(latent, width, 2, codes, 0.2)
        self.codes = nn.Linear(codes, outputs)
        self.fine = mlp(latent, 32, 1, outputs, 0.2)
        self.sharpness = nn.Parameter(torch.tensor(math.log(sharpness / (MOST - sharpness)) / QUICKER))
        nn.init.normal_(self.codes.weight)
        nn.init.zeros_(self.codes.bias)

    def forward(self, z: Tensor) -> Tensor:
        sharpness = MOST * (QUICKER * self.sharpness).sigmoid()
        return self.codes((sharpness * self.choose(z)).softmax(1)) + 0.1 * self.fine(z)


class CellGenerator(nn.Module):
    """float[B, latent] to float[B, outputs]: a learned point for each cell of the latent space, and a shared spread around it.

    The normal distribution function turns each number of the latent into a share, and `side` equal parts of every share cut
    the latent space into side^latent cells, equally probable.  Where z lies within its cell is N(0, I) again, and a small
    network makes the spread of it.  The map jumps where cells meet, so narrow modes far apart need no bridges between them,
    which a continuous map cannot avoid; DeLiGAN's mixture of latents (Gurumurthy et al., 2017) is a softer way to the same.
    """

    places: Tensor

    def __init__(self, latent: int, outputs: int, side: int = 16) -> None:
        super().__init__()
        self.side = side
        self.points = nn.Embedding(side**latent, outputs)
        self.spread = mlp(latent, 32, 1, outputs, 0.2)
        self.register_buffer("places", side ** torch.arange(latent))

    def forward(self, z: Tensor) -> Tensor:
        share = torch.special.ndtr(z) * self.side
        cell = share.floor().clamp(0, self.side - 1)
        within = torch.special.ndtri((share - cell).clamp(1e-4, 1 - 1e-4))
        return self.points((cell.long() * self.places).sum(1)) + 0.1 * self.spread(within)


class JumpingGenerator(nn.Module):
    """float[B, latent] to float[B, outputs]: a learned point for each of `cells` equal parts of the latent's first number, and what a
    network of the point and the rest of the latent adds to it.

    As with `CellGenerator`, the map jumps where parts meet, so modes far apart need no bridges; here the spread around each point is its
    own, and the latent may be as large as one likes.
    """

    def __init__(self, latent: int, outputs: int, cells: int, width: int, depth: int, slope: float) -> None:
        super().__init__()
        self.cells = cells
        self.points = nn.Embedding(cells, outputs)
        self.spread = mlp(latent + outputs, width, depth, outputs, slope)

    def forward(self, z: Tensor) -> Tensor:
        share = torch.special.ndtr(z[:, :1]) * self.cells
        cell = share.floor().clamp(0, self.cells - 1)
        within = torch.special.ndtri((share - cell).clamp(1e-4, 1 - 1e-4))
        point = self.points(cell[:, 0].long())
        return point + 0.1 * self.spread(torch.cat([within, z[:, 1:], point], 1))
