"""Scores against what is known in closed form."""

import math

import numpy as np
import pytest
import torch

from sparring.data.builtin.synthetic import Quadratic, gaussian, mixture, ring
from sparring.game import Game
from sparring.metrics import classes, density, mixtures_2d, modes, parzen, quadratic
from sparring.metrics.sliced import sliced_wasserstein


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_true_curves_score_as_chance_allows():
    family = Quadratic()
    score = quadratic.score(family.draw(4000, rng()), family)
    assert score["ks"] < 1.63 / math.sqrt(4000)                  # exceeded once in a hundred
    assert score["residual"] < 1e-6


def test_noise_on_curves_is_the_residual():
    family = Quadratic()
    noisy = family.draw(4000, rng()) + 0.1 * torch.randn(4000, 15, generator=rng(1))
    # One of fifteen degrees of freedom is spent on a.
    assert quadratic.score(noisy, family)["residual"] == pytest.approx(0.1 * math.sqrt(14 / 15), rel=0.02)


def test_one_repeated_curve_is_far_from_uniform():
    family = Quadratic()
    score = quadratic.score(family.curve(torch.full((100,), 1.5)), family)
    assert score["ks"] == pytest.approx(0.5, abs=1e-3)
    assert quadratic.fit_a(family.curve(torch.tensor([1.25])), torch.tensor(family.space.x)).item() == pytest.approx(1.25)


def test_true_points_cover_every_mode():
    truth = ring()
    score = modes.score(truth.draw(2500, rng()), truth)
    assert score["modes"] == 8
    assert score["high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=0.01)
    assert score["reverse_kl"] == pytest.approx(7 / (2 * 2500), abs=0.002)      # (K - 1) / 2N by chance


def test_cells_of_the_plane_hold_what_samples_say():
    truth = ring()
    grid = mixtures_2d.edges(truth)
    p = mixtures_2d.masses(truth, grid).flatten()
    counted = torch.bincount(mixtures_2d.cell_of(truth.draw(400_000, rng()), grid), minlength=len(p)).double() / 400_000
    assert p.sum().item() == pytest.approx(1)
    assert (p - counted).abs().sum().item() / 2 < 0.02           # total variation, all of it sampling noise


@pytest.mark.parametrize("wise", [False, True])
def test_the_plane_knows_the_best_discriminator(wise):
    """A generator that draws from the data: D* is one half, and D = 1/2 has loss log 4."""
    truth = ring()
    space = truth.space
    draws = iter([truth.draw(20_000, rng(seed)) for seed in range(10)])
    judge = (lambda x: torch.zeros(len(x))) if wise else (lambda x: torch.full((len(x),), 2.0))
    game = Game({}, {}, torch.nn.Identity(), lambda n, r: torch.zeros(n, 1),
                lambda z, live=False: space.encode(next(draws)), judge)
    score = mixtures_2d.score(game, truth, 0)
    assert score["loss_theory"] == pytest.approx(math.log(4), abs=2e-3)
    if wise:
        assert score["d_error"] < 0.05                           # the noise of counting cells
        assert score["loss"] == pytest.approx(math.log(4), abs=1e-6)
    else:
        assert score["d_error"] == pytest.approx(1 / (1 + math.exp(-2)) - 0.5, abs=0.02)
        assert score["loss"] > math.log(4) + 0.5


def test_a_collapsed_generator_covers_one():
    truth = ring()
    score = modes.score(torch.tensor(truth.means[:1]).repeat(50, 1), truth)
    assert score["modes"] == 1
    assert score["reverse_kl"] == pytest.approx(math.log(8))


@pytest.mark.parametrize("truth", [gaussian(), mixture()])
def test_cells_hold_all_of_the_density(truth):
    grid = density.cells(truth)
    p = grid.average(truth)
    assert p.sum() * grid.width == pytest.approx(1)
    histogram = grid.histogram(truth.draw(500_000, rng()))
    assert histogram.sum() * grid.width == pytest.approx(1)
    assert np.abs(p - histogram).max() < 0.02
    held = density.mass(p, grid.width, 0.99)
    assert 0.99 <= p[held].sum() * grid.width < 0.995


def test_sliced_wasserstein_of_a_shift_in_one_dimension_is_the_shift():
    x = torch.randn(1000, 1, generator=rng())
    assert sliced_wasserstein(x, x, 0) == 0
    assert sliced_wasserstein(x, x + 0.5, 0) == pytest.approx(0.5, rel=1e-4)


def test_sliced_wasserstein_of_a_shift_in_many_dimensions():
    x = torch.randn(500, 100, generator=rng())
    shift = torch.zeros(100)
    shift[0] = 3.0
    # E|u_1| for a random unit vector in 100 dimensions, about sqrt(2 / (100 pi)).
    assert sliced_wasserstein(x, x + shift, 0, projections=4000) == pytest.approx(3 * math.sqrt(2 / (100 * math.pi)), rel=0.05)
    with pytest.raises(ValueError, match="equally many"):
        sliced_wasserstein(x, x[:10], 0)


def test_a_classifier_tells_bright_from_dark():
    labels = torch.arange(60) % 2
    x = torch.rand(60, 1, 4, 4, generator=rng()) + labels[:, None, None, None].float()
    assert classes.svc_accuracy(x, labels, x, labels) == 1.0
    assert classes.shares(x, labels, x[labels == 1], 2) == [0.0, 1.0]


def test_one_kernel_is_a_gaussian_density():
    x, centre = torch.randn(7, 3, 4, generator=rng()), torch.randn(1, 3, 4, generator=rng(1))
    for s, found in zip((0.1, 2.0), parzen.log_likelihoods(x, centre, (0.1, 2.0)), strict=True):
        wanted = torch.distributions.Normal(centre.double(), s).log_prob(x.double()).flatten(1).sum(1)
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-8)


