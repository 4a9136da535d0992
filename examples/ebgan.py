"""Energy-based GAN (Zhao et al., 2017): D is an energy, low where there are data; here the error of an autoencoder.

L_D = D(x) + max(0, m - D(G(z))),   L_G = D(G(z))  (equations 1 and 2).  In balance the samples follow the data, D is the same for both, and
L_D is the margin m (theorem 1).  The pulling-away term keeps the codes of a batch of samples apart (equation 4):
1 / (N (N - 1)) times the sum over all i != j of cos(S_i, S_j)^2.
"""

import math

from pydantic import Field
from torch import nn
from torch.nn.functional import normalize, relu
from torch.optim import Adam

from sparring.game import Game, Normal, Player, Report, Turn
from sparring.nets.mlp import mlp
from sparring.recipes import Reader
from sparring.settings import Settings

SUMMARY = "energy-based GAN (Zhao et al., 2017): an autoencoder's error as energy"
READS = Reader(example="digits")


class EnergySettings(Settings):
    latent: int = Field(16, ge=1, le=512, description="numbers in the random vector, and in the autoencoder's code")
    width: int = Field(128, ge=1, le=4096, description="units in a hidden layer")
    lr: float = Field(1e-3, gt=0, le=1, description="learning rate of both players")
    margin: float = Field(0.2, gt=0, le=100, description="energy above which samples are not pushed any more: m of equation 1")
    apart: float = Field(0.1, ge=0, le=100, description="weight of the pulling-away term; 0: none")


def game(c, space, device, own=None):
    size, prior = math.prod(space.shape), Normal(c.latent)
    G = nn.Sequential(mlp(c.latent, c.width, 2, size, 0.2), nn.Tanh(), nn.Unflatten(1, space.shape)).to(device)
    encoder = nn.Sequential(nn.Flatten(), mlp(size, c.width, 1, c.latent, 0.2))
    decoder = nn.Sequential(mlp(c.latent, c.width, 1, size, 0.2), nn.Unflatten(1, space.shape))
    D = nn.Sequential(encoder, decoder).to(device)
    generator = Player(G, Adam(G.parameters(), c.lr, betas=(0.5, 0.999)), ema=0.99)
    discriminator = Player(D, Adam(D.parameters(), c.lr, betas=(0.5, 0.999)))

    def energy(x):                              # float[B]
        return (D(x) - x).square().flatten(1).mean(1)

    def alike(codes):                           # the pulling-away term of codes float[N, latent]
        n, directions = len(codes), normalize(codes, dim=1)
        return ((directions @ directions.T).square().sum() - n) / (n * (n - 1))

    def discriminate(batch, step):
        real, fake = energy(batch.x), energy(G(prior.draw(len(batch.x)).to(device)))
        return Report({"real": real.mean(), "fake": relu(c.margin - fake).mean()}, {"energy_gap": lambda: (fake.mean() - real.mean())})

    def generate(batch, step):
        x = G(prior.draw(len(batch.x)).to(device))
        return Report({"energy": energy(x).mean(), "alike": c.apart * alike(encoder(x))})

    return Game({"generator": generator, "discriminator": discriminator},
                {"discriminator": Turn(discriminator, discriminate), "generator": Turn(generator, generate)},
                model=generator.average, latent=(prior,), generator=generator.average)
