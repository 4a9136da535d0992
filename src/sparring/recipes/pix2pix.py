"""Image-to-image translation with conditional adversarial networks (Isola et al., 2017), from pairs."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from sparring.data.source import Pair
from sparring.game import Game, Report, Translation, Turn, evaluate
from sparring.game.learner import learner
from sparring.game.precision import full
from sparring.nets.patch import PatchDiscriminator, fitting_field, refuse_small
from sparring.nets.unet import UNet
from sparring.objectives.losses import nonsaturating
from sparring.objectives.perceptual import as_loss
from sparring.objectives.shared_settings import BETA1, HALF_DECAY, PATCH, TRANSLATION_EMA
from sparring.settings import Integer, Settings
from sparring.spaces import Space, TwoDomains

SUMMARY = "translates images, learned from pairs: a conditional GAN and an L1 loss (Isola et al., 2017)"
MATTERS = ("size", "steps", "batch", "lr", "decay", "direction", "l1", "adversarial", "field", "width")


class Pix2pixSettings(Settings):
    """The settings of `pix2pix`."""

    batch: int = Field(4, ge=1, le=4096, description="pairs in a batch; 1 in the paper")
    direction: Literal["AtoB", "BtoA"] = Field("AtoB", description="direction of the translation: AtoB or BtoA (A is the left half, or "
                                               "the first of two folders)")
    width: int = Field(32, ge=2, le=512, description="feature maps of the first layers; 64 in the paper")
    field: Annotated[Literal[1, 16, 34, 70, 142, 286], Integer] = PATCH
    l1: float = Field(100.0, ge=0, le=1e6, description="weight of the L1 loss")
    perceptual: float = Field(0.0, ge=0, le=1e6, description="weight of the distance to a network that learned from photographs; it "
                              "needs the extra `photos`; 10 to 30 are good first tries")
    adversarial: float = Field(1.0, ge=0, le=1e6, description="weight of the conditional GAN's loss; 0: L1 alone")
    dropout: float = Field(0.5, ge=0, lt=1, description="dropout rate in the generator, its only noise")
    lr: float = Field(2e-4, gt=0, le=1, description="learning rate of both Adam optimizers")
    beta1: float = BETA1
    decay: float = HALF_DECAY
    ema: float = TRANSLATION_EMA


def defaults(space: Space) -> dict[str, Any]:
    """What suits this kind of data, where it differs from the settings' own defaults."""
    assert isinstance(space, TwoDomains)
    return {"field": fitting_field(space.a.height, space.a.width)}


def game(c: Pix2pixSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """G* = arg min_G max_D L_cGAN(G, D) + lambda L_L1(G) (Isola et al., 2017, eq. 4), and the perceptual distance where it has a weight.

    The generator's test-time mode is the same for all batches: norms are taken over each image, and dropout is off unless noise is
    asked for.  InputError for images smaller than a patch.
    """
    assert isinstance(space, TwoDomains)
    refuse_small(space.a.height, space.a.width, c.field)
    source, target = (0, 1) if c.direction == "AtoB" else (1, 0)
    given, wanted = (space.a, space.b)[source], (space.a, space.b)[target]
    G = UNet(given.channels, wanted.channels, given.height, given.width, c.width, c.dropout).to(device)
    D = PatchDiscriminator(given.channels + wanted.channels, c.width, c.field).to(device)

    generator = learner(G, c.lr, (c.beta1, 0.999), c.steps, c.decay, ema=c.ema)
    discriminator = learner(D, c.lr, (c.beta1, 0.999), c.steps, c.decay)
    seen_apart = as_loss(device) if c.perceptual else None
    made: dict[str, tuple[Pair, Tensor]] = {}   # the round's translations: what D is asked about, G then learns from

    def discriminate(batch: Pair, step: int) -> Report:
        """-log D(x, y) - log(1 - D(x, G(x))) (eq. 1), halved to slow D down (section 3.3)."""
        x, y = batch[source], batch[target]
        generator.thaw(True)
        fake = full(G(x))
        generator.thaw(False)
        made["round"] = batch, fake
        real_logits, fake_logits = full(D(torch.cat([x, y], 1))), full(D(torch.cat([x, fake.detach()], 1)))
        return Report({"adversarial": nonsaturating.discriminator(real_logits, fake_logits) / 2},
                      {"D(x)": lambda: real_logits.sigmoid().mean(), "D(G(z))": lambda: fake_logits.sigmoid().mean()})

    def generate(batch: Pair, step: int) -> Report:
        """-log D(x, G(x)) + lambda |y - G(x)| (eqs. 1, 3 and section 3.3), and the perceptual distance from y."""
        x, y = batch[source], batch[target]
        last, waiting = made.pop("round", (None, None))
        fake = waiting if waiting is not None and last is batch else full(G(x))     # a part of a batch is not the whole
        near = {"l1": c.l1 * l1_loss(fake, y)}
        if seen_apart is not None:
            near["perceptual"] = c.perceptual * seen_apart(fake, y).mean()
        if not c.adversarial:
            return Report(near)
        return Report({"adversarial": c.adversarial * nonsaturating.generator(None, full(D(torch.cat([x, fake], 1)))), **near})

    def run(x: Tensor, to: int, live: bool = False, noisy: bool = False) -> Tensor:
        return evaluate(G if live else generator.average, x.to(device), noisy)

    if not c.adversarial:
        players, turns = {"generator": generator}, {"generator": Turn(generator, generate)}
    else:
        players = {"generator": generator, "discriminator": discriminator}
        turns = {"discriminator": Turn(discriminator, discriminate), "generator": Turn(generator, generate)}
    translation = Translation((space.names[target],), (given,), (wanted,), run, least=2**G.levels)
    return Game(players, turns, model=generator.average, translation=translation)
