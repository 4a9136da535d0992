"""The variational autoencoder's bound against closed forms, and against evidence that is known exactly."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.distributions import Normal, kl_divergence

import sparring
from sparring.data.builtin.synthetic import gaussian
from sparring.data.source import Batch
from sparring.game import play
from sparring.objectives import variational
from sparring.recipes import vae
from sparring.rng import generator, seed_round

CPU = torch.device("cpu")
NUMBERS = st.floats(-3, 3)
DEVIATIONS = st.floats(0.05, 3)


def draws(*shape):
    return torch.randn(*shape, generator=generator(0, "vae"), dtype=torch.float64)


def test_reconstruction_is_the_density_of_a_gaussian():
    x, mean = draws(2, 5, 3, 4).unbind()
    expected = -Normal(mean, 0.3).log_prob(x).flatten(1).sum(1).mean()
    assert variational.reconstruction(x, mean, 0.3).item() == pytest.approx(expected.item(), rel=1e-12)


def test_kl_is_that_of_two_gaussians():
    mean, log_deviation = draws(2, 6, 4).unbind()
    expected = kl_divergence(Normal(mean, log_deviation.exp()), Normal(0.0, 1.0)).sum(1).mean()
    assert variational.kl(mean, log_deviation).item() == pytest.approx(expected.item(), rel=1e-12)
    assert variational.kl(torch.zeros(3, 2), torch.zeros(3, 2)) == 0


def elbo(x, slope, sigma, m, s):
    """Of x = slope z + noise under q = N(m, s^2): the mean of a square over q is its mean over the two points m - s, m + s."""
    z = torch.tensor([[m - s], [m + s]], dtype=torch.float64)
    code = torch.tensor([[m]], dtype=torch.float64), torch.tensor([[math.log(s)]], dtype=torch.float64)
    return -(variational.reconstruction(torch.full_like(z, x), slope * z, sigma) + variational.kl(*code)).item()


@given(NUMBERS, NUMBERS, DEVIATIONS, NUMBERS, DEVIATIONS)
def test_the_bound_is_below_the_evidence_and_touches_it_at_the_posterior(x, slope, sigma, m, s):
    variance = slope**2 + sigma**2                              # p(x) = N(0, slope^2 + sigma^2)
    evidence = -(math.log(2 * math.pi * variance) + x**2 / variance) / 2
    assert elbo(x, slope, sigma, m, s) <= evidence + 1e-9 * abs(evidence) + 1e-9
    best = elbo(x, slope, sigma, slope * x / variance, sigma / math.sqrt(variance))
    assert best == pytest.approx(evidence, rel=1e-9, abs=1e-9)


def test_a_trained_bound_comes_close_to_the_entropy_of_the_data_and_not_above():
    """No model of N(0, 1), the standardized data, has more than minus its entropy."""
    source, c = gaussian(), vae.VaeSettings(steps=400, batch=64, latent=2, width=32, ema=0)
    torch.manual_seed(0)
    game = vae.game(c, source.space, CPU)
    whole = source.space.encode(source.draw(64 * 400, generator(0, "data")))
    rounds = (Batch(x) for x in whole.split(64))
    for step in range(400):
        seed_round(0, CPU, step)
        play(game, rounds, step)
    fresh = Batch(source.space.encode(source.draw(50_000, generator(1, "data"))))
    with torch.no_grad():
        found = game.turns["bound"].loss(fresh, 400).watch["elbo"]().item()
    most = -math.log(2 * math.pi * math.e) / 2
    assert most - 0.1 < found < most + 0.02                     # 0.003 is the error of the mean of 50,000


def test_sigma_falls_from_one_to_what_was_asked_for_in_half_of_the_run():
    c, space = vae.VaeSettings(steps=100, sigma=0.2, batch=4, width=8), gaussian().space
    game = vae.game(c, space, CPU)
    with torch.no_grad():
        for p in game.players["autoencoder"].net.parameters():
            p.zero_()                                           # mean 0 for every x, and nothing in the code
    batch = Batch(torch.ones(4, 1))
    for step, sigma in ((0, 1.0), (25, math.sqrt(0.2)), (50, 0.2), (99, 0.2)):
        terms = game.turns["bound"].loss(batch, step).minimize
        assert terms["reconstruction"].item() == pytest.approx(-Normal(0.0, sigma).log_prob(torch.ones(1)).item(), rel=1e-5)
        assert terms["kl"].item() == 0


def test_a_decoder_of_ones_own_is_the_one_that_learns_and_samples(tmp_path):
    torch.manual_seed(0)
    own, data = nn.Linear(2, 3), torch.randn(200, 2, generator=generator(0, "own")) @ torch.tensor([[1.0, 0.5, 0.0], [0.0, 1.0, -1.0]])
    before = own.weight.detach().clone()
    model = sparring.fit("vae", data=data, generator=own, latent=2, steps=800, batch=32, sigma=0.3, ema=0, lr=1e-2, threads=1)
    assert not torch.equal(own.weight, before)
    assert torch.cov(model.sample(4000).T).diagonal().tolist() == pytest.approx(torch.cov(data.T).diagonal().tolist(), rel=0.2)
    model.save(tmp_path / "model")
    again = sparring.load(tmp_path / "model", generator=nn.Linear(2, 3))
    assert torch.equal(again.sample(5), model.sample(5))
