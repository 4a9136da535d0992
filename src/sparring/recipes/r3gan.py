"""R3GAN: the relativistic pairing loss with both zero-centred gradient penalties (Huang et al., 2024), on any network."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field
from torch import nn

from sparring.errors import InputError
from sparring.game import Game, Player
from sparring.game.learner import learner
from sparring.game.schedules import decays, falls, geometric
from sparring.nets.multiscale import JumpingGenerator
from sparring.objectives.gan_networks import augmentation, opponents
from sparring.objectives.gan_turns import Rules
from sparring.objectives.losses import relativistic
from sparring.objectives.penalties import PENALTIES
from sparring.objectives.shared_settings import CONDITIONAL, DECAY, EMA, LATENT, LR, RESIDUAL, SLOPE, WIDTH
from sparring.settings import Settings
from sparring.spaces import Images, Space, Vectors

SUMMARY = "relativistic GAN with R1 and R2 penalties (Huang et al., 2024): few modes lost, stable on any network"
MATTERS = ("steps", "batch", "lr", "decay", "gamma", "gamma_last", "discriminator_steps", "width", "augment", "conditional")


class R3ganSettings(Settings):
    """The settings of `r3gan`."""

    batch: int = Field(256, ge=1, le=65_536, description="samples in a batch")
    discriminator_steps: int = Field(1, ge=1, le=1000, description="discriminator steps per round; 1 in the paper")
    latent: int = LATENT
    width: int = WIDTH
    depth: int = Field(3, ge=1, le=16, description="number of hidden layers (not used for images)")
    slope: float = SLOPE
    residual: bool = RESIDUAL
    backbone: Literal["plain", "r3gan"] = Field("plain", description="networks of images: plain = DCGAN's, or those of residual=true; "
                                                "r3gan = the paper's; a round then takes about ten times as long on a CPU")
    lr: float = LR
    beta2: float = Field(0.99, ge=0, lt=1, description="Adam's beta2: decay of the mean of squared gradients; beta1 is 0")
    gamma: float = Field(0.2, gt=0, le=1e6, description="weight of R1 and R2 at the start; default: 0.1 n for vectors and curves of n "
                                                      "numbers, 0.05 (n / 3072)^2 for images of n numbers")
    gamma_last: float = Field(0.1, gt=0, le=1, description="gamma at the end of the run as a share of gamma; it falls geometrically")
    decay: float = DECAY
    ema: float = EMA
    conditional: bool = CONDITIONAL
    cells: int = Field(0, ge=0, le=65_536, description="learned points that the generator of vectors jumps between, so that modes far "
                       "apart need no bridges; 0: none; default: 256 for two or three numbers without classes")
    augment: Literal["none", "diff"] = Field("none", description="augment the images that D sees, so that fewer suffice "
                                             "(DiffAugment)")


def gamma(space: Space) -> float:
    """The first weight of the penalties, from the size of a sample.

    Images: 0.05 (n / 3072)^2 for n numbers, a power law within a factor of 2.5 of the published settings for CIFAR-10 (0.05)
    and FFHQ (2 at 64 x 64, 150 at 256 x 256; Huang et al., 2024, appendix); other data sets there differ more.  Curves and vectors, whose
    columns have deviations near one: 0.1 n, since squared distances between samples grow like n.
    """
    numbers = math.prod(space.shape)
    return 0.05 * (numbers / 3072) ** 2 if isinstance(space, Images) else 0.1 * numbers


def defaults(space: Space) -> dict[str, Any]:
    """What suits this kind of data, where it differs from the settings' own defaults."""
    images = {"batch": 64, "latent": 32, "width": 32, "lr": 5e-4} if isinstance(space, Images) else {}
    cells = {"cells": 256} if isinstance(space, Vectors) and 2 <= len(space.shift) <= 3 and not space.labels else {}
    return images | cells | {"gamma": gamma(space), "conditional": bool(space.labels)}


def game(c: R3ganSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """The discriminator pays for its slopes: R1 at real samples, R2 at generated ones (Huang et al., 2024, section 2).
     `own` networks are called as those of `gan` are."""
    rules = Rules(PENALTIES["r1+r2"], geometric(c.gamma, c.gamma * c.gamma_last, c.steps), augment=augmentation(c.augment, space, 0))

    def players(G: nn.Module, D: nn.Module) -> tuple[Player, Player]:
        betas = (0.0, c.beta2)
        return learner(G, c.lr, betas, c.steps, c.decay, ema=c.ema), learner(D, c.lr, betas, c.steps, c.decay)

    nets = {**jumping(c, space), **(own or {})}
    pair = opponents(c, space, device, nets, relativistic, rules, players, once=c.discriminator_steps == 1, sloped="this recipe",
                     modern=c.backbone == "r3gan")
    return pair.game(pair.turns(c.discriminator_steps))


def jumping(c: R3ganSettings, space: Space) -> dict[str, nn.Module]:
    """A generator that may jump, where `cells` asks for it."""
    if not c.cells:
        return {}
    if not isinstance(space, Vectors) or c.conditional:
        why = "this model is told classes" if c.conditional else "this data is not vectors"
        raise InputError(f"cells={c.cells} is for vectors without classes, and {why}. Give cells=0.")
    return {"generator": JumpingGenerator(c.latent, len(space.shift), c.cells, c.width, c.depth, c.slope)}


def laid_out(c: R3ganSettings, more: int) -> list[str]:
    """What is laid out over the length of the run, and where it would be in one of `more` rounds; all else is the same in both."""
    last = c.gamma * c.gamma_last
    return decays(c, more) + ([falls(f"gamma_last={c.gamma_last}", "gamma", lambda n: geometric(c.gamma, last, n), c.steps, more)]
                              if c.gamma_last < 1 else [])
