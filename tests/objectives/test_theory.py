"""Losses and theory against closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparring.objectives import losses, theory

LOGITS = st.lists(st.floats(-30, 30), min_size=1, max_size=20).map(lambda v: torch.tensor(v, dtype=torch.float64))


@given(LOGITS, LOGITS)
def test_discriminator_loss_is_the_value_function_negated(real, fake):
    value = real.sigmoid().log().mean() + (-fake).sigmoid().log().mean()        # 1 - sigmoid(t) = sigmoid(-t)
    assert losses.minimax.discriminator(real, fake).item() == pytest.approx(-value.item(), rel=1e-6, abs=1e-9)


@given(LOGITS)
def test_generator_losses(fake):
    assert losses.minimax.generator(None, fake).item() == pytest.approx((-fake).sigmoid().log().mean().item(), rel=1e-6, abs=1e-9)
    assert losses.nonsaturating.generator(None, fake).item() == pytest.approx(-fake.sigmoid().log().mean().item(), rel=1e-6, abs=1e-9)


def test_undecided_discriminator_scores_log_4():
    zero = torch.zeros(8)
    assert losses.minimax.discriminator(zero, zero).item() == pytest.approx(theory.LOG4, abs=1e-6)
    assert pytest.approx(1.386294, abs=1e-6) == theory.LOG4


def test_saturating_gradient_vanishes_where_the_discriminator_is_sure_and_the_other_does_not():
    sure = torch.tensor([-20.0], requires_grad=True)
    flat, = torch.autograd.grad(losses.minimax.generator(None, sure), sure)
    steep, = torch.autograd.grad(losses.nonsaturating.generator(None, sure), sure)
    assert abs(flat.item()) < 1e-8
    assert steep.item() == pytest.approx(-1.0, abs=1e-6)


def test_losses_survive_extreme_logits():
    huge = torch.tensor([1e4, -1e4])
    for pair in losses.OBJECTIVES.values():
        assert torch.isfinite(pair.discriminator(huge, huge))
        assert torch.isfinite(pair.generator(huge, huge))


X = np.linspace(-12, 12, 4001)
WIDTH = float(X[1] - X[0])


def gaussian(mean: float, dev: float) -> np.ndarray:
    return theory.normalize(np.exp(-(((X - mean) / dev) ** 2) / 2), WIDTH)


@given(st.floats(-2, 2), st.floats(0.5, 2), st.floats(-2, 2), st.floats(0.5, 2))
def test_grid_agrees_with_gaussian_closed_forms(m1, s1, m2, s2):
    p, q = gaussian(m1, s1), gaussian(m2, s2)
    assert theory.kl(p, q, WIDTH) == pytest.approx(theory.gaussian_kl(m1, s1, m2, s2), rel=1e-4, abs=1e-6)
    assert theory.jsd(p, q, WIDTH) == pytest.approx(theory.gaussian_jsd(m1, s1, m2, s2), rel=1e-4, abs=1e-6)


@given(st.floats(-2, 2), st.floats(0.5, 2))
def test_optimum_identities(mean, dev):
    p, q = gaussian(0, 1), gaussian(mean, dev)
    best = theory.optimal_discriminator(p, q)
    at_best = theory.discriminator_loss(p, q, best, WIDTH)
    assert at_best == pytest.approx(theory.LOG4 - 2 * theory.jsd(p, q, WIDTH), abs=1e-9)        # Theorem 1
    assert theory.criterion(p, q, WIDTH) == pytest.approx(-at_best, abs=1e-9)
    for other in (0.5 + 0 * best, np.clip(best + 0.05, 0.01, 0.99), best**2):
        assert theory.discriminator_loss(p, q, other, WIDTH) >= at_best - 1e-12                    # Proposition 1


def test_bounds_of_the_divergences():
    p = gaussian(0, 1)
    far = np.roll(p, 2000)
    left, right = np.where(X < 0, p, 0), np.where(X >= 0, p, 0)
    left, right = theory.normalize(left, WIDTH), theory.normalize(right, WIDTH)
    assert theory.jsd(p, p, WIDTH) == 0
    assert theory.jsd(left, right, WIDTH) == pytest.approx(math.log(2))
    assert theory.kl(left, right, WIDTH) == math.inf
    assert theory.criterion(left, right, WIDTH) == pytest.approx(0)
    assert theory.criterion(p, p, WIDTH) == pytest.approx(-theory.LOG4)
    assert theory.jsd(p, far, WIDTH) <= math.log(2) + 1e-12
    assert theory.optimal_discriminator([0.0, 1.0, 0.0], [0.0, 0.0, 1.0]).tolist() == [0.5, 1.0, 0.0]


def test_a_density_must_be_one():
    for wrong in ([0.0, 0.0], [-1.0, 2.0], [math.nan, 1.0]):
        with pytest.raises(ValueError, match="density"):
            theory.normalize(wrong)
