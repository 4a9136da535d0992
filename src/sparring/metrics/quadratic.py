"""Do generated curves belong to the quadratic family, and are its members equally likely?"""

import numpy as np
import torch
from torch import Tensor

from sparring.data.builtin.synthetic import Quadratic


def fit_a(curves: Tensor, x: Tensor) -> Tensor:
    """Least-squares a of y = a x^2 + (a - 1) for each curve: float[B, N] -> float[B]."""
    basis = x.square() + 1                                   # y + 1 = a (x^2 + 1)
    return ((curves + 1) * basis).sum(1) / basis.square().sum()


def score(curves: Tensor, family: Quadratic) -> dict[str, float]:
    """`ks`: Kolmogorov-Smirnov distance of the fitted a from U(low, high), at least about 0.8 / sqrt(B) by chance;
    `residual`: root mean square distance from the fitted parabola, in units of y."""
    from scipy.stats import kstest  # a third of the time in which a run starts

    curves = curves.double()
    a = fit_a(curves, torch.tensor(family.space.x, dtype=torch.float64))
    residual = (curves - family.curve(a)).square().mean().sqrt()
    uniform = (np.asarray(a) - family.low) / (family.high - family.low)
    return {"ks": float(kstest(uniform, "uniform").statistic), "residual": float(residual)}
