"""Rounds in which everyone moves at once, against simultaneous gradient descent written by hand."""

import math
from itertools import pairwise, repeat

import pytest
import torch
from torch import nn

from sparring.game import Game, NotFinite, Player, Report, Turn, play, play_at_once

STEP = 0.2


class Number(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value, dtype=torch.float64))


def bilinear(start=(1.0, 0.5), backwards=False, momentum=0.0, **more):
    """x minimizes x y, y minimizes -x y: the only equilibrium is (0, 0), and simultaneous descent leaves it.  `more`: of y's turn."""
    x, y = Number(start[0]), Number(start[1])
    who = {name: Player(net, torch.optim.SGD(net.parameters(), STEP, momentum=momentum)) for name, net in (("x", x), ("y", y))}
    product = lambda: x.value * y.value  # noqa: E731
    turns = [("x", Turn(who["x"], lambda batch, step: Report({"product": product()}))),
             ("y", Turn(who["y"], lambda batch, step: Report({"product": -product()}), **more))]
    return Game(who, dict(reversed(turns) if backwards else turns), x, lambda n, rng: torch.zeros(n, 1), lambda z: z)


def where(game):
    return tuple(game.players[name].net.value.item() for name in ("x", "y"))


def walk(game, one_round, steps):
    path, rounds = [where(game)], repeat(None)
    for step in range(steps):
        one_round(game, rounds, step)
        path.append(where(game))
    return path


def test_at_once_is_simultaneous_gradient_descent_and_leaves_the_equilibrium():
    path, (x, y) = walk(bilinear(), play_at_once, 50), (1.0, 0.5)
    for found in path:
        assert found == pytest.approx((x, y), rel=1e-12)
        x, y = x - STEP * y, y + STEP * x
    radii = [math.hypot(*point) for point in path]
    assert [b / a for a, b in pairwise(radii)] == pytest.approx([math.sqrt(1 + STEP**2)] * 50)


def test_in_turn_the_second_answers_the_first_and_nobody_leaves():
    path, (x, y) = walk(bilinear(), play, 500), (1.0, 0.5)
    for found in path:
        assert found == pytest.approx((x, y), rel=1e-9)
        x = x - STEP * y
        y = y + STEP * x
    assert max(math.hypot(*point) for point in path) < 1.2 * math.hypot(1.0, 0.5)


def test_the_order_of_turns_does_not_matter():
    assert walk(bilinear(), play_at_once, 20) == walk(bilinear(backwards=True), play_at_once, 20)
    assert walk(bilinear(), play, 20) != walk(bilinear(backwards=True), play, 20)


def test_every_loss_sees_everyone_where_the_round_began():
    game, seen = bilinear(), []
    spied = {name: Turn(turn.player, lambda batch, step, turn=turn: seen.append(where(game)) or turn.loss(batch, step))
             for name, turn in game.turns.items()}
    play_at_once(Game(game.players, spied, game.model, game.prior, game.sample), repeat(None), 0)
    assert seen == [(1.0, 0.5), (1.0, 0.5)]
    assert where(game) != (1.0, 0.5)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_lazy_turn_moves_its_player_only_when_it_is_due(momentum):
    path = walk(bilinear(every=2, momentum=momentum), play_at_once, 6)
    moved = [[a[i] != b[i] for a, b in pairwise(path)] for i in (0, 1)]
    assert moved == [[True] * 6, [True, False] * 3]


def test_two_turns_of_one_player_add_up_to_one_step():
    """The penalty's turn beside the player's own: gradients add, the player moves once."""
    game = bilinear()
    y = game.players["y"]
    extra = Turn(y, lambda batch, step: Report({"square": y.net.value.square()}), every=2)
    both = Game(game.players, {**game.turns, "penalty": extra}, game.model, game.prior, game.sample)
    terms, _ = play_at_once(both, repeat(None), 0)
    assert set(terms) == {"x/product", "y/product", "penalty/square"}
    assert where(game) == pytest.approx((1.0 - STEP * 0.5, 0.5 + STEP * 1.0 - STEP * 2 * 0.5))
    x, y_before = where(game)
    terms, _ = play_at_once(both, repeat(None), 1)
    assert set(terms) == {"x/product", "y/product"}
    assert where(game) == pytest.approx((x - STEP * y_before, y_before + STEP * x))


def test_a_turn_that_repeats_is_refused_before_anyone_moves():
    game = bilinear(times=2)
    with pytest.raises(ValueError, match="turn 'y' repeats 2 times"):
        play_at_once(game, repeat(None), 0)
    assert where(game) == (1.0, 0.5)


def test_nobody_moves_when_anyone_is_not_finite():
    game = bilinear()
    bad = Turn(game.players["y"], lambda batch, step: Report({"lost": game.players["y"].net.value * math.nan}))
    with pytest.raises(NotFinite, match="y/lost became nan"):
        play_at_once(Game(game.players, {**game.turns, "y": bad}, game.model, game.prior, game.sample), repeat(None), 0)
    assert where(game) == (1.0, 0.5)
