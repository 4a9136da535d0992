"""What is chosen by trying is chosen for a reason, once, and kept."""

import json
import math

import pytest
import torch

from conftest import small_images
from sparring.cli.before_training import facts
from sparring.data.builtin.synthetic import Quadratic
from sparring.data.source import batches
from sparring.errors import RunFailed
from sparring.recipes import RECIPES
from sparring.setup import autotune
from sparring.setup.build import build
from sparring.setup.prepare import prepare
from sparring.setup.request import Request

CPU = torch.device("cpu")
IMAGES = small_images(40)


@pytest.fixture
def trial():
    recipe = RECIPES["gan"]
    settings = recipe.settings(**{**recipe.defaults(IMAGES.space), "batch": 8, "width": 250, "steps": 500})

    def make(**more):
        torch.manual_seed(0)
        return recipe.game(settings.model_copy(update=more), IMAGES.space, CPU)

    return make


def rounds():
    return batches(IMAGES, 8, 0)


def clock(monkeypatch, seconds):
    """A measurement that says so many seconds a round, in the order of asking."""
    said = iter(seconds * 10)
    monkeypatch.setattr(autotune, "pace", lambda game, stream: next(said))
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)


@pytest.mark.parametrize(("seconds", "chosen"), [([2.0, 1.0], "bf16"), ([1.0, 1.0], "fp32"), ([1.0, 0.95], "fp32"), ([1.0, 2.0], "fp32"),
                                                 ([2.0, 1.0, 2.0, 1.0, 2.0, 1.9], "fp32")])
def test_bf16_must_win_clearly_and_every_time(trial, monkeypatch, seconds, chosen):
    clock(monkeypatch, seconds)
    precision, why = autotune.precision(trial, rounds, CPU, 500)
    assert precision == chosen
    assert ("2.0 times as fast" if chosen == "bf16" else "not clearly faster") in why


def test_gradients_in_bf16_must_agree(trial, monkeypatch):
    clock(monkeypatch, [2.0, 1.0])
    torch.manual_seed(0)
    same = autotune.first_gradients(trial(), rounds(), CPU)
    assert autotune.agreement(same, same) == pytest.approx(1.0)
    assert autotune.agreement(same, [-g for g in same]) == pytest.approx(-1.0)
    real = autotune.cosines
    monkeypatch.setattr(autotune, "cosines", lambda a, b: real(a, [g * float("nan") for g in b]))
    assert autotune.precision(trial, rounds, CPU, 500) == ("fp32", "gradients in bf16 differ, cosine nan")


def test_rounding_that_drowns_in_chance_is_good_enough(trial, monkeypatch):
    """By angles in the plane: bf16 is 0.29 off (cosine 0.957), and another batch 1.2 off (0.36) or only 0.6 (0.825)."""
    clock(monkeypatch, [2.0, 1.0])

    def at(angle):
        return [torch.tensor([math.cos(angle), math.sin(angle)])]

    assert autotune.drowned(at(0.0), at(0.29), at(1.2))
    assert not autotune.drowned(at(0.0), at(0.29), at(0.6))
    assert not autotune.drowned(at(0.0) * 2, at(0.29) * 2, at(1.2) + at(0.6))     # each player by itself
    assert not autotune.drowned(at(0.0), at(math.nan), at(1.2))
    own = autotune.first_gradients(trial(), rounds(), CPU)
    assert autotune.agreement(own, autotune.first_gradients(trial(), rounds(), CPU)) == pytest.approx(1.0)
    assert autotune.agreement(own, autotune.first_gradients(trial(), rounds(), CPU, later=1)) < 0.999
    monkeypatch.setattr(autotune, "cosines", lambda a, b: [0.97] if b is rounded else [0.5])
    rounded = [torch.ones(1)]
    monkeypatch.setattr(autotune, "first_gradients", lambda *given, later=0: [torch.zeros(1)] if later else rounded)
    assert autotune.precision(trial, rounds, CPU, 500)[0] == "bf16"


def test_where_it_cannot_pay_nothing_is_measured(trial, monkeypatch):
    monkeypatch.setattr(autotune, "pace", lambda *given: pytest.fail("measured"))
    assert autotune.precision(trial, rounds, CPU, 100) == ("fp32", "the run is too short to measure")
    assert autotune.precision(lambda: trial(width=4), rounds, CPU, 500) == ("fp32", "the networks are small")
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    assert autotune.precision(trial, rounds, CPU, 500) == ("fp32", "this processor computes bf16 slowly")


