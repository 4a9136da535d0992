"""DANN (Ganin et al., 2016): a classifier for a target domain without labels, whose features do not tell the domains apart.

Samples labelled -1 are of the target; all others are of the source.  With features f = G_f(x), the label predictor G_y and the domain
classifier G_d, equation 9 has the saddle point where G_f and G_y minimize L_y - lambda L_d (equation 10) and G_d minimizes L_d (11).
The paper's gradient reversal layer takes both steps in one backward pass; here each player has a turn.  lambda rises from 0 to `weight`
as 2 / (1 + exp(-10 p)) - 1, where p is the part of `rise` rounds that is done, of all in the paper (section 5.2.2).
"""

import math
from dataclasses import replace

import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, interpolate
from torch.optim import Adam

from sparring.data import open_source
from sparring.data.source import Finite
from sparring.errors import InputError
from sparring.game import Game, Player, Report, Turn
from sparring.nets.mlp import mlp
from sparring.recipes import Reader
from sparring.rng import generator as seeded
from sparring.settings import Settings
from sparring.spaces import Images, Vectors

SUMMARY = "DANN (Ganin et al., 2016): classifies a domain without labels"


def on_backgrounds(values, part):
    """Grey images uint8[n, 1, H, W], blended with smooth ones as MNIST-M is with photographs: the absolute difference (section 5.2.4)."""
    smooth = interpolate(torch.rand(len(values), 1, 4, 4, generator=seeded(0, part)), values.shape[2:], mode="bilinear")
    return (values - 102 * smooth).abs().round().to(torch.uint8)


def open_domains(data, settings):
    """Data with labels, of which -1 is the target; of `digits`, one half as it is, and the other half on backgrounds, without labels."""
    source = open_source(data, settings)
    if data != "digits":
        return source
    half, space = len(source) // 2, replace(source.space, labels=("-1", *source.space.labels))
    target, rest = on_backgrounds(source.values[half:], "train"), on_backgrounds(source.held_out.values, "test")
    labels = torch.cat([source.labels[:half] + 1, torch.zeros(len(target), dtype=torch.int64)])
    return Finite(space, torch.cat([source.values[:half], target]), labels, held_out=Finite(space, rest, source.held_out.labels + 1))


READS = Reader(open_domains, example="digits", kinds=(Vectors, Images))


class DannSettings(Settings):
    batch: int = Field(128, ge=2, le=65_536, description="samples in a batch, of both domains")
    features: int = Field(64, ge=1, le=4096, description="numbers that G_f makes of a sample")
    width: int = Field(128, ge=1, le=4096, description="units in a hidden layer")
    lr: float = Field(1e-3, gt=0, le=1, description="learning rate of both players")
    weight: float = Field(1.0, ge=0, le=100, description="largest lambda; 0 learns from the source alone")
    rise: int = Field(800, ge=1, le=10_000_000, description="rounds over which lambda rises")


def game(c, space, device, own=None):
    if len(space.labels) < 3 or space.labels[0] != "-1":
        raise InputError("DANN needs two classes or more, and samples of the target with the label -1. Give an .npz with such labels.")
    G_f = nn.Sequential(nn.Flatten(), mlp(math.prod(space.shape), c.width, 1, c.features, 0.2), nn.LeakyReLU(0.2))
    both = nn.ModuleDict({"features": G_f, "classes": nn.Linear(c.features, len(space.labels) - 1)}).to(device)
    G_d = mlp(c.features, c.width, 2, 1, 0.2).to(device)
    classifier, domains = Player(both, Adam(both.parameters(), c.lr), ema=0.99), Player(G_d, Adam(G_d.parameters(), c.lr))

    def domain_loss(f, batch):                  # L_d: 1 is the source
        return binary_cross_entropy_with_logits(G_d(f).flatten(), (batch.labels > 0).float())

    def classify(batch, step):
        f, strength = G_f(batch.x), c.weight * (2 / (1 + math.exp(-10 * min(1, step / c.rise))) - 1)
        wrong = cross_entropy(both["classes"](f), batch.labels - 1, ignore_index=-1)
        return Report({"label": wrong, "domain": -strength * domain_loss(f, batch)})

    def tell_apart(batch, step):
        return Report({"domain": domain_loss(G_f(batch.x), batch)})

    return Game({"classifier": classifier, "domains": domains},
                {"domains": Turn(domains, tell_apart), "classifier": Turn(classifier, classify)}, model=classifier.average)
