"""AC-GAN (Odena et al., 2017): D also says which class a sample is of, and both players gain when it is right.

L_S is the log-likelihood of the right source, L_C that of the right class, on samples of the data and of G (equations 2 and 3).
D maximizes L_S + L_C, G maximizes L_C - L_S.
"""

import math

import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import cross_entropy, one_hot
from torch.optim import Adam

from sparring.errors import InputError
from sparring.game import Game, Normal, Player, Report, Turn, evaluate
from sparring.nets.mlp import mlp
from sparring.objectives.losses import nonsaturating
from sparring.recipes import Reader
from sparring.settings import Settings

SUMMARY = "AC-GAN (Odena et al., 2017): a discriminator that names the class"
READS = Reader(example="digits")


class AcSettings(Settings):
    latent: int = Field(16, ge=1, le=512, description="numbers in the random vector")
    width: int = Field(256, ge=1, le=4096, description="units in a hidden layer")
    lr: float = Field(5e-4, gt=0, le=1, description="learning rate of both players")


def game(c, space, device, own=None):
    size, classes, prior = math.prod(space.shape), len(space.labels), Normal(c.latent)
    if not classes:
        raise InputError("AC-GAN needs classes, and this data has none. Give data with labels, such as --data digits.")
    G = nn.Sequential(mlp(c.latent + classes, c.width, 2, size, 0.2), nn.Tanh(), nn.Unflatten(1, space.shape)).to(device)
    D = nn.Sequential(nn.Flatten(), mlp(size, c.width, 2, 1 + classes, 0.2)).to(device)         # a logit of the source, then of each class
    generator = Player(G, Adam(G.parameters(), c.lr, betas=(0.5, 0.999)), ema=0.99)
    discriminator = Player(D, Adam(D.parameters(), c.lr, betas=(0.5, 0.999)))

    def told(z, labels):                        # what G is given: the latent, and the class as one-hot
        return torch.cat([z.to(device), one_hot(labels.to(device), classes)], 1)

    def judged(batch):
        return D(batch.x), D(G(told(prior.draw(len(batch.x)), batch.labels)))

    def discriminate(batch, step):
        real, fake = judged(batch)
        named = cross_entropy(real[:, 1:], batch.labels) + cross_entropy(fake[:, 1:], batch.labels)
        return Report({"source": nonsaturating.discriminator(real[:, 0], fake[:, 0]), "class": named})

    def generate(batch, step):
        _, fake = judged(batch)
        return Report({"source": nonsaturating.generator(None, fake[:, 0]), "class": cross_entropy(fake[:, 1:], batch.labels)})

    def sample(z, labels, live=False):
        return evaluate(G if live else generator.average, told(z, labels))

    return Game({"generator": generator, "discriminator": discriminator},
                {"discriminator": Turn(discriminator, discriminate), "generator": Turn(generator, generate)},
                model=generator.average, latent=(prior,), sample=sample, classes=classes)
