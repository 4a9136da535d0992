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
    classes = len(space.labels) if c.conditional else 0
    nets = {**networks(c, space, classes), **(own or {})}
    for net in nets.values():
        net.to(device)
        if isinstance(space, Images):
            net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a quarter to two fifths faster on a CPU
    objective = losses.minimax if c.objective == "minimax" else losses.nonsaturating
    rate = linear_decay(c.lr, c.steps, c.decay) if c.decay else None

    def adam(net: nn.Module) -> Adam:
        return Adam([p for p in net.parameters() if p.requires_grad], c.lr, (float(c.beta1), float(c.beta2)), fused=True)

    generator = Player(nets["generator"], adam(nets["generator"]), ema=c.ema, learning_rate=rate)
    discriminator = Player(nets["discriminator"], adam(nets["discriminator"]), learning_rate=rate)
    G, D, separately = generator.net, discriminator.net, "discriminator" in (own or {})
    # With K = 1 the generator learns from the very samples that the discriminator has just seen: G has not moved in
    # between, so its forward pass serves both turns.  With more steps each has its own, as in Algorithm 1.
    alternate, waiting = c.discriminator_steps == 1, dict[int, Tensor]()

    def fake(batch: Batch) -> Tensor:
        return G(torch.randn(len(batch.x), c.latent, device=device), *given(batch))

    def given(batch: Batch) -> tuple[Tensor, ...]:
        return (batch.labels,) if classes and batch.labels is not None else ()

    def logits(real: Tensor, false: Tensor, labels: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        if separately:                                          # a user's D may look at the whole batch
            return D(real, *labels).flatten(), D(false, *labels).flatten()
        first, second = D(torch.cat([real, false]), *(torch.cat([y, y]) for y in labels)).chunk(2)
        return first, second

    def discriminate(batch: Batch, step: int) -> Report:
        generator.thaw(alternate)
        made = fake(batch)
        generator.thaw(False)
        waiting.clear()
        if alternate:
            waiting[step] = made
        real, false = logits(batch.x, made.detach(), given(batch))
        return Report({"adversarial": objective.discriminator(real, false)},
                      {"D(x)": lambda: real.sigmoid().mean(), "D(G(z))": lambda: false.sigmoid().mean(),
                       "accuracy": lambda: ((real > 0).float().mean() + (false <= 0).float().mean()) / 2})

    def generate(batch: Batch, step: int) -> Report:
        made = waiting.pop(step) if step in waiting else fake(batch)
        return Report({"adversarial": objective.generator(D(made, *given(batch)))})

    def chosen(labels: Tensor | None) -> tuple[Tensor, ...]:
        return (labels.to(device),) if classes and labels is not None else ()

    def sample(z: Tensor, labels: Tensor | None = None, live: bool = False) -> Tensor:
        return evaluate(G if live else generator.average, z.to(device), *chosen(labels))

    def judge(x: Tensor, labels: Tensor | None = None) -> Tensor:
        return evaluate(D, x.to(device), *chosen(labels)).flatten()

    return Game(players={"generator": generator, "discriminator": discriminator},
                turns={"discriminator": Turn(discriminator, discriminate, times=c.discriminator_steps),
                       "generator": Turn(generator, generate)},
                model=generator.average, classes=classes, sample=sample, judge=judge,
                prior=lambda n, rng: torch.randn(n, c.latent, generator=rng))


@torch.no_grad()
def evaluate(net: nn.Module, *inputs: Tensor) -> Tensor:
    """The net's output in evaluation mode (BatchNorm by its running statistics), its mode left as it was."""
    training = net.training
    net.eval()
    try:
        return net(*inputs)
    finally:
        net.train(training)
