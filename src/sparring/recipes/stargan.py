"""StarGAN: one generator that translates images between many domains (Choi et al., 2018)."""

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, l1_loss

from sparring.data.source import Batch
from sparring.errors import InputError
from sparring.game import Game, Report, Translation, Turn, evaluate
from sparring.game.learner import learner
from sparring.game.precision import full
from sparring.nets.stargan import SMALLEST, DomainDiscriminator, DomainGenerator
from sparring.objectives.losses import wasserstein
from sparring.objectives.penalties import lipschitz
from sparring.objectives.shared_settings import BETA1, DOUBLED, HALF_DECAY, TRANSLATION_EMA
from sparring.settings import Settings
from sparring.spaces import Images, Space

SUMMARY = "translates images between many domains with one generator: WGAN-GP, domain classification, cycle (Choi et al., 2018)"
MATTERS = ("size", "steps", "batch", "lr", "decay", "classification", "cycle", "discriminator_steps", "skip", "width")

SMALL = 48              # pixels a side, below which a quarter of the resolution does not hold what is where


class StarganSettings(Settings):
    """The settings of `stargan`."""

    batch: int = Field(16, ge=2, le=4096, description="images in a batch")
    discriminator_steps: int = Field(5, ge=1, le=1000, description="discriminator steps per round; 5 in the paper")
    width: int = Field(32, ge=2, le=512, description="feature maps of the first layers; 64 in the paper")
    blocks: int = Field(6, ge=1, le=32, description="residual blocks of the generator; 6 in the paper")
    halvings: int = Field(2, ge=1, le=2, description="how often the generator halves the resolution; 2 in the paper; default 1 for images "
                          "below 48 pixels")
    doubled: bool = DOUBLED
    skip: bool = Field(False, description="the generator computes only the change to an image")
    colours: int = Field(0, ge=0, le=4096, description="for flat drawings: number of learned colours per domain, at least 2; every pixel "
                         "takes the nearest or blends two; 0, as in the paper: any colour")
    penalty_weight: float = Field(10.0, ge=0, le=1e6, description="weight of the gradient penalty, lambda_gp")
    classification: float = Field(1.0, ge=0, le=1e6, description="weight of the domain classification, lambda_cls")
    cycle: float = Field(10.0, ge=0, le=1e6, description="weight of the reconstruction, lambda_rec")
    lr: float = Field(1e-4, gt=0, le=1, description="learning rate of both Adam optimizers")
    beta1: float = BETA1
    decay: float = HALF_DECAY
    ema: float = TRANSLATION_EMA


def defaults(space: Space) -> dict[str, Any]:
    """What suits this kind of data, where it differs from the settings' own defaults."""
    return {"halvings": 1} if isinstance(space, Images) and min(space.height, space.width) < SMALL else {}


def game(c: StarganSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """L_D = -L_adv + lambda_cls L_cls^r and L_G = L_adv + lambda_cls L_cls^f + lambda_rec L_rec (Choi et al., 2018, eqs. 5 and 6).

    The generator's test-time mode is that of training: instance norms, and no dropout.  InputError for data without domains.
    """
    assert isinstance(space, Images)
    domains = len(space.labels)
    if domains < 2:
        raise InputError("stargan needs labelled images of at least two domains. Give a folder with one subfolder per domain.")
    if min(space.height, space.width) < SMALLEST:
        raise InputError(f"stargan needs images of at least {SMALLEST}x{SMALLEST} pixels, and these are {space.height}x{space.width}. Give "
                         "a larger size.")
    G = DomainGenerator(space.channels, domains, c.width, c.blocks, c.halvings, c.doubled, c.skip, c.colours).to(device)
    D = DomainDiscriminator(space.channels, domains, space.height, space.width, c.width).to(device)

    generator = learner(G, c.lr, (c.beta1, 0.999), c.steps, c.decay, ema=c.ema)
    discriminator = learner(D, c.lr, (c.beta1, 0.999), c.steps, c.decay)

    def targets(batch: Batch) -> Tensor:
        """Domains to translate into, int64[B], each as likely as another."""
        return (torch.rand(len(batch.x), device=device) * domains).long()

    def judged(x: Tensor) -> tuple[Tensor, Tensor]:
        source, logits = D(x)
        return full(source), full(logits)

    def discriminate(batch: Batch, step: int) -> Report:
        """-L_adv with the penalty of WGAN-GP (eq. 8), which bounds the sum over patches, and the domain of real images (eq. 2)."""
        labels = batch.labels
        assert labels is not None
        with torch.no_grad():
            fake = full(G(batch.x, targets(batch)))
        (real_score, logits), (fake_score, _) = judged(batch.x), judged(fake)
        return Report({"adversarial": wasserstein.discriminator(real_score, fake_score),
                       "gradient_penalty": c.penalty_weight * lipschitz(lambda x: D(x)[0], batch.x, fake),
                       "classification": c.classification * cross_entropy(logits, labels)},
                      {"accuracy": lambda: logits.argmax(1).eq(labels).float().mean()})

    def generate(batch: Batch, step: int) -> Report:
        """L_adv, the domain asked for (eq. 3), and the way back to the domain where the image came from (eq. 4)."""
        assert batch.labels is not None
        wanted = targets(batch)
        fake = full(G(batch.x, wanted))
        score, logits = judged(fake)
        return Report({"adversarial": wasserstein.generator(None, score),
                       "classification": c.classification * cross_entropy(logits, wanted),
                       "cycle": c.cycle * l1_loss(full(G(fake, batch.labels)), batch.x)},
                      {"accuracy": lambda: (logits.argmax(1) == wanted).float().mean()})

    def run(x: Tensor, to: int, live: bool = False, noisy: bool = False) -> Tensor:
        return evaluate(G if live else generator.average, x.to(device), torch.full((len(x),), to, device=device))

    plain = Images(*space.shape)
    return Game({"generator": generator, "discriminator": discriminator},
                {"discriminator": Turn(discriminator, discriminate, times=c.discriminator_steps), "generator": Turn(generator, generate)},
                model=generator.average,
                translation=Translation(space.labels, (plain,) * domains, (plain,) * domains, run, least=SMALLEST))
