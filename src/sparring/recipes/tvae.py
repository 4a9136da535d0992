"""TVAE: a variational autoencoder for rows of tables with mixed columns (Xu et al., 2019), to hold `table` against."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from sparring.data.source import Batch, Source
from sparring.data.tables.mixed import BATCH, batch_of
from sparring.game import Game, Report, Turn, evaluate
from sparring.game.learner import learner
from sparring.game.precision import full
from sparring.nets.autoencoder import Autoencoder
from sparring.nets.mlp import mlp
from sparring.nets.table import Blocks, uniform
from sparring.objectives.shared_settings import HALF_DECAY
from sparring.objectives.variational import kl
from sparring.settings import Settings
from sparring.spaces import Space, Table

SUMMARY = "variational autoencoder for rows of a table (TVAE; Xu et al., 2019), for comparison with `table`"
MATTERS = ("steps", "batch", "lr", "decay", "latent", "width", "depth", "ema", "reconstruction", "held_out")
NARROWEST, WIDEST = 0.01, 1.0           # deviations of numbers


class TvaeSettings(Settings):
    """The settings of `tvae`."""

    steps: int = Field(15_000, ge=1, le=10**9, description="rounds to train: a step of both networks each")
    batch: int = Field(BATCH, ge=1, le=65_536, description="rows in a batch")
    latent: int = Field(128, ge=1, le=4096, description="size of the latent vector z ~ N(0, I)")
    width: int = Field(128, ge=2, le=4096, description="units per hidden layer")
    depth: int = Field(2, ge=1, le=16, description="number of hidden layers")
    reconstruction: float = Field(2.0, gt=0, le=1000, description="weight of the reconstruction beside the KL divergence")
    lr: float = Field(1e-3, gt=0, le=1, description="learning rate of Adam")
    decay: float = HALF_DECAY
    ema: float = Field(0.999, gt=0, lt=1, description="decay of the average of weights, which sampling uses")


def defaults(space: Space) -> dict[str, Any]:
    return {}


def choices(source: Source, given: Any, fast: bool) -> dict[str, tuple[Any, str]]:
    """By setting, a value and its reason: a batch that the rows fill."""
    return batch_of(source)


class RowDecoder(nn.Module):
    """float[B, latent] to the raw row, float[B, outputs], and the deviation of each number, which is learned and the same in all rows."""

    def __init__(self, latent: int, outputs: int, numbers: int, width: int, depth: int) -> None:
        super().__init__()
        self.layers = mlp(latent, width, depth, outputs, 0.0)
        self.log_deviation = nn.Parameter(torch.full((numbers,), math.log(0.1)))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return self.layers(z), self.log_deviation.exp().clamp(NARROWEST, WIDEST)


def game(c: TvaeSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """Section 4.5 of Xu et al. (2019).  All that a sample is drawn by lies in its latents, which are normal: z, a number for each block
    of places, and one for each number."""
    assert isinstance(space, Table)
    blocks, size = Blocks(space.blocks, device), space.shape[0]
    numbers = size - blocks.hot
    net = Autoencoder(mlp(size, c.width, c.depth, 2 * c.latent, 0.0),
                         RowDecoder(c.latent, size, numbers, c.width, c.depth)).to(device)
    both = learner(net, c.lr, (0.9, 0.999), c.steps, c.decay, ema=c.ema)

    def bound(batch: Batch, step: int) -> Report:
        """Minus the evidence lower bound, nats a row: categories and modes by their softmax, numbers by N(tanh, deviation^2)."""
        mean, log_deviation = full(net.encoder(batch.x)).chunk(2, 1)
        raw, deviation = map(full, net.decoder(mean + log_deviation.exp() * torch.randn_like(mean)))
        away = (batch.x[:, blocks.hot:] - raw[:, blocks.hot:].tanh()) / deviation
        spelled = -(blocks.logs(raw[:, :blocks.hot]) * batch.x[:, :blocks.hot]).sum(1)
        measured = (away.square() / 2 + deviation.log() + math.log(2 * math.pi) / 2).sum(1)
        restored, divergence = (spelled + measured).mean(), kl(mean, log_deviation)
        return Report({"reconstruction": c.reconstruction * restored, "kl": divergence}, {"elbo": lambda: -restored - divergence})

    def sample(z: Tensor, labels: Tensor | None = None, live: bool = False) -> Tensor:
        """Rows as they are drawn; what they are asked to be is left to whoever leaves out the others."""
        chosen = net if live else both.average
        assert isinstance(chosen, Autoencoder)
        latent, chance, noise = z.to(device).split([c.latent, len(space.blocks), numbers], 1)
        raw, deviation = map(full, evaluate(chosen.decoder, latent))
        made = blocks.hard(raw, uniform(chance))
        made[:, blocks.hot:] = (made[:, blocks.hot:] + deviation * noise).clamp(-1, 1)
        return made

    return Game(players={"autoencoder": both}, turns={"bound": Turn(both, bound)}, model=both.average, sample=sample,
                prior=lambda n, rng: torch.randn(n, c.latent + len(space.blocks) + numbers, generator=rng))
