"""Adversarial autoencoder (Makhzani et al., 2016): an autoencoder whose codes are made to look like draws from a prior.

Each round has the paper's two phases (section 2): reconstruction moves encoder and decoder; then D tells draws of the prior p(z) from codes
q(z), and the encoder is moved to confuse it.  So the aggregated posterior becomes p(z), and decoding draws of p(z) gives samples.
"""

import math

from pydantic import Field
from torch import nn
from torch.nn.functional import mse_loss
from torch.optim import Adam

from sparring.game import Game, Normal, Player, Report, Turn
from sparring.nets.mlp import mlp
from sparring.objectives.losses import nonsaturating
from sparring.recipes import Reader
from sparring.settings import Settings

SUMMARY = "adversarial autoencoder (Makhzani et al., 2016): codes made to follow a prior"
READS = Reader(example="digits")


class AaeSettings(Settings):
    latent: int = Field(8, ge=1, le=512, description="numbers in a code")
    width: int = Field(256, ge=1, le=4096, description="units in a hidden layer")
    lr: float = Field(5e-4, gt=0, le=1, description="learning rate of all")


def game(c, space, device, own=None):
    size, prior = math.prod(space.shape), Normal(c.latent)
    encoder = nn.Sequential(nn.Flatten(), mlp(size, c.width, 2, c.latent, 0.2))
    decoder = nn.Sequential(mlp(c.latent, c.width, 2, size, 0.2), nn.Unflatten(1, space.shape))
    both = nn.ModuleDict({"encoder": encoder, "decoder": decoder}).to(device)
    D = mlp(c.latent, c.width, 2, 1, 0.2).to(device)
    autoencoder = Player(both, Adam(both.parameters(), c.lr, betas=(0.5, 0.999)), ema=0.99)
    discriminator = Player(D, Adam(D.parameters(), c.lr, betas=(0.5, 0.999)))

    def reconstruct(batch, step):
        return Report({"error": mse_loss(decoder(encoder(batch.x)), batch.x)})

    def discriminate(batch, step):
        return Report({"adversarial": nonsaturating.discriminator(D(prior.draw(len(batch.x)).to(device)), D(encoder(batch.x)))})

    def confuse(batch, step):
        code = encoder(batch.x)
        return Report({"adversarial": nonsaturating.generator(None, D(code))}, {"deviation": lambda: code.std(0).mean()})

    return Game({"autoencoder": autoencoder, "discriminator": discriminator},
                {"reconstruction": Turn(autoencoder, reconstruct), "discriminator": Turn(discriminator, discriminate),
                 "encoder": Turn(autoencoder, confuse)},
                model=autoencoder.average, latent=(prior,), generator=autoencoder.average["decoder"])
