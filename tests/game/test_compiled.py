"""Turns compiled as one function: the same game, to rounding."""

import pytest
import torch
from torch import nn

from small_games import build, rounds, small, state
from sparring.game import Game, Player, Report, Turn, compiled, play
from sparring.game.compiled import Compiled, in_one
from sparring.training.exactness import conditions

CASE = ("gan", "density", {"penalty": "r1", "penalty_weight": 1.0})
MORE = [("gan", "curves", {"objective": "minimax"}), ("gan", "images", {"penalty": "r1", "penalty_every": 2, "spectral": True}),
        ("gan", "images", {}), ("gan", "images", {"augment": "diff"}), ("gan", "images", {"penalty": "consensus"}),
        ("gan", "images", {"discriminator_steps": 2}), ("gan", "density", {"penalty": "dragan", "penalty_weight": 10.0}),
        ("gan", "density", {"pack": 2, "noise": 0.1}), ("wgan", "density", {}), ("wgan-gp", "images", {}), ("vae", "images", {})]


@pytest.fixture
def quickly(monkeypatch):
    """Trace and differentiate as always, but leave out the C++ compiler."""
    def trace(self, graph, inputs):
        self.count += 1
        return torch._dynamo.lookup_backend("aot_eager")(graph, inputs)

    monkeypatch.setattr(Compiled, "compile", trace)
    yield
    torch._dynamo.reset()


def agree(recipe, source, more, tolerance):
    settings, eager = build(recipe, source, **more)
    _, plain = build(recipe, source, **more)
    told = []
    game = in_one(plain, told.append)
    one, other = rounds(eager, source, settings, 0, 4), rounds(game, source, settings, 0, 4)
    assert told == [], told[0]
    for a, b in zip(one, other, strict=True):
        assert a == {name: pytest.approx(b[name], abs=tolerance) for name in a}
    assert other[0].keys() - one[0].keys() == {f"{name}/compilations" for name, turn in game.turns.items() if turn.due(0)}
    for (name, a), b in zip(state(eager).items(), state(plain).values(), strict=True):
        assert torch.allclose(a.float(), b.float(), atol=tolerance), name


def test_a_compiled_game_is_the_same_game(quickly):
    agree(*CASE, 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "source", "more"), MORE)
def test_so_are_the_others(quickly, recipe, source, more):
    agree(recipe, source, more, 1e-5)


@pytest.mark.slow
def test_by_the_real_compiler_and_resumed_exactly():
    agree(*CASE, 1e-5)
    recipe, source, more = CASE
    _, whole = build(recipe, source, **more)
    _, half = build(recipe, source, **more)
    settings = small(recipe, source, **more)
    rounds(in_one(whole, print), source, settings, 0, 8)
    rounds(in_one(half, print), source, settings, 0, 5)
    torch._dynamo.reset()                                       # as in another process
    rounds(in_one(half, print), source, settings, 5, 8)
    assert all(torch.equal(a, b) for a, b in zip(state(whole).values(), state(half).values(), strict=True))
    torch._dynamo.reset()


def line(loss):
    """A game of one number, under a loss of it."""
    net = nn.Linear(1, 1)
    player = Player(net, torch.optim.SGD(net.parameters(), 0.1))
    return Game({"one": player}, {"turn": Turn(player, lambda batch, step: Report({"loss": loss(net, step)}))}, model=net,
                prior=lambda n, rng: torch.zeros(n, 1), sample=lambda z, labels=None, live=False: z)


def test_what_cannot_be_compiled_is_played_as_it_is_and_told(quickly):
    def loss(net, step):
        return net.weight.sum() * (2.0 if net.bias.item() > 5 else 1.0)

    told = []
    game = in_one(line(loss), told.append)
    terms, _ = play(game, iter([torch.zeros(1)] * 2), 0)
    play(game, iter([torch.zeros(1)] * 2), 1)
    assert torch.isfinite(terms["turn/loss"])
    message, = told
    assert message.startswith("compile: turn 'turn' runs without compilation: ")


def test_numbers_that_change_are_noticed_and_too_many_compilations_told(quickly):
    class Growing(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.share = nn.Linear(1, 1), "a"

    growing = Growing()
    player = Player(growing, torch.optim.SGD(growing.parameters(), 0.0))

    def loss(batch, step):
        return Report({"loss": growing.linear.weight.sum() * 0 + len(growing.share)})

    game = in_one(Game({"one": player}, {"turn": Turn(player, loss)}, model=growing, prior=lambda n, rng: torch.zeros(n, 1),
                       sample=lambda z, labels=None, live=False: z), print)
    found = []
    for step in range(3):
        growing.share = "a" * (step + 1)
        found.append(play(game, iter([torch.zeros(1)]), step)[0]["turn/loss"].item())
    assert found == [1.0, 2.0, 3.0]


def test_any_number_of_games_is_compiled_in_one_process(quickly):
    told = []
    for _ in range(torch._dynamo.config.recompile_limit + 2):
        game = in_one(line(lambda net, step: net.weight.sum()), told.append)
        play(game, iter([torch.zeros(1)]), 0)
    assert told == []


def test_a_loss_that_is_never_the_same_is_played_as_it_is(quickly):
    class Longer(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.text = nn.Linear(1, 1), ""

    net, told = Longer(), []
    player = Player(net, torch.optim.SGD(net.parameters(), 0.0))
    turn = Turn(player, lambda batch, step: Report({"loss": net.linear.weight.sum() * 0 + (1.0 if net.text.endswith("b") else 2.0)}))
    game = in_one(Game({"one": player}, {"turn": turn}, model=net, prior=lambda n, rng: torch.zeros(n, 1),
                       sample=lambda z, labels=None, live=False: z), told.append)
    for step in range(torch._dynamo.config.recompile_limit + 2):
        net.text += "a"
        assert play(game, iter([torch.zeros(1)]), step)[0]["turn/loss"].item() == 2.0
    assert "runs without compilation" in told[-1]


def test_a_torch_that_cannot_is_told(monkeypatch):
    def refuse():
        raise AttributeError("trace_autograd_ops")

    monkeypatch.setattr(compiled, "let_gradients_be_compiled", refuse)
    told = []
    play(in_one(line(lambda net, step: net.weight.sum()), told.append), iter([torch.zeros(1)]), 0)
    assert "cannot compile gradients yet" in told[0]


def test_the_guards_that_are_kept_are_about_what_may_change():
    class Guard:
        def __init__(self, guard_type):
            self.guard_type = guard_type

    kinds = ["TENSOR_MATCH", "CONSTANT_MATCH", "EQUALS_MATCH", "SEQUENCE_LENGTH", "TYPE_MATCH", "EMPTY_NN_MODULE_HOOKS_DICT"]
    assert compiled.changeable([Guard(kind) for kind in kinds]) == [True] * 4 + [False] * 2


def test_resuming_tells_of_another_compilation():
    cpu = torch.device("cpu")
    assert conditions(cpu, "fp32", False) != conditions(cpu, "fp32", False, compiled=True)
