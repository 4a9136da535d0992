"""Projected GAN (Sauer et al., 2021): discriminators that see images through a network that learned from photographs.

A discriminator that begins with nothing spends most of a short run on learning to see.  This one begins with the features of a network
that tells 1,000 kinds of things apart, mixed at random, and learns only what sets real and generated features apart, at four scales.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from sparring.data.pretrained import TRAINING, pretrained, usable
from sparring.data.source import Arranged, Finite, Source
from sparring.errors import InputError
from sparring.game import Game
from sparring.game.learner import learner
from sparring.nets.projected import ProjectedDiscriminator
from sparring.nets.residual_gan import ResidualGenerator
from sparring.objectives.gan_networks import augmentation, inputs_of, place
from sparring.objectives.gan_turns import Adversaries, Rules, examples_of
from sparring.objectives.losses import nonsaturating
from sparring.objectives.shared_settings import CONDITIONAL, DECAY, EMA, LATENT, LR, WIDTH
from sparring.settings import Settings
from sparring.spaces import Images, Space

SUMMARY = "images, judged through a network that learned from photographs (Projected GAN; Sauer et al., 2021): good ones soon"
MATTERS = ("size", "steps", "batch", "lr", "lr_ratio", "decay", "width", "seen", "augment", "conditional")

SEEN: Any = Field(128, ge=32, le=1024, description="pixels a side that the pretrained network sees; of the shorter side, rounded to a "
                  "multiple of 32; a round takes longer with its square")
DEFAULTS = {"latent": 128, "lr": 5e-4, "lr_ratio": 0.4, "decay": 0.5, "ema": 0.998, "augment": "diff"}
SEES, LEARNED, MOST = 128, 224, 512     # pixels a side at which images are shown: on a CPU, on a GPU, and at most
WHY = {
    "latent": "room for the variety of photographs", "lr": "larger than the paper's, for runs that are far shorter",
    "lr_ratio": "discriminators that see so well must not run ahead", "decay": "the best samples come as the learning rate falls",
    "ema": "an average over about 500 rounds", "augment": "discriminators would learn few images by heart (DiffAugment)",
}
BETAS = (0.0, 0.99)         # of Adam, for both players


class ProjectedSettings(Settings):
    """The settings of `projected`."""

    batch: int = Field(16, ge=1, le=4096, description="samples in a batch")
    latent: int = LATENT
    width: int = WIDTH
    lr: float = LR
    lr_ratio: float = Field(0.4, gt=0, le=1000, description="the discriminators' learning rate over the generator's (lr)")
    decay: float = DECAY
    ema: float = EMA
    seen: int = SEEN
    augment: Literal["none", "diff"] = Field("diff", description="augment the images that D sees, so that fewer suffice (DiffAugment)")
    conditional: bool = CONDITIONAL


def defaults(space: Space) -> dict[str, Any]:
    """What suits this kind of data, where it differs from the settings' own defaults."""
    return {**DEFAULTS, "width": 32, "conditional": bool(space.labels)}


def choices(source: Source, given: Any, fast: bool) -> dict[str, tuple[Any, str]]:
    """By setting, a value and its reason; `fast`: there is a GPU.  InputError, before anything is made, without the weights that training
    needs; sampling does not."""
    pretrained(TRAINING)
    space, count = source.space, len(source) if isinstance(source, Finite | Arranged) else None
    assert isinstance(space, Images)
    side, usual = min(space.height, space.width), 64 if fast else 16
    batch = (usual, "a GPU has room for it" if fast else "small, for more steps in as many images")
    width = 64 if fast else 32 if side <= SEES else 16
    seen = max(LEARNED if fast else SEES, min(side, MOST))
    why = "as large as the images are, so that their details are judged" if seen == side else \
          "the size that the pretrained network learned from" if fast else "enlarged for the pretrained network, as far as a CPU can afford"
    return {
        "batch": batch if count is None or not 2 <= count < usual else (count, f"there are {count} images"),
        "width": (width, f"for images of {space.height}x{space.width} on a {'GPU' if fast else 'CPU'}"),
        "seen": (seen, why),
        **{name: (DEFAULTS[name], reason) for name, reason in WHY.items()},
    }


def game(c: Any, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """Four discriminators, each with the non-saturating loss of its own; the generator minimizes their sum (Sauer et al., 2021, eq. 4).

    `c` are settings with the names of `ProjectedSettings`.  One's `own` generator is called as that of `gan` is.  InputError for images
    with transparency, and for what are no images.
    """
    if not isinstance(space, Images):
        raise InputError("projected discriminators see images, and this data is not images. Use another recipe, such as r3gan.")
    if space.channels == 4:
        raise InputError("the network that learned from photographs sees no transparency, and these images have it as a fourth "
                         "channel. Leave channels=4 out, or give images of three channels.")
    classes = len(space.labels) if c.conditional else 0
    told, own = inputs_of(space, classes), own or {}
    G = own["generator"] if "generator" in own else ResidualGenerator(c.latent, space.shape, c.width, told)
    D = ProjectedDiscriminator(space.shape, partial(stages, device), c.seen, told)
    place({"generator": G, "discriminator": D}, space, device)
    generator = learner(G, c.lr, BETAS, c.steps, c.decay, ema=c.ema, own_statistics=True)
    discriminator = learner(D, c.lr * c.lr_ratio, BETAS, c.steps, c.decay)
    pair = Adversaries(generator, discriminator, nonsaturating, c.latent, device, classes,
                       Rules(augment=augmentation(c.augment, space, 0)), examples=examples_of(space, device))
    def judge(x: Tensor, labels: Tensor | None = None) -> Tensor:
        """The mean of the four."""
        return pair.judge(x, labels).unflatten(0, (len(x), -1)).mean(1)

    # a model draws without the weights that its discriminators need
    return replace(pair.game(pair.turns(1)), judge=judge if usable(TRAINING) else None)


def stages(device: torch.device, x: Tensor) -> list[Tensor]:
    """What the frozen network sees in images float[B, 3, H, W]."""
    return pretrained(TRAINING, device, torch.promote_types(x.dtype, torch.float32)).stages(x)
