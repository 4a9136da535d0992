"""The pieces of the experiments on theory: against closed forms, and without leaving traces."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from sparring.data.builtin.synthetic import gaussian, mixture
from sparring.experiments import dual_gap, optimal_discriminator, vanishing_gradient, wgan_curve
from sparring.metrics.dual_gap import Gap, Search, best_response, spread_weights
from sparring.metrics.dual_gap import dual_gap as gap_of
from sparring.objectives.losses import log_d, minus_score, saturating
from sparring.rng import generator


class Number(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))


def saddle(y: nn.Module, x: nn.Module, step: int) -> torch.Tensor:
    return y.value.square() - x.value.square() + y.value * x.value


SEARCH = Search(steps=200, lr=0.05)


@pytest.mark.parametrize("x, y", [(0.0, 0.0), (1.0, 0.0), (-0.5, 2.0)])
def test_the_gap_of_a_saddle_is_five_quarters_of_the_square_of_the_radius(x, y):
    # max_x' y^2 - x'^2 + y x' = 5 y^2 / 4; min_y' y'^2 - x^2 + y' x = -5 x^2 / 4
    found = gap_of(Number(y), Number(x), saddle, SEARCH)
    assert found.highest == pytest.approx(5 * y**2 / 4, abs=2e-3)
    assert found.lowest == pytest.approx(-5 * x**2 / 4, abs=2e-3)
    assert found.gap == pytest.approx(5 * (x**2 + y**2) / 4, abs=4e-3)


def test_measuring_the_gap_leaves_no_trace():
    net, other = nn.Linear(2, 1), nn.Linear(2, 1).requires_grad_(False)
    before = [p.clone() for p in (*net.parameters(), *other.parameters())]
    torch.manual_seed(3)
    state = torch.get_rng_state()

    def value(minimizer, maximizer, step):
        x = torch.randn(8, 2)
        return (minimizer(x).square() - maximizer(x).square()).mean()

    first = gap_of(net, other, value, Search(steps=3, spread=1.0))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(p, q) for p, q in zip((*net.parameters(), *other.parameters()), before, strict=True))
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    assert not any(p.requires_grad for p in other.parameters())
    assert gap_of(net, other, value, Search(steps=3, spread=1.0)) == first


def test_an_opponent_only_looks_on():
    net, other = nn.Linear(2, 1), nn.Linear(2, 1)
    found = best_response(net, lambda copy, step: other(copy(torch.ones(1, 2)) * torch.ones(1, 2)).square().mean(), Search(steps=2),
                          spread_weights, "minimizer", (other,))
    assert found is not net
    assert all(p.grad is None and p.requires_grad for p in other.parameters())


def test_a_perturbation_is_measured_in_each_tensors_own_deviation():
    net = nn.Linear(300, 300)
    before = net.weight.detach().clone()
    spread_weights(net, Search(spread=2.0), "maximizer")
    assert (net.weight - before).std().item() == pytest.approx(2 * before.std().item(), rel=0.02)


def test_the_plain_gap_is_blind_at_the_origin_and_the_perturbed_is_not():
    assert dual_gap.at_point(*dual_gap.ORIGIN, perturbed=False) == 0.0
    assert dual_gap.surface(torch.tensor(2.0), torch.tensor(1.0)).item() == pytest.approx(math.exp(-0.05) * (2.2**2 + 2.5**2), rel=1e-6)


def test_a_gap_is_the_difference():
    assert Gap(2.0, -1.0).gap == 3.0


def test_rank_correlation():
    assert wgan_curve.spearman([1, 2, 3, 4], [1, 8, 27, 64]) == pytest.approx(1.0)
    assert wgan_curve.spearman([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1.0)
    assert wgan_curve.spearman([1, 2, 3, 4, 5], [2, 1, 4, 3, 5]) == pytest.approx(1 - 6 * 4 / (5 * 24))


def test_the_exact_distance_of_samples():
    a = torch.randn(50, 2, generator=generator(0, "a"))
    assert wgan_curve.wasserstein(a, a[torch.randperm(50, generator=generator(0, "order"))]) == pytest.approx(0.0, abs=1e-6)
    assert wgan_curve.wasserstein(a, a + torch.tensor([3.0, 4.0])) == pytest.approx(5.0, rel=1e-5)


def test_the_median_filter_drops_a_spike_and_keeps_a_step():
    assert wgan_curve.smoothed([0, 0, 9, 0, 1, 1, 1], 3).tolist() == [0, 0, 0, 1, 1, 1, 1]


def test_looks_are_dense_at_first_and_reach_the_end():
    at = wgan_curve.looks(600, 60)
    assert at[0] == 1 and at[-1] == 600 and len(at) == len(set(at)) and sum(step <= 60 for step in at) > 15
    assert vanishing_gradient.looks(100)[:3] == [0, 1, 2] and vanishing_gradient.looks(100)[-1] == 100


@pytest.mark.parametrize("density", [gaussian(), mixture()])
def test_a_drawn_generator_has_its_density(density):
    drawn = optimal_discriminator.Drawn(density, density.space)
    made = density.space.decode(drawn(torch.randn(40_000, drawn.latent, generator=generator(0, "z")))).double().detach()
    assert made.mean().item() == pytest.approx(density.space.shift[0], abs=0.03)
    assert made.std().item() == pytest.approx(density.space.scale[0], rel=0.02)
    inside = np.mean(made.numpy() < 0)
    assert inside == pytest.approx(density.draw(40_000, generator(1, "x")).lt(0).double().mean().item(), abs=0.02)


def test_a_generators_gradient_has_its_closed_form():
    G, D = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        G.weight.fill_(1.0)
        D.weight.fill_(-2.0)
    z = torch.ones(4, 1)                                        # logit -2 w at w = 1
    sure = 1 / (1 + math.exp(2.0))
    assert vanishing_gradient.gradient_norm(saturating, G, D, z) == pytest.approx(2 * sure, rel=1e-5)
    assert vanishing_gradient.gradient_norm(log_d, G, D, z) == pytest.approx(2 * (1 - sure), rel=1e-5)
    assert vanishing_gradient.gradient_norm(minus_score, G, D, z) == pytest.approx(2.0, rel=1e-6)
