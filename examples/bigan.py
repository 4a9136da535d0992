"""BiGAN (Donahue et al., 2017), also ALI (Dumoulin et al., 2017): D judges pairs of a sample and a latent, (x, E(x)) or (G(z), z).

min_G,E max_D  E[log D(x, E(x))] + E[log(1 - D(G(z), z))]  (equation 3).  At the optimum E inverts G (theorem 2), though no loss says so.
G and E minimize with the labels swapped, as GANs do (section 3.3).
"""

import math

import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import softplus
from torch.optim import Adam

from sparring.game import Game, Normal, Player, Report, Turn
from sparring.nets.mlp import mlp
from sparring.recipes import Reader
from sparring.settings import Settings

SUMMARY = "BiGAN (Donahue et al., 2017): an encoder that learns to invert the generator"
READS = Reader(example="ring")


class BiganSettings(Settings):
    latent: int = Field(2, ge=1, le=512, description="numbers in the random vector")
    width: int = Field(256, ge=1, le=4096, description="units in a hidden layer")
    lr: float = Field(3e-4, gt=0, le=1, description="learning rate of all")


def defaults(space):
    return {"batch": 256}


def game(c, space, device, own=None):
    size, prior = math.prod(space.shape), Normal(c.latent)
    G = nn.Sequential(mlp(c.latent, c.width, 2, size, 0.2), nn.Unflatten(1, space.shape))
    E = nn.Sequential(nn.Flatten(), mlp(size, c.width, 2, c.latent, 0.2))
    D = mlp(size + c.latent, c.width, 3, 1, 0.2).to(device)
    both = nn.ModuleDict({"G": G, "E": E}).to(device)                                # they play together against D
    generator = Player(both, Adam(both.parameters(), c.lr, betas=(0.5, 0.999)), ema=0.995)
    discriminator = Player(D, Adam(D.parameters(), c.lr, betas=(0.5, 0.999)))

    def judged(batch):                          # logits of both kinds of pairs
        z = prior.draw(len(batch.x)).to(device)
        return D(torch.cat([batch.x.flatten(1), E(batch.x)], 1)), D(torch.cat([G(z).flatten(1), z], 1))

    def discriminate(batch, step):
        encoded, generated = judged(batch)
        return Report({"adversarial": softplus(-encoded).mean() + softplus(generated).mean()})

    def generate(batch, step):
        encoded, generated = judged(batch)
        return Report({"adversarial": softplus(encoded).mean() + softplus(-generated).mean()},
                      {"inversion": lambda: (G(E(batch.x)) - batch.x).abs().mean()})

    return Game({"generator": generator, "discriminator": discriminator},
                {"discriminator": Turn(discriminator, discriminate), "generator": Turn(generator, generate)},
                model=generator.average, latent=(prior,), generator=generator.average["G"])
