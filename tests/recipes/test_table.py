"""CTGAN: its blocks, its conditions, and that it learns a table."""

import pytest
import torch

from sparring.data.source import Batch, batches
from sparring.data.tables.mixed import TableSettings, open_table
from sparring.errors import InputError
from sparring.game import play
from sparring.nets.table import Blocks, TableGenerator, uniform
from sparring.recipes.table import TableRecipeSettings, game
from sparring.rng import generator
from sparring.spaces import Table
from sparring.spaces.columns import Category, Number
from table_learned import learned

CPU = torch.device("cpu")
WIDTHS = (2, 3, 1)


def test_shares_are_a_softmax_in_each_block():
    logits = 30 * torch.randn(50, 6)
    expected = torch.cat([part.log_softmax(1) for part in logits.split(list(WIDTHS), 1)], 1)
    assert torch.allclose(Blocks(WIDTHS, CPU).logs(logits), expected, atol=1e-4)


def test_logits_far_apart_leave_no_block_without_shares():
    shares = Blocks(WIDTHS, CPU).logs(torch.tensor([[0.0, 1.0, 900.0, -900.0, 0.0, -500.0]])).exp()
    assert torch.isfinite(shares).all() and shares[0, 1] == pytest.approx(0.731, abs=1e-3)


def test_hard_rows_are_drawn_by_their_shares():
    """Evenly spread chances give each place as often as its share."""
    raw = torch.tensor([[0.0, 1.0986, 0.0, 0.0, 0.6931, 5.0, 0.5]]).repeat(1000, 1)
    chance = (torch.arange(1000, dtype=torch.float64)[:, None] + 0.5).repeat(1, 3) / 1000
    made = Blocks(WIDTHS, CPU).hard(raw, chance)
    assert torch.allclose(made[:, :6].mean(0), torch.tensor([0.25, 0.75, 0.25, 0.25, 0.5, 1.0]), atol=2e-3)
    assert torch.allclose(made[:, 6], torch.tensor(0.5).tanh())


def test_half_the_chance_is_a_softmax_of_twice_the_logits_in_training_as_in_samples():
    raw = torch.tensor([[0.0, 0.5493, 0.0, 0.0, 0.3466, 5.0, 0.5]]).repeat(20_000, 1)
    wanted = torch.tensor([0.25, 0.75, 0.25, 0.25, 0.5, 1.0])
    half = Blocks(WIDTHS, CPU, chance=0.5)
    torch.manual_seed(0)
    assert torch.allclose(half.straight(raw, 0.2)[:, :6].mean(0), wanted, atol=0.015)
    assert torch.allclose(half.hard(raw, torch.rand(20_000, 3, dtype=torch.float64))[:, :6].mean(0), wanted, atol=0.015)


def test_soft_rows_are_nearly_hard_and_carry_gradients():
    raw = torch.randn(200, 7, requires_grad=True)
    made = Blocks(WIDTHS, CPU).soft(raw, 0.05)
    assert torch.allclose(made[:, 2:5].sum(1), torch.ones(200), atol=1e-5)
    assert made[:, 2:5].max(1).values.mean() > 0.95
    made.square().sum().backward()
    assert bool((raw.grad != 0).any(1).all())


def test_exact_rows_have_one_place_in_each_block_and_the_gradients_of_soft_ones():
    raw = torch.randn(50, 7, requires_grad=True)
    found = []
    for show in (Blocks(WIDTHS, CPU).soft, Blocks(WIDTHS, CPU).straight):
        torch.manual_seed(0)
        made = show(raw, 0.5)
        found.append((made, *torch.autograd.grad((made * torch.arange(7.0)).sum(), raw)))
    (soft, first), (exact, second) = found
    assert torch.allclose(first, second) and torch.equal(soft[:, 6], exact[:, 6])
    for part, same in zip(exact[:, :6].split(list(WIDTHS), 1), soft[:, :6].split(list(WIDTHS), 1), strict=True):
        assert torch.allclose(part.max(1).values, torch.ones(50)) and torch.allclose(part.sum(1), torch.ones(50))
        assert torch.equal(part.argmax(1), same.argmax(1))


