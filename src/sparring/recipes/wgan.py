"""The Wasserstein GAN: with clipped weights (Arjovsky et al., 2017), or with a gradient penalty (Gulrajani et al., 2017)."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field
from torch import nn
from torch.optim import Adam, RMSprop

from sparring.game import Game, Player, Turn
from sparring.game.schedules import constant, linear_decay
from sparring.objectives.losses import wasserstein
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
)
from sparring.settings import Settings
from sparring.spaces import Images, Space

SUMMARY_CLIP = "Wasserstein GAN with clipped weights (Arjovsky et al., 2017)"
SUMMARY_PENALTY = "Wasserstein GAN with gradient penalty (Gulrajani et al., 2017)"
NETWORKS = ("generator", "discriminator")


class CriticSettings(Settings):
    """What both kinds of Wasserstein GAN share."""

    batch: int = Field(256, ge=1, le=65_536, description="samples in a batch")
    critic_steps: int = Field(5, ge=1, le=1000, description="critic steps a round")
    latent: int = Field(8, ge=1, le=4096, description="numbers in the random vector z ~ N(0, I)")
    width: int = Field(128, ge=2, le=4096, description="units in a hidden layer; for images, feature maps at full resolution")
    depth: int = Field(2, ge=1, le=16, description="hidden layers (not used for images)")
    slope: float = Field(0.2, ge=0, le=1, description="negative slope of the leaky ReLU; 0 is a ReLU (not used for images)")
    residual: bool = Field(False, description="residual networks instead of DCGAN's, a round of which takes about four times as long; for "
                           "images")
    ema: float = Field(0.999, ge=0, lt=1, description="decay of the generator's average, which sampling uses; 0: no average")
    conditional: bool = Field(False, description="tell both networks the class; needs data with labels")


class WganSettings(CriticSettings):
    """The settings of `wgan`."""

    lr: float = Field(5e-5, gt=0, le=1, description="learning rate of both RMSProp optimizers")
    clip: float = Field(0.01, gt=0, le=100, description="largest weight of the critic")
    first_steps: int = Field(100, ge=1, le=10_000, description="critic steps in each of the first 25 rounds and in every 500th")


class WganGpSettings(CriticSettings):
    """The settings of `wgan-gp`."""

    lr: float = Field(1e-3, gt=0, le=1, description="learning rate of both Adam optimizers (the paper's 1e-4 is for long runs)")
    beta2: float = Field(0.9, ge=0, lt=1, description="Adam's decay of the mean of squared gradients; that of the mean is 0")
    penalty_weight: float = Field(0.1, gt=0, le=1e6, description="weight of the gradient penalty: 0.1 in the paper for toys, 10 for images")
    decay: float = Field(1.0, ge=0, le=1, description="last part of the run over which the learning rate falls to zero")
    augment: Literal["none", "diff"] = Field("none", description="change all images that the discriminator sees, so that few of them "
                                             "suffice (DiffAugment)")


def defaults(space: Space) -> dict[str, Any]:
    """What suits this kind of data, where it differs from the settings' own defaults."""
    images = {"batch": 64, "latent": 32, "width": 32} if isinstance(space, Images) else {}
    return images | {"conditional": bool(space.labels)}


def defaults_penalty(space: Space) -> dict[str, Any]:
    return defaults(space) | ({"lr": 5e-4, "penalty_weight": 10.0} if isinstance(space, Images) else {})


def clipped(c: WganSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """Algorithm 1 of Arjovsky et al. (2017); in the first rounds and now and then the critic is trained for longer,
    as in their code, so that its gradient is one of a critic near its optimum."""
    nets, classes = prepared(c, space, device, own)
    G, D = (Player(net, RMSprop(free(net), c.lr), ema=ema) for net, ema in zip(nets, (c.ema, 0.0), strict=True))
    pair = Adversaries(G, D, wasserstein, c.latent, device, classes, Rules(clip=c.clip), once=False,
                       separately="discriminator" in (own or {}), examples=examples_of(space, device))
    turns = pair.turns(c.critic_steps)
    more = max(0, c.first_steps - c.critic_steps)
    if more:
        first = {"discriminator_first": Turn(D, pair.discriminate, times=more, stop=25),
                 "discriminator_again": Turn(D, pair.discriminate, times=more, start=500, every=500)}
        turns = first | turns
    return pair.game(turns)


def penalized(c: WganGpSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """Algorithm 1 of Gulrajani et al. (2017)."""
    nets, classes = prepared(c, space, device, own)
    refuse_batch_norm(nets[1], "the gradient penalty")
    rate = linear_decay(c.lr, c.steps, c.decay) if c.decay else None
    G, D = (Player(net, Adam(free(net), c.lr, (0.0, float(c.beta2)), fused=can_fuse(net)), ema=ema, learning_rate=rate)
            for net, ema in zip(nets, (c.ema, 0.0), strict=True))
    pair = Adversaries(G, D, wasserstein, c.latent, device, classes, Rules(PENALTIES["gradient"], constant(c.penalty_weight),
                                                                                       augment=augmentation(c.augment, space, 0)),
                       once=c.critic_steps == 1, separately="discriminator" in (own or {}), examples=examples_of(space, device))
    return pair.game(pair.turns(c.critic_steps))


def prepared(c: CriticSettings, space: Space, device: torch.device,
             own: Mapping[str, nn.Module] | None) -> tuple[tuple[nn.Module, nn.Module], int]:
    """Generator and critic on the device, and the number of classes."""
    classes = len(space.labels) if c.conditional else 0
    nets = {**networks(space, c.latent, c.width, c.depth, c.slope, classes, residual=c.residual), **(own or {})}
    place(nets, space, device)
    return (nets["generator"], nets["discriminator"]), classes
