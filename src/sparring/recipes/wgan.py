"""The Wasserstein GAN: with clipped weights (Arjovsky et al., 2017), or with a gradient penalty (Gulrajani et al., 2017)."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field
from torch import nn
from torch.optim import RMSprop

from sparring.game import Game, Player, Turn
from sparring.game.learner import free, learner
from sparring.game.schedules import constant
from sparring.objectives.gan_networks import augmentation, opponents
from sparring.objectives.gan_turns import Rules
from sparring.objectives.losses import wasserstein
from sparring.objectives.penalties import PENALTIES
from sparring.objectives.shared_settings import CONDITIONAL, DECAY, DEPTH, EMA, LATENT, RESIDUAL, SLOPE, WIDTH
from sparring.settings import Settings
from sparring.spaces import Images, Space

SUMMARY_CLIP = "Wasserstein GAN with clipped weights (Arjovsky et al., 2017)"
SUMMARY_PENALTY = "Wasserstein GAN with gradient penalty (Gulrajani et al., 2017)"
MATTERS_CLIP = ("steps", "batch", "lr", "clip", "critic_steps", "first_steps", "width", "depth", "latent", "conditional")
MATTERS_PENALTY = ("steps", "batch", "lr", "decay", "penalty_weight", "critic_steps", "width", "latent", "augment", "conditional")


class CriticSettings(Settings):
    """What both kinds of Wasserstein GAN share."""

    batch: int = Field(256, ge=1, le=65_536, description="samples in a batch")
    critic_steps: int = Field(5, ge=1, le=1000, description="critic steps per round")
    latent: int = LATENT
    width: int = WIDTH
    depth: int = DEPTH
    slope: float = SLOPE
    residual: bool = RESIDUAL
    ema: float = EMA
    conditional: bool = CONDITIONAL


class WganSettings(CriticSettings):
    """The settings of `wgan`."""

    lr: float = Field(5e-5, gt=0, le=1, description="learning rate of both RMSProp optimizers")
    clip: float = Field(0.01, gt=0, le=100, description="clip every weight of the critic to [-clip, clip]")
    first_steps: int = Field(100, ge=1, le=10_000, description="critic steps in the first 25 rounds and every 500th; as in "
                             "the authors' code")


class WganGpSettings(CriticSettings):
    """The settings of `wgan-gp`."""

    lr: float = Field(1e-3, gt=0, le=1, description="learning rate of both Adam optimizers (the paper's 1e-4 is for long runs)")
    beta2: float = Field(0.9, ge=0, lt=1, description="Adam's beta2: decay of the mean of squared gradients; beta1 is 0")
    penalty_weight: float = Field(0.1, gt=0, le=1e6, description="weight of the gradient penalty: in the paper 0.1 for toy data, 10 for "
                                  "images")
    decay: float = DECAY
    augment: Literal["none", "diff"] = Field("none", description="augment the images that D sees, so that fewer suffice "
                                             "(DiffAugment)")


def defaults(space: Space) -> dict[str, Any]:
    """What suits this kind of data, where it differs from the settings' own defaults."""
    images = {"batch": 64, "latent": 32, "width": 32} if isinstance(space, Images) else {}
    return images | {"conditional": bool(space.labels)}


def defaults_penalty(space: Space) -> dict[str, Any]:
    return defaults(space) | ({"lr": 5e-4, "penalty_weight": 10.0} if isinstance(space, Images) else {})


def clipped(c: WganSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """Algorithm 1 of Arjovsky et al. (2017); in the first rounds and now and then the critic is trained for longer,
    as in their code, so that its gradient is one of a critic near its optimum."""
    def players(G: nn.Module, D: nn.Module) -> tuple[Player, Player]:
        return Player(G, RMSprop(free(G), c.lr), ema=c.ema), Player(D, RMSprop(free(D), c.lr))

    pair = opponents(c, space, device, own, wasserstein, Rules(clip=c.clip), players, once=False)
    turns = pair.turns(c.critic_steps)
    more = max(0, c.first_steps - c.critic_steps)
    if more:
        first = {"discriminator_first": Turn(pair.discriminator, pair.discriminate, times=more, stop=25),
                 "discriminator_again": Turn(pair.discriminator, pair.discriminate, times=more, start=500, every=500)}
        turns = first | turns
    return pair.game(turns)


def penalized(c: WganGpSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """Algorithm 1 of Gulrajani et al. (2017)."""
    rules = Rules(PENALTIES["gradient"], constant(c.penalty_weight), augment=augmentation(c.augment, space, 0))

    def players(G: nn.Module, D: nn.Module) -> tuple[Player, Player]:
        betas = (0.0, c.beta2)
        return learner(G, c.lr, betas, c.steps, c.decay, ema=c.ema), learner(D, c.lr, betas, c.steps, c.decay)

    pair = opponents(c, space, device, own, wasserstein, rules, players, once=c.critic_steps == 1, sloped="the gradient penalty")
    return pair.game(pair.turns(c.critic_steps))
