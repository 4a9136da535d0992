"""Experiments: the claims' arithmetic, cases that are kept, the Dirac-GAN's published radii, and the command."""

import json
import math
import os
from itertools import product
from pathlib import Path

import pytest

from counted import double, fail_on_two
from repeated import once
from shell import Shell
from sparring.cli.experiment import cells_of, table, verdict
from sparring.errors import InputError
from sparring.experiments import EXPERIMENTS, cases, dirac, find
from sparring.experiments.claims import (
    FAILS,
    HOLDS,
    SHORT,
    SHOWN,
    Experiment,
    Finding,
    Picture,
    Setting,
    at_least,
    at_most,
    equals,
    mean_and_error,
    shown,
    unless_short,
)


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch, capsys)


# ------------------------------------------------------------------------------------------------------- claims
@pytest.mark.parametrize(("row", "holds"), [
    (equals("a", 1.01, 1.0, "s", "u", relative=0.011), True), (equals("a", 1.01, 1.0, "s", "u", relative=0.009), False),
    (equals("a", -1.01, -1.0, "s", "u", relative=0.011), True), (equals("a", 0.0, 0.0, "s", "u", relative=0.1), True),
    (equals("a", math.nan, 1.0, "s", "u", relative=10.0), False),
    (at_most("a", 1.0, 1.0, "s", "u"), True), (at_most("a", 1.1, 1.0, "s", "u"), False), (at_most("a", math.nan, 1.0, "s", "u"), False),
    (at_least("a", 1.0, 1.0, "s", "u"), True), (at_least("a", 0.9, 1.0, "s", "u"), False),
    (at_least("a", math.nan, 1.0, "s", "u"), False), (shown("a", 1.0, "u"), None),
])
def test_a_row_holds_when_its_relation_does(row, holds):
    assert row.holds is holds
    assert (row.relation == "") == (row.reference is None)
    assert cells_of(row)[2] == "u" and cells_of(row)[4] == {True: "holds", False: "does NOT hold", None: ""}[holds]


def test_mean_and_error():
    assert mean_and_error([1.0, 2.0, 3.0, 4.0]) == pytest.approx((2.5, math.sqrt(5 / 3 / 4)))
    mean, error = mean_and_error([7.0])
    assert mean == 7.0 and math.isnan(error)


def test_a_table_has_columns():
    assert table([("a", "ours", "s"), ("long", "1", "")]) == "a     ours  s\nlong  1"


# ------------------------------------------------------------------------------------------------------- cases
def test_cases_are_solved_elsewhere_kept_and_not_done_again(tmp_path):
    told: list[str] = []
    setting, case = Setting(tmp_path / "new", tell=told.append), lambda n: (str(tmp_path), n)
    with pytest.raises(ValueError, match="two is too much"):                 # which loses nothing that was done beside it
        cases.solve(setting, fail_on_two, [case(1), case(2)])
    assert list(cases.kept(tmp_path / "new" / "cases.json")) == [cases.name_of(case(1))]
    found = cases.solve(setting, double, [case(2), case(1)])
    assert [(n, one["twice"]) for (_, n), one in found.items()] == [(2, 4), (1, 2)]     # in the order that was asked for
    assert all(one["process"] != os.getpid() and one["threads"] == 1 for one in found.values())
    assert {path.name: path.read_text() for path in tmp_path.glob("calls-*")} == {f"calls-{n}": "x" for n in (1, 2)}
    assert len(told) == 3 and "1 of 2 cases are already in" in told[1] and "1 of 1" in told[2]
    assert cases.solve(setting, fail_on_two, [case(2)]) == {case(2): found[case(2)]}            # no work left: no process is asked


@pytest.mark.parametrize("text", ["", "{", '{"1": {"a": 1}', "[1]", '{"1": 2}', "null", "\x00", "[" * 100_000], ids=lambda text: text[:9])
def test_a_damaged_file_of_cases_is_told_in_one_line_and_left_alone(tmp_path, text):
    (tmp_path / "cases.json").write_text(text)
    with pytest.raises(InputError, match=r"cases\.json (cannot be read as JSON|should hold).*Remove it") as error:
        cases.solve(Setting(tmp_path), double, [(str(tmp_path), 1)])
    assert "\n" not in str(error.value)
    assert (tmp_path / "cases.json").read_text() == text
    assert not (tmp_path / "calls-1").exists()