def test_a_network_that_bf16_cannot_do_stays_in_fp32(trial, monkeypatch):
    clock(monkeypatch, [2.0, 1.0])
    game = trial()

    class Picky(torch.nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, *given):
            made = self.net(*given)
            if torch.is_autocast_enabled("cpu"):
                raise RuntimeError("no such operation in bf16")
            return made

    game.players["discriminator"].net.features = Picky(game.players["discriminator"].net.features)
    assert autotune.precision(lambda: game, rounds, CPU, 500) == ("fp32", "bf16 fails: no such operation in bf16")


def test_the_choice_is_kept_with_its_reason_and_resumed(tmp_path, monkeypatch):
    clock(monkeypatch, [2.0, 1.0])
    given = {"steps": 500, "batch": 8, "width": 250, "threads": 1}
    first = prepare(Request("gan", IMAGES, given), tmp_path / "run")
    first.folder.unlock()
    assert first.plan.precision == "bf16"
    assert any("bf16 (2.0 times as fast as fp32 here" in fact for fact in facts(first))
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["run_settings"]["precision"] == "bf16" and "2.0 times" in config["reasons"]["precision"]
    monkeypatch.setattr(autotune, "pace", lambda *given: pytest.fail("measured again"))
    again = prepare(Request("gan", IMAGES, {**given, "precision": "auto"}), tmp_path / "run")
    again.folder.unlock()
    assert again.plan.precision == "bf16"


def test_a_run_from_before_there_was_a_choice_stays_in_fp32(tmp_path, monkeypatch):
    given = {"steps": 500, "batch": 8, "width": 250, "threads": 1}
    clock(monkeypatch, [1.0, 1.0])
    prepare(Request("gan", IMAGES, given), tmp_path / "run").folder.unlock()
    path = tmp_path / "run" / "config.json"
    config = json.loads(path.read_text())
    del config["run_settings"]["precision"]
    path.write_text(json.dumps(config))
    clock(monkeypatch, [2.0, 1.0])                              # by now bf16 would win
    again = prepare(Request("gan", IMAGES, given), tmp_path / "run")
    again.folder.unlock()
    assert again.plan.precision == "fp32"


def test_measuring_leaves_random_numbers_and_own_networks_alone(tmp_path):
    G = torch.nn.Sequential(torch.nn.Linear(4, 700), torch.nn.ReLU(), torch.nn.Linear(700, 700), torch.nn.ReLU(), torch.nn.Linear(700, 2))
    before = [p.clone() for p in G.parameters()]
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    prepare(Request("gan", "ring", {"latent": 4, "batch": 16, "steps": 300, "threads": 1}, own={"generator": G}), tmp_path).folder.unlock()
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(p, q) for p, q in zip(before, G.parameters(), strict=True))


@pytest.mark.parametrize(("slow", "fast", "steps", "chosen"), [(1e-3, 4e-4, 10_000, "off"), (1e-3, 4e-4, 10**6, "on"),
                                                              (1e-3, 1e-3, 10**6, "off"), (1e-3, 4e-4, 100, "off")])
def test_turns_are_compiled_where_the_run_repays_it(monkeypatch, slow, fast, steps, chosen):
    """A thousand seconds of which six hundred can be saved repay it; ten do not, nor does what is not faster."""
    rates = iter([slow, slow, fast, fast])
    monkeypatch.setattr(autotune, "pace", lambda game, stream: next(rates))
    monkeypatch.setattr(autotune, "in_one", lambda game, tell: game)
    recipe = RECIPES["gan"]
    settings = recipe.settings(batch=8, width=4)
    source = Quadratic()

    def trial():
        return build(recipe, settings, source.space, CPU, 0)

    found, why = autotune.compiling(trial, lambda: batches(source, 8, 0), CPU, steps)
    assert found == chosen, why


def test_a_trial_that_fails_leaves_turns_as_they_are(monkeypatch):
    def broken(game, stream):
        raise RunFailed("it became nan")

    monkeypatch.setattr(autotune, "pace", broken)
    recipe, source = RECIPES["gan"], Quadratic()
    settings = recipe.settings(batch=8, width=4)
    trial = build(recipe, settings, source.space, CPU, 0)
    assert autotune.compiling(lambda: trial, lambda: batches(source, 8, 0), CPU, 10**6) == \
        ("off", "a trial round failed: it became nan")
