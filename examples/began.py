"""BEGAN (Berthelot et al., 2017): D is an autoencoder, judged by its error L; a controller keeps both players in balance.

Section 3.4:  L_D = L(x) - k L(G(z)),   L_G = L(G(z)),   k <- k + lambda (gamma L(x) - L(G(z))),  with 0 <= k <= 1.
In balance L(G(z)) = gamma L(x); L(x) + |gamma L(x) - L(G(z))| says how far training is (section 3.4.1).
"""

import math

import torch
from pydantic import Field
from torch import nn
from torch.optim import Adam

from sparring.game import Game, Player, Report, Turn, Uniform
from sparring.nets.mlp import mlp
from sparring.recipes import Reader
from sparring.settings import Settings

SUMMARY = "BEGAN (Berthelot et al., 2017): an autoencoder judges, and a controller balances"
READS = Reader(example="digits")


class BeganSettings(Settings):
    latent: int = Field(16, ge=1, le=512, description="numbers in the random vector, and in the autoencoder's code")
    width: int = Field(128, ge=1, le=4096, description="units in a hidden layer")
    lr: float = Field(5e-4, gt=0, le=1, description="learning rate of both players")
    gamma: float = Field(0.5, gt=0, le=1, description="diversity: L(G(z)) over L(x) in balance")
    pace: float = Field(0.01, gt=0, le=1, description="how fast k moves: lambda of the paper")


class Balance(nn.Module):                       # what has to be saved and is no network stands in `memory`
    def __init__(self):
        super().__init__()
        self.register_buffer("k", torch.zeros(()))


def game(c, space, device, own=None):
    size, prior = math.prod(space.shape), Uniform(c.latent)                          # between -1 and 1, as in the paper
    G = nn.Sequential(mlp(c.latent, c.width, 2, size, 0.2), nn.Unflatten(1, space.shape)).to(device)
    D = nn.Sequential(nn.Flatten(), mlp(size, c.width, 1, c.latent, 0.2), mlp(c.latent, c.width, 1, size, 0.2)).to(device)
    generator = Player(G, Adam(G.parameters(), c.lr, betas=(0.5, 0.999)), ema=0.99)
    discriminator = Player(D, Adam(D.parameters(), c.lr, betas=(0.5, 0.999)))
    balance = Balance().to(device)

    def error(x):                               # L: how far the autoencoder is from its input
        return (D(x) - x.flatten(1)).abs().mean()

    def discriminate(batch, step):
        real, fake = error(batch.x), error(G(prior.draw(len(batch.x)).to(device)))
        loss, k = real - balance.k.clone() * fake, balance.k.clone()
        with torch.no_grad():
            balance.k.add_(c.pace * (c.gamma * real - fake)).clamp_(0, 1)
        return Report({"autoencoder": loss}, {"k": k, "ratio": lambda: fake / real,
                                              "convergence": lambda: real + (c.gamma * real - fake).abs()})

    def generate(batch, step):
        return Report({"error": error(G(prior.draw(len(batch.x)).to(device)))})

    return Game({"generator": generator, "discriminator": discriminator},
                {"discriminator": Turn(discriminator, discriminate), "generator": Turn(generator, generate)},
                model=generator.average, latent=(prior,), memory={"balance": balance}, generator=generator.average)
