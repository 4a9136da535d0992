"""VAE-GAN (Larsen et al., 2016): a variational autoencoder whose error is measured in what a GAN's discriminator sees.

Algorithm 1.  L_prior = KL(q(z|x) || N(0, I)) (equation 4);  L_llike = -log N(Dis_l(x); Dis_l(Dec(z)), s^2 I) for z ~ q(z|x), where Dis_l is
a hidden layer of D (equations 6 to 8);  L_GAN = log D(x) + log(1 - D(Dec(z_p))) + log(1 - D(Dec(z))) for z_p from the prior.
The encoder minimizes L_prior + L_llike, the decoder gamma L_llike - L_GAN, and D maximizes L_GAN.  Where this says log(1 - D), the decoder
minimizes -log D, as GANs do.
"""

import math

import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import softplus
from torch.optim import Adam

from sparring.game import Game, Normal, Player, Report, Turn
from sparring.nets.mlp import mlp
from sparring.objectives.variational import kl
from sparring.recipes import Reader
from sparring.settings import Settings

SUMMARY = "VAE-GAN (Larsen et al., 2016): an autoencoder judged by what D sees"
READS = Reader(example="digits")


class VaeGanSettings(Settings):
    latent: int = Field(16, ge=1, le=512, description="numbers in a code")
    width: int = Field(128, ge=1, le=4096, description="units in a hidden layer")
    lr: float = Field(1e-3, gt=0, le=1, description="learning rate of all")
    gamma: float = Field(0.02, ge=0, le=1e6, description="weight of the likelihood in the decoder's loss")
    deviation: float = Field(0.2, gt=0, le=10, description="deviation of the likelihood; 1 in the paper, where Dis_l has many more numbers")


def game(c, space, device, own=None):
    size, prior = math.prod(space.shape), Normal(c.latent)
    encoder = nn.Sequential(nn.Flatten(), mlp(size, c.width, 2, 2 * c.latent, 0.2)).to(device)            # mean and log deviation
    decoder = nn.Sequential(mlp(c.latent, c.width, 2, size, 0.2), nn.Tanh(), nn.Unflatten(1, space.shape)).to(device)
    seen = nn.Sequential(nn.Flatten(), mlp(size, c.width, 1, c.width, 0.2), nn.LeakyReLU(0.2))            # Dis_l
    D = nn.Sequential(seen, nn.Linear(c.width, 1)).to(device)
    encodes, decodes, discriminates = (Player(net, Adam(net.parameters(), c.lr, betas=(0.5, 0.999)), ema=ema)
                                       for net, ema in ((encoder, 0), (decoder, 0.99), (D, 0)))

    def code(x):                                # a draw of q(z|x), its mean and log deviation
        mean, log_deviation = encoder(x).chunk(2, 1)
        return mean + log_deviation.exp() * torch.randn_like(mean), mean, log_deviation

    def unlikely(x, again):                     # L_llike, but for a constant
        return (seen(x) - seen(again)).square().sum(1).mean() / (2 * c.deviation**2)

    def encode(batch, step):
        z, mean, log_deviation = code(batch.x)
        return Report({"prior": kl(mean, log_deviation), "likelihood": unlikely(batch.x, decoder(z))})

    def made(batch):                            # Dec(z) and Dec(z_p)
        return decoder(code(batch.x)[0]), decoder(prior.draw(len(batch.x)).to(device))

    def decode(batch, step):
        again, new = made(batch)
        return Report({"likelihood": c.gamma * unlikely(batch.x, again), "adversarial": (softplus(-D(again)) + softplus(-D(new))).mean()})

    def discriminate(batch, step):
        again, new = made(batch)
        return Report({"adversarial": (softplus(-D(batch.x)) + softplus(D(again)) + softplus(D(new))).mean()})

    return Game({"encoder": encodes, "decoder": decodes, "discriminator": discriminates},
                {"encoder": Turn(encodes, encode), "decoder": Turn(decodes, decode), "discriminator": Turn(discriminates, discriminate)},
                model=decodes.average, latent=(prior,), generator=decodes.average)
