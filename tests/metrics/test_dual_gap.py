"""The perturbed duality gap of a run: near zero for one at rest, large for one that failed, refused where there is none."""

import json
from dataclasses import replace
from functools import partial

import pytest

from health import CONFIG, GOOD
from shell import Shell
from sparring import api
from sparring.cli.doctor import doctor
from sparring.doctor import chart, judge, weighed
from sparring.errors import InputError
from sparring.evaluation import duality_gap
from sparring.setup.prepare import prepare
from sparring.setup.request import Request

FAST = {"steps": 400, "batch": 64, "width": 32, "threads": 1, "compile": "off", "precision": "fp32", "show_every": 10**9,
        "score_every": 10**9}


def trained(folder, recipe="gan", **given):
    return run(prepare(Request(recipe, "gaussian", FAST | given), folder), folder)


def run(prepared, folder):
    """Without pictures and scores."""
    api.run(replace(prepared, plan=replace(prepared.plan, show_every=0, score_every=0)), api.Silent())
    return folder


def test_a_run_at_rest_has_a_small_gap_and_one_that_never_moved_a_large_one(tmp_path):
    rest = duality_gap.gap_of(trained(tmp_path / "rest"), steps=150)
    still = duality_gap.gap_of(trained(tmp_path / "still", lr=1e-6, steps=20), steps=150)
    assert 0 <= rest.gap < 0.1 < 0.3 < still.gap
    again = [duality_gap.gap_of(tmp_path / "rest", steps=20) for _ in range(2)]
    assert again[0] == again[1]                                             # the same call, the same figures


def test_gauging_moves_nothing(tmp_path):
    folder = trained(tmp_path / "run", steps=20)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    duality_gap.gap_of(folder, steps=3)
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_classes_and_pictures_have_a_gap_too(tmp_path):
    given = FAST | {"steps": 5, "width": 4, "batch": 16, "check_every": 100}
    run(prepare(Request("images", "digits", given), tmp_path / "run"), tmp_path / "run")
    assert duality_gap.gap_of(tmp_path / "run", steps=3).gap >= 0           # each player may at least stay as it is


def test_a_converged_run_whose_players_could_still_gain_has_not():
    found = judge(chart([], [{"step": step, **GOOD} for step in range(10, 110, 10)], CONFIG))
    assert found.verdict == "converged" and weighed(found, 0.01) == found
    other = weighed(found, 1.0)
    assert other.verdict == "healthy" and other.findings == () and "1.00 nats" in other.why


def test_a_discriminator_that_still_tells_means_more_to_learn():
    """log 4 less D's loss bounds twice the Jensen-Shannon divergence from below."""
    def verdict(loss):
        steps = range(10, 110, 10)
        log = [{"step": step, "discriminator/adversarial": loss} for step in steps]
        return judge(chart(log, [{"step": step, **GOOD} for step in steps], CONFIG)).verdict

    assert verdict(1.38) == "converged" and verdict(1.2) == "healthy"


def test_the_command(tmp_path, monkeypatch, capsys):
    trained(tmp_path / "run", steps=20)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sparring.evaluation.duality_gap.gap_of", partial(duality_gap.gap_of, steps=20))
    said = Shell(monkeypatch, capsys)("doctor", "run", "--gap", "--json").json()
    assert set(said["duality_gap"]) == {"value", "highest", "lowest"}
    assert "duality gap" in doctor(tmp_path / "run", gap=True)["text"]
    assert json.dumps(said)


NO_GAP = "--gap needs a discriminator that gives a probability"


@pytest.mark.parametrize(("recipe", "given", "message"), [("wgan", {}, NO_GAP), ("r3gan", {}, NO_GAP), ("vae", {}, NO_GAP),
                                                          ("gan", {"objective": "hinge"}, NO_GAP),
                                                          ("gan", {"pack": 2}, "cannot be used with pack above 1")])
def test_games_without_beliefs_are_refused(tmp_path, recipe, given, message):
    trained(tmp_path / "run", recipe, steps=5, **given)
    with pytest.raises(InputError, match=message):
        duality_gap.gap_of(tmp_path / "run")


def test_a_run_without_a_checkpoint_is_refused(tmp_path):
    with pytest.raises(InputError, match="has no checkpoint yet"):
        duality_gap.gap_of(tmp_path)
