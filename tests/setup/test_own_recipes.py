"""Recipes and games from outside: what is refused when they are built, or when they are tried, and how it is told."""

import itertools

import pytest
import torch
from torch import nn
from torch.optim import Adam

from sparring.data.builtin.synthetic import Quadratic
from sparring.errors import InputError
from sparring.game import Game, Player, Report, Turn, play
from sparring.objectives import losses
from sparring.recipes import RECIPES, Recipe, nothing
from sparring.settings import Settings
from sparring.setup.prepare import try_resuming
from sparring.setup.request import Request, resolve

CPU = torch.device("cpu")


def net(before, after):
    return nn.Sequential(nn.Linear(before, 8), nn.LeakyReLU(0.2), nn.Linear(8, after))


class Parts:
    """The docs' system in pieces: a case changes one."""

    def __init__(self):
        self.G, self.D = net(4, 15), net(15, 1)
        self.generator = Player(self.G, Adam(self.G.parameters(), 1e-3), ema=0.9)
        self.discriminator = Player(self.D, Adam(self.D.parameters(), 1e-3))
        self.players = {"generator": self.generator, "discriminator": self.discriminator}
        self.memory = {}
        self.turns = {"discriminator": Turn(self.discriminator, self.discriminate), "generator": Turn(self.generator, self.generate)}

    def discriminate(self, batch, step):
        return Report({"adversarial": losses.nonsaturating.discriminator(self.D(batch.x), self.D(self.fake(batch)))})

    def generate(self, batch, step):
        return Report({"adversarial": losses.nonsaturating.generator(None, self.D(self.fake(batch)))})

    def fake(self, batch):
        return self.G(torch.randn(len(batch.x), 4))

    @torch.no_grad()
    def sample(self, z, labels=None, live=False):
        return (self.G if live else self.generator.average)(z)

    def game(self):
        return Game(self.players, self.turns, self.generator.average, lambda n, rng: torch.randn(n, 4, generator=rng), self.sample,
                    memory=self.memory)


def with_loss(loss):
    def change(parts):
        parts.turns["generator"] = Turn(parts.generator, lambda batch, step: loss(parts, batch, step))
    return change


def adversarial(parts, batch):
    return parts.generate(batch, 0).minimize["adversarial"]


def info(held):
    """InfoGAN: Q guesses what the generator was told, and learns with it."""
    def change(parts):
        Q = net(15, 4)
        parts.generator = Player(parts.G, Adam([*parts.G.parameters(), *Q.parameters()], 1e-3), ema=0.9)
        parts.players["generator"] = parts.generator
        held(parts, Q)
        parts.turns["generator"] = Turn(parts.generator, lambda batch, step: Report({"info": Q(parts.fake(batch)).square().mean()}))
    return change


def stranger(parts):
    Q = net(15, 4)
    parts.turns["info"] = Turn(Player(Q, Adam(Q.parameters())), lambda batch, step: Report({"info": Q(batch.x).square().mean()}))


def remembers(parts):
    old = []

    def loss(batch, step):
        old.append(batch.x)
        return Report({"adversarial": losses.nonsaturating.discriminator(parts.D(torch.cat(old)), parts.D(parts.fake(batch)))})

    parts.turns["discriminator"] = Turn(parts.discriminator, loss)


def counts_what_is_watched(parts):
    counted = itertools.count()
    parts.turns["generator"] = Turn(parts.generator, lambda batch, step: Report({"a": adversarial(parts, batch)}, {"n": next(counted)}))


def two_groups(parts):
    parts.generator = Player(parts.G, Adam([{"params": parts.G[0].parameters(), "lr": 1e-4}, {"params": parts.G[2].parameters()}]))
    parts.players["generator"] = parts.generator
    parts.turns["generator"] = Turn(parts.generator, parts.generate)


def shares_the_head(parts):
    """Another player, first in the game, moves the discriminator's parameters too."""
    both = Player(parts.D, Adam(parts.D.parameters(), 1e-4))
    parts.players = {"second": both, **parts.players}
    parts.turns["second"] = Turn(both, lambda batch, step: Report({"size": parts.D(batch.x).square().mean()}))


def frozen(parts):
    parts.D[0].weight.requires_grad_(False)
    parts.discriminator = Player(parts.D, Adam([p for p in parts.D.parameters() if p.requires_grad]))
    parts.players["discriminator"] = parts.discriminator
    parts.turns["discriminator"] = Turn(parts.discriminator, parts.discriminate)


def in_memory(parts, Q):
    parts.memory["q"] = Q


def in_the_discriminator(parts, Q):
    parts.D.add_module("q", nn.Identity())
    parts.D.q.head = Q
    parts.discriminator = Player(parts.D, parts.discriminator.optimizer)
    parts.players["discriminator"] = parts.discriminator
    parts.turns["discriminator"] = Turn(parts.discriminator, parts.discriminate)


