"""Conditional GAN (Mirza and Osindero, 2014): both players are told the class y of a sample, which can then be asked for.

min_G max_D  E[log D(x|y)] + E[log(1 - D(G(z|y)|y))]  (equation 2), where y stands beside the input as a one-hot (section 3.2).
G minimizes -log D(G(z|y)|y) instead, whose slope does not vanish where D is sure (Goodfellow et al., 2014, section 3).
"""

import math

from pydantic import Field
from torch import nn
from torch.optim import Adam

from sparring.errors import InputError
from sparring.game import Game, Normal, Player, Report, Turn, evaluate
from sparring.nets.mlp import mlp, with_class
from sparring.objectives.losses import nonsaturating
from sparring.recipes import Reader
from sparring.settings import Settings

SUMMARY = "conditional GAN (Mirza and Osindero, 2014): both players are told the class"
READS = Reader(example="digits")


class ConditionalSettings(Settings):
    latent: int = Field(16, ge=1, le=512, description="numbers in the random vector")
    width: int = Field(128, ge=1, le=4096, description="units in a hidden layer")
    lr: float = Field(1e-3, gt=0, le=1, description="learning rate of both players")


def game(c, space, device, own=None):
    size, classes, prior = math.prod(space.shape), len(space.labels), Normal(c.latent)
    if not classes:
        raise InputError("A conditional GAN needs classes, and this data has none. Give data with labels, such as --data digits.")
    G = nn.Sequential(mlp(c.latent + classes, c.width, 2, size, 0.2), nn.Tanh(), nn.Unflatten(1, space.shape)).to(device)
    D = mlp(size + classes, c.width, 2, 1, 0.2).to(device)
    generator = Player(G, Adam(G.parameters(), c.lr, betas=(0.5, 0.999)), ema=0.99)
    discriminator = Player(D, Adam(D.parameters(), c.lr, betas=(0.5, 0.999)))

    def judged(x, labels):                      # the logit of D(x|y)
        return D(with_class(x.flatten(1), labels, classes))

    def fake(labels):                           # G(z|y)
        return G(with_class(prior.draw(len(labels)).to(device), labels, classes))

    def discriminate(batch, step):
        x, labels = batch
        return Report({"adversarial": nonsaturating.discriminator(judged(x, labels), judged(fake(labels), labels))})

    def generate(batch, step):
        return Report({"adversarial": nonsaturating.generator(None, judged(fake(batch.labels), batch.labels))})

    def sample(z, labels, live=False):
        return evaluate(G if live else generator.average, with_class(z.to(device), labels.to(device), classes))

    return Game({"generator": generator, "discriminator": discriminator},
                {"discriminator": Turn(discriminator, discriminate), "generator": Turn(generator, generate)},
                model=generator.average, latent=(prior,), sample=sample, classes=classes)
