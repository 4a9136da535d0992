"""StyleGAN2 with adaptive augmentation (Karras et al., 2019; 2020a; 2020b): docs/stylegan.md reads it beside the papers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from sparring.data.source import Arranged, Batch, Finite, Source
from sparring.errors import InputError
from sparring.game import Game, Report, Turn, evaluate
from sparring.game.learner import lazily, learner
from sparring.game.processes import total
from sparring.game.schedules import constant, decays
from sparring.nets.style import StyleDiscriminator, StyleGenerator
from sparring.objectives import path_length
from sparring.objectives.gan_networks import adapts, augmentation, inputs_of, place
from sparring.objectives.gan_turns import Adversaries, Rules, examples_of
from sparring.objectives.losses import nonsaturating
from sparring.objectives.penalties import PENALTIES
from sparring.objectives.shared_settings import AUGMENT, CONDITIONAL, EMA, SPAN
from sparring.settings import Settings
from sparring.spaces import Images, Space

SUMMARY = "images by styles: StyleGAN2 with adaptive augmentation (Karras et al., 2019, 2020), of any size, steered in its space W"
MATTERS = ("size", "steps", "batch", "lr", "width", "gamma", "path_weight", "mixing", "augment", "conditional")

SMALL, LARGE = 48 * 48, 256 * 256   # pixels up to which a processor has time for wide networks, and from which on styles take more layers
PLENTY = 30_000                     # images from which on a discriminator hardly learns them by heart (Karras et al., 2020b, figure 1)
HALF = 10_000                       # images after which what the averaged generator was counts half (Karras et al., 2018)


class StyleganSettings(Settings):
    """The settings of `stylegan`."""

    batch: int = Field(32, ge=1, le=4096, description="samples in a batch")
    latent: int = Field(128, ge=2, le=4096, description="size of the latent vector z ~ N(0, I), and of a style w")
    width: int = Field(32, ge=2, le=1024, description="feature maps at full resolution; with every halving twice as many, at most 8 times")
    depth: int = Field(2, ge=1, le=16, description="layers of the mapping network, which makes a style of a latent")
    lr: float = Field(2e-3, gt=0, le=1, description="learning rate of both Adam optimizers; the mapping network's is a hundredth of it")
    beta2: float = Field(0.99, ge=0, lt=1, description="Adam's beta2: decay of the mean of squared gradients; beta1 is 0")
    decay: float = Field(0.0, ge=0, le=1, description=SPAN)
    ema: float = EMA
    gamma: float = Field(0.01, ge=0, le=1e6, description="weight of R1; 0: none; default: 0.0002 times the pixels over the batch")
    penalty_every: int = Field(16, ge=1, le=1000, description="apply R1 every so many rounds, heavier to make up for it, Adam corrected")
    path_weight: float = Field(0.25, ge=0, le=1e6, description="weight of path length regularization; 0: none; default: the paper's")
    path_every: int = Field(4, ge=1, le=1000, description="the same of path length regularization")
    group: int = Field(4, ge=1, le=64, description="neighbours in a batch whose deviation the discriminator sees; 1: none")
    mixing: float = Field(0.9, ge=0, le=1, description="style mixing: share of the generated images that have two styles, in training")
    augment: Literal["none", "diff", "ada"] = AUGMENT
    conditional: bool = CONDITIONAL


def gamma(space: Images, batch: int) -> float:
    """0.0002 N / M for N pixels and a batch of M (Karras et al., 2020b, appendix C)."""
    return round(0.0002 * space.height * space.width / batch, 5)


def defaults(space: Space) -> dict[str, Any]:
    """What suits this kind of data, where it differs from the settings' own defaults."""
    assert isinstance(space, Images)
    path = round(path_length.weight(space.height, space.width), 3)
    return {"gamma": gamma(space, 32), "path_weight": path, "conditional": bool(space.labels)}


