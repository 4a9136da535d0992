"""DiscoGAN (Kim et al., 2017): finds how two sets of images are related, without pairs.

G_AB and G_BA translate.  What is translated there and back should be what it was (L_CONST, equation 3), and what is translated should be
taken for an image of its new domain (L_GAN, equation 4).  The generators minimize the sum of both in both directions (equation 7), and D_A
and D_B the cross-entropy of what is real and what is translated (equations 6 and 8).  L_CONST is the mean squared error.
"""

from pydantic import Field
from torch import nn
from torch.nn.functional import mse_loss
from torch.optim import Adam

from sparring.data.settings import TranslationSettings
from sparring.data.translation.opening import open_unpaired
from sparring.game import Game, Player, Report, Translation, Turn, evaluate
from sparring.objectives.losses import nonsaturating
from sparring.recipes import Reader
from sparring.settings import Settings
from sparring.spaces import TwoDomains

SUMMARY = "DiscoGAN (Kim et al., 2017): relations between two sets of images"
READS = Reader(open_unpaired, TranslationSettings, "shapes", (TwoDomains,))


class DiscoSettings(Settings):
    width: int = Field(16, ge=1, le=512, description="maps of the first layers")
    lr: float = Field(1e-3, gt=0, le=1, description="learning rate of all")
    weight: float = Field(10.0, ge=0, le=1000, description="weight of L_CONST; 1 in the paper")


def defaults(space):
    return {"batch": 16}


def down(channels, maps):                       # half the size
    return nn.Sequential(nn.Conv2d(channels, maps, 4, 2, 1), nn.BatchNorm2d(maps), nn.LeakyReLU(0.2))


def translator(channels, out, width):
    return nn.Sequential(down(channels, width), down(width, 2 * width), nn.ConvTranspose2d(2 * width, width, 4, 2, 1),
                         nn.BatchNorm2d(width), nn.ReLU(), nn.ConvTranspose2d(width, out, 4, 2, 1), nn.Tanh())


def game(c, space, device, own=None):
    a, b = space.a.channels, space.b.channels
    G = nn.ModuleDict({"AB": translator(a, b, c.width), "BA": translator(b, a, c.width)}).to(device)
    D = nn.ModuleDict({name: nn.Sequential(down(n, c.width), down(c.width, 2 * c.width), nn.Conv2d(2 * c.width, 1, 4, 2, 1))
                       for name, n in (("A", a), ("B", b))}).to(device)
    generators = Player(G, Adam(G.parameters(), c.lr, betas=(0.5, 0.999)))
    discriminators = Player(D, Adam(D.parameters(), c.lr, betas=(0.5, 0.999)))

    def discriminate(batch, step):
        return Report({"A": nonsaturating.discriminator(D["A"](batch.a), D["A"](G["BA"](batch.b))),
                       "B": nonsaturating.discriminator(D["B"](batch.b), D["B"](G["AB"](batch.a)))})

    def generate(batch, step):
        x_AB, x_BA = G["AB"](batch.a), G["BA"](batch.b)
        return Report({"GAN_A": nonsaturating.generator(None, D["A"](x_BA)), "GAN_B": nonsaturating.generator(None, D["B"](x_AB)),
                       "CONST_A": c.weight * mse_loss(G["BA"](x_AB), batch.a), "CONST_B": c.weight * mse_loss(G["AB"](x_BA), batch.b)})

    def run(x, to, live=False, noisy=False):
        return evaluate(G["BA" if to == 0 else "AB"], x.to(device))

    return Game({"generators": generators, "discriminators": discriminators},
                {"discriminators": Turn(discriminators, discriminate), "generators": Turn(generators, generate)}, model=G,
                translation=Translation(space.names, (space.b, space.a), (space.a, space.b), run, least=4))
