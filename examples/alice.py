"""ALICE (Li et al., 2017): ALI with the conditional entropy of both directions made small, so that each sample has its own latent.

ALI makes the joint distributions of (x, E(x)) and of (G(z), z) equal, which leaves open which z belongs to which x: many pairs of E and G
do so.  ALICE adds bounds of the conditional entropy: without pairs, the error of the cycle, |x - G(E(x))|^2; with pairs (x, z), of which a
few are enough, the error of the map in both directions, |x - G(z)|^2 + |z - E(x)|^2.  E and G minimize the sum.
A row of the data is x and then z, which is NaN where it is not known.
"""

import math

import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import softplus
from torch.optim import Adam

from sparring.data import open_source
from sparring.data.source import Finite
from sparring.game import Game, Normal, Player, Report, Turn, evaluate
from sparring.nets.mlp import mlp
from sparring.recipes import Reader
from sparring.rng import generator as seeded
from sparring.settings import Settings
from sparring.spaces import Vectors

SUMMARY = "ALICE (Li et al., 2017): a few pairs say which latent belongs to which sample"


def sectors(z):                                 # in which fifth of the plane each z lies, from 0 to 4
    return (torch.atan2(z[:, 1], z[:, 0]) / math.tau % 1 * 5).floor()


def open_pairs(data, settings):
    """Rows x and z; in `fifths` each fifth of the plane of z is a group of x, and z is known of 16 rows alone, which come 24 times."""
    if data != "fifths":
        return open_source(data, settings)
    z = torch.randn(8000, 2, generator=seeded(0, "fifths"))
    angle = (2 * sectors(z) + 0.5) * math.tau / 5                                    # neighbours in z are no neighbours in x
    rows = torch.cat([(2 * torch.stack([angle.cos(), angle.sin()], 1) + 0.25 * z) / 1.5, z], 1)
    space, hidden = Vectors((0.0,) * 4, (1.0,) * 4), torch.cat([rows[:4000, :2], torch.full((4000, 2), torch.nan)], 1)
    return Finite(space, torch.cat([hidden, rows[:16].repeat(24, 1)]), held_out=Finite(space, rows[4000:]))


READS = Reader(open_pairs, example="fifths", kinds=(Vectors,))


class AliceSettings(Settings):
    latent: int = Field(2, ge=1, le=512, description="numbers of z, the last of a row")
    width: int = Field(128, ge=1, le=4096, description="units in a hidden layer")
    lr: float = Field(1e-3, gt=0, le=1, description="learning rate of all")
    adversarial: float = Field(1.0, ge=0, le=1000, description="weight of what D says; 0 learns from cycles and pairs alone")
    cycle: float = Field(1.0, ge=0, le=1000, description="weight of the error of the cycle; 0 as in ALI")
    pairs: float = Field(10.0, ge=0, le=1000, description="weight of the error in pairs; 0 as in ALI")


def defaults(space):
    return {"batch": 256}


def game(c, space, device, own=None):
    size, prior = math.prod(space.shape) - c.latent, Normal(c.latent)
    both = nn.ModuleDict({"G": mlp(c.latent, c.width, 2, size, 0.2), "E": mlp(size, c.width, 2, c.latent, 0.2)}).to(device)
    G, E, D = both["G"], both["E"], mlp(size + c.latent, c.width, 2, 1, 0.2).to(device)
    generator = Player(both, Adam(both.parameters(), c.lr, betas=(0.5, 0.999)), ema=0.99)
    discriminator = Player(D, Adam(D.parameters(), c.lr, betas=(0.5, 0.999)))

    def judged(x):                              # logits of both kinds of pairs
        z = prior.draw(len(x)).to(device)
        return D(torch.cat([x, E(x)], 1)), D(torch.cat([G(z), z], 1))

    def discriminate(batch, step):
        encoded, generated = judged(batch.x[:, :size])
        return Report({"adversarial": softplus(-encoded).mean() + softplus(generated).mean()})

    def generate(batch, step):
        x, z = batch.x[:, :size], batch.x[:, size:].nan_to_num()
        known, (encoded, generated) = ~batch.x.isnan().any(1), judged(x)
        wrong = (x - G(z)).square().sum(1) + (z - E(x)).square().sum(1)
        return Report({"adversarial": c.adversarial * (softplus(encoded).mean() + softplus(-generated).mean()),
                       "cycle": c.cycle * (x - G(E(x))).square().sum(1).mean(),
                       "pairs": c.pairs * (known * wrong).sum() / known.sum().clamp(min=1)})

    def sample(z, labels=None, live=False):     # whole rows
        return torch.cat([evaluate((both if live else generator.average)["G"], z.to(device)), z.to(device)], 1)

    return Game({"generator": generator, "discriminator": discriminator},
                {"discriminator": Turn(discriminator, discriminate), "generator": Turn(generator, generate)},
                model=generator.average, latent=(prior,), sample=sample)
