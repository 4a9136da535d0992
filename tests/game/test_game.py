"""The round: who moves, which batches are drawn, what stops it."""

import copy
from itertools import count

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sparring.game import Game, NotFinite, Player, Report, Turn, play
from sparring.game.schedules import linear_decay


def players(**kwargs):
    torch.manual_seed(0)
    nets = {"a": nn.Linear(2, 2), "b": nn.Linear(2, 1)}
    return {name: Player(net, torch.optim.SGD(net.parameters(), 0.1), **kwargs) for name, net in nets.items()}


def game(turns, who, **kwargs):
    return Game(who, turns, who["a"].average, lambda n, rng: torch.randn(n, 2, generator=rng), lambda z: z, **kwargs)


def through(who):
    """A loss that reaches both players."""
    return lambda batch, step: Report({"term": who["b"].net(who["a"].net(batch)).square().mean()})


def test_only_the_player_whose_turn_it_is_moves():
    who = players()
    before = {name: copy.deepcopy(player.net.state_dict()) for name, player in who.items()}
    terms, _ = play(game({"t": Turn(who["b"], through(who))}, who), iter([torch.ones(4, 2)]), 0)
    assert all(torch.equal(v, before["a"][k]) for k, v in who["a"].net.state_dict().items())
    assert not any(torch.equal(v, before["b"][k]) for k, v in who["b"].net.state_dict().items())
    assert list(terms) == ["t/term"]
    assert not terms["t/term"].requires_grad


def test_a_frozen_network_passes_gradients_on_and_keeps_none():
    who = players()
    play(game({"t": Turn(who["a"], through(who))}, who), iter([torch.ones(4, 2)]), 0)
    assert all(p.grad is None for p in who["b"].net.parameters())
    assert all(p.grad is not None for p in who["a"].net.parameters())


def test_a_parameter_the_loss_does_not_reach_has_gradient_zero():
    who = players()
    loss = lambda batch, step: Report({"term": who["a"].net.bias.sum()})  # noqa: E731
    play(game({"t": Turn(who["a"], loss)}, who), iter([torch.ones(4, 2)]), 0)
    assert torch.equal(who["a"].net.weight.grad, torch.zeros(2, 2))


TURNS = st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(0, 6), st.one_of(st.none(), st.integers(0, 20)))


@settings(deadline=None, max_examples=60)
@given(st.lists(TURNS, min_size=1, max_size=3), st.integers(0, 25))
def test_the_position_in_the_data_follows_from_the_step(plans, rounds):
    who, drawn = players(), []

    def batches():
        for i in count():
            drawn.append(i)
            yield torch.ones(1, 2)

    turns = {str(i): Turn(who["a"], lambda batch, step: Report(), times, every, start, stop)
             for i, (times, every, start, stop) in enumerate(plans)}
    g, source = game(turns, who), batches()
    for step in range(rounds):
        assert g.drawn(step) == len(drawn)
        play(g, source, step)
    assert g.drawn(rounds) == len(drawn)


def test_turns_share_the_first_batch_and_repeats_draw_their_own():
    who, seen = players(), []
    note = lambda name: lambda batch, step: seen.append((name, int(batch[0, 0]))) or Report()  # noqa: E731
    turns = {"d": Turn(who["b"], note("d"), times=3), "g": Turn(who["a"], note("g"))}
    play(game(turns, who), iter([torch.full((1, 2), float(i)) for i in range(9)]), 0)
    assert seen == [("d", 0), ("d", 1), ("d", 2), ("g", 0)]


def test_due_rounds():
    turn = Turn(players()["a"], lambda b, s: Report(), every=3, start=2, stop=9)
    assert [s for s in range(12) if turn.due(s)] == [2, 5, 8]
    assert [turn.played(s) for s in (0, 2, 3, 6, 9, 100)] == [0, 0, 1, 2, 3, 3]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_term_that_is_not_finite_stops_before_anything_moves(value):
    who = players()
    before = copy.deepcopy(who["a"].net.state_dict())
    loss = lambda batch, step: Report({"good": who["a"].net(batch).mean(), "bad": who["a"].net(batch).mean() * value})  # noqa: E731
    with pytest.raises(NotFinite, match=r"walk/bad became .* in round 8"):
        play(game({"walk": Turn(who["a"], loss)}, who), iter([torch.ones(4, 2)]), 7)
    assert all(torch.equal(v, before[k]) for k, v in who["a"].net.state_dict().items())


