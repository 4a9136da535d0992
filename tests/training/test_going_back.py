"""What a run does about a number that is not finite, and what it says when it goes on under other conditions."""

import json
import math
from dataclasses import replace

import pytest
import torch
from benchmarks.chaos.listener import Listener
from benchmarks.chaos.nans import Injector

from sparring.api import run
from sparring.game import NotFinite
from sparring.runs import checkpoint
from sparring.runs.folder import read_lines
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.training import loop

GIVEN = {"steps": 16, "batch": 16, "width": 8, "depth": 1, "threads": 1, "save_every": 4, "log_every": 1, "show_every": 10**6,
         "score_every": 10**6}


def trained(folder, place=None, at=6, once=True, recipe="gan", **given):
    """(outcome or what it failed with, everything that was said, the game)."""
    listener, prepared = Listener(), prepare(Request(recipe, "mixture", {**GIVEN, **given}), folder)
    if place:
        prepared = replace(prepared, game=Injector(place, at, math.nan, once).into(prepared.game))
    try:
        return run(replace(prepared, plan=replace(prepared.plan, show_every=0, score_every=0)), listener)[1], listener.said, prepared.game
    except NotFinite as error:
        return error, listener.said, prepared.game


def test_the_default_is_to_stop_with_the_term_named(tmp_path):
    error, _, _ = trained(tmp_path, "data")
    assert "discriminator/adversarial became nan in round 7; its step was not applied" in str(error)
    assert "Try half the learning rate, or the same command with on_nan=rollback" in str(error)


def test_a_gradient_is_blamed_where_it_broke_the_weights(tmp_path):
    error, _, _ = trained(tmp_path, "gradient")
    assert "was not finite before: an earlier step was too large, or its gradient was not finite" in str(error)


def test_once_back_with_half_the_learning_rate(tmp_path):
    outcome, said, game = trained(tmp_path, "data", on_nan="rollback")
    back, = outcome.rollbacks
    assert (back["at"], back["to"]) == (6, 4)
    assert any("Back to step 4, with 0.5 of the learning rate" in text for text in said)
    whole, _, undisturbed = trained(tmp_path / "whole")
    assert whole.rollbacks == ()
    rates = [g.players["generator"].optimizer.param_groups[0]["lr"] for g in (game, undisturbed)]
    assert rates[0] == pytest.approx(rates[1] / 2)
    assert [row["step"] for row in read_lines(tmp_path / "log.jsonl")] == list(range(1, 17))


def test_a_run_that_went_back_resumes_at_its_pace(tmp_path):
    """Killed after it went back and saved: the resumed run ends like one that was only thrown back."""
    whole, _, _ = trained(tmp_path / "whole", "data", on_nan="rollback")
    injector = Injector("data", 6, math.nan, True)
    listener = Listener()
    prepared = prepare(Request("gan", "mixture", {**GIVEN, "on_nan": "rollback"}), tmp_path / "pieces")
    short = replace(prepared, game=injector.into(prepared.game), plan=replace(prepared.plan, steps=10, show_every=0, score_every=0))
    run(short, listener)
    outcome, _, _ = trained(tmp_path / "pieces", on_nan="rollback")
    assert len(outcome.rollbacks) == len(whole.rollbacks) == 1
    models = [(tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("whole", "pieces")]
    assert models[0] == models[1]


def test_three_times_and_no_more(tmp_path):
    error, said, _ = trained(tmp_path, "data", once=False, on_nan="rollback")
    assert "The run has already gone back 3 times, each time with half the learning rate." in str(error)
    assert sum("Back to step 4" in text for text in said) == 3
    assert "0.125 of the learning rate" in said[-1]


def test_before_the_first_save_it_goes_back_to_the_beginning(tmp_path):
    outcome, _, _ = trained(tmp_path, "weights", at=1, on_nan="rollback")
    assert outcome.rollbacks[0]["to"] == 0
    assert outcome.step == 16


def test_an_average_that_is_poisoned_never_reaches_a_checkpoint(tmp_path):
    error, _, _ = trained(tmp_path, "average", ema=0.9)
    assert "generator/average" in str(error) and "nothing was saved" in str(error)
    files, complaints = checkpoint.newest(tmp_path / "checkpoint")
    assert complaints == [] and files is not None


def test_a_stopped_run_goes_on_with_another_policy(tmp_path):
    """The advice of the message can be followed: the same command with on_nan=rollback resumes the same run."""
    trained(tmp_path, "loss")
    assert json.loads((tmp_path / "config.json").read_text())["run_settings"]["on_nan"] == "stop"
    outcome, said, _ = trained(tmp_path, on_nan="rollback")
    assert "resumed from step 4" in said
    assert outcome.step == 16
    assert json.loads((tmp_path / "config.json").read_text())["run_settings"]["on_nan"] == "rollback"      # config.json follows


def test_other_conditions_are_told_on_resuming(tmp_path, monkeypatch):
    prepared = prepare(Request("gan", "mixture", GIVEN), tmp_path)
    loop.train(prepared.game, prepared.source, replace(prepared.plan, steps=5, show_every=0, score_every=0), prepared.folder, Listener())
    prepared.folder.unlock()
    real = loop.conditions
    monkeypatch.setattr(loop, "conditions", lambda *given: {**real(*given), "torch": "9.9"})
    _, said, _ = trained(tmp_path)
    assert any("differ in the last bits" in text and f"torch: {torch.__version__} -> 9.9" in text for text in said)


def test_a_fork_begins_with_a_clean_slate(tmp_path):
    trained(tmp_path / "run", "data", on_nan="rollback", steps=12)
    prepared = prepare(Request("gan", "mixture", {**GIVEN, "on_nan": "rollback", "steps": 20}), tmp_path / "run", tmp_path / "fork")
    assert prepared.plan.inherited == 1
    outcome = run(replace(prepared, plan=replace(prepared.plan, show_every=0, score_every=0)), Listener())[1]
    assert outcome.rollbacks == ()
    assert all(player.pace == 1.0 for player in prepared.game.players.values())


def test_a_log_that_is_gone_is_told(tmp_path):
    prepared = prepare(Request("gan", "mixture", GIVEN), tmp_path)
    loop.train(prepared.game, prepared.source, replace(prepared.plan, steps=5, show_every=0, score_every=0), prepared.folder, Listener())
    prepared.folder.unlock()
    (tmp_path / "log.jsonl").unlink()
    assert any("log.jsonl is missing, so what was logged before round 5 is lost" in text for text in trained(tmp_path)[1])


def test_a_fork_learns_with_its_own_hyperparameters(tmp_path):
    request = Request("gan", "mixture", {**GIVEN, "steps": 5})
    run(prepare(request, tmp_path / "run"), Listener())
    longer = {**GIVEN, "steps": 8, "lr": 0.123, "beta1": 0.25, "decay": 0}
    forked = prepare(Request("gan", "mixture", longer), tmp_path / "run", tmp_path / "fork")
    run(forked, Listener())
    group = forked.game.players["generator"].optimizer.param_groups[0]
    assert (group["lr"], group["betas"][0]) == (0.123, 0.25)
