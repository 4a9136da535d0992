"""TVAE: its bound against torch's own distributions, and that it learns a table."""

import math

import pytest
import torch
from torch.distributions import Categorical, Normal, kl_divergence

from sparring.data.source import Batch, batches
from sparring.data.tables.mixed import TableSettings, open_rows
from sparring.recipes.tvae import NARROWEST, RowDecoder, TvaeSettings, game
from sparring.rng import generator
from sparring.spaces import Table
from sparring.spaces.columns import Category, Number
from table_learned import learned

CPU = torch.device("cpu")
SPACE = Table((Category("a", ("x", "y"), (90, 10), 2), Number("n", (1.0,), (0.0,), (1.0,), (4.0,), (), -4.0, 4.0)))


def tiny(**given):
    torch.manual_seed(0)
    return game(TvaeSettings(**{"width": 16, "latent": 4, "batch": 20, **given}), SPACE, CPU)


def test_the_bound_is_that_of_torch_distributions():
    played = tiny(reconstruction=1.0)
    batch = Batch(SPACE.encode(torch.tensor([[0.0, 1.5], [1.0, -2.0]], dtype=torch.float64)), None)
    torch.manual_seed(1)
    found = played.turns["bound"].loss(batch, 0).minimize
    torch.manual_seed(1)
    net = played.players["autoencoder"].net
    mean, log_deviation = net.encoder(batch.x).chunk(2, 1)
    code = Normal(mean, log_deviation.exp())
    raw, deviation = net.decoder(mean + log_deviation.exp() * torch.randn_like(mean))
    spelled = sum(Categorical(logits=raw[:, part]).log_prob(batch.x[:, part].argmax(1)) for part in (slice(0, 2), slice(2, 3)))
    measured = Normal(raw[:, 3].tanh(), deviation).log_prob(batch.x[:, 3])
    assert found["reconstruction"].item() == pytest.approx(-(spelled + measured).mean().item(), rel=1e-4)
    assert found["kl"].item() == pytest.approx(kl_divergence(code, Normal(0.0, 1.0)).sum(1).mean().item(), rel=1e-4)


def test_numbers_are_drawn_with_the_deviation_that_was_learned():
    played = tiny()
    average = played.players["autoencoder"].average
    torch.nn.init.constant_(average.decoder.log_deviation, math.log(0.2))
    z = played.prior(4000, generator(0, "test"))
    z[:, :4] = 0
    assert played.sample(z)[:, 3].std().item() == pytest.approx(0.2, rel=0.05)
    assert RowDecoder(4, 4, 1, 8, 1)(torch.zeros(1, 4))[1].item() == pytest.approx(0.1)
    torch.nn.init.constant_(average.decoder.log_deviation, -50.0)
    assert average.decoder(z[:1, :4])[1].item() == pytest.approx(NARROWEST)


def test_rows_are_seen_as_often_as_they_are():
    """Not by conditions, by which rare values are seen more often."""
    source = open_rows([{"a": "xxxxxxxxxy"[k % 10], "b": "uv"[k % 2]} for k in range(200)], TableSettings(held_out=0))
    batch = next(batches(source, 200, 0))
    assert batch.labels is None and batch.x[:, 0].mean().item() == pytest.approx(0.9)


@pytest.mark.slow
def test_it_learns_a_table():
    """Marginals, and that town and pay belong together."""
    worst, share = learned(open_rows, game, TvaeSettings(width=64, latent=8, batch=100, steps=1200, lr=2e-3, ema=0.98))
    assert worst < 0.1 and share > 0.8