def choices(source: Source, given: Any, fast: bool) -> dict[str, tuple[Any, str]]:
    """By setting, a value and its reason; `fast`: there is a GPU.  InputError for a single image."""
    space, count = source.space, len(source) if isinstance(source, Finite | Arranged) else None
    assert isinstance(space, Images)
    if count == 1:
        raise InputError("there is one image, and a generator can only repeat it. Give many more, at least some hundred.")
    pixels, where = space.height * space.width, f"images of {space.height}x{space.width} on a {'GPU' if fast else 'CPU'}"
    usual = 32 if pixels <= (LARGE // 4 if fast else SMALL) else 16
    batch, why = (count, f"there are {count} images") if count is not None and count < usual else (usual, where)
    batch = given.batch if "batch" in given.model_fields_set else batch
    few = f"{count} images, fewer than {PLENTY:,}: a discriminator would learn them by heart (Karras et al., 2020b)"
    return {
        "batch": (batch, why),
        "width": (64 if fast and pixels < LARGE else 32 if fast or pixels <= SMALL else 16, where),
        "depth": (8, "styles of large images take more layers") if pixels >= LARGE else (2, "two layers will do for small images"),
        "gamma": (gamma(space, batch), f"grows with the pixels, {pixels:,}, and falls with the batch (Karras et al., 2020b)"),
        "ema": (round(0.5 ** (batch / HALF), 5), f"what the generator was {HALF:,} images ago counts half (Karras et al., 2018)"),
        "augment": ("none", f"{PLENTY:,} images or more") if count is None or count >= PLENTY else ("ada", few),
    }


def game(c: StyleganSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """Discriminator and generator, each followed by its lazy penalty.  InputError for images with a side below 8."""
    if not isinstance(space, Images) or min(space.height, space.width) < 8:
        raise InputError(f"stylegan draws images with sides of at least 8 pixels, and these are of {'x'.join(map(str, space.shape[1:]))}. "
                         "Give size=8 or more, or use `gan`.")
    classes = len(space.labels) if c.conditional else 0
    told, lazy = inputs_of(space, classes), c.penalty_every if c.gamma else 1
    G = StyleGenerator(c.latent, space.shape, c.width, c.depth, told, c.mixing, total)
    D = StyleDiscriminator(space.shape, c.width, told, c.group)
    lengths = path_length.PathLength().to(device)
    place({"generator": G, "discriminator": D}, space, device)
    generator = learner(G, *lazily(c.lr, (0.0, c.beta2), c.path_every if c.path_weight else 0), c.steps, c.decay, ema=c.ema)
    discriminator = learner(D, *lazily(c.lr, (0.0, c.beta2), lazy if lazy > 1 else 0), c.steps, c.decay)
    rules = Rules(PENALTIES["r1"] if c.gamma else {}, constant(c.gamma), lazy, augment=augmentation(c.augment, space, c.steps * c.batch))
    pair = Adversaries(generator, discriminator, nonsaturating, c.latent, device, classes, rules, separately=True,
                       examples=examples_of(space, device))

    def even_steps(batch: Batch, step: int) -> Report:
        w = G.mapping(pair.latents(batch), *pair.labels(batch))
        off = lengths(lambda w: G.synthesis(G.everywhere(w)), w)
        return Report({"path_length": c.path_every * c.path_weight * off}, {"mean": lambda: lengths.mean.clone()})

    def sample(z: Tensor, labels: Tensor | None = None, live: bool = False, psi: float = 1.0) -> Tensor:
        return evaluate(G if live else generator.average, z.to(device), *(pair.chosen(labels) or (None,)), psi)

    made = pair.game(pair.turns(1) | ({"path": Turn(generator, even_steps, every=c.path_every)} if c.path_weight else {}))
    return replace(made, sample=sample, memory=made.memory | ({"path_length": lengths} if c.path_weight else {}))


def laid_out(c: StyleganSettings, more: int) -> list[str]:
    """What is laid out over the length of the run, and where it would be in one of `more` rounds; all else is the same in both."""
    return decays(c, more) + adapts(c.augment, c.batch, c.steps, more)
