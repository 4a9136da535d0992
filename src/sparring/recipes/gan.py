"""The original adversarial network (Goodfellow et al., 2014, Algorithm 1), under any objective, with any penalty."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import nn

from sparring.game import Game, Player, Turn
from sparring.game.learner import learner
from sparring.game.schedules import constant, decays, falls, linear_decay
from sparring.objectives.gan_networks import adapts, augmentation, opponents, refuse_nonsense
from sparring.objectives.gan_turns import Rules
from sparring.objectives.losses import OBJECTIVES
from sparring.objectives.penalties import PENALTIES
from sparring.objectives.shared_settings import AUGMENT, CONDITIONAL, DECAY, DEPTH, EMA, LATENT, LR, RESIDUAL, SLOPE, WIDTH
from sparring.settings import OneOf, Settings
from sparring.spaces import Images, Space

SUMMARY = "the original GAN (Goodfellow et al., 2014), under any objective, with any penalty, with or without classes"
MATTERS = ("steps", "batch", "lr", "decay", "objective", "penalty", "penalty_weight", "discriminator_steps", "width", "conditional")


class GanSettings(Settings):
    """The settings of `gan`."""

    objective: Annotated[str, OneOf(OBJECTIVES)] = Field(
        "nonsaturating", description="what the players minimize; docs/objectives.md has each formula")
    discriminator_steps: int = Field(1, ge=1, le=1000, description="discriminator steps per round: K of Algorithm 1")
    latent: int = LATENT
    width: int = WIDTH
    depth: int = DEPTH
    slope: float = SLOPE
    residual: bool = RESIDUAL
    deep: bool = Field(False, description="for images: give DCGAN's discriminator a second convolution at every resolution")
    lr: float = LR
    lr_ratio: float = Field(1.0, gt=0, le=1000, description="the discriminator's learning rate divided by the generator's, which is lr "
                            "(TTUR: above 1)")
    beta1: float = Field(0.0, ge=0, lt=1, description="Adam's beta1: decay of the mean of gradients")
    beta2: float = Field(0.999, ge=0, lt=1, description="Adam's beta2: decay of the mean of squared gradients")
    decay: float = DECAY
    ema: float = EMA
    penalty: Annotated[str, OneOf(PENALTIES)] = Field(
        "none", description="penalty on the gradients; docs/objectives.md has each formula")
    penalty_weight: float = Field(1.0, ge=0, le=1e6, description="weight of the penalty, in its paper's units (gamma of R1, lambda of "
                                  "WGAN-GP)")
    penalty_every: int = Field(1, ge=1, le=1000, description="apply the penalty every so many rounds; above 1 it is lazy: heavier to make "
                               "up for it, with Adam corrected")
    clip: float = Field(0.0, ge=0, le=100, description="clip every weight of the discriminator to [-clip, clip]; 0: no clipping")
    spectral: bool = Field(False, description="spectral normalization: divide each layer of the discriminator by its largest singular "
                           "value")
    pack: int = Field(1, ge=1, le=16, description="PacGAN: number of samples that the discriminator judges together")
    unroll: int = Field(0, ge=0, le=100, description="unrolled GAN: number of discriminator steps that the generator looks ahead; 0: none")
    noise: float = Field(0.0, ge=0, le=10, description="instance noise: standard deviation of noise added to all that the "
                         "discriminator sees, falling to 0 by the end")
    augment: Literal["none", "diff", "ada"] = AUGMENT
    conditional: bool = CONDITIONAL


def defaults(space: Space) -> dict[str, Any]:
    """What suits this kind of data, where it differs from the settings' own defaults."""
    conditional = {"conditional": bool(space.labels)}
    match space:
        case Images():
            return conditional | {"latent": 32, "width": 32, "lr": 5e-4, "beta1": 0.5, "decay": 0.5}
        case _:
            return conditional | {"batch": 256}


def game(c: GanSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """Algorithm 1: in every round the discriminator takes K steps, each on a batch of data and as many samples, and then the generator
    takes one.  What else there is are options: penalties, packs, noise, unrolling, augmentation.

    The game is for data of this space; `own` networks, by name, replace the built-in ones.

    Networks are called G(z) and D(x), or G(z, labels) and D(x, labels) when conditional:
    z: float[B, latent], x: float[B, *space.shape], labels: int64[B]; D gives logits float[B] or float[B, 1].
    InputError for settings that do not go together.
    """
    rules = Rules(PENALTIES[c.penalty] if c.penalty_weight else {}, constant(c.penalty_weight), c.penalty_every, c.clip, c.pack,
                  linear_decay(c.noise, c.steps, 1.0) if c.noise else None,
                  c.penalty_weight if c.penalty == "consensus" else 0.0, c.unroll, c.discriminator_steps,
                  augmentation(c.augment, space, c.steps * c.batch * c.discriminator_steps, c.pack,
                               believes=OBJECTIVES[c.objective].probability))
    refuse_nonsense(c.objective, c.penalty, c.penalty_weight, rules, c.batch, len(space.labels) if c.conditional else 0, c.spectral)

    def players(G: nn.Module, D: nn.Module) -> tuple[Player, Player]:
        lazy = rules.every * rules.steps if rules.every > 1 else 0
        return player(G, c, ema=c.ema), player(D, c, c.lr_ratio, lazy=lazy)

    pair = opponents(c, space, device, own, OBJECTIVES[c.objective], rules, players, once=c.discriminator_steps == 1,
                     sloped=f"penalty={c.penalty}", deep=c.deep, spectral=c.spectral)
    return pair.game({
        "discriminator": Turn(pair.discriminator, pair.discriminate, times=c.discriminator_steps),      # K steps up V(D, G)
        **pair.lazily(),                                                                # a penalty that is not paid every round
        "generator": Turn(pair.generator, pair.generate),                               # one step down it, or up its own objective
        **pair.settled()})


def laid_out(c: GanSettings, more: int) -> list[str]:
    """What is laid out over the length of the run, and where it would be in one of `more` rounds; all else is the same in both."""
    told = decays(c, more)
    if c.noise:
        told.append(falls(f"noise={c.noise}", "the noise", lambda n: linear_decay(c.noise, n, 1.0), c.steps, more))
    return told + adapts(c.augment, c.batch * c.discriminator_steps, c.steps, more)


def player(net: nn.Module, c: GanSettings, ratio: float = 1.0, *, ema: float = 0.0, lazy: int = 0) -> Player:
    """A network under Adam, its learning rate falling over the last part of the run.

    Where every n-th step is followed by a second, lazy one, the rate is scaled by r = n / (n + 1) and the decays are raised to the
    power of r, which keeps the optimizer's memory as long (Karras et al., 2020, appendix B).
    """
    r = lazy / (lazy + 1) if lazy > 1 else 1.0
    lr = r * ratio * c.lr                                       # two time scales, if asked for (Heusel et al., 2017)
    return learner(net, lr, (c.beta1**r, c.beta2**r), c.steps, c.decay, ema=ema)
