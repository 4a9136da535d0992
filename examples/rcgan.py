"""RCGAN (Esteban et al., 2017): a recurrent GAN for series, told a condition.

G is an LSTM that is given fresh noise and the condition at every step, and makes the series step by step.  D is an LSTM that is given the
series and the condition, and judges every step.  Its loss is the mean cross-entropy over the steps (equation 1), and G's is the same for
samples that D should take for real.  Samples are good if what is learned from them holds for real series ("train on synthetic, test on
real", TSTR).
"""

import math

import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import one_hot
from torch.optim import Adam

from sparring.data import open_source
from sparring.errors import InputError
from sparring.game import Game, Normal, Player, Report, Turn, evaluate
from sparring.objectives.losses import nonsaturating
from sparring.recipes import Reader
from sparring.rng import generator as seeded
from sparring.settings import Settings
from sparring.spaces import Vectors

SUMMARY = "RCGAN (Esteban et al., 2017): series of numbers, with a condition"
SEASONS = {"winter": (1.0, 2.0), "spring": (10.0, 5.0), "summer": (19.0, 7.0), "autumn": (11.0, 2.5)}    # mean and swing, degrees Celsius


def open_series(data, settings):
    """Rows of numbers with classes, a number a step; `temperatures` are made days, warmest at 15:00, whose errors last for hours."""
    if not isinstance(data, str) or data != "temperatures":
        return open_source(data, settings)
    rng, season, hours = seeded(0, "temperatures"), torch.arange(4000) % 4, torch.arange(24.0)
    mean, swing = torch.tensor(list(SEASONS.values()))[season].T[..., None]
    lasting = torch.linalg.cholesky(0.9 ** (hours - hours[:, None]).abs())           # of errors whose correlation falls by 0.9 an hour
    clear = 1 + 0.2 * torch.randn(4000, 1, generator=rng)                            # clear days swing more
    x = mean + swing * clear * torch.cos((hours - 15) * math.tau / 24) + 1.5 * torch.randn(4000, 24, generator=rng) @ lasting.T
    return open_source((x, [list(SEASONS)[k] for k in season]))


READS = Reader(open_series, example="temperatures", kinds=(Vectors,))


class RcganSettings(Settings):
    latent: int = Field(4, ge=1, le=512, description="random numbers at every step")
    width: int = Field(32, ge=1, le=4096, description="units of the LSTMs")
    lr: float = Field(2e-3, gt=0, le=1, description="learning rate of both players")


class Recurrent(nn.Module):
    """float[B, steps, inputs] and int64[B] to a number a step, float[B, steps]."""

    def __init__(self, inputs, classes, width):
        super().__init__()
        self.classes, self.cell, self.out = classes, nn.LSTM(inputs + classes, width, batch_first=True), nn.Linear(width, 1)

    def forward(self, x, labels):
        condition = one_hot(labels, self.classes).float()[:, None].expand(-1, x.shape[1], -1)
        return self.out(self.cell(torch.cat([x, condition], 2))[0]).squeeze(2)


def game(c, space, device, own=None):
    steps, classes = *space.shape, len(space.labels)
    if not classes:
        raise InputError("RCGAN needs series with classes, and this data has none. Give an .npz with x and labels y.")
    G, D = Recurrent(c.latent, classes, c.width).to(device), Recurrent(1, classes, c.width).to(device)
    generator = Player(G, Adam(G.parameters(), c.lr, betas=(0.5, 0.999)), ema=0.99)
    discriminator = Player(D, Adam(D.parameters(), c.lr, betas=(0.5, 0.999)))
    prior = Normal(steps * c.latent)

    def fake(labels):                           # the logits of every step
        z = prior.draw(len(labels)).to(device).unflatten(1, (steps, c.latent))
        return D(G(z, labels)[..., None], labels)

    def discriminate(batch, step):
        return Report({"adversarial": nonsaturating.discriminator(D(batch.x[..., None], batch.labels), fake(batch.labels))})

    def generate(batch, step):
        return Report({"adversarial": nonsaturating.generator(None, fake(batch.labels))})

    def sample(z, labels, live=False):
        return evaluate(G if live else generator.average, z.to(device).unflatten(1, (steps, c.latent)), labels.to(device))

    return Game({"generator": generator, "discriminator": discriminator},
                {"discriminator": Turn(discriminator, discriminate), "generator": Turn(generator, generate)},
                model=generator.average, latent=(prior,), sample=sample, classes=classes)