def test_an_empty_report_sits_the_turn_out():
    who = players()
    before = copy.deepcopy(who["a"].net.state_dict())
    terms, watched = play(game({"t": Turn(who["a"], lambda b, s: Report())}, who), iter([torch.ones(1, 2)]), 0)
    assert (terms, watched) == ({}, {})
    assert all(torch.equal(v, before[k]) for k, v in who["a"].net.state_dict().items())


def test_the_average_follows_and_copies_buffers():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    player = Player(net, torch.optim.SGD(net.parameters(), 0.1), ema=0.5)
    with torch.no_grad():
        net[0].weight.add_(1.0)
        net[1].running_mean.fill_(3.0)
    slow = player.average[0].weight.clone()
    player.follow(step=10**6)
    assert torch.allclose(player.average[0].weight, slow + 0.5)
    assert torch.equal(player.average[1].running_mean, net[1].running_mean)
    player.follow(step=0)                                       # early on it forgets fast: decay 1/10
    assert torch.allclose(player.average[0].weight, net[0].weight, atol=0.051)


def test_an_average_with_statistics_of_its_own_leaves_the_others_alone():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    net.register_buffer("count", torch.zeros(()))
    player = Player(net, torch.optim.SGD(net.parameters(), 0.1), ema=0.5, own_statistics=True)
    with torch.no_grad():
        net[1].running_mean.fill_(3.0)
        net.count.fill_(7.0)
    player.follow(step=0)
    assert player.average.count == 7 and not player.average[1].running_mean.any()


def test_freezing_stops_gradients_but_not_the_statistics_of_batch_norm():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    who = players() | {"a": Player(net, torch.optim.SGD(net.parameters(), 0.1))}
    play(game({"t": Turn(who["b"], through(who))}, who), iter([torch.randn(4, 2)]), 0)
    assert net[1].num_batches_tracked == 1
    assert net[0].weight.grad is None


def test_the_learning_rate_is_a_function_of_the_round():
    who = players(learning_rate=linear_decay(0.1, steps=10, last=0.5))
    rates = []
    for step in range(10):
        play(game({"t": Turn(who["a"], through(who))}, who), iter([torch.ones(1, 2)]), step)
        rates.append(who["a"].optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.1] * 6 + [0.08, 0.06, 0.04, 0.02])


@pytest.mark.parametrize("fused", [True, False])
def test_an_optimizer_that_begins_afresh_takes_the_steps_of_a_new_one(fused):
    """Also in the second of two steps, for which its moments are looked up again; and in no other round."""
    def adam(net):
        return torch.optim.Adam(net.parameters(), 0.01, fused=fused)

    torch.manual_seed(0)
    net = nn.Linear(2, 1)
    who = {"a": Player(net, adam(net), afresh=3)}
    loss = lambda batch, step: Report({"term": 10.0 ** (3 - step) * who["a"].net(batch).square().mean()})  # noqa: E731
    for step in range(3):
        play(game({"t": Turn(who["a"], loss, times=2)}, who), iter([torch.ones(1, 2)] * 2), step)
    other = copy.deepcopy(net)
    new = {"a": Player(other, adam(other))}
    theirs = lambda batch, step: Report({"term": 10.0 ** (3 - step) * other(batch).square().mean()})  # noqa: E731
    for step in (3, 4):
        play(game({"t": Turn(who["a"], loss, times=2)}, who), iter([torch.ones(1, 2)] * 2), step)
        play(game({"t": Turn(new["a"], theirs, times=2)}, new), iter([torch.ones(1, 2)] * 2), step)
        assert torch.equal(net.weight, other.weight) and torch.equal(net.bias, other.bias)


def test_watched_values_are_only_computed_when_looked_at():
    who, looked = players(), []
    loss = lambda batch, step: Report({"term": who["a"].net(batch).mean()},  # noqa: E731
                                      {"w": lambda: looked.append(1) or torch.ones(())})
    _, watched = play(game({"t": Turn(who["a"], loss)}, who), iter([torch.ones(1, 2)]), 0)
    assert looked == []
    assert watched["t/w"]().item() == 1.0
