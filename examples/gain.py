"""GAIN (Yoon et al., 2018): a generator fills in what is missing in rows, and a discriminator guesses cell by cell what was filled in.

m is 1 where a cell is observed.  G sees the observed cells, noise in the others, and m; x^ is the row with the missing cells from G
(equations 2 and 3).  D sees x^ and a hint h, which is m where b is 1, and 1/2 elsewhere.  Algorithm 1: D minimizes the cross-entropy of m
where b is 0.  G minimizes L_G + alpha L_M: -log D of missing cells where b is 0, and the squared error in observed cells.
"""

from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus
from torch.optim import Adam

from sparring.data.source import Finite
from sparring.game import Game, Player, Report, Turn
from sparring.nets.mlp import mlp
from sparring.recipes import Reader
from sparring.rng import generator as seeded
from sparring.settings import Settings
from sparring.spaces import Vectors

SUMMARY = "GAIN (Yoon et al., 2018): fills in the missing cells of a table of numbers"


def open_holes(data, settings):
    """Rows of numbers, NaN where missing: an array, an .npy file, or `breast cancer`, of which one cell in five is taken away."""
    if isinstance(data, str) and data == "breast cancer":
        from sklearn.datasets import load_breast_cancer
        x = torch.from_numpy(load_breast_cancer().data)
        x[torch.rand(x.shape, generator=seeded(0, "holes")) < 0.2] = torch.nan
    else:
        x = torch.as_tensor(np.load(data, allow_pickle=False) if isinstance(data, str | Path) else data).double()
    low, high = (torch.from_numpy(f(x.numpy(), 0)) for f in (np.nanmin, np.nanmax))
    space = Vectors(tuple(low.tolist()), tuple((high - low).clamp(min=1e-9).tolist()))       # networks see numbers in [0, 1]
    return Finite(space, space.encode(x))


READS = Reader(open_holes, example="breast cancer", kinds=(Vectors,))


class GainSettings(Settings):
    width: int = Field(64, ge=1, le=4096, description="units in a hidden layer")
    lr: float = Field(1e-3, gt=0, le=1, description="learning rate of both players")
    weight: float = Field(100.0, ge=0, le=1e6, description="alpha, the weight of L_M, the error of observed cells")
    hint: float = Field(0.9, ge=0, lt=1, description="probability that D is told of a cell")


class Imputer(nn.Module):
    """float[B, D] with NaN and noise float[B, D] to what G makes of every cell, float[B, D]."""

    def __init__(self, size, width):
        super().__init__()
        self.layers = nn.Sequential(mlp(2 * size, width, 2, size, 0), nn.Sigmoid())

    def forward(self, x, z):
        return self.layers(torch.cat([torch.where(x.isnan(), z, x), (~x.isnan()).float()], 1))

    @torch.no_grad()
    def fill(self, x):                          # x^
        return torch.where(x.isnan(), self(x, 0.01 * torch.rand_like(x)), x)


def game(c, space, device, own=None):
    G, D = Imputer(*space.shape, c.width).to(device), mlp(2 * space.shape[0], c.width, 2, space.shape[0], 0).to(device)
    generator, discriminator = Player(G, Adam(G.parameters(), c.lr), ema=0.99), Player(D, Adam(D.parameters(), c.lr))

    def judged(x):                              # m, b, what G made, and the logits of D
        m, b = (~x.isnan()).float(), (torch.rand_like(x) < c.hint).float()
        made = G(x, 0.01 * torch.rand_like(x))
        return m, b, made, D(torch.cat([torch.where(x.isnan(), made, x), b * m + 0.5 * (1 - b)], 1))

    def discriminate(batch, step):
        m, b, _, logits = judged(batch.x)
        return Report({"mask": binary_cross_entropy_with_logits(logits, m, 1 - b, reduction="sum") / (1 - b).sum().clamp(min=1)})

    def generate(batch, step):
        m, b, made, logits = judged(batch.x)
        error = (m * (made - batch.x.nan_to_num()).square()).sum() / m.sum()
        fooled = ((1 - b) * (1 - m) * softplus(-logits)).sum() / ((1 - b) * (1 - m)).sum().clamp(min=1)
        return Report({"adversarial": fooled, "error": c.weight * error})

    return Game({"generator": generator, "discriminator": discriminator},
                {"discriminator": Turn(discriminator, discriminate), "generator": Turn(generator, generate)}, model=generator.average)
