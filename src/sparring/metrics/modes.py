"""Mode coverage on mixtures of Gaussians (Lin et al., 2018, section 4.1)."""

import torch
from torch import Tensor

from sparring.data.builtin.synthetic import Mixture


def score(samples: Tensor, truth: Mixture) -> dict[str, float]:
    """`modes`: components with a sample within three deviations; `high_quality`: share of such samples (0.98889 for
    perfect two-dimensional Gaussians); `reverse_kl`: KL(share of samples nearest each component || weights), nats."""
    means, deviations = torch.tensor(truth.means), torch.tensor(truth.deviations)
    distance, nearest = torch.cdist(samples.float(), means).min(1)
    good = distance <= 3 * deviations[nearest]
    share = torch.bincount(nearest, minlength=len(means)).double() / len(samples)
    weights = torch.tensor(truth.weights, dtype=torch.float64)
    covered = share > 0
    kl = (share[covered] * (share[covered] / weights[covered]).log()).sum()
    return {"modes": float(len(nearest[good].unique())), "high_quality": float(good.double().mean()),
            "reverse_kl": float(kl)}
