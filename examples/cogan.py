"""CoGAN (Liu and Tuzel, 2016): two generators that share their first layers, and two discriminators that share their last ones.

f_1 and f_2 judge images of two domains, g_1 and g_2 make them of one latent, and all play for V, the sum of the values of two GANs (section
3).  The first layers of g_1 and g_2, which decide what is shown, have the same weights, and so have the last layers of f_1 and f_2.  So
g_1(z) and g_2(z) show the same thing, though no pair of images is ever seen.  The domains are the two classes of the data.
"""

import math
from dataclasses import replace

import torch
from pydantic import Field
from torch import nn
from torch.optim import Adam

from sparring.data import open_source
from sparring.data.source import Finite
from sparring.errors import InputError
from sparring.game import Game, Normal, Player, Report, Turn
from sparring.nets.mlp import mlp
from sparring.objectives.losses import nonsaturating
from sparring.recipes import Reader
from sparring.settings import Settings
from sparring.spaces import Images

SUMMARY = "CoGAN (Liu and Tuzel, 2016): pairs of two domains, learned without pairs"


def open_domains(data, settings):
    """Data with two classes; of `digits` these are one half as they are, and the negatives of the other half."""
    source = open_source(data, settings)
    if data != "digits":
        return source
    negative = torch.arange(len(source)) >= len(source) // 2
    values = torch.where(negative[:, None, None, None], 255 - source.values, source.values)
    return Finite(replace(source.space, labels=("digits", "negatives")), values, negative.long())


READS = Reader(open_domains, example="digits", kinds=(Images,))


class CoganSettings(Settings):
    latent: int = Field(16, ge=1, le=512, description="numbers in the random vector")
    width: int = Field(128, ge=1, le=4096, description="units in a hidden layer")
    maps: int = Field(16, ge=1, le=1024, description="maps beside the layers of each domain's own")
    lr: float = Field(5e-4, gt=0, le=1, description="learning rate of both players")


class Coupled(nn.Module):
    """Two networks in one, with one layer of each domain's own, between those that both share: (x, domain) to what follows."""

    def __init__(self, before, own, after):
        super().__init__()
        self.before, self.own, self.after = before, nn.ModuleList([own(), own()]), after

    def forward(self, x, domain):
        first, second = (layer(self.before(x)) for layer in self.own)
        return self.after(torch.where(domain.view(-1, 1, 1, 1) == 0, first, second))


def game(c, space, device, own=None):
    if len(space.labels) != 2:
        raise InputError(f"CoGAN needs images of two classes, its domains, and these have {len(space.labels)}. Give a folder with two.")
    prior, maps = Normal(c.latent), (c.maps, space.height // 2, space.width // 2)
    G = Coupled(nn.Sequential(mlp(c.latent, c.width, 1, math.prod(maps), 0.2), nn.LeakyReLU(0.2), nn.Unflatten(1, maps)),
                lambda: nn.ConvTranspose2d(c.maps, space.channels, 4, 2, 1), nn.Tanh()).to(device)
    D = Coupled(nn.Identity(), lambda: nn.Conv2d(space.channels, c.maps, 4, 2, 1),
                nn.Sequential(nn.LeakyReLU(0.2), nn.Flatten(), mlp(math.prod(maps), c.width, 1, 1, 0.2))).to(device)
    generators = Player(G, Adam(G.parameters(), c.lr, betas=(0.5, 0.999)), ema=0.99)
    discriminators = Player(D, Adam(D.parameters(), c.lr, betas=(0.5, 0.999)))

    def fake(domain):                           # logits of samples of these domains
        return D(G(prior.draw(len(domain)).to(device), domain), domain)

    def discriminate(batch, step):
        return Report({"adversarial": nonsaturating.discriminator(D(batch.x, batch.labels), fake(batch.labels))})

    def generate(batch, step):
        return Report({"adversarial": nonsaturating.generator(None, fake(batch.labels))})

    return Game({"generators": generators, "discriminators": discriminators},
                {"discriminators": Turn(discriminators, discriminate), "generators": Turn(generators, generate)},
                model=generators.average, latent=(prior,), classes=2, generator=generators.average)
