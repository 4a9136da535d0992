"""SAGAN (Zhang et al., 2019): layers of attention, by which every place of an image takes part in every other.

Of maps x_i at N places, beta_j,i = softmax over i of f(x_i)^T g(x_j) says how much place j attends to i (equation 1), o_j is
v(sum_i beta_j,i h(x_i)) (equation 2), and the layer gives gamma o + x, with gamma learned from 0 on (equation 3).  f, g, h and v are 1x1
convolutions.  Both networks have one; both are spectrally normalized, under hinge losses (equation 4), and D's learning rate is
four times G's (section 4).
"""

import torch
from pydantic import Field
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm as bounded
from torch.optim import Adam

from sparring.game import Game, Player, Report, Turn
from sparring.objectives.gan_turns import evaluate
from sparring.objectives.losses import hinge
from sparring.recipes import Reader
from sparring.settings import Settings
from sparring.spaces import Images

SUMMARY = "SAGAN (Zhang et al., 2019): attention between all places of an image"
READS = Reader(example="digits", kinds=(Images,))


class AttentionSettings(Settings):
    latent: int = Field(16, ge=1, le=512, description="numbers in the random vector")
    width: int = Field(16, ge=8, le=1024, description="feature maps at half resolution")
    lr: float = Field(5e-4, gt=0, le=1, description="learning rate of G; that of D is four times as large")


class Attention(nn.Module):                     # float[B, maps, H, W] to the same
    def __init__(self, maps):
        super().__init__()
        self.f, self.g, self.h, self.v = (bounded(nn.Conv2d(before, after, 1)) for before, after in
                                          ((maps, maps // 8), (maps, maps // 8), (maps, maps // 2), (maps // 2, maps)))
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        f, g, h = (layer(x).flatten(2) for layer in (self.f, self.g, self.h))
        beta = (f.transpose(1, 2) @ g).softmax(1)                                    # float[B, i, j]
        return self.gamma * self.v((h @ beta).unflatten(2, x.shape[2:])) + x


def game(c, space, device, own=None):
    channels, height, width = space.shape
    grid = (2 * c.width, -(-height // 4), -(-width // 4))
    G = nn.Sequential(bounded(nn.Linear(c.latent, grid[0] * grid[1] * grid[2])), nn.Unflatten(1, grid), nn.BatchNorm2d(grid[0]), nn.ReLU(),
                      nn.Upsample(scale_factor=2), bounded(nn.Conv2d(grid[0], c.width, 3, 1, 1)), nn.BatchNorm2d(c.width), nn.ReLU(),
                      Attention(c.width),
                      nn.Upsample((height, width)), bounded(nn.Conv2d(c.width, channels, 3, 1, 1)), nn.Tanh()).to(device)
    D = nn.Sequential(bounded(nn.Conv2d(channels, c.width, 4, 2, 1)), nn.LeakyReLU(0.1), Attention(c.width),
                      bounded(nn.Conv2d(c.width, 2 * c.width, 4, 2, 1)), nn.LeakyReLU(0.1),
                      nn.AdaptiveAvgPool2d(1), nn.Flatten(), bounded(nn.Linear(2 * c.width, 1))).to(device)
    generator = Player(G, Adam(G.parameters(), c.lr, betas=(0.0, 0.9)), ema=0.99)
    discriminator = Player(D, Adam(D.parameters(), 4 * c.lr, betas=(0.0, 0.9)))

    def prior(n, rng=None):
        return torch.randn(n, c.latent, generator=rng)

    def fake(batch):
        return G(prior(len(batch.x)).to(device))

    def discriminate(batch, step):
        return Report({"adversarial": hinge.discriminator(*D(torch.cat([batch.x, fake(batch)])).chunk(2))})

    def generate(batch, step):
        return Report({"adversarial": hinge.generator(None, D(fake(batch)))})

    def sample(z, labels=None, live=False):
        return evaluate(G if live else generator.average, z.to(device))

    return Game({"generator": generator, "discriminator": discriminator},
                {"discriminator": Turn(discriminator, discriminate), "generator": Turn(generator, generate)},
                model=generator.average, prior=prior, sample=sample, generator=generator.average)
