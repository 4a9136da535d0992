"""Adversarial losses: each a pair of pure functions from logits to a scalar that its player minimizes.

D(x) = sigmoid(logit).  A loss is the mean over the batch, in nats; the discriminator's is the *sum* of its two
halves, so that it is log 4 = 1.386 when D = 1/2 everywhere.
"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import softplus


class Adversarial(NamedTuple):
    """What the discriminator minimizes, given (real logits, fake logits), and the generator, given fake logits."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


def cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """-E[log D(x)] - E[log(1 - D(G(z)))] (Goodfellow et al., 2014, eq. 1, negated)."""
    return softplus(-real).mean() + softplus(fake).mean()


def saturating(fake: Tensor) -> Tensor:
    """E[log(1 - D(G(z)))] (Goodfellow et al., 2014, eq. 1): flat where D is sure, hence "saturating"."""
    return -softplus(fake).mean()


def log_d(fake: Tensor) -> Tensor:
    """-E[log D(G(z))] (Goodfellow et al., 2014, section 3): the same fixed point, stronger gradients early."""
    return softplus(-fake).mean()


minimax = Adversarial(cross_entropy, saturating)
nonsaturating = Adversarial(cross_entropy, log_d)
