"""Unpaired image-to-image translation using cycle-consistent adversarial networks (Zhu et al., 2017)."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from sparring.data.source import Pair
from sparring.errors import InputError
from sparring.game import Game, Report, Translation, Turn, evaluate
from sparring.game.learner import learner
from sparring.game.precision import full
from sparring.nets.patch import PatchDiscriminator, fitting_field, refuse_small
from sparring.nets.resnet_translator import SMALLEST, ResNetTranslator
from sparring.nets.two_domains import Both, refuse_unlike
from sparring.objectives.losses import least_squares
from sparring.objectives.penalties import r1_and_r2
from sparring.objectives.pool import Pool
from sparring.objectives.shared_settings import BETA1, DOUBLED, HALF_DECAY, PATCH, TRANSLATION_EMA
from sparring.settings import Integer, Settings
from sparring.spaces import Space, TwoDomains

SUMMARY = "translates images between two domains, learned without pairs: cycle-consistent GANs (Zhu et al., 2017)"
MATTERS = ("size", "steps", "batch", "lr", "decay", "cycle", "identity", "skip", "field", "width")


class CycleganSettings(Settings):
    """The settings of `cyclegan`."""

    batch: int = Field(1, ge=1, le=4096, description="images of each domain in a batch; 1 in the paper")
    width: int = Field(32, ge=2, le=512, description="feature maps of the first layers; 64 in the paper")
    blocks: int = Field(6, ge=1, le=32, description="residual blocks per generator; in the paper 6 at 128 pixels, 9 at 256")
    doubled: bool = DOUBLED
    skip: bool = Field(False, description="generators compute only the change to an image; both domains need the same channels")
    field: Annotated[Literal[1, 16, 34, 70, 142, 286], Integer] = PATCH
    cycle: float = Field(10.0, ge=0, le=1e6, description="weight of the cycle consistency loss")
    identity: float = Field(0.5, ge=0, le=1e6, description="weight of the identity loss as a share of `cycle`; give 0 for domains of "
                            "different colours")
    discriminator_steps: int = Field(1, ge=1, le=1000, description="discriminator steps per round; 1 in the paper. Steps after the first "
                                     "use new images, and translations from the pool")
    gamma: float = Field(0.0, ge=0, le=1e6, description="weight of R1 and R2, which keep the discriminators from growing steep in "
                           "long runs with several steps per round; 0, as in the paper: none")
    pool: int = Field(50, ge=0, le=10_000, description="number of earlier translations kept to show to the discriminators again; 0: none")
    lr: float = Field(2e-4, gt=0, le=1, description="learning rate of both Adam optimizers")
    beta1: float = BETA1
    decay: float = HALF_DECAY
    ema: float = TRANSLATION_EMA


def defaults(space: Space) -> dict[str, Any]:
    """What suits this kind of data, where it differs from the settings' own defaults."""
    assert isinstance(space, TwoDomains)
    same = space.a.channels == space.b.channels
    return {"field": fitting_field(space.a.height, space.a.width)} | ({} if same else {"identity": 0.0})


def game(c: CycleganSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """G: A -> B, F: B -> A; arg min_{G, F} max_{D_A, D_B} of eq. 3 (Zhu et al., 2017), with least squares for its logarithms.

    The translators' test-time mode is that of training: instance norms, and no dropout.  InputError for images that are too small.
    """
    assert isinstance(space, TwoDomains)
    refuse_small(space.a.height, space.a.width, c.field, SMALLEST)
    if (c.discriminator_steps > 1 or c.gamma) and not c.pool:
        raise InputError(f"discriminator_steps={c.discriminator_steps} gamma={c.gamma} need earlier translations, and pool=0 keeps none. "
                         "Give pool=50, or discriminator_steps=1 gamma=0.")
    a, b = space.a.channels, space.b.channels
    refuse_unlike(a, b, identity=c.identity, skip=c.skip)
    both = Both(*(ResNetTranslator(*ways, c.width, c.blocks, c.doubled, c.skip) for ways in ((b, a), (a, b)))).to(device)
    D_A, D_B = (PatchDiscriminator(channels, c.width, c.field) for channels in (a, b))
    judges = Both(D_A, D_B).to(device)
    F, G = both.a, both.b

    generators = learner(both, c.lr, (c.beta1, 0.999), c.steps, c.decay, ema=c.ema)
    discriminators = learner(judges, c.lr, (c.beta1, 0.999), c.steps, c.decay)
    pools = {name: Pool(c.pool, side.shape, device) for name, side in (("a", space.a), ("b", space.b))}
    made: dict[str, Tensor] = {}                # the round's translations, which the discriminators see after the generators moved

    def generate(batch: Pair, step: int) -> Report:
        """L_GAN(G, D_B) + L_GAN(F, D_A) + lambda L_cyc (eqs. 1 to 3), and L_identity (section 5.2)."""
        made["a"], made["b"] = fake_a, fake_b = full(F(batch.b)), full(G(batch.a))
        terms = {"adversarial_a": 2 * least_squares.generator(None, full(D_A(fake_a))),
                 "adversarial_b": 2 * least_squares.generator(None, full(D_B(fake_b))),
                 "cycle_a": c.cycle * l1_loss(full(F(fake_b)), batch.a), "cycle_b": c.cycle * l1_loss(full(G(fake_a)), batch.b)}
        if c.identity:
            terms |= {"identity_a": c.cycle * c.identity * l1_loss(full(F(batch.a)), batch.a),
                      "identity_b": c.cycle * c.identity * l1_loss(full(G(batch.b)), batch.b)}
        return Report(terms)

    def discriminate(batch: Pair, step: int) -> Report:
        """(D(y) - 1)^2 + D(G(x))^2, halved (section 4), with translations from the pool in place of half of the new ones."""
        fake_a, fake_b = (pool.exchange(made.pop(name)) if name in made else pool.drawn(c.batch) for name, pool in pools.items())
        return Report({"adversarial_a": least_squares.discriminator(full(D_A(batch.a)), full(D_A(fake_a))),
                       "adversarial_b": least_squares.discriminator(full(D_B(batch.b)), full(D_B(fake_b)))})

    def smooth(batch: Pair, step: int) -> Report:
        """gamma E[|grad D|^2] / 2 at real images and at translations from the pool (Mescheder et al., 2018), for all the round's steps."""
        weight = c.gamma * c.discriminator_steps
        return Report({"a": weight * r1_and_r2(D_A.mean, batch.a, pools["a"].drawn(c.batch)),
                       "b": weight * r1_and_r2(D_B.mean, batch.b, pools["b"].drawn(c.batch))})

    def run(x: Tensor, to: int, live: bool = False, noisy: bool = False) -> Tensor:
        nets = both if live else generators.average
        assert isinstance(nets, Both)
        return evaluate((nets.a, nets.b)[to], x.to(device))

    return Game({"generators": generators, "discriminators": discriminators},
                {"generators": Turn(generators, generate),
                 "discriminators": Turn(discriminators, discriminate, times=c.discriminator_steps)}
                | ({"penalty": Turn(discriminators, smooth)} if c.gamma else {}),
                model=generators.average, memory={f"pool_{name}": pool for name, pool in pools.items()} if c.pool else {},
                translation=Translation(space.names, (space.b, space.a), (space.a, space.b), run, least=SMALLEST))
