"""Adversarial losses: each a pair of pure functions from logits to a scalar that its player minimizes.

D(x) = sigmoid(logit) where a loss speaks of probabilities; a critic's score is the logit itself.  Losses are means over
the batch.  Of the cross-entropy pairs the discriminator's loss is the *sum* of its two halves in nats, so that it is
log 4 = 1.386 when D = 1/2 everywhere.
"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import relu, softplus


class Adversarial(NamedTuple):
    """What the discriminator minimizes, given (real logits, fake logits), and the generator, given the same.

    A generator's loss looks at real logits only when the pair is `relativistic`; otherwise it may be given None.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor | None, Tensor], Tensor]
    relativistic: bool = False
    probability: bool = False           # sigmoid(logit) is the probability that a sample is real, with D* as its optimum


def cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """-E[log D(x)] - E[log(1 - D(G(z)))] (Goodfellow et al., 2014, eq. 1, negated)."""
    return softplus(-real).mean() + softplus(fake).mean()


def saturating(real: Tensor | None, fake: Tensor) -> Tensor:
    """E[log(1 - D(G(z)))] (Goodfellow et al., 2014, eq. 1): flat where D is sure, hence "saturating"."""
    return -softplus(fake).mean()


def log_d(real: Tensor | None, fake: Tensor) -> Tensor:
    """-E[log D(G(z))] (Goodfellow et al., 2014, section 3): the same fixed point, stronger gradients early."""
    return softplus(-fake).mean()


def squares(real: Tensor, fake: Tensor) -> Tensor:
    """E[(D(x) - 1)^2] / 2 + E[D(G(z))^2] / 2 on the raw outputs (Mao et al., 2017, eq. 2 with a = 0, b = 1)."""
    return ((real - 1).square().mean() + fake.square().mean()) / 2


def square(real: Tensor | None, fake: Tensor) -> Tensor:
    """E[(D(G(z)) - 1)^2] / 2 (Mao et al., 2017, eq. 2 with c = 1)."""
    return (fake - 1).square().mean() / 2


def margins(real: Tensor, fake: Tensor) -> Tensor:
    """E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))] (Lim and Ye, 2017; Miyato et al., 2018, eq. 16)."""
    return relu(1 - real).mean() + relu(1 + fake).mean()


def distance(real: Tensor, fake: Tensor) -> Tensor:
    """E[f(G(z))] - E[f(x)]: minus the Wasserstein distance when f is the best 1-Lipschitz critic (Arjovsky et al., 2017, eq. 2)."""
    return fake.mean() - real.mean()


def minus_score(real: Tensor | None, fake: Tensor) -> Tensor:
    """-E[f(G(z))] (Arjovsky et al., 2017, Theorem 3; Miyato et al., 2018, eq. 17)."""
    return -fake.mean()


def real_above_fake(real: Tensor, fake: Tensor) -> Tensor:
    """E[log(1 + exp(-(D(x) - D(G(z)))))], samples taken in pairs (Jolicoeur-Martineau, 2019; Huang et al., 2024, eq. 2)."""
    return softplus(fake - real).mean()


def fake_above_real(real: Tensor | None, fake: Tensor) -> Tensor:
    """The same with the roles exchanged: the generated sample should score above the real one of its pair."""
    assert real is not None
    return softplus(real - fake).mean()


minimax = Adversarial(cross_entropy, saturating, probability=True)
nonsaturating = Adversarial(cross_entropy, log_d, probability=True)
least_squares = Adversarial(squares, square)
hinge = Adversarial(margins, minus_score)
wasserstein = Adversarial(distance, minus_score)
relativistic = Adversarial(real_above_fake, fake_above_real, relativistic=True)

OBJECTIVES: dict[str, Adversarial] = {
    "minimax": minimax, "nonsaturating": nonsaturating, "least_squares": least_squares, "hinge": hinge,
    "wasserstein": wasserstein, "relativistic": relativistic,
}
