"""The two terms of the evidence lower bound (Kingma and Welling, 2014, eq. 3), in nats a sample."""

import math

from torch import Tensor


def reconstruction(x: Tensor, mean: Tensor, sigma: float) -> Tensor:
    """-log N(x; mean, sigma^2 I), the mean over the batch (Kingma and Welling, 2014, appendix C.2)."""
    numbers = math.prod(x.shape[1:])
    return numbers / 2 * ((mean - x).square().mean() / sigma**2 + math.log(2 * math.pi * sigma**2))


def kl(mean: Tensor, log_deviation: Tensor) -> Tensor:
    """KL(N(mean, diag deviation^2) || N(0, I)), the mean over the batch (Kingma and Welling, 2014, appendix B)."""
    return ((mean.square() + (2 * log_deviation).exp() - 1) / 2 - log_deviation).sum(1).mean()
