"""RelGAN: lines of text by gradients through the draw of each word (Nie et al., 2019), from a latent that says something (Bowman et al.,
2016).  The generator is an LSTM here, where the paper has a relational memory."""

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import nn

from sparring.data.source import Batch
from sparring.game import Game, Report, Turn
from sparring.game.learner import learner
from sparring.game.schedules import Schedule, falls, geometric
from sparring.nets.text import TextViews, relaxed
from sparring.objectives.losses import OBJECTIVES
from sparring.objectives.policy import written
from sparring.objectives.sentences import SentenceSettings, Writing
from sparring.settings import LONGEST
from sparring.spaces import Space, Texts

SUMMARY = "RelGAN: lines of text, by maximum likelihood and then by Gumbel-softmax (Nie et al., 2019)"
MATTERS = ("steps", "pretrain", "batch", "lr", "adversarial_lr", "free_bits", "coldest", "width", "latent", "views")


class RelganSettings(SentenceSettings):
    """The settings of `relgan`."""

    steps: int = Field(4600, ge=1, le=LONGEST, description="rounds to train: `pretrain` rounds of maximum likelihood, then both play")
    adversarial_lr: float = Field(1e-4, gt=0, le=1, description="the learning rate of both, when they play")
    discriminator_steps: int = Field(5, ge=1, le=10_000, description="steps of the discriminator in each of these rounds")
    coldest: float = Field(0.01, gt=0, le=1, description="temperature of the Gumbel-softmax at the end; it falls from 1 by the same factor "
                           "each round")
    soft: bool = Field(False, description="show the discriminator shares of words, as the paper does, instead of the words that were drawn "
                       "(straight-through)")
    views: int = Field(8, ge=1, le=1024, description="embeddings of each word that are judged apart; 64 in the paper")
    view_width: int = Field(8, ge=1, le=4096, description="numbers in each of them; 1 in the paper")
    filters: int = Field(100, ge=1, le=10_000, description="the discriminator's filters of each width, from 2 to 5; 300 in the paper")
    anchor: float = Field(0.0, ge=0, le=1000, description="weight of the likelihood that is kept beside the adversarial loss; the paper "
                          "has none")


def defaults(space: Space) -> dict[str, Any]:
    return {}


def temperature(c: RelganSettings, steps: int) -> Schedule:
    """Of the Gumbel-softmax, by the round of a run of so many (Nie et al., 2019, section 4.2: 1 / beta, exponentially)."""
    at = geometric(1.0, c.coldest, max(1, steps - c.pretrain))
    return lambda step: at(max(0, step - c.pretrain))


def laid_out(c: RelganSettings, more: int) -> list[str]:
    """What goes by the length of a run."""
    return [falls(f"coldest={c.coldest}", "the temperature", lambda n: temperature(c, n), c.steps, more)] if c.coldest < 1 else []


def game(c: RelganSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """The relativistic loss of Nie et al. (2019, eq. 5 and 6), the mean over all views."""
    assert isinstance(space, Texts)
    writing, length, heat = Writing(c, space, device, c.adversarial_lr, c.pretrain), space.length, temperature(c, c.steps)
    G, generator = writing.net, writing.player
    D = TextViews(space.tokens, length, c.view_width, c.views, c.filters).to(device)
    discriminator = learner(D, c.adversarial_lr, (0.9, 0.999), c.steps, 0.0)
    objective = OBJECTIVES["relativistic"]

    def discriminate(batch: Batch, step: int) -> Report:
        real, z = batch.x.long(), writing.chance(len(batch.x))
        with torch.no_grad():
            made = relaxed(G.writer, z, length, heat(step))[0] if c.soft else written(G.writer, z, length)[0]
        real_logits, fake_logits = D(real), D(made)
        return Report({"adversarial": objective.discriminator(real_logits, fake_logits)},
                      {"score(x)": lambda: real_logits.mean(), "score(G(z))": lambda: fake_logits.mean(),
                       "accuracy": lambda: (real_logits > fake_logits).float().mean()})

    def generate(batch: Batch, step: int) -> Report:
        shares, hard = relaxed(G.writer, writing.chance(len(batch.x)), length, heat(step))
        shown = shares if c.soft else hard
        kept = {name: c.anchor * term for name, term in writing.likelihood(batch, step).minimize.items()} if c.anchor else {}
        return Report({"adversarial": objective.generator(D(batch.x.long()), D(shown)), **kept}, {"temperature": heat(step)})

    return Game(players={"generator": generator, "discriminator": discriminator}, model=generator.average, sample=writing.sample,
                generator=generator.average.get_submodule("writer"), prior=writing.prior,
                turns={"likelihood": writing.turn(),
                       "discriminator": Turn(discriminator, discriminate, times=c.discriminator_steps, start=c.pretrain),
                       "generator": Turn(generator, generate, start=c.pretrain)})
