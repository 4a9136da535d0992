"""First order motion (Siarohin et al., 2019): one picture moves as a clip does, learned from clips alone."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from sparring.data.pretrained import installed
from sparring.data.source import Batch, Source
from sparring.game import Game, Report, Turn, only_animates
from sparring.game.animate import animation
from sparring.game.learner import learner
from sparring.game.precision import full
from sparring.nets.motion import Animator, KeyPoints
from sparring.nets.patch import PatchDiscriminator, fitting_field
from sparring.objectives.losses import least_squares
from sparring.objectives.perceptual import as_loss
from sparring.objectives.pyramid import pyramid
from sparring.objectives.shared_settings import BETA1, DECAY, EMA
from sparring.objectives.thin_plate import Warp, equivariance, random_warp
from sparring.settings import Settings
from sparring.spaces import Clips, Space

SUMMARY = "animates a picture by a clip, learned from clips: key points with local affine maps (Siarohin et al., 2019)"
MATTERS = ("size", "steps", "batch", "lr", "decay", "points", "jacobian", "adversarial", "perceptual", "width")


class Rebuilt(NamedTuple):
    """A driving frame as it is rebuilt from a source frame; the key points of the true one, and of the same under a random warp."""

    warp: Warp
    driving: KeyPoints
    warped: KeyPoints
    frame: Tensor


class MotionSettings(Settings):
    """The settings of `motion`."""

    batch: int = Field(8, ge=1, le=4096, description="pairs of frames in a batch")
    points: int = Field(10, ge=1, le=100, description="key points that are found in an image")
    jacobian: bool = Field(True, description="find local affine maps at the key points; false: only where they are (order zero)")
    width: int = Field(16, ge=2, le=512, description="feature maps of the first layers")
    blocks: int = Field(2, ge=0, le=64, description="residual blocks of the generator; 6 in the paper")
    pixels: float = Field(10.0, ge=0, le=1e6, description="weight of the differences of pixels and of neighbouring pixels, at four sizes")
    perceptual: float = Field(0.0, ge=0, le=1e6, description="weight of the distance that a network for photographs sees; it "
                              "needs the extra `photos`, and where that is installed it is 10")
    equivariance: float = Field(10.0, ge=0, le=1e6, description="weight of both equivariance losses, of key points and of Jacobians")
    adversarial: bool = Field(True, description="train a discriminator of patches beside it (least squares); false: none")
    lr: float = Field(2e-4, gt=0, le=1, description="learning rate of both Adam optimizers")
    beta1: float = BETA1
    decay: float = DECAY
    ema: float = EMA


def rebuilt(G: Animator, source: Tensor, driving: Tensor) -> Rebuilt:
    """Driving frames from source frames, both float[B, C, H, W]."""
    warp, n = random_warp(driving), len(source)
    found: KeyPoints = G(torch.cat([source, driving, warp.image(driving)]))
    of_source, of_driving, of_warped = (found.rows(slice(i * n, (i + 1) * n)) for i in range(3))
    return Rebuilt(warp, of_driving, of_warped, G.render(source, of_source, of_driving))


def defaults(space: Space) -> dict[str, Any]:
    """What suits this kind of data, where it differs from the settings' own defaults."""
    return {"lr": 5e-4, "decay": 0.5, "ema": 0.99}


def choices(source: Source, given: Any, fast: bool) -> dict[str, tuple[Any, str]]:
    """By setting, a value and its reason."""
    if installed():
        return {"perceptual": (10.0, "the network that learned from photographs is installed")}
    return {"perceptual": (0.0, "pixels and their gradients alone, since the extra `photos` is not installed")}


def game(c: MotionSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """The generator rebuilds the driving frame from the source frame and the key points of both (Siarohin et al., 2019, section 3)."""
    assert isinstance(space, Clips)
    frame = space.frame
    G = Animator(frame.channels, frame.height, frame.width, c.points, c.width, c.blocks, c.jacobian).to(device)
    D = PatchDiscriminator(frame.channels, 2 * c.width, fitting_field(frame.height, frame.width)).to(device)
    generator = learner(G, c.lr, (c.beta1, 0.999), c.steps, c.decay, ema=c.ema)
    discriminator = learner(D, c.lr, (c.beta1, 0.999), c.steps, c.decay)
    seen_apart = as_loss(device) if c.perceptual else None
    made: dict[str, tuple[Batch, Rebuilt]] = {}                 # the round's frames: what D is asked about, G then learns from

    def discriminate(batch: Batch, step: int) -> Report:
        """(D(x) - 1)^2 / 2 + D(G(x))^2 / 2 on patches (Mao et al., 2017, eq. 2)."""
        if torch.compiler.is_compiling():                       # no gradients come back to what another compiled turn has made
            it = rebuilt(G, *batch.x.unbind(1))
        else:
            generator.thaw(True)
            it = rebuilt(G, *batch.x.unbind(1))
            made["round"] = batch, it
            generator.thaw(False)
        real_logits, fake_logits = full(D(batch.x[:, 1])), full(D(it.frame.detach()))
        return Report({"adversarial": least_squares.discriminator(real_logits, fake_logits)},
                      {"D(x)": real_logits.mean, "D(G(z))": fake_logits.mean})

    def generate(batch: Batch, step: int) -> Report:
        """How far the rebuilt frame is from the driving frame, and key points from moving as the picture does when it is warped."""
        source, driving = batch.x.unbind(1)
        last, waiting = made.pop("round", (None, None))
        it = waiting if waiting is not None and last is batch else rebuilt(G, source, driving)      # a part of a batch is not the whole
        terms = {"pixels": c.pixels * pyramid(it.frame, driving)}
        if seen_apart is not None:
            terms["perceptual"] = c.perceptual * seen_apart(it.frame, driving).mean()
        terms |= {name: c.equivariance * term for name, term in equivariance(it.warp, it.driving, it.warped).items()}
        if c.adversarial:
            terms["adversarial"] = least_squares.generator(None, full(D(it.frame)))
        return Report(terms, {"l1": lambda: (it.frame - driving).abs().mean(), "l1_copied": lambda: (source - driving).abs().mean(),
                              "spread": lambda: it.driving.at.std(1, correction=0).mean()})

    players, turns = {"generator": generator}, {"generator": Turn(generator, generate)}
    if c.adversarial:
        players = {"generator": generator, "discriminator": discriminator}
        turns = {"discriminator": Turn(discriminator, discriminate), **turns}
    return Game(players, turns, generator.average, only_animates, only_animates, animation=animation(frame, G, generator.average, device))
