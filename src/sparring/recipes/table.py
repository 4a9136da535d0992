"""Rows of tables with mixed columns, from the conditional generator and the training by sampling of CTGAN (Xu et al., 2019), in the
relativistic game of R3GAN (Huang et al., 2024)."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from sparring.data.source import Batch, Source
from sparring.data.tables.mixed import BATCH, batch_of
from sparring.errors import InputError
from sparring.game import Game, Report, Turn, evaluate
from sparring.game.learner import learner
from sparring.game.precision import full
from sparring.nets.table import Blocks, Conditions, TableCritic, TableGenerator, uniform
from sparring.objectives.gan_networks import refuse_nonsense
from sparring.objectives.gan_turns import Rules
from sparring.objectives.losses import OBJECTIVES
from sparring.objectives.penalties import PENALTIES, packed
from sparring.objectives.shared_settings import DECAY
from sparring.settings import OneOf, Settings
from sparring.spaces import Space, Table

SUMMARY = "rows of a table with mixed columns, from a CSV (after CTGAN; Xu et al., 2019)"
MATTERS = ("steps", "batch", "lr", "objective", "penalty", "penalty_weight", "pack", "width", "latent", "chance")
SETTLED = 4                             # rounds between those in which the averaged generator takes statistics of its own


class TableRecipeSettings(Settings):
    """The settings of `table`."""

    steps: int = Field(10_000, ge=1, le=10**9, description="rounds to train: a critic's step and a generator's step each")
    batch: int = Field(BATCH, ge=2, le=65_536, description="rows in a batch")
    lr: float = Field(1e-3, gt=0, le=1, description="learning rate of both Adam optimizers")
    beta2: float = Field(0.9, ge=0, lt=1, description="Adam's beta2: decay of the mean of squared gradients; beta1 is 0.5")
    decay: float = DECAY
    objective: Annotated[str, OneOf(OBJECTIVES)] = Field("relativistic", description="what the two play for")
    penalty: Annotated[str, OneOf(("none", "r1", "r2", "r1+r2", "gradient", "one_sided"))] = Field(
        "r1+r2", description="on the critic's slopes")
    penalty_weight: float = Field(0.1, ge=0, le=1e6, description="weight of the penalty")
    penalty_every: int = Field(1, ge=1, le=10_000, description="rounds between penalties, whose weight is as many times larger then")
    pack: int = Field(1, ge=1, le=256, description="rows that the critic judges together (PacGAN); a batch is a multiple")
    latent: int = Field(128, ge=1, le=4096, description="size of the latent vector z ~ N(0, I)")
    width: int = Field(256, ge=2, le=4096, description="units per hidden layer")
    depth: int = Field(2, ge=1, le=16, description="number of hidden layers")
    slope: float = Field(0.2, ge=0, le=1, description="negative slope of the critic's leaky ReLU")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of the critic's units left out at random")
    temperature: float = Field(0.2, gt=0, le=10, description="of the Gumbel-softmax in training; samples are drawn exactly")
    gain: float = Field(4.0, gt=0, le=1000, description="of numbers, [-1, 1], where the critic sees them: beside one-hots they are small")
    chance: float = Field(0.5, gt=0, le=10, description="temperature at which places are drawn; z decides the rest")
    cool: float = Field(0.5, gt=0, le=10, description="of that chance in samples")
    straight: bool = Field(True, description="show the critic places as real rows have them, not soft ones (straight-through gradients)")
    condition_weight: float = Field(1.0, ge=0, le=1000, description="weight of the cross-entropy that makes rows fulfil their condition")
    ema: float = Field(0.99, gt=0, lt=1, description="decay of the weights' moving average, which sampling uses")


def defaults(space: Space) -> dict[str, Any]:
    return {}


def choices(source: Source, given: Any, fast: bool) -> dict[str, tuple[Any, str]]:
    """By setting, a value and its reason: a batch that the rows fill."""
    return batch_of(source, given.pack)


def game(c: TableRecipeSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """Section 4.4 of Xu et al. (2019).  What a sample is drawn by lies in its latents, all of them normal: z, then a number for its
    condition, and one for each block of places.  Its labels are conditions, int64[n], which take the place of that number."""
    assert isinstance(space, Table)
    objective, terms = OBJECTIVES[c.objective], PENALTIES[c.penalty]
    refuse_nonsense(c.objective, c.penalty, c.penalty_weight, Rules(penalty=terms, pack=c.pack), c.batch, 0, False)
    if c.batch // c.pack < 1:
        raise InputError(f"batch={c.batch} is smaller than pack={c.pack}. Give a batch that is a multiple of pack.")
    blocks, conditions, size = Blocks(space.blocks, device, c.chance), Conditions(space, device), space.shape[0]
    G = TableGenerator(c.latent, conditions.count, size, c.width, c.depth).to(device)
    D = TableCritic(c.pack * (size + conditions.count), c.width, c.depth, c.slope, c.dropout).to(device)
    generator = learner(G, c.lr, (0.5, c.beta2), c.steps, c.decay, ema=c.ema, own_statistics=True)
    critic = learner(D, c.lr, (0.5, c.beta2), c.steps, c.decay)

    drawn = partial(blocks.straight if c.straight else blocks.soft, temperature=c.temperature)

    def seen(rows: Tensor, y: Tensor) -> Tensor:
        """Rows and their conditions, in packs, as the critic is shown them."""
        return packed(torch.cat([rows[:, :blocks.hot], c.gain * rows[:, blocks.hot:], y], 1), c.pack)

    def noise(n: int) -> Tensor:
        return torch.randn(n, c.latent, device=device)

    def discriminate(batch: Batch, step: int) -> Report:
        y = conditions.hot(batch.labels, len(batch.x))
        made = drawn(full(G(noise(len(y)), y))).detach()
        pairs = [seen(batch.x, y), seen(made, y)]
        real, fake = full(D(torch.cat(pairs))).chunk(2)
        found = {"adversarial": objective.discriminator(real, fake)}
        if step % c.penalty_every == 0:
            found |= {name: c.penalty_every * c.penalty_weight * penalty(D, *pairs) for name, penalty in terms.items()}
        return Report(found, {"score(x)": lambda: real.mean(), "score(G(z))": lambda: fake.mean()})

    def generate(batch: Batch, step: int) -> Report:
        y = conditions.hot(batch.labels, len(batch.x))
        raw = full(G(noise(len(y)), y))
        real = full(D(seen(batch.x, y))) if objective.relativistic else None
        found = {"adversarial": objective.generator(real, full(D(seen(drawn(raw), y))))}
        if batch.labels is not None and conditions.count:
            found["condition"] = -c.condition_weight * (blocks.logs(raw[:, :blocks.hot])[:, conditions.where] * y).sum(1).mean()
        return Report(found)

    def settle(batch: Batch, step: int) -> Report:
        """The averaged generator takes batch statistics of rows as they will be drawn: with conditions as frequent as in the data."""
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            z = torch.randn(len(batch.x), c.latent + 1, device=device)
            generator.average(z[:, 1:], conditions.hot(conditions.at(z[:, 0]), len(z)))
        return Report()

    def sample(z: Tensor, labels: Tensor | None = None, live: bool = False) -> Tensor:
        condition = conditions.hot(conditions.at(z[:, c.latent]) if labels is None else labels, z.shape[0])
        raw = evaluate(G if live else generator.average, z[:, :c.latent].to(device), condition)
        return blocks.hard(full(raw), uniform(z[:, c.latent + 1:]).to(device), c.cool)

    return Game(players={"generator": generator, "discriminator": critic}, model=generator.average, sample=sample,
                turns={"discriminator": Turn(critic, discriminate), "generator": Turn(generator, generate),
                       "statistics": Turn(generator, settle, every=SETTLED)},
                prior=lambda n, rng: torch.randn(n, c.latent + 1 + len(space.blocks), generator=rng))