def test_many_kernels_are_the_mean_of_their_densities(monkeypatch):
    monkeypatch.setattr(parzen, "BLOCK", 4)
    x, centres = torch.randn(11, 2, generator=rng()), torch.randn(30, 2, generator=rng(1))
    each = torch.distributions.Normal(centres.double(), 0.5).log_prob(x.double()[:, None]).sum(2)
    torch.testing.assert_close(parzen.log_likelihoods(x, centres, [0.5])[0], each.exp().mean(1).log(), rtol=1e-10, atol=1e-10)


def test_far_from_every_kernel_the_likelihood_is_small_but_no_infinity():
    far = parzen.log_likelihoods(torch.full((1, 784), 1.0), torch.zeros(5, 784), [0.01])[0].item()
    assert far == pytest.approx(-784 / (2 * 0.01**2) - 784 / 2 * math.log(2 * math.pi * 0.01**2))


def test_kernels_on_a_gaussian_converge_to_the_smoothed_gaussian():
    """Around infinitely many samples of N(0, 1) the window is N(0, 1 + s^2): E[log] = -log(2 pi (1 + s^2)) / 2 - 1 / (2 (1 + s^2))."""
    x, s = torch.randn(4000, 1, generator=rng()), 0.5
    v = 1 + s * s
    wanted = -math.log(2 * math.pi * v) / 2 - x.double().square().mean().item() / (2 * v)
    errors = [abs(parzen.log_likelihoods(x, torch.randn(n, 1, generator=rng(1)), [s]).mean().item() - wanted) for n in (50, 20_000)]
    assert errors[1] < 0.002 < errors[0]


def test_the_deviation_is_the_likeliest_on_validation_samples():
    """Around one centre the best deviation is that of the data, sqrt of the mean square."""
    valid, centre = 0.3 * torch.randn(5000, 20, generator=rng()), torch.zeros(1, 20)
    assert parzen.best_deviation(valid, centre, (0.1, 0.2, 0.3, 0.4, 1.0)) == 0.3
    score = parzen.score(0.3 * torch.randn(4000, 20, generator=rng(1)), valid, centre, (0.1, 0.3, 1.0))
    assert score["deviation"] == 0.3
    assert score["log_likelihood"] == pytest.approx(-20 * (0.5 + math.log(2 * math.pi * 0.09) / 2), abs=4 * score["standard_error"])
    assert score["standard_error"] == pytest.approx(math.sqrt(10 / 4000), rel=0.1)     # the variance of half a chi-square
    assert (parzen.DEVIATIONS[0], parzen.DEVIATIONS[-1], len(parzen.DEVIATIONS)) == (pytest.approx(0.1), pytest.approx(1.0), 10)


@pytest.mark.parametrize("centres, deviations", [(torch.zeros(0, 3), (1.0,)), (torch.zeros(2, 4), (1.0,)), (torch.zeros(2, 3), (0.5, 0.0))])
def test_windows_that_make_no_sense_are_refused(centres, deviations):
    with pytest.raises(ValueError, match="centres shaped like x and deviations above 0"):
        parzen.log_likelihoods(torch.zeros(5, 3), centres, deviations)
