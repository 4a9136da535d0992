"""The variational autoencoder (Kingma and Welling, 2014): a game with one player, to hold the others against."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from sparring.data.source import Batch
from sparring.game import Game, Report, Turn, evaluate
from sparring.game.learner import learner
from sparring.game.precision import full
from sparring.game.schedules import decays, geometric
from sparring.nets.autoencoder import Autoencoder
from sparring.nets.dcgan import ConvDiscriminator
from sparring.nets.mlp import mlp, with_class
from sparring.objectives.gan_networks import inputs_of, networks, place
from sparring.objectives.gan_turns import asked, examples_of
from sparring.objectives.shared_settings import CONDITIONAL, DEPTH, EMA, HALF_DECAY, LATENT, SLOPE, WIDTH
from sparring.objectives.variational import kl, reconstruction
from sparring.settings import Settings
from sparring.spaces import Images, Space

SUMMARY = "variational autoencoder with a Gaussian likelihood (Kingma and Welling, 2014), for comparison; samples are its means"
NETWORKS = ("generator",)
MATTERS = ("steps", "batch", "lr", "decay", "sigma", "latent", "width", "depth", "ema", "conditional")


class VaeSettings(Settings):
    """The settings of `vae`."""

    batch: int = Field(128, ge=1, le=65_536, description="samples in a batch")
    latent: int = LATENT
    width: int = WIDTH
    depth: int = DEPTH
    slope: float = SLOPE
    sigma: float = Field(0.1, gt=0, le=1, description="standard deviation of the likelihood (N(x; decoder(z), sigma^2 I), in network "
                                                      "units); it falls from 1 to this over the first half of the run")
    lr: float = Field(1e-3, gt=0, le=1, description="learning rate of Adam")
    decay: float = HALF_DECAY
    ema: float = EMA
    conditional: bool = CONDITIONAL


def defaults(space: Space) -> dict[str, Any]:
    """What suits this kind of data, where it differs from the settings' own defaults.

    Sigma is stated, not learned.  The sigma of the greatest likelihood is far smaller wherever the code can restore the data,
    and samples are worse with it: the codes of real data then leave holes in the prior.  Where a sample is one number, it is
    not even determined.  A small sigma is a small beta: this is a beta-VAE of deviation 1 and beta = sigma^2 (Higgins et al., 2017).
    """
    images = {"latent": 32, "width": 32, "sigma": 0.4, "lr": 2e-3} if isinstance(space, Images) else {}
    return images | {"conditional": bool(space.labels)}


class Encoder(nn.Module):
    """float[B, *shape] (and int64[B] class indices) to mean and log deviation of q(z | x), each float[B, latent]."""

    def __init__(self, space: Space, c: VaeSettings, classes: int) -> None:
        super().__init__()
        self.classes = classes = inputs_of(space, classes)
        body = networks(space, c.latent, c.width, c.depth, c.slope, 0)["discriminator"]
        if isinstance(body, ConvDiscriminator):
            self.features: nn.Module = body.features
            self.head: nn.Module = nn.Linear(body.score.in_features + classes, 2 * c.latent)
        else:
            self.features = nn.Identity()
            self.head = mlp(math.prod(space.shape) + classes, c.width, c.depth, 2 * c.latent, c.slope)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mean, log_deviation = self.head(with_class(self.features(x), labels, self.classes)).chunk(2, 1)
        return mean, log_deviation


def laid_out(c: VaeSettings, more: int) -> list[str]:
    """What is laid out over the length of the run, and where it would be in one of `more` rounds; all else is the same in both."""
    return decays(c, more) + ([f"sigma={c.sigma} is reached at round {-(-c.steps // 2):,}, halfway; over {more:,} rounds it would be "
                               f"reached at {-(-more // 2):,}"] if c.sigma < 1 else [])


def game(c: VaeSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """Algorithm 1 of Kingma and Welling (2014), one z a sample; one's `own` generator is the decoder, G(z) or G(z, labels)."""
    classes = len(space.labels) if c.conditional else 0
    decoder = own["generator"] if own and "generator" in own else \
        networks(space, c.latent, c.width, c.depth, c.slope, classes)["generator"]
    net = Autoencoder(Encoder(space, c, classes), decoder)
    place({"autoencoder": net}, space, device)
    sigma = geometric(1.0, c.sigma, -(-c.steps // 2))       # coarse things first: with a small one from the start, codes miss the prior
    both = learner(net, c.lr, (0.9, 0.999), c.steps, c.decay, ema=c.ema)
    examples = examples_of(space, device)

    def given(labels: Tensor | None) -> tuple[Tensor, ...]:
        return asked(labels, device, examples) if classes else ()

    def bound(batch: Batch, step: int) -> Report:
        """Minus the evidence lower bound (Kingma and Welling, 2014, eq. 3): its two terms, nats a sample, at this round's sigma."""
        labels = given(batch.labels)
        mean, log_deviation = map(full, net.encoder(batch.x, *labels))
        made = full(net.decoder(mean + log_deviation.exp() * torch.randn_like(mean), *labels))
        terms = {"reconstruction": reconstruction(batch.x, made, sigma(step)), "kl": kl(mean, log_deviation)}
        return Report(terms, {"elbo": lambda: -terms["reconstruction"] - terms["kl"]})

    def sample(z: Tensor, labels: Tensor | None = None, live: bool = False) -> Tensor:
        """The mean of the likelihood, without its noise, as is the custom."""
        chosen = net if live else both.average
        assert isinstance(chosen, Autoencoder)
        return evaluate(chosen.decoder, z.to(device), *given(labels))

    assert isinstance(both.average, Autoencoder)
    return Game(players={"autoencoder": both}, turns={"bound": Turn(both, bound)}, model=both.average, generator=both.average.decoder,
                classes=classes, prior=lambda n, rng: torch.randn(n, c.latent, generator=rng), sample=sample)
