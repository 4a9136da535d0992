"""Mode-specific normalization: a column of numbers as a mixture of Gaussians (Xu et al., 2019, section 4.2), and values that stand out.

The number of modes is found by a variational mixture, as the paper does, of scikit-learn's, which this project needs anyway.
"""

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST = 10                   # modes (Xu et al., 2019, section 4.2)
LEAST = 0.005               # of the weight, below which a mode is left out
SEEN = 3_000                # values that the mixture is fitted to, at most: a fifth of a second a column
SPIKE = 0.05                # of the rows with one value, from which on it has a place of its own
AT_ONCE = 1 << 16           # values that are held against the modes together
PLACES = 6                  # significant digits that are kept, so that rounding on another day makes no other table

Floats = NDArray[np.float64]


class Modes(NamedTuple):
    """What `Number` needs to know of its values; empty lists where spikes say all."""

    weights: tuple[float, ...] = ()
    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()
    scales: tuple[float, ...] = ()
    spikes: tuple[float, ...] = ()


def modes(x: Floats, every: Floats) -> Modes:
    """The modes of these values, of which none is missing; `every` are those whose scales must hold them too.

    A value of many rows, such as the 0 of a column that is mostly 0, has a place of its own: a mode around it would give values near it.
    """
    values, counts = np.unique(x, return_counts=True)
    spikes = values[counts >= max(2, SPIKE * len(x))]
    rest, others = x[~np.isin(x, spikes)], every[~np.isin(every, spikes)]
    if not len(rest):
        rest = others
    if not len(rest):
        return Modes(spikes=tuple(spikes.tolist()))
    weights, means, deviations = mixture(rest)
    far = np.zeros(len(means))
    for some in np.split(others, range(AT_ONCE, len(others), AT_ONCE)):
        likely = np.log(weights) - np.log(deviations) - ((some[:, None] - means) / deviations)**2 / 2
        of = likely.argmax(1)
        far = np.maximum(far, [np.abs(some[of == k] - mean).max(initial=0.0) for k, mean in enumerate(means)])
    scales = np.maximum(far * (1 + 1e-6), deviations)               # so that no value lies outside [-1, 1]
    return Modes(*(tuple(map(float, some)) for some in (weights, means, deviations, scales, spikes)))


def mixture(x: Floats) -> tuple[Floats, Floats, Floats]:
    """Weights, means and deviations of a Gaussian mixture with no more modes than there are different values."""
    middle, spread = x.mean(), x.std()
    if not spread > 1e-12 * max(1.0, abs(middle)):
        return np.ones(1), rounded(x[:1]), np.array([max(1.0, abs(middle)) * 1e-6])
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import BayesianGaussianMixture

    rng = np.random.default_rng(0)
    z = (x if len(x) <= SEEN else np.concatenate([rng.choice(x, SEEN, replace=False), [x.min(), x.max()]])) - middle
    count = min(MOST, len(np.unique(z)))
    found = BayesianGaussianMixture(n_components=count, weight_concentration_prior_type="dirichlet_process", max_iter=100, tol=1e-3,
                                    weight_concentration_prior=0.001, n_init=1, random_state=0,
                                    covariance_type="diag")         # of one number the same as "full", and a third faster
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)         # as good as it needs to be
        found.fit((z / spread)[:, None])
    kept = found.weights_ > LEAST if (found.weights_ > LEAST).any() else found.weights_ == found.weights_.max()
    means = found.means_[kept, 0] * spread + middle
    deviations = np.sqrt(found.covariances_[kept, 0]) * spread
    order = np.argsort(means)
    weights = found.weights_[kept] / found.weights_[kept].sum()
    return rounded(weights[order]), rounded(means[order]), rounded(deviations[order])


def rounded(x: Floats) -> Floats:
    return np.array([float(f"{value:.{PLACES}g}") for value in x])
