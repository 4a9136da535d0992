"""f-GAN (Nowozin et al., 2016): any f-divergence of data P and samples Q, by a bound that D raises and G lowers.

F = E_P[T(x)] - E_Q[f*(T(x))]  is at most D_f(P||Q) = E_Q[f(p/q)], and equal to it where T = f'(p/q) (equations 4 to 6).  T = g_f(V(x)),
where V is a network and g_f keeps T where the conjugate f* is finite (section 2.3, table 2).  With an affine G, Q is a Gaussian, and the
divergence decides which Gaussian is nearest to the data (section 2.4).
"""

import math
from typing import Literal

from pydantic import Field
from torch import nn
from torch.nn.functional import softplus
from torch.optim import Adam

from sparring.game import Game, Normal, Player, Report, Turn
from sparring.nets.mlp import mlp
from sparring.recipes import Reader
from sparring.settings import Settings

SUMMARY = "f-GAN (Nowozin et al., 2016): any f-divergence"
READS = Reader(example="mixture")
TABLE = {                                       # g_f(v), and f*(g_f(v)) written out, which overflows later than f* of g_f
    "kl": (lambda v: v, lambda v: (v - 1).exp()),                                          # f(u) = u log u,           f*(t) = exp(t - 1)
    "reverse_kl": (lambda v: -(-v).exp(), lambda v: v - 1),                                # f(u) = -log u,            f*(t) = -1 - log(-t)
    "pearson": (lambda v: v, lambda v: v.square() / 4 + v),                                # f(u) = (u - 1)^2,         f*(t) = t^2 / 4 + t
    "hellinger": (lambda v: 1 - (-v).exp(), lambda v: v.exp() - 1),                        # f(u) = (sqrt(u) - 1)^2,   f*(t) = t / (1 - t)
    "js": (lambda v: math.log(2) - softplus(-v), lambda v: softplus(v) - math.log(2)),     # u log u - (u + 1) log((u + 1) / 2)
    "gan": (lambda v: -softplus(-v), softplus),                                            # u log u - (u + 1) log(u + 1)
}


class DivergenceSettings(Settings):
    divergence: Literal["kl", "reverse_kl", "pearson", "hellinger", "js", "gan"] = Field("kl", description="which f-divergence")
    latent: int = Field(1, ge=1, le=512, description="numbers in the random vector")
    depth: int = Field(0, ge=0, le=8, description="hidden layers of G; 0: G is affine, and samples are Gaussian")
    width: int = Field(32, ge=1, le=4096, description="units in a hidden layer")
    lr: float = Field(5e-3, gt=0, le=1, description="learning rate of D; that of G is a quarter of it")


def defaults(space):
    return {"batch": 512}


def game(c, space, device, own=None):
    size, (activation, conjugate), prior = math.prod(space.shape), TABLE[c.divergence], Normal(c.latent)
    net = mlp(c.latent, c.width, c.depth, size, 0.2) if c.depth else nn.Linear(c.latent, size)
    if not c.depth:
        nn.init.eye_(net.weight)                # samples as wide as the data at first: where Q is narrow, p/q is too large for KL
    G = nn.Sequential(net, nn.Unflatten(1, space.shape)).to(device)
    V = nn.Sequential(nn.Flatten(), nn.Linear(size, c.width), nn.Tanh(), nn.Linear(c.width, c.width), nn.Tanh(),
                      nn.Linear(c.width, 1)).to(device)
    generator = Player(G, Adam(G.parameters(), c.lr / 4, betas=(0.5, 0.999)), ema=0.995)
    discriminator = Player(V, Adam(V.parameters(), c.lr, betas=(0.5, 0.999)))

    def second(batch):                          # E_Q[f*(T)]
        return conjugate(V(G(prior.draw(len(batch.x)).to(device)))).mean()

    def discriminate(batch, step):
        bound = activation(V(batch.x)).mean() - second(batch)
        return Report({"minus_bound": -bound}, {"bound": bound})

    def generate(batch, step):
        return Report({"bound": -second(batch)})

    return Game({"generator": generator, "discriminator": discriminator},
                {"discriminator": Turn(discriminator, discriminate), "generator": Turn(generator, generate)},
                model=generator.average, latent=(prior,), generator=generator.average)
