"""A generator of lines that follow from a latent, and how it learns by likelihood before it meets a discriminator: a sentence VAE (Bowman
et al., 2016) with free bits (Kingma et al., 2016).  What the recipes for text share."""

import torch
from pydantic import Field
from torch import Tensor
from torch.optim import Adam

from sparring.data.source import Batch
from sparring.game import Player, Report, Turn
from sparring.game.learner import can_fuse
from sparring.nets.text import Gumbels, Sentences, TextEncoder, TextGenerator, follow, log_likelihood
from sparring.objectives.policy import free_bits
from sparring.settings import LONGEST, Settings
from sparring.spaces import Texts


class SentenceSettings(Settings):
    """The settings that all recipes for text have."""

    batch: int = Field(64, ge=2, le=65_536, description="lines in a batch")
    pretrain: int = Field(3600, ge=0, le=LONGEST, description="rounds of maximum likelihood, before the two play")
    lr: float = Field(2e-3, gt=0, le=1, description="learning rate of Adam, in maximum likelihood")
    free_bits: float = Field(16.0, ge=0, le=10_000, description="bits that the latent may say about a line at no cost; 0: it is left to "
                             "chance, and means nothing")
    unheard: float = Field(0.2, ge=0, lt=1, description="share of the words that the generator is not told of in maximum likelihood, so "
                           "that it listens to the latent")
    latent: int = Field(32, ge=1, le=1024, description="numbers in the latent z that a line begins from")
    noise: int = Field(96, ge=1, le=1024, description="further numbers in the latent, by which words are drawn")
    width: int = Field(128, ge=2, le=4096, description="units of the LSTM, and numbers that a word becomes")
    ema: float = Field(0.99, ge=0, lt=1, description="decay of the weights' moving average, which sampling uses; 0: none")


class Writing:
    """The generator as a player, whose learning rate is `later` after `pretrain` rounds, and whose Adam begins anew when it `begins` to
    play, as with an optimizer for each part.  A latent is z, then the noise of the words."""

    def __init__(self, c: SentenceSettings, space: Texts, device: torch.device, later: float, begins: int) -> None:
        self.c, self.length, self.device = c, space.length, device
        self.encoder = TextEncoder(space.tokens, c.latent, c.width) if c.free_bits else None
        self.net = Sentences(TextGenerator(space.tokens, c.latent, c.width), self.encoder).to(device)
        self.player = Player(self.net, Adam(self.net.parameters(), c.lr, fused=can_fuse(self.net)), ema=c.ema,
                             learning_rate=lambda step: c.lr if step < c.pretrain else later, afresh=begins)
        self.gumbels = Gumbels(space.tokens, c.noise)

    def chance(self, n: int) -> Tensor:
        return torch.randn(n, self.c.latent, device=self.device)

    def likelihood(self, batch: Batch, step: int) -> Report:
        """The bound of Kingma and Welling (2014, eq. 3) with free bits; without an encoder, maximum likelihood at any latent."""
        x, z, terms, watch = batch.x.long(), self.chance(len(batch.x)), dict[str, Tensor](), {}
        if self.encoder is not None:
            mean, log_deviation = self.encoder(x)
            z = mean + log_deviation.exp() * z
            terms["kl"] = free_bits(mean, log_deviation, self.c.free_bits)
            watch = {"bits": lambda: free_bits(mean, log_deviation, 0.0) / torch.log(torch.tensor(2.0))}
        heard = torch.rand(x.shape, device=self.device) >= self.c.unheard if self.c.unheard else None
        return Report({"words": -log_likelihood(self.net.writer(x, z, heard), x).sum(1).mean(), **terms}, watch)

    def turn(self) -> Turn:
        return Turn(self.player, self.likelihood, stop=self.c.pretrain)

    # ------------------------------------------------------------------------------------------------ for the game
    def prior(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.randn(n, self.c.latent + self.c.noise, generator=rng)

    def sample(self, latents: Tensor, labels: Tensor | None = None, live: bool = False, temperature: float = 1.0,
               prefix: Tensor | None = None) -> Tensor:
        """Lines int64[B, L] that follow from the latents alone, and begin with the tokens int64[P] of a `prefix`."""
        chosen = self.net if live else self.player.average
        assert isinstance(chosen, Sentences)
        z, noise = latents.to(self.device).split([self.c.latent, self.c.noise], 1)
        return follow(chosen.writer, self.gumbels, z, noise, self.length, temperature, prefix)
