"""The doctor acts on runs that ask for it: what it does, that it resumes exactly, and when it gives up."""

import json
import signal
from contextlib import suppress
from dataclasses import replace

import pytest

from health import BAD, FAST
from sparring import api
from sparring.cli.doctor import doctor
from sparring.doctor import chart, hopeful, treatment
from sparring.doctor.reading import opened
from sparring.game.processes import ALONE
from sparring.report import sections
from sparring.runs.folder import read_lines
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.training.loop import train


class Stopping(api.Silent):
    """Listens, and asks the run to stop, as a person does, or falls over, as a machine does."""

    def __init__(self, stop=0, fall=0):
        self.stop, self.fall, self.said = stop, fall, []

    def update(self, step, steps, values):
        if step == self.stop:
            signal.raise_signal(signal.SIGINT)
        if step == self.fall:
            raise KeyError("fallen")

    def say(self, message):
        self.said.append(message)


def acting(folder, listener, **given):
    prepared = prepare(Request("gan", "gaussian", FAST | {"width": 8, "lr": 1e-6, "log_every": 1, "doctor": "act", **given}), folder)
    return api.run(replace(prepared, plan=replace(prepared.plan, score_every=0)), listener)[1]


def test_the_doctor_acts_and_says_so(tmp_path):
    """Steps that are too small are enlarged during the run, and what was done is printed, written down and known to the commands."""
    listener = Stopping()
    outcome = acting(tmp_path / "run", listener)
    assert outcome.actions[0] == {"at": 20, "why": "learning_too_slowly", "settings": {"lr": 0.002}}
    assert "doctor: changed settings at round 20 because of learning too slowly: lr=0.002." in listener.said
    assert json.loads((tmp_path / "run/actions.json").read_text()) == list(outcome.actions)
    _, _, run = opened(tmp_path / "run")
    assert run.settings["lr"] > 1e-6 and "changed settings at round 20" in doctor(tmp_path / "run")["text"]
    assert sections.action_sections(run)[0].rows[0] == ("20", "learning too slowly", "lr=0.002")
    assert json.loads((tmp_path / "run/config.json").read_text())["settings"]["lr"] == 1e-6     # what was asked for
    pace = {row["step"]: row["pace/generator"] for row in read_lines(tmp_path / "run/health.jsonl")}
    assert pace[25] > 100 * pace[20]


@pytest.mark.parametrize("events", [[{"stop": 13}, {"stop": 20}, {"stop": 60}], [{"fall": 18}, {"fall": 21}, {"fall": 47}]])
def test_a_run_that_was_acted_on_resumes_exactly(tmp_path, events):
    """Stopped before, at and after an action, or killed there: the same bits as a run that never stopped."""
    acting(tmp_path / "whole", Stopping(), save_every=15)
    for event in events:
        with suppress(KeyError):
            acting(tmp_path / "pieces", Stopping(**event), save_every=15)
    outcome = acting(tmp_path / "pieces", Stopping(), save_every=15)
    assert len(outcome.actions) >= 1
    whole, pieces = ((tmp_path / name / "model/model.safetensors").read_bytes() for name in ("whole", "pieces"))
    assert whole == pieces


def test_a_fork_has_the_settings_it_was_given(tmp_path):
    acting(tmp_path / "run", Stopping(stop=50))
    given = FAST | {"width": 8, "lr": 1e-4, "doctor": "tell"}
    prepared = prepare(Request("gan", "gaussian", given), tmp_path / "run", tmp_path / "fork")
    game, outcome = train(prepared.game, prepared.source, replace(prepared.plan, score_every=0), prepared.folder, Stopping(), ALONE)
    prepared.folder.unlock()
    assert outcome.actions == () and game.players["generator"].optimizer.param_groups[0]["lr"] <= 1e-4


def test_what_a_running_run_cannot_take_is_told_once(tmp_path):
    """A network's width is settled when it begins; a setting that the recipe refuses is no reason to stop."""
    steps = range(5, 100, 5)
    rows = [{"step": s, **BAD, "missing": 0.8, "support": 0.1, "spread": 0.1} for s in steps]
    asked = {"lr": 2e-3, "width": 16, "ema": 0, "penalty": "none", "steps": 100, "discriminator_steps": 2}
    found = treatment(chart([], rows[:8], {"recipe": "gan", "settings": asked}), ())
    assert found.settings == {"penalty": "r1", "discriminator_steps": 1} and found.left == {"ema": 0.99, "width": 64}
    only = treatment(chart([], rows[:8], {"recipe": "gan", "settings": {"width": 16, "steps": 100}}), ())
    assert only.settings == {} and "start a new run with another --out and width=64" in only.line(40)
    done = [{"at": 5 * i, "settings": {}} for i in range(3)]
    assert treatment(chart([], rows[:8], {"settings": asked}), done) is None                    # three are enough
    assert treatment(chart([], rows, {"settings": asked}), ()) is None                          # too late to show what it does
    assert treatment(chart([], rows[:8], {"settings": asked}), [{"at": 25, "settings": {}}]) is None    # not given time yet


def test_a_run_has_failed_when_the_doctor_has_nothing_left_to_try(tmp_path):
    outcome = acting(tmp_path / "run", Stopping(), stop_when="failed")
    last = outcome.actions[-1]["at"]
    assert outcome.actions[0]["at"] == 20 and (outcome.step == 100 or ("failing" in outcome.health and outcome.step >= last + 20))
    told = acting(tmp_path / "told", Stopping(), stop_when="failed", doctor="tell")
    assert told.step < 50 and told.actions == ()


def test_hope_lasts_until_the_last_action_had_its_time():
    rows = [{"step": s, **BAD, "missing": 0.8, "support": 0.1, "spread": 0.1} for s in range(5, 100, 5)]
    settings = {"lr": 2e-3, "width": 16, "penalty": "none", "steps": 100, "discriminator_steps": 2}

    def hope(checkups, taken=(), helpless=()):
        return hopeful(chart([], rows[:checkups], {"recipe": "gan", "settings": settings}), taken, helpless)

    assert hope(1) and hope(8) and not hope(19)                 # at first; when something is to be done; too late to do anything
    assert not hope(8, helpless={"mode_collapse"})
    last = [{"at": 20, "settings": {}}] * 3
    assert hope(5, last) and not hope(8, last)
