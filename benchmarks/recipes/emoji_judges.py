"""Who says of an emoji in which style it is drawn: a judge that learns from real ones alone.

A style shows in its palette first: how often each colour occurs tells four styles of flat drawings apart better than a small
convolutional classifier does, and both together best.
"""

from collections.abc import Callable

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from sparring.data.translation.sets import Domains
from sparring.metrics.domains import Classifier

BINS = (24, 33)         # colours a channel; two, so that most edges of one are no edges of the other
STRENGTH = 0.01         # inverse of the penalty on the weights; both by the error on 200 training emoji that were left out
SHARE = 0.2             # of the convolutional classifier's log-probabilities


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
    model = LogisticRegression(C=STRENGTH, max_iter=200).fit(seen[:, kept].numpy(), source.images.labels.numpy())

    @torch.no_grad()
    def judge(x: Tensor) -> Tensor:
        by_palette = torch.from_numpy(model.predict_log_proba(colours(x)[:, kept].numpy()))
        by_net = torch.cat([net(part).log_softmax(1) + net(part.flip(3)).log_softmax(1) for part in x.split(100)]) / 2
        return (by_palette + SHARE * by_net).argmax(1)
    return judge
