"""A generative adversarial network in one file (Goodfellow et al., 2014, Algorithm 1): change anything, and train it again."""

import math
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Adam

from sparring.game import Game, Player, Report, Turn, evaluate
from sparring.nets.mlp import mlp
from sparring.objectives import losses
from sparring.settings import Settings
from sparring.spaces import Space

SUMMARY = "a GAN of my own"


class MySettings(Settings):                     # `steps` and `batch` are there already; each setting becomes a word: latent=32
    latent: int = Field(16, ge=1, le=512, description="numbers in the random vector")
    width: int = Field(128, ge=1, le=4096, description="units in a hidden layer")
    lr: float = Field(5e-4, gt=0, le=1, description="learning rate of both players")


def game(settings: MySettings, space: Space, device: torch.device, own: Any = None) -> Game:
    c, size = settings, math.prod(space.shape)
    G = nn.Sequential(mlp(c.latent, c.width, 2, size, 0.2), nn.Unflatten(1, space.shape)).to(device)     # noise -> sample
    D = nn.Sequential(nn.Flatten(), mlp(size, c.width, 2, 1, 0.2)).to(device)                           # sample -> one logit
    # A player is networks and the optimizer that moves them; `ema` keeps an averaged copy, which samples look best with.
    generator = Player(G, Adam(G.parameters(), c.lr, betas=(0.5, 0.999)), ema=0.99)
    discriminator = Player(D, Adam(D.parameters(), c.lr, betas=(0.5, 0.999)))

    def prior(n: int, rng: torch.Generator | None = None) -> Tensor:    # latents, on the CPU; `rng` when samples are drawn
        return torch.randn(n, c.latent, generator=rng)

    def fake(n: int) -> Tensor:
        return G(prior(n).to(device))

    # A loss takes the batch and the round, and returns named terms, whose sum its player minimizes.  All others are frozen meanwhile.
    def discriminate(batch: Any, step: int) -> Report:
        real, made = D(batch.x), D(fake(len(batch.x)))
        return Report({"adversarial": losses.nonsaturating.discriminator(real, made)},
                      {"D(x)": lambda: real.sigmoid().mean(), "D(G(z))": lambda: made.sigmoid().mean()})     # only watched

    def generate(batch: Any, step: int) -> Report:
        return Report({"adversarial": losses.nonsaturating.generator(None, D(fake(len(batch.x))))})

    def sample(z: Tensor, labels: Tensor | None = None, live: bool = False) -> Tensor:
        return evaluate(G if live else generator.average, z.to(device))                 # in evaluation mode, without gradients

    return Game(players={"generator": generator, "discriminator": discriminator},
                turns={"discriminator": Turn(discriminator, discriminate), "generator": Turn(generator, generate)},  # a round, in order
                model=generator.average, prior=prior, sample=sample, generator=generator.average)
