"""Least squares GAN (Mao et al., 2017): D learns 1 for samples of the data and 0 for those of G, G wants 1; errors are squared.

Equation 9 of the paper:  min_D  E[(D(x) - 1)^2] / 2 + E[D(G(z))^2] / 2,   min_G  E[(D(G(z)) - 1)^2] / 2.
Squares also pull at samples that are on the right side and far from the data, which a logistic loss leaves alone (section 3.2).
"""

import math

from pydantic import Field
from torch import nn
from torch.optim import Adam

from sparring.game import Game, Normal, Player, Report, Turn
from sparring.nets.mlp import mlp
from sparring.recipes import Reader
from sparring.settings import Settings

SUMMARY = "LSGAN (Mao et al., 2017): least squares instead of probabilities"
READS = Reader(example="ring")


class LsSettings(Settings):
    latent: int = Field(8, ge=1, le=512, description="numbers in the random vector")
    width: int = Field(128, ge=1, le=4096, description="units in a hidden layer")
    lr: float = Field(1e-3, gt=0, le=1, description="learning rate of both players")


def defaults(space):
    return {"batch": 128}


def game(c, space, device, own=None):
    size, prior = math.prod(space.shape), Normal(c.latent)
    G = nn.Sequential(mlp(c.latent, c.width, 2, size, 0.2), nn.Unflatten(1, space.shape)).to(device)
    D = nn.Sequential(nn.Flatten(), mlp(size, c.width, 2, 1, 0.2)).to(device)
    generator = Player(G, Adam(G.parameters(), c.lr, betas=(0.5, 0.999)), ema=0.99)
    discriminator = Player(D, Adam(D.parameters(), c.lr, betas=(0.5, 0.999)))

    def fake(batch):
        return G(prior.draw(len(batch.x)).to(device))

    def discriminate(batch, step):
        return Report({"real": (D(batch.x) - 1).square().mean() / 2, "fake": D(fake(batch)).square().mean() / 2})

    def generate(batch, step):
        return Report({"adversarial": (D(fake(batch)) - 1).square().mean() / 2})

    return Game({"generator": generator, "discriminator": discriminator},
                {"discriminator": Turn(discriminator, discriminate), "generator": Turn(generator, generate)},
                model=generator.average, latent=(prior,), generator=generator.average)
