"""The systems in examples/ that learn from tables, series and trajectories: each learns what its paper claims (`make examples`)."""

import pytest
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

from example_systems import reader, trained


def source_of(name):
    """The data that the system learns from, as a source."""
    reads = reader(name)
    return reads.open(reads.example, reads.settings())


@pytest.mark.examples
def test_gain_fills_in_cells_better_than_their_mean():
    """The error (RMSE) in the missing cells, of numbers in [0, 1], is less than three fifths of that of the column's mean; the paper has
    0.055 for this table."""
    model, source = trained("gain", 1500), source_of("gain")
    x, truth = source.values, source.space.encode(torch.from_numpy(load_breast_cancer().data))
    errors = [(filled - truth)[x.isnan()].square().mean().sqrt() for filled in (model.game.model.fill(x), x.nanmean(0).expand_as(x))]
    assert errors[0] < 0.6 * errors[1]


@pytest.mark.examples
def test_rcgan_draws_series_that_can_be_learned_from():
    """A classifier of four seasons that learned from samples is right on seven in ten real days ("train on synthetic, test on real"); one
    that learned from real days is right on nine in ten."""
    model, source = trained("rcgan", 800), source_of("rcgan")
    real, seasons = source.space.decode(source.values), source.labels
    asked = model.labels_for(2000)
    made = LogisticRegression(max_iter=2000).fit(model.sample_at(asked), asked)
    known = LogisticRegression(max_iter=2000).fit(real[:2000], seasons[:2000])
    assert made.score(real[2000:], seasons[2000:]) > 0.7
    assert known.score(real[2000:], seasons[2000:]) > 0.9


def cost(trajectories):
    """What the cart costs, which GAIL is never told: squares of place, speed and push, float[N, 90] to a mean per trajectory."""
    place, speed, push = trajectories.unflatten(1, (30, 3)).unbind(2)
    return float((place.square() + 0.1 * speed.square() + 0.01 * push.clamp(-3, 3).square()).sum(1).mean())


@pytest.mark.examples
def test_gail_acts_like_the_expert():
    """On the paper's scale, where the first policy is 0 and the expert is 1, its cost is at least 0.95."""
    expert, first, learned = cost(source_of("gail").values), cost(trained("gail", 1).sample(500)), cost(trained("gail", 300).sample(500))
    assert (first - learned) / (first - expert) > 0.95
