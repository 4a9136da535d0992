"""The original adversarial network (Goodfellow et al., 2014, Algorithm 1), with or without classes."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Adam

from sparring import losses
from sparring.data.source import Batch
from sparring.data.space import Curves, Images, Space, Vectors
from sparring.game import Game, Player, Report, Turn
from sparring.nets.dcgan import ConvDiscriminator, ConvGenerator
from sparring.nets.mlp import MLPDiscriminator, MLPGenerator
from sparring.schedules import linear_decay
from sparring.settings import Settings

SUMMARY = "the original GAN: minimax or non-saturating, with or without classes (Goodfellow et al., 2014)"
NETWORKS = ("generator", "discriminator")


class GanSettings(Settings):
    """The settings of `gan`."""

    objective: Literal["minimax", "nonsaturating"] = Field("nonsaturating", description="what the generator minimizes")
    discriminator_steps: int = Field(1, ge=1, le=1000, description="discriminator steps a round, the K of Algorithm 1")
    latent: int = Field(8, ge=1, le=4096, description="numbers in the random vector z ~ N(0, I)")
    width: int = Field(128, ge=2, le=4096, description="units in a hidden layer; for images, feature maps at full resolution")
    depth: int = Field(2, ge=1, le=16, description="hidden layers (not used for images)")
    slope: float = Field(0.2, ge=0, le=1, description="negative slope of the leaky ReLU; 0 is a ReLU (not used for images)")
    lr: float = Field(1e-3, gt=0, le=1, description="learning rate of both Adam optimizers")
    beta1: float = Field(0.0, ge=0, lt=1, description="Adam's decay of the mean of gradients")
    beta2: float = Field(0.999, ge=0, lt=1, description="Adam's decay of the mean of squared gradients")
    decay: float = Field(1.0, ge=0, le=1, description="last part of the run over which the learning rate falls to zero")
    ema: float = Field(0.999, ge=0, lt=1, description="decay of the generator's average, which sampling uses; 0: no average")
    conditional: bool = Field(False, description="tell both networks the class; needs data with labels")


def defaults(space: Space) -> dict[str, Any]:
    """What suits this kind of data, where it differs from the settings' own defaults."""
    conditional = {"conditional": bool(space.labels)}
    match space:
        case Images():
            return conditional | {"latent": 32, "width": 32, "lr": 5e-4, "beta1": 0.5, "decay": 0.5}
        case Curves() | Vectors():
            return conditional | {"batch": 256}


def networks(c: GanSettings, space: Space, classes: int) -> dict[str, nn.Module]:
    """A generator and a discriminator that fit the data's shape."""
    if isinstance(space, Images):
        return {"generator": ConvGenerator(c.latent, space.shape, c.width, classes),
                "discriminator": ConvDiscriminator(space.shape, c.width, classes)}
    size, = space.shape
    return {"generator": MLPGenerator(c.latent, size, c.width, c.depth, c.slope, classes),
            "discriminator": MLPDiscriminator(size, c.width, c.depth, c.slope, classes)}


def game(c: GanSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """The game for data of this space; `own` networks, by name, replace the built-in ones.

    Networks are called G(z) and D(x), or G(z, labels) and D(x, labels) when conditional:
    z: float[B, latent], x: float[B, *space.shape], labels: int64[B]; D gives logits float[B] or float[B, 1].
    """
    pair = Adversaries(c, space, device, own or {})
    return Game(players={"generator": pair.generator, "discriminator": pair.discriminator},
                turns={"discriminator": Turn(pair.discriminator, pair.discriminate, times=c.discriminator_steps),
                       "generator": Turn(pair.generator, pair.generate)},
                model=pair.generator.average, classes=pair.classes, sample=pair.sample, judge=pair.judge,
                prior=lambda n, rng: torch.randn(n, c.latent, generator=rng))


class Adversaries:
    """A generator and a discriminator, and what each minimizes."""

    def __init__(self, c: GanSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module]) -> None:
        self.c, self.device, self.classes = c, device, len(space.labels) if c.conditional else 0
        self.objective = losses.minimax if c.objective == "minimax" else losses.nonsaturating
        nets = {**networks(c, space, self.classes), **own}
        for net in nets.values():
            net.to(device)
            if isinstance(space, Images):
                net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a sixth to two fifths faster on a CPU
        self.generator = player(nets["generator"], c, ema=c.ema)
        self.discriminator = player(nets["discriminator"], c, ema=0.0)
        self.separately = "discriminator" in own                # a user's D may look at the whole batch
        self.waiting: dict[int, Tensor] = {}                    # samples that serve both turns of one round

    def labels(self, batch: Batch) -> tuple[Tensor, ...]:
        return (batch.labels,) if self.classes and batch.labels is not None else ()

    def fake(self, batch: Batch) -> Tensor:
        return self.generator.net(torch.randn(len(batch.x), self.c.latent, device=self.device), *self.labels(batch))

    def logits(self, real: Tensor, fake: Tensor, labels: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        D = self.discriminator.net
        if self.separately:
            return D(real, *labels).flatten(), D(fake, *labels).flatten()
        first, second = D(torch.cat([real, fake]), *(torch.cat([y, y]) for y in labels)).chunk(2)
        return first, second

    def discriminate(self, batch: Batch, step: int) -> Report:
        """Algorithm 1, inner loop.

        With K = 1 the generator's turn learns from the very samples that are judged here: G does not move in
        between, so one forward pass serves both.  With more steps each turn draws its own.
        """
        once = self.c.discriminator_steps == 1
        self.generator.thaw(once)
        made = self.fake(batch)
        self.generator.thaw(False)
        self.waiting = {step: made} if once else {}
        real, fake = self.logits(batch.x, made.detach(), self.labels(batch))
        return Report({"adversarial": self.objective.discriminator(real, fake)},
                      {"D(x)": lambda: real.sigmoid().mean(), "D(G(z))": lambda: fake.sigmoid().mean(),
                       "accuracy": lambda: ((real > 0).float().mean() + (fake <= 0).float().mean()) / 2})

    def generate(self, batch: Batch, step: int) -> Report:
        """Algorithm 1, outer loop."""
        made = self.waiting.pop(step) if step in self.waiting else self.fake(batch)
        return Report({"adversarial": self.objective.generator(self.discriminator.net(made, *self.labels(batch)))})

    def sample(self, z: Tensor, labels: Tensor | None = None, live: bool = False) -> Tensor:
        return evaluate(self.generator.net if live else self.generator.average, z.to(self.device), *self.chosen(labels))

    def judge(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return evaluate(self.discriminator.net, x.to(self.device), *self.chosen(labels)).flatten()

    def chosen(self, labels: Tensor | None) -> tuple[Tensor, ...]:
        return (labels.to(self.device),) if self.classes and labels is not None else ()


def player(net: nn.Module, c: GanSettings, ema: float) -> Player:
    """A network under Adam, its learning rate falling over the last part of the run."""
    adam = Adam([p for p in net.parameters() if p.requires_grad], c.lr, (float(c.beta1), float(c.beta2)), fused=True)
    return Player(net, adam, ema=ema, learning_rate=linear_decay(c.lr, c.steps, c.decay) if c.decay else None)


@torch.no_grad()
def evaluate(net: nn.Module, *inputs: Tensor) -> Tensor:
    """The net's output in evaluation mode (BatchNorm by its running statistics), its mode left as it was."""
    training = net.training
    net.eval()
    try:
        return net(*inputs)
    finally:
        net.train(training)
