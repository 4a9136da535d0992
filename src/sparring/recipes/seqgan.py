"""SeqGAN: lines of text by policy gradient (Yu et al., 2017), from a latent that says something (Bowman et al., 2016)."""

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import nn

from sparring.data.source import Batch
from sparring.game import Game, Report, Turn, evaluate
from sparring.game.learner import learner
from sparring.nets.text import TextDiscriminator
from sparring.objectives.losses import OBJECTIVES
from sparring.objectives.policy import policy, rewards, written
from sparring.objectives.sentences import SentenceSettings, Writing
from sparring.settings import LONGEST
from sparring.spaces import Space, Texts

SUMMARY = "SeqGAN: lines of text, by maximum likelihood and then by policy gradient (Yu et al., 2017)"
MATTERS = ("steps", "pretrain", "warm", "batch", "lr", "policy_lr", "free_bits", "rollouts", "width", "latent")


class SeqganSettings(SentenceSettings):
    """The settings of `seqgan`."""

    steps: int = Field(4000, ge=1, le=LONGEST, description="rounds to train: `pretrain` rounds of maximum likelihood, then `warm` in which "
                       "only the discriminator learns, then both play")
    warm: int = Field(200, ge=0, le=LONGEST, description="rounds after that in which only the discriminator learns")
    policy_lr: float = Field(2e-4, gt=0, le=1, description="the generator's learning rate, in policy gradient")
    discriminator_lr: float = Field(1e-3, gt=0, le=1, description="the discriminator's learning rate")
    discriminator_steps: int = Field(5, ge=1, le=10_000, description="steps of the discriminator in each round after maximum likelihood")
    rollouts: int = Field(4, ge=1, le=1000, description="lines written on from each word, to find what it is worth; 16 in the "
                          "paper")
    anchor: float = Field(0.0, ge=0, le=1000, description="weight of the likelihood that is kept beside the policy gradient; the paper has "
                          "none")
    filters: int = Field(50, ge=1, le=1000, description="the discriminator's filters, in percent of the paper's 1,720")
    dropout: float = Field(0.25, ge=0, lt=1, description="share of the discriminator's features that are left out at random")
    l2: float = Field(0.2, ge=0, le=1000, description="weight of half the squared weights of the discriminator's last layer")


def defaults(space: Space) -> dict[str, Any]:
    return {}


def game(c: SeqganSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """Algorithm 1 of Yu et al. (2017), with the generator as its own roll-out policy."""
    assert isinstance(space, Texts)
    writing, length = Writing(c, space, device, c.policy_lr, c.pretrain + c.warm), space.length
    G, generator = writing.net, writing.player
    D = TextDiscriminator(space.tokens, length, c.width, c.filters, c.dropout).to(device)
    discriminator = learner(D, c.discriminator_lr, (0.9, 0.999), c.steps, 0.0)
    objective = OBJECTIVES["nonsaturating"]

    def discriminate(batch: Batch, step: int) -> Report:
        real = batch.x.long()
        real_logits, fake_logits = D(torch.cat([real, written(G.writer, writing.chance(len(real)), length)[0]])).chunk(2)
        return Report({"adversarial": objective.discriminator(real_logits, fake_logits), "l2": c.l2 * D.score.weight.square().sum() / 2},
                      {"D(x)": lambda: real_logits.sigmoid().mean(), "D(G(z))": lambda: fake_logits.sigmoid().mean()})

    def generate(batch: Batch, step: int) -> Report:
        z = writing.chance(len(batch.x))
        x, states = written(G.writer, z, length)
        worth = rewards(G.writer, lambda lines: evaluate(D, lines).sigmoid(), x, states, c.rollouts)
        kept = {name: c.anchor * term for name, term in writing.likelihood(batch, step).minimize.items()} if c.anchor else {}
        return Report({"policy": policy(G.writer(x, z), x, worth), **kept}, {"reward": lambda: worth[:, -1].mean()})

    return Game(players={"generator": generator, "discriminator": discriminator}, model=generator.average, sample=writing.sample,
                generator=generator.average.get_submodule("writer"), prior=writing.prior,
                turns={"likelihood": writing.turn(),
                       "discriminator": Turn(discriminator, discriminate, times=c.discriminator_steps, start=c.pretrain),
                       "generator": Turn(generator, generate, start=c.pretrain + c.warm)},
                judge=lambda x, labels=None: evaluate(D, x.to(device)))
