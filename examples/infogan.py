"""InfoGAN (Chen et al., 2016): a GAN whose generator is told a code, and must make samples that tell it.

The value of the game is the usual one less lambda L_I (equation 6), where L_I = E[log Q(c|x)] + H(c) bounds the mutual information of the
code c and the sample x from below (equation 5).  Here Q has layers of its own; the paper lets it share those of D.
"""
import math

from pydantic import Field
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import Adam

from sparring.game import Game, Normal, OneHot, Player, Report, Turn, draw, evaluate
from sparring.nets.mlp import mlp
from sparring.objectives.losses import nonsaturating
from sparring.recipes import Reader
from sparring.settings import Settings
from sparring.spaces import Images

SUMMARY = "InfoGAN (Chen et al., 2016): a code that the samples tell"
READS = Reader(example="digits", kinds=(Images,))


class InfoSettings(Settings):
    noise: int = Field(16, ge=1, le=512, description="numbers of the latent that carry no code")
    codes: int = Field(10, ge=2, le=1000, description="values of the code")
    weight: float = Field(1.0, ge=0, le=100, description="weight of the mutual information: lambda of equation 6")
    width: int = Field(128, ge=1, le=4096, description="units in a hidden layer")
    lr: float = Field(5e-4, gt=0, le=1, description="learning rate of all")


def defaults(space):                            # what suits this data: here a code for each class that there is
    return {"codes": max(2, len(space.labels)) if space.labels else 10}


def game(c, space, device, own=None):
    size = math.prod(space.shape)
    G = nn.Sequential(mlp(c.noise + c.codes, c.width, 2, size, 0.2), nn.Tanh(), nn.Unflatten(1, space.shape))
    Q = nn.Sequential(nn.Flatten(), mlp(size, c.width, 1, c.codes, 0.2))
    D = nn.Sequential(nn.Flatten(), mlp(size, c.width, 2, 1, 0.2)).to(device)
    both = nn.ModuleDict({"G": G, "Q": Q}).to(device)                                # G and Q learn together, and are saved together
    generator = Player(both, Adam(both.parameters(), c.lr, betas=(0.5, 0.999)), ema=0.99)
    discriminator = Player(D, Adam(D.parameters(), c.lr, betas=(0.5, 0.999)))

    latent = Normal(c.noise), OneHot(c.codes)   # noise, then the code

    def discriminate(batch, step):
        return Report({"adversarial": nonsaturating.discriminator(D(batch.x), D(G(draw(latent, len(batch.x)).to(device))))})

    def generate(batch, step):
        z = draw(latent, len(batch.x)).to(device)
        x, code = G(z), z[:, c.noise:].argmax(1)
        unknown = cross_entropy(Q(x), code)                                          # H(c) - L_I
        return Report({"adversarial": nonsaturating.generator(None, D(x)), "information": c.weight * unknown},
                      {"known": lambda: 1 - unknown / math.log(c.codes)})            # L_I / H(c)

    return Game({"generator": generator, "discriminator": discriminator},
                {"discriminator": Turn(discriminator, discriminate), "generator": Turn(generator, generate)},
                model=generator.average, latent=latent, generator=generator.average["G"],
                judge=lambda x, labels=None: evaluate(D, x.to(device)).flatten())
