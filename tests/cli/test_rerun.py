"""rerun: the same run again from its receipt, or why not."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from torch import nn

import sparring
from shell import RARELY, TINY, Shell
from sparring.cli import rerun

QUICK = ["width=8", "threads=1", *(f"{name}={value}" for name, value in RARELY.items())]


@pytest.fixture
def shell(monkeypatch, capsys, tmp_path) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch, capsys)


def test_a_rerun_is_identical_and_never_found_finished(shell):
    assert shell("train", "gan", "--data", "ring", "--steps", 5, "--seed", 7, "--out", "run", *QUICK, "log_every=1", "workers=2",
                 "precision=bf16", "--exact").code == 0
    first = shell("rerun", "run", "--json")
    assert first.code == 0
    said = first.json()
    assert said["state"] == "identical" and said["sha256"][0] == said["sha256"][1]
    assert said["rerun"] == "run-rerun"
    then, now = (json.loads((Path(run) / "config.json").read_text()) for run in ("run", "run-rerun"))
    for name in ("settings", "run_settings", "data_settings", "seed", "fingerprint", "device", "data"):
        assert then[name] == now[name]
    assert then["run_settings"]["exact"] is True
    assert then["command"].startswith("sparring train gan --data ring")
    assert {"torch", "python", "sparring", "machine"} <= then["versions"].keys()
    for words in ((), ("--out", "run")):
        again = shell("rerun", "run", *words)
        assert again.code == 2
        assert "holds a finished run already, so nothing would be trained" in again.err


def test_a_rerun_from_inside_the_folder(shell, monkeypatch):
    shell("train", "gan", "--data", "ring", "--steps", 2, "--out", "run", *QUICK)
    monkeypatch.chdir("run")
    assert shell("rerun", ".", "--json").json()["rerun"].endswith("run-rerun")


def test_a_damaged_model_is_told_before_training(shell):
    shell("train", "gan", "--data", "ring", "--steps", 2, "--out", "run", *QUICK)
    path = Path("run/model/model.safetensors")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    said = shell("rerun", "run")
    assert said.code == 1
    assert "is damaged" in said.err and "Train it to its end again" in said.err
    assert not Path("run-rerun").exists()


def test_a_run_that_was_stopped_and_resumed_is_rerun_in_one_go(tmp_path):
    from dataclasses import replace

    from sparring.api import Silent, run
    from sparring.setup.prepare import prepare
    from sparring.setup.request import Request

    request = Request("wgan-gp", "ring", {**TINY, "steps": 6})
    for stop in (3, 6):
        piece = prepare(request, tmp_path / "run")
        run(replace(piece, plan=replace(piece.plan, steps=stop)), Silent())
    assert rerun.rerun(tmp_path / "run", None, None, "")["state"] == "identical"


def test_a_difference_is_found_and_where_it_began(shell):
    shell("train", "gan", "--data", "ring", "--steps", 5, "--out", "run", *QUICK, "log_every=1")
    shell("train", "gan", "--data", "ring", "--steps", 5, "--out", "other", *QUICK, "log_every=1")
    shutil.rmtree("other/model")
    sparring.fit("gan", "ring", out="third", steps=5, seed=1, width=8, threads=1, **RARELY)
    shutil.copytree("third/model", "other/model")
    rows = Path("other/log.jsonl").read_text().replace('"step": 3, ', '"step": 3, "extra": 1, ')
    Path("other/log.jsonl").write_text(rows)
    said = shell("rerun", "other", "--json")
    assert said.code == 1
    assert said.json()["state"] == "different"
    assert said.json()["first_difference"] == {"step": 3, "name": "extra", "then": 1, "now": None}
    assert "first logged round that differs is 3" in shell("rerun", "other", "--out", "again").out


def test_data_that_is_elsewhere_or_changed(shell):
    data = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    np.save("points.npy", data)
    shell("train", "gan", "--data", "points.npy", "--steps", 3, "--out", "run", *QUICK, "batch=16")
    Path("elsewhere").mkdir()
    shutil.move("points.npy", "elsewhere/moved.npy")
    gone = shell("rerun", "run")
    assert gone.code == 2
    assert "'points.npy', is not here. Give it with --data" in gone.err
    assert shell("rerun", "run", "--data", "elsewhere/moved.npy").code == 0
    np.save("elsewhere/moved.npy", data + 1)
    other = shell("rerun", "run", "--data", "elsewhere/moved.npy", "--out", "new")
    assert other.code == 2
    assert "is not the data of run: its fingerprint differs" in other.err
    assert not Path("new").exists()


def test_a_receipt_is_found_from_another_folder(shell, monkeypatch, tmp_path):
    np.save("points.npy", np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32))
    shell("train", "gan", "--data", "points.npy", "--steps", 2, "--out", "run", *QUICK, "batch=16")
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    assert shell("rerun", "../run").code == 0


def test_what_cannot_be_rerun_is_told(shell):
    sparring.fit("gan", "ring", out="own", steps=1, generator=nn.Linear(5, 2), **TINY)
    sparring.fit("gan", "ring", out="run", steps=2, **TINY)
    shell("train", "gan", "--data", "ring", "--steps", 4, "--out", "run", "--fork", "forked", *(f"{k}={v}" for k, v in TINY.items()))
    shutil.copytree("run", "unfinished")
    shutil.rmtree("unfinished/model")
    shutil.copytree("run", "two")
    config = json.loads(Path("two/config.json").read_text())
    Path("two/config.json").write_text(json.dumps(config | {"processes": 2}))
    Path("empty").mkdir()
    for run, message in (("own", "your own networks"), ("forked", "is a fork of run"), ("unfinished", "is not finished"),
                         ("two", "was trained by 2 processes"),
                         ("empty", "no config.json"), ("nowhere", "no config.json"), ("run/model", "is not a run's config.json")):
        said = shell("rerun", run)
        assert (said.code, message in said.err) == (2, True), (run, said)
    config = json.loads(Path("run/config.json").read_text())
    for change, message in (({"seed": "x"}, "seed"), ({"settings": 3}, "settings"), ({"recipe": "gen"}, "no recipe 'gen'"),
                            ({"data": "nonsense"}, "is not here"), ({"device": "abacus"}, "no device 'abacus'")):
        Path("run/config.json").write_text(json.dumps({**config, **change}))
        said = shell("rerun", "run", "--out", "again")
        assert (said.code, message in said.err) == (2, True), (change, said)
