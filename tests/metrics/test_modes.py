"""Stacked digits, the classifier that counts them, networks for points, and the recipe that finds every mode."""

import math

import pytest
import torch
from torch import nn

from conftest import SOURCES
from sparring.data import open_source
from sparring.data.builtin.stacked_digits import Stacked
from sparring.experiments import modes
from sparring.metrics.classifier import accuracy, classes_of, stacked_modes, train_reader
from sparring.nets.multiscale import CellGenerator, CodebookGenerator, Waves, wave_discriminator
from sparring.recipes import RECIPES, r3gan
from sparring.spaces import Curves, Images, Vectors


@pytest.fixture(scope="module")
def digits():
    return open_source("digits")


def test_stacked_digits_are_three_digits_in_three_colours(digits):
    stacked = Stacked(digits)
    values = stacked.draw(500, torch.Generator().manual_seed(0))
    assert values.shape == (500, *stacked.space.shape) and values.dtype == torch.uint8
    known = {image.numpy().tobytes() for image in digits.values}
    assert all(channel.numpy().tobytes() in known for image in values[:20] for channel in image)
    assert not torch.equal(values[:, 0], values[:, 1])
    assert torch.equal(values, stacked.draw(500, torch.Generator().manual_seed(0)))


class Perfect(nn.Module):
    """Reads an image by its brightness: class k is painted (k - 4.5) / 10."""

    def forward(self, x):
        return -(x.mean((1, 2, 3))[:, None] - (torch.arange(10) - 4.5) / 10).abs()


def painted(codes):
    """Images of one pixel whose three colours are read as these digits."""
    return ((codes - 4.5) / 10)[:, :, None, None]


def test_modes_of_stacked_digits_in_closed_form():
    every = torch.cartesian_prod(*[torch.arange(10)] * 3)
    found = stacked_modes(Perfect(), painted(every.repeat(3, 1)), 10)
    assert found == {"modes": 1000.0, "reverse_kl": pytest.approx(0.0, abs=1e-12)}
    half = stacked_modes(Perfect(), painted(every[:500]), 10)
    assert half == {"modes": 500.0, "reverse_kl": pytest.approx(math.log(2))}
    one = stacked_modes(Perfect(), painted(every[[123]].repeat(7, 1)), 10)
    assert one == {"modes": 1.0, "reverse_kl": pytest.approx(math.log(1000))}


def test_a_classifier_learns_to_read_and_leaves_the_callers_random_numbers_alone(digits):
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    net = train_reader(digits, 60, seed=0, batch=64)
    assert torch.equal(torch.rand(3), wanted)
    assert accuracy(net, digits.held_out) > 0.8
    assert not net.training
    x, y = digits.held_out.at(torch.arange(50))
    assert (classes_of(net, x) == y).float().mean() > 0.7


def test_waves_keep_the_point_and_add_its_phases():
    torch.manual_seed(0)
    waves = Waves(2, 16, 1.0, 40.0)
    lengths = waves.frequencies.norm(dim=0)
    assert lengths.min() >= 1.0 and lengths.max() <= 40.0
    x = torch.randn(5, 2)
    made = waves(x)
    assert made.shape == (5, 34)
    assert torch.equal(made[:, :2], x)
    torch.testing.assert_close(made[:, 2:18].square() + made[:, 18:].square(), torch.ones(5, 16))
    assert wave_discriminator(2, 8, 2)(x).shape == (5, 1)


def test_a_cell_generator_uses_every_point_equally_often_and_spreads_as_a_normal():
    torch.manual_seed(0)
    G = CellGenerator(2, 2, side=4)
    G.spread = torch.nn.Identity()
    with torch.no_grad():
        G.points.weight.copy_(1000.0 * torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0)))
    made = G(torch.randn(20_000, 2))
    cells = (made / 1000).round()
    counts = torch.unique(cells, dim=0, return_counts=True)[1]
    assert len(counts) == 16
    assert counts.min() > 1100 and counts.max() < 1400                      # 1,250 each, deviation 34
    within = 10 * (made - 1000 * cells)
    torch.testing.assert_close(within.std(0), torch.ones(2), atol=0.02, rtol=0)
    torch.testing.assert_close(within.mean(0), torch.zeros(2), atol=0.03, rtol=0)
    far = G(torch.tensor([[40.0, -40.0], [-40.0, 40.0]]))                   # the distribution function is 0 and 1 there
    assert torch.isfinite(far).all()


def test_a_codebook_generator_mixes_its_codes():
    torch.manual_seed(0)
    G = CodebookGenerator(2, 2, 8, codes=4, sharpness=30.0)
    z = torch.randn(50, 2)
    assert G(z).shape == (50, 2)
    choice = (30.0 * G.choose(z)).softmax(1)
    torch.testing.assert_close(G(z), choice @ G.codes.weight.T + G.codes.bias + 0.1 * G.fine(z), rtol=1e-4, atol=1e-4)


def test_gamma_follows_the_published_settings():
    assert r3gan.gamma(Images(3, 32, 32)) == pytest.approx(0.05)                         # CIFAR-10
    assert r3gan.gamma(Images(3, 64, 64)) == pytest.approx(2.0, rel=0.65)                # FFHQ-64
    assert r3gan.gamma(Images(3, 256, 256)) == pytest.approx(150.0, rel=0.4)             # FFHQ-256
    assert r3gan.gamma(Curves((0.0,) * 20)) == 10 * r3gan.gamma(Vectors((0.0, 0.0), (1.0, 1.0)))


def test_gamma_falls_during_the_run():
    source = SOURCES["density"]
    recipe = RECIPES["r3gan"]
    settings = recipe.settings(**recipe.defaults(source.space), steps=100)
    game = recipe.game(settings, source.space, torch.device("cpu"))
    weight = game.turns["discriminator"].loss.__self__.rules.weight
    assert weight(0) == pytest.approx(settings.gamma)
    assert weight(50) == pytest.approx(settings.gamma * settings.gamma_last**0.5)
    assert weight(100) == pytest.approx(settings.gamma * settings.gamma_last)


@pytest.mark.parametrize("data", sorted(modes.TRUTHS))
@pytest.mark.parametrize("method", sorted(modes.METHODS))
def test_every_method_plays_on_the_plane(data, method):
    found = modes.work(data, method, 0, 2)
    assert len(found["samples"]) == 500
    assert 0 <= found["high_quality"] <= 1 and 0 <= found["reverse_kl"] <= math.log(25)
