"""A batch in parts is the batch."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from conftest import SOURCES
from sparring.api import Silent, run
from sparring.data.source import Batch, Pair
from sparring.errors import InputError
from sparring.game import Game, Player, Report, Turn, play
from sparring.game.accumulate import in_parts, indivisible
from sparring.recipes import RECIPES
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.spaces import Images, TwoDomains


def toy(parts):
    torch.manual_seed(0)
    net = nn.Linear(3, 1)
    player = Player(net, torch.optim.SGD(net.parameters(), 0.1))

    def loss(batch, step):
        out = net(batch.x).squeeze(1)
        return Report({"square": (out - batch.labels).square().mean(), "size": out.abs().mean()}, {"mean": lambda: out.mean()})

    game = Game({"a": player}, {"a": Turn(player, loss), "never": Turn(player, lambda batch, step: Report())}, net)
    return net, in_parts(game, parts) if parts > 1 else game


@pytest.mark.parametrize("parts", [2, 3, 6])
def test_terms_gradients_and_what_is_watched_are_those_of_the_whole(parts):
    x, y = torch.randn(12, 3), torch.randint(3, (12,))
    found = []
    for n in (1, parts):
        net, game = toy(n)
        terms, watched = play(game, iter([Batch(x, y)]), 0)
        found.append([*terms.values(), watched["a/mean"](), *net.parameters()])
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("more", [{}, {"penalty": "r1"}, {"discriminator_steps": 2}, {"objective": "relativistic"}])
def test_adversaries_learn_in_parts(more):
    """The generator's turn must not take the samples that were made for another part."""
    source = SOURCES["images"]
    recipe = RECIPES["gan"]
    settings = recipe.settings(**{**recipe.defaults(source.space), "batch": 8, "width": 4, "latent": 2, **more})
    torch.manual_seed(0)
    game = in_parts(recipe.game(settings, source.space, torch.device("cpu")), 4)
    before = [p.clone() for p in game.players["generator"].parameters]
    for step in range(3):
        terms, _ = play(game, iter([source.at(torch.arange(8))] * 2), step)
        assert all(torch.isfinite(value) for value in terms.values())
    assert any((a != b).any() for a, b in zip(before, game.players["generator"].parameters, strict=True))


def test_what_goes_by_the_whole_batch_is_refused():
    make = RECIPES["gan"].settings
    assert indivisible(8, 2, make()) is None
    assert "does not divide" in indivisible(9, 2, make())
    assert "packs of 3" in indivisible(8, 2, make(pack=3))
    assert "unroll=5" in indivisible(8, 2, make(unroll=5))
    assert "penalty=consensus" in indivisible(8, 2, make(penalty="consensus"))


def test_a_run_may_go_on_in_parts(tmp_path):
    """As the message about memory proposes; it is told that the last bits will be others."""
    told = []

    class Told(Silent):
        def say(self, message):
            told.append(message)

    given = {"steps": 4, "batch": 8, "width": 4, "threads": 1, "save_every": 2, "score_every": 100, "show_every": 100}
    first = prepare(Request("gan", "ring", given), tmp_path / "run")
    run(replace(first, plan=replace(first.plan, steps=2)), Told())
    second = prepare(Request("gan", "ring", {**given, "accumulate": 2}), tmp_path / "run")
    assert second.resumed and second.plan.accumulate == 2
    _, outcome = run(second, Told())
    assert outcome.step == 4
    assert any("parts of a batch: 1 -> 2" in message for message in told)


@pytest.mark.parametrize(("given", "said"), [({"accumulate": 3}, "does not divide"), ({"accumulate": 2, "unroll": 2}, "unroll=2")])
def test_parts_that_cannot_be(given, said, tmp_path):
    with pytest.raises(InputError, match=said):
        prepare(Request("gan", "ring", {"batch": 8, **given}), tmp_path / "run")


def test_a_run_that_began_before_a_setting_existed_has_its_default(tmp_path):
    given = {"steps": 4, "batch": 8, "width": 4, "threads": 1}
    prepare(Request("gan", "ring", given), tmp_path / "run").folder.unlock()
    path = tmp_path / "run" / "config.json"
    config = json.loads(path.read_text())
    del config["settings"]["residual"], config["settings"]["lr_ratio"]
    path.write_text(json.dumps(config))
    again = prepare(Request("gan", "ring", given), tmp_path / "run")
    again.folder.unlock()
    assert again.resumed
    with pytest.raises(InputError, match="residual"):
        prepare(Request("gan", "digits", {**given, "residual": True}), tmp_path / "run")


def test_pix2pix_learns_from_the_translation_of_each_part():
    """Not from the one that the discriminator was asked about last, which is another part's."""
    recipe, image = RECIPES["pix2pix"], Images(3, 16, 16)
    settings = recipe.settings(width=4, batch=4, field=16)
    game = recipe.game(settings, TwoDomains(image, image, ("a", "b")), torch.device("cpu"))
    x, seen = torch.stack([torch.full((3, 16, 16), value) for value in (-0.5, -0.5, 0.5, 0.5)]), []
    game.players["generator"].net.register_forward_hook(lambda net, inputs, output: seen.append(inputs[0].mean().item()))
    halves = in_parts(game, 2)
    for name in ("discriminator", "generator"):
        halves.turns[name].player.thaw(True)
        halves.turns[name].loss(Pair(x, x), 0)
    assert seen == [-0.5, 0.5, -0.5, 0.5]
