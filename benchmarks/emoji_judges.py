"""Who says of an emoji in which style it is drawn, and which emoji it is: judges that learn from real ones alone.

A style shows in its palette first: how often each colour occurs tells four styles of flat drawings apart better than a small
convolutional classifier does, and both together best.  Which emoji it is shows in its edges and colours, as far as they do not differ
between styles.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import avg_pool2d, normalize, pad

from sparring.data.pairs import Domains
from sparring.metrics.domains import Classifier

BINS = (17, 24)         # colours a channel; two, so that an edge of one is in the middle of the other
SHARE = 0.2             # of the convolutional classifier's log-probabilities
ORIENTATIONS, CELL = 9, 8
RIDGE = 0.1             # of the mean variance within an emoji, added to each direction's


# ------------------------------------------------------------------------------------------------------------ style
def palette(x: Tensor, bins: int) -> Tensor:
    """How often each colour occurs, float[N, bins^3], of images float[N, 3, H, W] in [-1, 1]; the nearest bins share a pixel."""
    at = ((x.clamp(-1, 1) + 1) / 2 * (bins - 1)).flatten(2)
    low = at.floor().clamp(0, bins - 2)
    part, low, counts = at - low, low.long(), torch.zeros(len(x), bins**3)
    for corner in range(8):
        up = [corner >> i & 1 for i in range(3)]
        weight = torch.stack([part[:, i] if up[i] else 1 - part[:, i] for i in range(3)]).prod(0)
        place = ((low[:, 0] + up[0]) * bins + low[:, 1] + up[1]) * bins + low[:, 2] + up[2]
        counts.scatter_add_(1, place, weight)
    return counts


def colours(x: Tensor) -> Tensor:
    return torch.cat([torch.cat([palette(part, bins) for bins in BINS], 1).sqrt() for part in x.split(500)])


def judge_of_style(source: Domains, net: Classifier) -> Callable[[Tensor], Tensor]:
    """Images float[N, 3, H, W] to domains int64[N], by their palette and by the convolutional classifier, both of the training images."""
    seen = colours(source.images.at(torch.arange(len(source.images))).x)
    kept = seen.var(0) > 1e-9
    model = LogisticRegression(C=0.003, max_iter=300).fit(seen[:, kept].numpy(), source.images.labels.numpy())

    @torch.no_grad()
    def judge(x: Tensor) -> Tensor:
        by_palette = torch.from_numpy(model.predict_log_proba(colours(x)[:, kept].numpy()))
        by_net = torch.cat([net(part).log_softmax(1) + net(part.flip(3)).log_softmax(1) for part in x.split(100)]) / 2
        return (by_palette + SHARE * by_net).argmax(1)
    return judge


# ------------------------------------------------------------------------------------------------------ which emoji
def edges(x: Tensor) -> Tensor:
    """Histograms of oriented gradients (Dalal and Triggs, 2005), of overlapping cells, each normalized: float[N, D]."""
    right = pad(x, (0, 1, 0, 0), mode="replicate")[..., 1:] - pad(x, (1, 0, 0, 0), mode="replicate")[..., :-1]
    down = pad(x, (0, 0, 0, 1), mode="replicate")[..., 1:, :] - pad(x, (0, 0, 1, 0), mode="replicate")[..., :-1, :]
    size, strongest = (right.square() + down.square()).sqrt().max(1, keepdim=True)
    angle = torch.atan2(down.gather(1, strongest), right.gather(1, strongest)) % torch.pi / torch.pi * ORIENTATIONS
    low = angle.floor()
    maps = torch.zeros(len(x), ORIENTATIONS, *x.shape[-2:])
    maps.scatter_add_(1, low.long() % ORIENTATIONS, size * (1 - angle + low))
    maps.scatter_add_(1, (low.long() + 1) % ORIENTATIONS, size * (angle - low))
    cells = avg_pool2d(maps, 2 * CELL, CELL)
    return (cells / (cells.norm(dim=1, keepdim=True) + 0.1)).flatten(1)


def looks(x: Tensor) -> Tensor:
    return torch.cat([edges(x), avg_pool2d(x, CELL).flatten(1) / 2], 1)


@dataclass
class Looks:
    """What emoji look like, with the directions made small in which the styles of one training emoji differ (linear discriminants)."""

    centres: Tensor         # float[styles, D]
    directions: Tensor      # float[D, D]

    def __call__(self, x: Tensor, style: int) -> Tensor:
        """Vectors of length one of images that claim this style, float[N, D]."""
        return normalize((looks(x) - self.centres[style]) @ self.directions)


def looks_of(source: Domains) -> Looks:
    """Learned from the training images, which lie in order of style and then of emoji, as many of each style."""
    seen = looks(source.images.at(torch.arange(len(source.images))).x).unflatten(0, (len(source.space.labels), -1))
    centres = seen.mean(1)
    centred = seen - centres[:, None]
    within = (centred - centred.mean(0)).flatten(0, 1)
    covariance = within.T @ within / len(within)
    values, vectors = torch.linalg.eigh(covariance + RIDGE * covariance.diagonal().mean() * torch.eye(len(covariance)))
    return Looks(centres, vectors * values.rsqrt())
