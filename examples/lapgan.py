"""LAPGAN (Denton et al., 2015): a GAN at each level of a Laplacian pyramid, which adds the details that the level below lacks.

Of an image I_k, halved to I_k+1 = d(I_k), level k is given l_k = u(I_k+1), the same enlarged again, and learns the details
h_k = I_k - l_k (equation 5): G_k makes G_k(z_k, l_k), and D_k tells these from the details of the data beside the same l_k.  The last level
makes whole images, G_K(z_K).  Levels learn apart, from the data.  Samples are drawn from the coarsest level up,
I~_k = u(I~_k+1) + G_k(z_k, u(I~_k+1))  (equation 6).
"""

import math
from functools import partial

import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import avg_pool2d
from torch.optim import Adam

from sparring.errors import InputError
from sparring.game import Game, Normal, Player, Report, Turn, evaluate
from sparring.nets.mlp import mlp
from sparring.objectives.losses import nonsaturating
from sparring.recipes import Reader
from sparring.settings import Settings
from sparring.spaces import Images

SUMMARY = "LAPGAN (Denton et al., 2015): a GAN at each level of a Laplacian pyramid"
READS = Reader(example="digits", kinds=(Images,))


class PyramidSettings(Settings):
    levels: int = Field(2, ge=0, le=8, description="how often images are halved; 0: a GAN of whole images, for comparison")
    latent: int = Field(16, ge=1, le=512, description="random numbers a level")
    width: int = Field(128, ge=1, le=4096, description="units in a hidden layer")
    lr: float = Field(1e-3, gt=0, le=1, description="learning rate of all")
    gain: float = Field(4.0, gt=0, le=100, description="details are small numbers: networks see and make them times this")


def game(c, space, device, own=None):
    if space.height % 2**c.levels or space.width % 2**c.levels:
        raise InputError(f"levels={c.levels} halves images that often, and {space.height}x{space.width} cannot be. Give fewer levels.")
    shapes = [(space.channels, space.height // 2**k, space.width // 2**k) for k in range(c.levels + 1)]
    sizes = [math.prod(shape) for shape in shapes]
    lows = [*sizes[:-1], 0]                     # numbers of l_k, which the last level has not
    prior = Normal(c.latent * (c.levels + 1))
    enlarged = nn.Upsample(scale_factor=2, mode="bilinear")                          # u

    def player(net, ema=0.0):
        return Player(net.to(device), Adam(net.parameters(), c.lr, betas=(0.5, 0.999)), ema=ema)

    makers = [player(nn.Sequential(mlp(c.latent + low, c.width, 2, size, 0.2), nn.Identity() if low else nn.Tanh(), nn.Unflatten(1, shape)),
                     0.99) for low, size, shape in zip(lows, sizes, shapes, strict=True)]
    judges = [player(mlp(size + low, c.width, 2, 1, 0.2)) for low, size in zip(lows, sizes, strict=True)]

    def beside(x, low):                         # x with l_k, flat
        return x.flatten(1) if low is None else torch.cat([x.flatten(1), low.flatten(1)], 1)

    def judged(k, x):                           # D_k's logits for the details of images and for made ones; the last level sees whole images
        image = avg_pool2d(x, 2**k)
        low = enlarged(avg_pool2d(image, 2)) if k < c.levels else None
        details = image if low is None else c.gain * (image - low)
        made = makers[k].net(beside(prior.draw(len(x)).to(device).chunk(c.levels + 1, 1)[k], low))
        return judges[k].net(beside(details, low)), judges[k].net(beside(made, low))

    def loss(of, k, batch, step):
        return Report({"adversarial": of(*judged(k, batch.x))})

    def sample(z, labels=None, live=False):
        parts, x = z.to(device).chunk(c.levels + 1, 1), None
        for k in range(c.levels, -1, -1):
            low = None if x is None else enlarged(x)
            details = evaluate(makers[k].net if live else makers[k].average, beside(parts[k], low))
            x = details if low is None else low + details / c.gain
        return x

    players, turns = {}, {}
    for k, (G, D) in enumerate(zip(makers, judges, strict=True)):
        players |= {f"generator{k}": G, f"discriminator{k}": D}
        turns[f"discriminator{k}"] = Turn(D, partial(loss, nonsaturating.discriminator, k))
        turns[f"generator{k}"] = Turn(G, partial(loss, nonsaturating.generator, k))
    return Game(players, turns, model=nn.ModuleList([one.average for one in makers]), latent=(prior,), sample=sample)
