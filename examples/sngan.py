"""SN-GAN (Miyato et al., 2018) with a projection discriminator (Miyato and Koyama, 2018): every layer of D has spectral norm 1.

W_SN(W) = W / sigma(W) (equation 8 of the first paper), where one power iteration a step follows sigma(W), the largest singular value
(algorithm 1): so no layer can change faster than its input does.  The losses are hinge losses (equations 16 and 17).  The class y enters by
an inner product with features phi of the image,  f(x, y) = <V y, phi(x)> + psi(phi(x))  (equation 4 of the second).
"""

import math

from pydantic import Field
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim import Adam

from sparring.errors import InputError
from sparring.game import Game, Normal, Player, Report, Turn, evaluate
from sparring.nets.mlp import mlp, with_class
from sparring.objectives.losses import hinge
from sparring.recipes import Reader
from sparring.settings import Settings

SUMMARY = "SN-GAN (Miyato et al., 2018): spectral normalization, with a projection discriminator"
READS = Reader(example="digits")


class SpectralSettings(Settings):
    latent: int = Field(16, ge=1, le=512, description="numbers in the random vector")
    width: int = Field(128, ge=1, le=4096, description="units in a hidden layer")
    lr: float = Field(1e-3, gt=0, le=1, description="learning rate of both players")
    normalized: bool = Field(True, description="divide each layer of D by its spectral norm; false: for comparison")


def game(c, space, device, own=None):
    size, classes, prior = math.prod(space.shape), len(space.labels), Normal(c.latent)
    if not classes:
        raise InputError("A projection discriminator needs classes, and this data has none. Give data with labels, such as --data digits.")
    G = nn.Sequential(mlp(c.latent + classes, c.width, 2, size, 0.2), nn.Tanh(), nn.Unflatten(1, space.shape)).to(device)
    phi = nn.Sequential(nn.Flatten(), mlp(size, c.width, 2, c.width, 0.2), nn.LeakyReLU(0.2))
    D = nn.ModuleDict({"phi": phi, "psi": nn.Linear(c.width, 1), "V": nn.Embedding(classes, c.width)}).to(device)
    for layer in [one for one in D.modules() if isinstance(one, nn.Linear | nn.Embedding) and c.normalized]:
        spectral_norm(layer)
    generator = Player(G, Adam(G.parameters(), c.lr, betas=(0.5, 0.999)), ema=0.99)
    discriminator = Player(D, Adam(D.parameters(), c.lr, betas=(0.5, 0.999)))

    def judged(x, labels):                      # f(x, y)
        features = D["phi"](x)
        return (D["V"](labels) * features).sum(1) + D["psi"](features).squeeze(1)

    def fake(labels):
        return judged(G(with_class(prior.draw(len(labels)).to(device), labels, classes)), labels)

    def discriminate(batch, step):
        return Report({"adversarial": hinge.discriminator(judged(batch.x, batch.labels), fake(batch.labels))})

    def generate(batch, step):
        return Report({"adversarial": hinge.generator(None, fake(batch.labels))})

    def sample(z, labels, live=False):
        return evaluate(G if live else generator.average, with_class(z.to(device), labels.to(device), classes))

    return Game({"generator": generator, "discriminator": discriminator},
                {"discriminator": Turn(discriminator, discriminate), "generator": Turn(generator, generate)},
                model=generator.average, latent=(prior,), sample=sample, classes=classes)
