"""What the systems learn that learn from tables, series and trajectories: GAIN, RCGAN and GAIL."""

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from benchmarks.systems.trained import Claims, at_least, at_most, source_of, trained


def gain(seed: int) -> Claims:
    """The error (RMSE) in the missing cells, of numbers in [0, 1]; the paper has 0.055 for this table."""
    model, source = trained("gain", 1500, seed), source_of("gain")
    x, truth = source.values, source.space.encode(torch.from_numpy(load_breast_cancer().data))
    errors = [(filled - truth)[x.isnan()].square().mean().sqrt() for filled in (model.game.model.fill(x), x.nanmean(0).expand_as(x))]
    return at_most("error in missing cells, over that of the column's mean", errors[0] / errors[1], 0.6),


def rcgan(seed: int) -> Claims:
    """A classifier of four seasons that learned from samples is right on real days ("train on synthetic, test on real")."""
    model, source = trained("rcgan", 800, seed), source_of("rcgan")
    real, seasons = source.space.decode(source.values), source.labels
    asked = model.labels_for(2000)
    made = LogisticRegression(max_iter=2000).fit(model.sample_at(asked), asked)
    known = LogisticRegression(max_iter=2000).fit(real[:2000], seasons[:2000])
    return (at_least("accuracy on real days of a classifier that learned from samples", made.score(real[2000:], seasons[2000:]), 0.7),
            at_least("the same, learned from real days", known.score(real[2000:], seasons[2000:]), 0.9))


def cost(trajectories: Tensor) -> float:
    """What the cart costs, which GAIL is never told: squares of place, speed and push, float[N, 90] to a mean per trajectory."""
    place, speed, push = trajectories.unflatten(1, (30, 3)).unbind(2)
    return float((place.square() + 0.1 * speed.square() + 0.01 * push.clamp(-3, 3).square()).sum(1).mean())


def gail(seed: int) -> Claims:
    """On the paper's scale, where the first policy is 0 and the expert is 1."""
    expert = cost(source_of("gail").values)
    first, learned = (cost(trained("gail", steps, seed).sample(500)) for steps in (1, 300))
    return at_least("cost on a scale from the first policy, 0, to the expert, 1", (first - learned) / (first - expert), 0.95),