def test_bytes_that_are_no_text_are_told_too(tmp_path):
    (tmp_path / "cases.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(InputError, match="cannot be read as JSON"):
        cases.kept(tmp_path / "cases.json")


# ------------------------------------------------------------------------------------------------------- the Dirac-GAN
@pytest.mark.parametrize(("name", "update"), once(product(["gan", "wgan-clip", "gan+gp0.3"], dirac.UPDATES[:2]),
                                                  lambda name, update: name, lambda name, update: update))
def test_radii_are_the_published_ones(name, update):
    path = dirac.trajectory(dirac.VARIANTS[name], update)
    assert path[0] == dirac.START and len(path) == 501
    row = dirac.claim(f"{name}/{update}", math.hypot(*path[-1]), dirac.PUBLISHED[name][dirac.UPDATES.index(update)])
    assert row.holds, row


def test_what_dirac_claims_can_fail():
    assert dirac.claim("gan/simultaneous", 3.0969, 3.09695).holds is False
    assert dirac.claim("instance-noise/simultaneous", 0.06, None).holds is False
    assert dirac.claim("instance-noise/simultaneous", 0.04, None).holds is True
    assert dirac.claim("consensus-exact/simultaneous", 1e-20, None).holds is None
    assert {name for name in dirac.VARIANTS if name not in dirac.PUBLISHED} == {"instance-noise", "consensus-exact"}


# ------------------------------------------------------------------------------------------------------- the command
def fake(ours: float, short: str = ""):
    def run(setting: Setting) -> Finding:
        setting.tell("working")
        path = setting.out / "picture.png"
        path.write_bytes(b"\x89PNG")
        row = unless_short(at_most("small enough", ours, 1.0, "nobody", "metres"), short)
        return Finding([row, shown("only shown", math.nan, "seconds")], [Picture(path, "nothing")])

    return Experiment("What is small is small.", "Nobody (1900)", run, lambda rows: f"It measures {rows[0].ours:g} {rows[0].unit}.")


@pytest.fixture
def fakes(monkeypatch):
    for name in list(EXPERIMENTS):
        monkeypatch.delitem(EXPERIMENTS, name)
    monkeypatch.setitem(EXPERIMENTS, "good", fake(0.5))
    monkeypatch.setitem(EXPERIMENTS, "bad", fake(1.5))
    monkeypatch.setitem(EXPERIMENTS, "young", fake(0.7, "it has only begun"))


def test_it_lists_every_experiment_with_its_claim(shell):
    said = shell("experiment")
    assert said.code == 0 and said.err == ""
    for name, each in EXPERIMENTS.items():
        assert f"{name} " in said.out and each.claim in said.out
    assert [row["name"] for row in shell("experiment", "--json").json()["experiments"]] == list(EXPERIMENTS)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(("words", "says"), [
    ("dirak", ("no experiment 'dirak'", "Did you mean 'dirac'?", "--all")), ("xyzzy", ("no experiment 'xyzzy'", "dirac")),
    ("dirac --all", ("either a name ('dirac') or --all, not both",)),
])
def test_a_mistake_is_one_line_and_exit_code_two(shell, words, says):
    said = shell("experiment", *words.split())
    assert said.code == 2 and said.out == "" and said.err.count("\n") == 1
    assert all(part in said.err for part in says), said.err
    assert "Did you mean" not in said.err or "dirak" in words
    answer = shell("experiment", *words.split(), "--json")
    assert answer.code == 2 and answer.json()["exit_code"] == 2
    assert list(Path().iterdir()) == []                                      # nothing was begun


def test_find_refuses_what_does_not_exist():
    assert find("dirac") is EXPERIMENTS["dirac"]
    with pytest.raises(InputError, match="Experiments: dirac"):
        find("")


def test_json_is_one_line_and_alone(shell, fakes):
    said = shell("experiment", "good", "--json", "--quick", "--out", "there")
    assert said.code == 0
    result = said.json()
    assert result["experiment"] == "good" and result["quick"] is True and result["seconds"] >= 0
    first, second = result["rows"]
    assert {"name": "small enough", "ours": 0.5, "reference": 1.0, "source": "nobody", "holds": True}.items() <= first.items()
    assert second["ours"] is None and second["reference"] is None and second["holds"] is None
    assert "working" in said.err
    assert Path(result["page"]).is_file() and all(Path(path).is_file() for path in result["pictures"])


def test_a_claim_that_does_not_hold_ends_with_exit_code_one(shell, fakes):
    said = shell("experiment", "bad")
    assert said.code == 1 and "do not hold:\n  bad: small enough" in said.out and "does NOT hold" in said.out
    assert shell("experiment", "bad", "--json").json()["rows"][0]["holds"] is False
    every = shell("experiment", "--all", "--json")
    assert every.code == 1
    assert [one["experiment"] for one in every.json()["experiments"]] == ["good", "bad", "young"]
    good = shell("experiment", "good")
    assert good.code == 0 and "Every claim holds." in good.out


@pytest.mark.parametrize(("words", "code", "says", "never"), [
    ("good", 0, "good: It measures 0.5 metres.\nEvery claim holds.\nThe claim: What is small is small.", "too short"),
    ("bad", 1, "bad: It measures 1.5 metres.\n0 of 1 claims hold. These claims do not hold:\n  small enough", "Every claim"),
    ("young --quick", 0, "young: It measures 0.7 metres.\n0 of 1 claims hold; 1 was too short to show.", "Every claim"),
    ("young --quick", 0, "Too short to show 1 of these claims: it has only begun.", "do not hold"),
    ("young", 1, "0 of 1 claims hold; 1 was too short to show.", "Every claim"),              # a full run has to show it
    ("--all --quick", 1, "1 of 3 claims hold; 1 was too short to show. These claims do not hold:\n  bad: small enough",
     "Every claim holds.\npage"),
])
def test_every_claim_holds_is_said_only_when_every_one_was_shown(shell, fakes, words, code, says, never):
    said = shell("experiment", *words.split())
    assert said.code == code and says in said.out, said.out
    assert never not in said.out


@pytest.mark.parametrize(("states", "says"), [
    ([], "No claim was checked."), ([SHOWN], "No claim was checked."), ([HOLDS, SHOWN], "Every claim holds."),
    ([HOLDS, HOLDS, SHORT], "2 of 3 claims hold; 1 was too short to show."),
    ([SHORT, SHORT], "0 of 2 claims hold; 2 were too short to show."),
    ([HOLDS, FAILS], "1 of 2 claims hold. These claims do not hold:\n  1"),
])
def test_a_verdict_counts_three_states(states, says):
    assert verdict({str(i): state for i, state in enumerate(states)}) == says


def test_a_row_in_json_has_its_unit_and_state(shell, fakes):
    result = shell("experiment", "young", "--quick", "--json").json()
    assert result["headline"] == "It measures 0.7 metres." and result["claim"] == "What is small is small."
    assert {"unit": "metres", "state": SHORT, "short": "it has only begun", "holds": None}.items() <= result["rows"][0].items()
    assert result["rows"][1]["state"] == SHOWN


def test_a_damaged_file_of_cases_is_exit_code_two(shell, monkeypatch):
    def run(setting: Setting) -> Finding:
        found = cases.solve(setting, double, [(str(setting.out), 1)])
        return Finding([shown(str(case), one["twice"], "times two") for case, one in found.items()], [])

    monkeypatch.setitem(EXPERIMENTS, "kept", Experiment("claim", "source", run, str))
    Path("there/kept").mkdir(parents=True)
    Path("there/kept/cases.json").write_text('{"half": ')
    said = shell("experiment", "kept", "--out", "there", "--json")
    assert said.code == 2 and "Remove it" in said.json()["error"]
    assert json.loads(shell("experiment", "--json").out)["experiments"]
