"""D2GAN (Nguyen et al., 2017): one discriminator rewards data and another rewards samples, so that both directions of KL are minimized.

min_G max_D1,D2  alpha E[log D_1(x)] - E[D_1(G(z))] - E[D_2(x)] + beta E[log D_2(G(z))]  (equation 1), with D_1 and D_2 above 0.  For
a fixed G the best are D_1 = alpha p / q and D_2 = beta q / p, where p and q are the densities of the data and of G (proposition 1).  With
these, G minimizes alpha KL(p||q) + beta KL(q||p), but for a constant: the first misses no mode, the second leaves none between modes.
"""

import math

from pydantic import Field
from torch import nn
from torch.optim import Adam

from sparring.game import Game, Normal, Player, Report, Turn
from sparring.nets.mlp import mlp
from sparring.recipes import Reader
from sparring.settings import Settings

SUMMARY = "D2GAN (Nguyen et al., 2017): two discriminators, one for each direction of KL"
READS = Reader(example="ring")


class DualSettings(Settings):
    latent: int = Field(8, ge=1, le=512, description="numbers in the random vector")
    width: int = Field(128, ge=1, le=4096, description="units in a hidden layer")
    lr: float = Field(5e-4, gt=0, le=1, description="learning rate of all")
    forward: float = Field(0.2, gt=0, le=100, description="alpha, the weight of KL(p||q)")
    reverse: float = Field(0.2, gt=0, le=100, description="beta, the weight of KL(q||p)")


def defaults(space):
    return {"batch": 256}


def game(c, space, device, own=None):
    size, prior = math.prod(space.shape), Normal(c.latent)
    G = nn.Sequential(mlp(c.latent, c.width, 2, size, 0.2), nn.Unflatten(1, space.shape)).to(device)
    D = nn.ModuleList(nn.Sequential(nn.Flatten(), mlp(size, c.width, 2, 1, 0.2), nn.Softplus()) for _ in range(2)).to(device)
    generator = Player(G, Adam(G.parameters(), c.lr, betas=(0.5, 0.999)), ema=0.99)
    discriminators = Player(D, Adam(D.parameters(), c.lr, betas=(0.5, 0.999)))

    def fake(batch):
        return G(prior.draw(len(batch.x)).to(device))

    def discriminate(batch, step):
        x, made = batch.x, fake(batch)
        return Report({"data": (D[0](made) - c.forward * D[0](x).log()).mean(), "samples": (D[1](x) - c.reverse * D[1](made).log()).mean()})

    def generate(batch, step):
        made = fake(batch)
        return Report({"data": -D[0](made).mean(), "samples": c.reverse * D[1](made).log().mean()})

    return Game({"generator": generator, "discriminators": discriminators},
                {"discriminators": Turn(discriminators, discriminate), "generator": Turn(generator, generate)},
                model=generator.average, latent=(prior,), generator=generator.average)
