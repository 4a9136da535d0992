"""The original adversarial network (Goodfellow et al., 2014, Algorithm 1), under any objective, with any penalty."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized
from torch.optim import Adam

from sparring.game import Game, Player
from sparring.game.schedules import constant, linear_decay
from sparring.objectives.losses import OBJECTIVES
from sparring.objectives.pair import (
    PENALTIES,
    Adversaries,
    Rules,
    augmentation,
    can_fuse,
    examples_of,
    free,
    networks,
    place,
    refuse_batch_norm,
    refuse_nonsense,
)
from sparring.settings import Settings
from sparring.spaces import Images, Space

SUMMARY = "the original GAN (Goodfellow et al., 2014), under any objective, with any penalty, with or without classes"
NETWORKS = ("generator", "discriminator")


class GanSettings(Settings):
    """The settings of `gan`."""

    objective: Literal["minimax", "nonsaturating", "least_squares", "hinge", "wasserstein", "relativistic"] = Field(
        "nonsaturating", description="what the two players minimize")
    discriminator_steps: int = Field(1, ge=1, le=1000, description="discriminator steps a round, the K of Algorithm 1")
    latent: int = Field(8, ge=1, le=4096, description="numbers in the random vector z ~ N(0, I)")
    width: int = Field(128, ge=2, le=4096, description="units in a hidden layer; for images, feature maps at full resolution")
    depth: int = Field(2, ge=1, le=16, description="hidden layers (not used for images)")
    slope: float = Field(0.2, ge=0, le=1, description="negative slope of the leaky ReLU; 0 is a ReLU (not used for images)")
    residual: bool = Field(False, description="residual networks instead of DCGAN's, a round of which takes about four times as long; for "
                           "images")
    deep: bool = Field(False, description="a second convolution at every resolution of DCGAN's discriminator; for images")
    lr: float = Field(1e-3, gt=0, le=1, description="learning rate of both Adam optimizers")
    lr_ratio: float = Field(1.0, gt=0, le=1000, description="the discriminator's learning rate over the generator's, which is lr")
    beta1: float = Field(0.0, ge=0, lt=1, description="Adam's decay of the mean of gradients")
    beta2: float = Field(0.999, ge=0, lt=1, description="Adam's decay of the mean of squared gradients")
    decay: float = Field(1.0, ge=0, le=1, description="last part of the run over which the learning rate falls to zero")
    ema: float = Field(0.999, ge=0, lt=1, description="decay of the generator's average, which sampling uses; 0: no average")
    penalty: Literal["none", "r1", "r2", "r1+r2", "gradient", "one_sided", "dragan", "consensus"] = Field(
        "none", description="what keeps the discriminator's slope in bounds, or (consensus) both players near where none would move")
    penalty_weight: float = Field(1.0, ge=0, le=1e6, description="weight of the penalty, in the units of its paper")
    penalty_every: int = Field(1, ge=1, le=1000, description="rounds between penalties; above 1 it is lazy, and Adam is corrected")
    clip: float = Field(0.0, ge=0, le=100, description="largest weight of the discriminator, which is clipped to it; 0: no clipping")
    spectral: bool = Field(False, description="divide each of the discriminator's layers by its largest singular value")
    pack: int = Field(1, ge=1, le=16, description="samples that the discriminator judges together (PacGAN)")
    unroll: int = Field(0, ge=0, le=100, description="discriminator steps that the generator looks ahead (unrolled GAN); 0: none")
    noise: float = Field(0.0, ge=0, le=10, description="deviation of noise on all the discriminator sees, falling to 0 by the end")
    augment: Literal["none", "diff", "ada"] = Field("none", description="change all images that the discriminator sees, so that few of "
                                                    "them suffice: always (DiffAugment), or as much as it takes (adaptive)")
    conditional: bool = Field(False, description="tell both networks the class; needs data with labels")


def defaults(space: Space) -> dict[str, Any]:
    """What suits this kind of data, where it differs from the settings' own defaults."""
    conditional = {"conditional": bool(space.labels)}
    match space:
        case Images():
            return conditional | {"latent": 32, "width": 32, "lr": 5e-4, "beta1": 0.5, "decay": 0.5}
        case _:
            return conditional | {"batch": 256}


def game(c: GanSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """The game for data of this space; `own` networks, by name, replace the built-in ones.

    Networks are called G(z) and D(x), or G(z, labels) and D(x, labels) when conditional:
    z: float[B, latent], x: float[B, *space.shape], labels: int64[B]; D gives logits float[B] or float[B, 1].
    InputError for settings that do not go together.
    """
    classes = len(space.labels) if c.conditional else 0
    rules = Rules(PENALTIES.get(c.penalty, {}) if c.penalty_weight else {}, constant(c.penalty_weight), c.penalty_every, c.clip, c.pack,
                  linear_decay(c.noise, c.steps, 1.0) if c.noise else None,
                  c.penalty_weight if c.penalty == "consensus" else 0.0, c.unroll, c.discriminator_steps,
                  augmentation(c.augment, space, c.steps * c.batch * c.discriminator_steps, c.pack,
                               believes=OBJECTIVES[c.objective].probability))
    refuse_nonsense(c.objective, c.penalty, c.penalty_weight, rules, c.batch, classes, c.spectral)
    nets = {**networks(space, c.latent, c.width, c.depth, c.slope, classes, c.pack, residual=c.residual, deep=c.deep), **(own or {})}
    if rules.penalty:
        refuse_batch_norm(nets["discriminator"], f"penalty={c.penalty}")
    if c.spectral:
        for module in list(nets["discriminator"].modules()):
            if isinstance(module, nn.Linear | nn.Conv2d) and not is_parametrized(module):     # a network of one's own may be here again
                spectral_norm(module)                           # (Miyato et al., 2018, Algorithm 1)
    place(nets, space, device)
    lazy = rules.every * rules.steps if rules.every > 1 else 1
    pair = Adversaries(player(nets["generator"], c, ema=c.ema), player(nets["discriminator"], c, c.lr_ratio, lazy=lazy),
                       OBJECTIVES[c.objective], c.latent, device, classes, rules,
                       once=c.discriminator_steps == 1, separately="discriminator" in (own or {}), examples=examples_of(space, device))
    return pair.game(pair.turns(c.discriminator_steps))


def player(net: nn.Module, c: GanSettings, ratio: float = 1.0, *, ema: float = 0.0, lazy: int = 1) -> Player:
    """A network under Adam, its learning rate falling over the last part of the run.

    Where every n-th step is followed by a second, lazy one, the rate is scaled by r = n / (n + 1) and the decays are raised to the
    power of r, which keeps the optimizer's memory as long (Karras et al., 2020, appendix B).
    """
    r = lazy / (lazy + 1) if lazy > 1 else 1.0
    lr = r * ratio * c.lr                                       # two time scales, if asked for (Heusel et al., 2017)
    adam = Adam(free(net), lr, (float(c.beta1)**r, float(c.beta2)**r), fused=can_fuse(net))
    return Player(net, adam, ema=ema, learning_rate=linear_decay(lr, c.steps, c.decay) if c.decay else None)
