"""SeqGAN: lines of text by policy gradient (Yu et al., 2017), from a latent that says something (Bowman et al., 2016)."""

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Adam

from sparring.data.source import Batch
from sparring.game import Game, Player, Report, Turn
from sparring.game.learner import can_fuse, learner
from sparring.nets.text import Gumbels, Sentences, TextDiscriminator, TextEncoder, TextGenerator, follow, log_likelihood
from sparring.objectives.gan_turns import evaluate
from sparring.objectives.losses import OBJECTIVES
from sparring.objectives.policy import free_bits, policy, rewards, written
from sparring.settings import LONGEST, Settings
from sparring.spaces import Space, Texts

SUMMARY = "SeqGAN: lines of text, by maximum likelihood and then by policy gradient (Yu et al., 2017)"
MATTERS = ("steps", "pretrain", "warm", "batch", "lr", "policy_lr", "free_bits", "rollouts", "width", "latent")


class SeqganSettings(Settings):
    """The settings of `seqgan`."""

    steps: int = Field(4000, ge=1, le=LONGEST, description="rounds to train: `pretrain` rounds of maximum likelihood, then `warm` in which "
                       "only the discriminator learns, then both play")
    batch: int = Field(64, ge=2, le=65_536, description="lines in a batch")
    pretrain: int = Field(3600, ge=0, le=LONGEST, description="rounds of maximum likelihood, before the two play")
    warm: int = Field(200, ge=0, le=LONGEST, description="rounds after that in which only the discriminator learns")
    lr: float = Field(2e-3, gt=0, le=1, description="learning rate of Adam, in maximum likelihood")
    policy_lr: float = Field(2e-4, gt=0, le=1, description="the generator's learning rate, in policy gradient")
    discriminator_lr: float = Field(1e-3, gt=0, le=1, description="the discriminator's learning rate")
    discriminator_steps: int = Field(5, ge=1, le=10_000, description="steps of the discriminator in each round after maximum likelihood")
    rollouts: int = Field(4, ge=1, le=1000, description="lines written on from each word, to find what it is worth; 16 in the "
                          "paper")
    anchor: float = Field(0.0, ge=0, le=1000, description="weight of the likelihood that is kept beside the policy gradient; the paper has "
                          "none")
    free_bits: float = Field(16.0, ge=0, le=10_000, description="bits that the latent may say about a line at no cost; 0: it is left to "
                             "chance, and means nothing")
    unheard: float = Field(0.2, ge=0, lt=1, description="share of the words that the generator is not told of in maximum likelihood, so "
                           "that it listens to the latent")
    latent: int = Field(32, ge=1, le=1024, description="numbers in the latent that a line begins from, z ~ N(0, I)")
    noise: int = Field(96, ge=1, le=1024, description="further numbers in the latent, by which words are drawn")
    width: int = Field(128, ge=2, le=4096, description="units of the LSTM, and numbers that a word becomes")
    filters: int = Field(50, ge=1, le=1000, description="the discriminator's filters, in percent of the paper's 1,720")
    dropout: float = Field(0.25, ge=0, lt=1, description="share of the discriminator's features that are left out at random")
    l2: float = Field(0.2, ge=0, le=1000, description="weight of half the squared weights of the discriminator's last layer")
    ema: float = Field(0.99, ge=0, lt=1, description="decay of the weights' moving average, which sampling uses; 0: none")


def defaults(space: Space) -> dict[str, Any]:
    return {}


def game(c: SeqganSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """Algorithm 1 of Yu et al. (2017), with the generator as its own roll-out policy.  A latent is z, then the noise of the words."""
    assert isinstance(space, Texts)
    tokens, length = space.tokens, space.length
    encoder = TextEncoder(tokens, c.latent, c.width) if c.free_bits else None
    G, E = Sentences(TextGenerator(tokens, c.latent, c.width), encoder).to(device), encoder
    D = TextDiscriminator(tokens, length, c.width, c.filters, c.dropout).to(device)
    generator = Player(G, Adam(G.parameters(), c.lr, fused=can_fuse(G)), ema=c.ema,
                       learning_rate=lambda step: c.lr if step < c.pretrain else c.policy_lr)
    discriminator = learner(D, c.discriminator_lr, (0.9, 0.999), c.steps, 0.0)
    objective, gumbels = OBJECTIVES["nonsaturating"], Gumbels(tokens, c.noise)

    def chance(n: int) -> Tensor:
        return torch.randn(n, c.latent, device=device)

    def likelihood(batch: Batch, step: int) -> Report:
        """The bound of Kingma and Welling (2014, eq. 3) with free bits; without an encoder, maximum likelihood at any latent."""
        x, z, terms, watch = batch.x.long(), chance(len(batch.x)), dict[str, Tensor](), {}
        if E is not None:
            mean, log_deviation = E(x)
            z = mean + log_deviation.exp() * z
            terms["kl"] = free_bits(mean, log_deviation, c.free_bits)
            watch = {"bits": lambda: free_bits(mean, log_deviation, 0.0) / torch.log(torch.tensor(2.0))}
        heard = torch.rand(x.shape, device=device) >= c.unheard if c.unheard else None
        return Report({"words": -log_likelihood(G.writer(x, z, heard), x).sum(1).mean(), **terms}, watch)

    def discriminate(batch: Batch, step: int) -> Report:
        real = batch.x.long()
        real_logits, fake_logits = D(torch.cat([real, written(G.writer, chance(len(real)), length)[0]])).chunk(2)
        return Report({"adversarial": objective.discriminator(real_logits, fake_logits), "l2": c.l2 * D.score.weight.square().sum() / 2},
                      {"D(x)": lambda: real_logits.sigmoid().mean(), "D(G(z))": lambda: fake_logits.sigmoid().mean()})

    def generate(batch: Batch, step: int) -> Report:
        z = chance(len(batch.x))
        x, states = written(G.writer, z, length)
        worth = rewards(G.writer, lambda lines: evaluate(D, lines).sigmoid(), x, states, c.rollouts)
        kept = {name: c.anchor * term for name, term in likelihood(batch, step).minimize.items()} if c.anchor else {}
        return Report({"policy": policy(G.writer(x, z), x, worth), **kept}, {"reward": lambda: worth[:, -1].mean()})

    def sample(latents: Tensor, labels: Tensor | None = None, live: bool = False, temperature: float = 1.0,
               prefix: Tensor | None = None) -> Tensor:
        """Lines int64[B, L] that follow from the latents alone, and begin with the tokens int64[P] of a `prefix`."""
        chosen = G if live else generator.average
        assert isinstance(chosen, Sentences)
        z, noise = latents.to(device).split([c.latent, c.noise], 1)
        return follow(chosen.writer, gumbels, z, noise, length, temperature, prefix)

    return Game(players={"generator": generator, "discriminator": discriminator}, model=generator.average, sample=sample,
                generator=generator.average.get_submodule("writer"),
                turns={"likelihood": Turn(generator, likelihood, stop=c.pretrain),
                       "discriminator": Turn(discriminator, discriminate, times=c.discriminator_steps, start=c.pretrain),
                       "generator": Turn(generator, generate, start=c.pretrain + c.warm)},
                prior=lambda n, rng: torch.randn(n, c.latent + c.noise, generator=rng),
                judge=lambda x, labels=None: evaluate(D, x.to(device)))