def test_the_critic_sees_numbers_at_the_scale_of_one_hots():
    played, seen = tiny(gain=5.0), []
    played.players["discriminator"].net.register_forward_pre_hook(lambda net, given: seen.append(given[0]))
    batch = Batch(SPACE.encode(torch.tensor([[0.0, 1.0]] * 20, dtype=torch.float64)), torch.zeros(20, dtype=torch.int64))
    played.turns["discriminator"].loss(batch, 1)
    real = seen[0][0, :SPACE.shape[0]]
    assert torch.allclose(real[:-1], batch.x[0, :-1]) and real[-1].item() == pytest.approx(5.0 * batch.x[0, -1].item())


def test_a_lazy_penalty_is_as_many_times_heavier():
    batch = Batch(SPACE.encode(torch.zeros(20, 2, dtype=torch.float64)), torch.zeros(20, dtype=torch.int64))
    terms = []
    for every, step in ((1, 0), (4, 0), (4, 1)):
        played = tiny(penalty_every=every)
        torch.manual_seed(2)
        terms.append(played.turns["discriminator"].loss(batch, step).minimize.get("r1+r2"))
    assert terms[1].item() == pytest.approx(4 * terms[0].item()) and terms[2] is None


def test_each_layer_of_the_generator_sees_all_before_it():
    G = TableGenerator(4, 3, 9, 5, 2)
    assert [layer.in_features for layer in (*G.layers, G.last)] == [7, 12, 17]
    assert G(torch.zeros(2, 4), torch.zeros(2, 3)).shape == (2, 9)


def test_normal_numbers_become_their_quantiles():
    assert uniform(torch.tensor([0.0, -40.0, 1.959964])).tolist() == pytest.approx([0.5, 0.0, 0.975], abs=1e-6)


SPACE = Table((Category("a", ("x", "y"), (90, 10), 2), Number("n", (1.0,), (0.0,), (1.0,), (4.0,), (), -4.0, 4.0)))


def tiny(**given):
    torch.manual_seed(0)
    return game(TableRecipeSettings(**{"width": 16, "latent": 4, "batch": 20, **given}), SPACE, CPU)


def test_the_condition_term_is_the_cross_entropy_of_the_column_that_is_asked_for():
    played = tiny(pack=1)
    torch.manual_seed(1)
    batch = Batch(SPACE.encode(torch.zeros(20, 2, dtype=torch.float64)), torch.arange(20) % 2)
    found = played.turns["generator"].loss(batch, 0).minimize["condition"]
    torch.manual_seed(1)
    G = played.players["generator"].net
    raw = G(torch.randn(20, 4), torch.nn.functional.one_hot(batch.labels, 2).float())
    assert found.item() == pytest.approx(torch.nn.functional.cross_entropy(raw[:, :2], batch.labels).item(), rel=1e-4)


def test_conditions_are_drawn_as_often_as_the_data_have_them():
    played, seen = tiny(), []
    average = played.players["generator"].average
    average.register_forward_pre_hook(lambda net, given: seen.append(given[1]))
    played.sample(played.prior(4000, generator(0, "test")))
    assert seen[0].mean(0)[0].item() == pytest.approx(0.9, abs=0.02) and bool((seen[0].sum(1) == 1).all())


def test_samples_do_not_depend_on_their_company():
    played = tiny()
    z = played.prior(8, generator(0, "test"))
    assert torch.allclose(played.sample(z)[:3], played.sample(z[:3]), atol=1e-5)


@pytest.mark.parametrize(("given", "said"), [({"batch": 25, "pack": 10}, "cannot be packed by 10"),
                                            ({"objective": "wasserstein", "penalty": "none"}, "needs a bounded critic")])
def test_settings_that_do_not_go_together_are_refused(given, said):
    with pytest.raises(InputError, match=said):
        tiny(**given)


def test_a_table_of_numbers_alone_needs_no_conditions():
    source = open_table([{"x": f"{k / 7:.3f}", "y": f"{k / 3:.3f}"} for k in range(100)], TableSettings())
    played = game(TableRecipeSettings(width=8, latent=4, batch=20), source.space, CPU)
    terms, _ = play(played, batches(source, 20, 0), 0)
    assert "generator/condition" not in terms and played.sample(played.prior(3, generator(0, "test"))).shape == (3, *source.space.shape)


@pytest.mark.slow
def test_it_learns_a_table():
    """Marginals, and that town and pay belong together, which they do to 1 in the data."""
    settings = TableRecipeSettings(width=64, latent=16, batch=100, steps=600, lr=1e-3, ema=0.98)
    worst, share = learned(open_table, game, settings)
    assert worst < 0.2 and share > 0.8