def a_list_in_memory(parts):
    parts.memory["old"] = []


class Grows:
    """Memory whose state is no plain value."""

    def state_dict(self):
        return {"at": {1, 2}}

    def load_state_dict(self, state):
        pass


def a_set_in_memory(parts):
    parts.memory["seen"] = Grows()


def tried(change, monkeypatch):
    def game(c, space, device, own=None):
        parts = Parts()
        change(parts)
        return parts.game()

    monkeypatch.setitem(RECIPES, "theirs", Recipe("", Settings, lambda space: {}, game, nothing))
    request = Request("theirs", Quadratic(), {"batch": 16, "threads": 1})
    try_resuming(request, resolve(request))


SOUND = {
    "as in the docs": lambda parts: None,
    "two groups": two_groups,
    "frozen in part": frozen,
    "a second player of the same network": shares_the_head,
    "Q in the memory": info(in_memory),
    "Q in another player's network": info(in_the_discriminator),
    "watched tensors and numbers": with_loss(lambda parts, batch, step: Report({"a": adversarial(parts, batch)}, {
        "tensor": batch.x.mean(), "function": lambda: batch.x.mean(), "number": 1.5, "function of a number": lambda: 2})),
}


@pytest.mark.parametrize("change", SOUND.values(), ids=SOUND)
def test_a_sound_recipe_is_accepted(change, monkeypatch):
    tried(change, monkeypatch)


REFUSED = {
    "an InfoGAN's Q": (info(lambda parts, Q: None), ("optimizer of player 'generator' moves 4 parameters (8x15, 8, 4x8, 4)", "memory")),
    "a stranger's turn": (stranger, ("player of turn 'info' is not among", "generator, discriminator", "4 parameters (8x15, 8, 4x8, 4)")),
    "a list in the function": (remembers, ("would differ", "discriminator/adversarial of round 3", "outside of the networks")),
    "a watched count": (counts_what_is_watched, ("would differ", "generator/n of round 3")),
    "a list in memory": (a_list_in_memory, ("memory 'old' is a list", "state_dict()")),
    "a set in memory": (a_set_in_memory, ("state cannot be saved", "holds a set")),
    "a tensor": (with_loss(lambda parts, batch, step: adversarial(parts, batch)),
                 ("loss of turn 'generator' returned a Tensor", "Report({'adversarial'")),
    "nothing": (with_loss(lambda parts, batch, step: None), ("turn 'generator' returned a NoneType",)),
    "a report without names": (with_loss(lambda parts, batch, step: Report(adversarial(parts, batch))),
                               ("terms of turn 'generator' are a Tensor, without names",)),
    "a vector": (with_loss(lambda parts, batch, step: Report({"each": parts.D(parts.fake(batch)).flatten()})),
                 ("term 'each' of turn 'generator' has shape [4]",)),
    "a number": (with_loss(lambda parts, batch, step: Report({"a": adversarial(parts, batch).item()})),
                 ("term 'a' of turn 'generator' is a float",)),
    "no gradient": (with_loss(lambda parts, batch, step: Report({"a": adversarial(parts, batch).detach()})),
                    ("terms of turn 'generator' (a) depend on no parameter",)),
    "an error": (with_loss(lambda parts, batch, step: parts.missing), ("AttributeError", "missing", "turn 'generator', in round 1",
                                                                                 "returns a Report: terms to minimize by name")),
    "a vector to watch": (with_loss(lambda parts, batch, step: Report({"a": adversarial(parts, batch)}, {"all": lambda: batch.x})),
                          ("watched value 'generator/all' has shape [4, 15]",)),
}


@pytest.mark.parametrize(("change", "says"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_with_a_recipe_is_told(change, says, monkeypatch):
    with pytest.raises(InputError) as error:
        tried(change, monkeypatch)
    assert [part for part in says if part not in str(error.value)] == [], str(error.value)


def test_an_error_in_a_round_says_in_which_turn():
    parts = Parts()
    with_loss(lambda parts, batch, step: 1 / 0)(parts)
    with pytest.raises(ZeroDivisionError) as error:
        play(parts.game(), itertools.repeat(Points(torch.zeros(4, 15))), 6)
    assert error.value.__notes__ == ["This was in turn 'generator', in round 7."]


class Points:
    def __init__(self, x):
        self.x = x


def test_whoever_shares_parameters_learns_in_its_own_turn():
    """Whatever the order of the players."""
    parts = Parts()
    shares_the_head(parts)
    parts.turns = {"second": parts.turns["second"]}
    before = parts.D[0].weight.detach().clone()
    play(parts.game(), itertools.repeat(Points(torch.ones(4, 15))), 0)
    assert not torch.equal(before, parts.D[0].weight)
