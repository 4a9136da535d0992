"""The log-likelihood of images under a Gaussian Parzen window on generated ones, by which the first GAN was measured.

A sample x has the likelihood 1/N sum_i N(x; c_i, sigma^2 I) around N generated samples c_i (Breuleux et al., 2011; Goodfellow et
al., 2014, section 5 and Table 1), with pixels in [0, 1] and sigma chosen on a validation split.  It is a poor measure (Theis et
al., 2016): in many dimensions no number of centres covers the data, it favours blurred or memorized centres, and the real
training images themselves need not win.  It is here to compare with published figures, not to tell which samples are good.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

BLOCK = 500                                                     # points at a time: BLOCK x N distances are held at once
DEVIATIONS = tuple(torch.logspace(-1, 0, 10, dtype=torch.float64).tolist())     # the grid of the published code


def log_likelihoods(x: Tensor, centres: Tensor, deviations: Sequence[float]) -> Tensor:
    """log 1/N sum_i N(x; c_i, sigma^2 I) in nats, in float64, for every deviation sigma: float64[len(deviations), B].

    x: float[B, ...] and centres: float[N, ...] of one shape and unit; the distances are found once for all deviations.
    ValueError when there is no centre, the shapes differ, or a deviation is not above zero.
    """
    if not len(centres) or x.shape[1:] != centres.shape[1:] or min(deviations) <= 0:
        raise ValueError(f"expected centres shaped like x and deviations above 0; got x {tuple(x.shape)}, centres "
                         f"{tuple(centres.shape)}, deviations {tuple(deviations)}")
    c = centres.flatten(1).double()
    squares, (n, dimensions) = c.square().sum(1), c.shape
    found = []
    for block in x.flatten(1).split(BLOCK):
        b = block.double()
        apart = torch.addmm(squares[None] + b.square().sum(1)[:, None], b, c.T, alpha=-2).clamp_(min=0)
        found.append(torch.stack([torch.logsumexp(apart / (-2 * s * s), 1) - math.log(n) - dimensions / 2 * math.log(2 * math.pi * s * s)
                                  for s in deviations]))
    return torch.cat(found, 1)


def best_deviation(valid: Tensor, centres: Tensor, deviations: Sequence[float] = DEVIATIONS) -> float:
    """The deviation under which the validation samples are likeliest."""
    return deviations[int(log_likelihoods(valid, centres, deviations).mean(1).argmax())]


def score(test: Tensor, valid: Tensor, centres: Tensor, deviations: Sequence[float] = DEVIATIONS) -> dict[str, float]:
    """The mean log-likelihood of the test samples in nats, its standard error over them, and the deviation that was chosen."""
    deviation = best_deviation(valid, centres, deviations)
    found = log_likelihoods(test, centres, [deviation])[0]
    return {"log_likelihood": found.mean().item(), "standard_error": found.std().item() / math.sqrt(len(found)), "deviation": deviation}
