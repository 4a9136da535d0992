"""The command line: what it prints, where, with which exit code, and that a run can be stopped and gone on with."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import forked
import sparring
from shell import Said, Shell
from sparring.cli import demo as acts
from sparring.data import open_source
from sparring.runs.folder import read_lines

RARELY = ["show_every=1000000", "score_every=1000000"]
SMALL = ["threads=1", "batch=16", "width=16", "depth=1", *RARELY]
LONG_STEPS = 200
LONG = ["train", "gan", "--steps", str(LONG_STEPS), "save_every=80", "log_every=10", *SMALL]


@pytest.fixture
def shell(monkeypatch, capsys, tmp_path) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch, capsys)


def start(*words: object, cwd: Path) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-m", "sparring", *map(str, words)], cwd=cwd, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def end(process: subprocess.Popen) -> Said:
    out, err = process.communicate(timeout=120)
    return Said(process.returncode, out, err)


def labelled_images(path: Path, names: tuple[str, ...] = ("cat", "dog")) -> Path:
    rng, n = np.random.default_rng(0), 40
    np.savez(path, x=rng.integers(0, 255, (n, 8, 8), np.uint8), labels=np.array(names)[np.arange(n) % len(names)])
    return path


# ------------------------------------------------------------------------------------------------- as a subprocess
def test_a_run_in_a_shell(tmp_path, shell):
    words = ["train", "gan", "--data", "ring", "--out", "run", "--steps", 3, *SMALL]
    done = end(start(*words, "--json", cwd=tmp_path))
    assert done.code == 0
    assert done.json() | {"command": "train", "state": "finished", "step": 3, "run": "run"} == done.json()
    assert "gan  3/3  done in" in done.err                      # progress goes to standard error

    wrong = end(start(*words, "--stepz", 3, cwd=tmp_path))
    assert (wrong.code, wrong.out) == (2, "")
    assert "No such option: --stepz" in wrong.err and "Traceback" not in wrong.err

    other = shell(*words, "lr=1e-4")
    assert (other.code, other.out) == (2, "")
    assert "lr: 0.001 -> 0.0001" in other.err and "--fork" in other.err and "Traceback" not in other.err


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> bytes:
    """The model of LONG, from a run that was never stopped."""
    out, rarely = tmp_path_factory.mktemp("uninterrupted") / "run", 1_000_000
    sparring.fit("gan", out=out, steps=LONG_STEPS, save_every=rarely, show_every=rarely, score_every=rarely,
                 threads=1, batch=16, width=16, depth=1)
    return (out / "model" / "model.safetensors").read_bytes()


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX systems")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_run_goes_on_as_if_never_stopped(tmp_path, shell, uninterrupted, number):
    said, errors, out = tmp_path / "said", tmp_path / "errors", ["--out", tmp_path / "run"]
    process = forked.started(forked.slowly, 0, *LONG, *out, said=said, errors=errors, where={})
    while len(read_lines(tmp_path / "run" / "log.jsonl")) < 3:
        assert process.is_alive(), errors.read_text()
        time.sleep(0.005)
    second = shell(*LONG, *out)                                 # while the first is at it
    assert second.code == 2 and f"another process is training in {tmp_path / 'run'}" in second.err
    os.kill(process.pid, number)
    process.join()
    stopped = said.read_text()
    assert process.exitcode == 0 and "Stopped after" in stopped
    command = stopped.strip().splitlines()[-1].split()
    assert command[0] == "sparring" and not (tmp_path / "run" / "model").exists()

    at = max(int(p.name) for p in (tmp_path / "run" / "checkpoint").iterdir())
    assert 0 < at < LONG_STEPS
    resumed = shell(*command[1:])
    assert resumed.code == 0 and f"resuming the run in {tmp_path / 'run'}" in resumed.err
    assert (tmp_path / "run" / "model" / "model.safetensors").read_bytes() == uninterrupted
    steps = [row["step"] for row in read_lines(tmp_path / "run" / "log.jsonl")]
    assert steps == [1, *range(10, LONG_STEPS + 1, 10)]


@pytest.mark.slow
def test_the_whole_demo_in_a_shell(tmp_path):
    done = end(start("demo", "--quick", "--json", cwd=tmp_path))
    assert done.code == 0
    runs = done.json()["runs"]
    assert list(runs) == ["curves", "density", "digits"]
    assert all((tmp_path / picture).exists() for run in runs.values() for picture in run["pictures"])
    assert (tmp_path / done.json()["page"]).exists()


# ------------------------------------------------------------------------------------------------- in this process
def test_train_resume_finish_change_and_fork(shell):
    words = ["train", "gan", "--data", "ring", "--out", "run", *SMALL]
    assert "Finished 6 steps" in shell(*words, "--steps", 6).out
    again = shell(*words, "--steps", 6)
    assert again.code == 0 and "run is finished (6 steps); nothing to do" in again.out
    assert shell(*words, "--steps", 6, "--json").json()["state"] == "finished"

    changed = shell(*words, "--steps", 9, "lr=1e-4", "--seed", 1, "--json")
    assert changed.code == 2
    for difference in ("steps: 6 -> 9", "lr: 0.001 -> 0.0001", "seed: 0 -> 1", "--fork NEWDIR"):
        assert difference in changed.json()["error"]

    forked = shell(*words, "--steps", 9, "lr=1e-4", "--fork", "new", "--json").json()
    assert (forked["run"], forked["step"], forked["state"]) == ("new", 9, "finished")
    config = json.loads(Path("new/config.json").read_text())
    assert config["forked_from"] == "run" and config["settings"]["lr"] == 1e-4
    rows, before = read_lines(Path("new/log.jsonl")), read_lines(Path("run/log.jsonl"))
    assert rows[:6] == before and rows[-1]["step"] == 9         # the history comes along
    assert "finished" in shell(*words, "--steps", 9, "lr=1e-4", "--fork", "new").out
    assert json.loads(Path("run/config.json").read_text())["settings"]["steps"] == 6


def test_a_run_without_out_goes_where_its_name_says(shell):
    np.save("table.npy", np.random.default_rng(0).normal(size=(64, 3)))
    assert shell("train", "gan", "--data", "table.npy", "--steps", 2, *SMALL, "--json").json()["run"] == "runs/gan-table"


def test_samples_of_vectors(shell):
    np.savez("points.npz", x=np.random.default_rng(0).normal(5, 1, (64, 3)), labels=np.array(["a, b", "c"])[np.arange(64) % 2])
    assert shell("train", "gan", "--data", "points.npz", "--out", "run", "--steps", 2, *SMALL).code == 0
    assert shell("sample", "run", "-n", 5, "--out", "deep/down/s.npy", "--json").json() == {
        "command": "sample", "out": "deep/down/s.npy", "n": 5, "seed": 0, "shares": "even", "shape": [5, 3]}
    values = np.load("deep/down/s.npy")
    assert shell("sample", "run", "-n", 5, "--out", "s.CSV").code == 0
    with open("s.CSV", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["x0", "x1", "x2", "label"] and [row[3] for row in rows] == ["a, b", "c", "a, b", "c", "a, b"]
    np.testing.assert_allclose(np.array([row[:3] for row in rows], float), values, rtol=1e-6)
    assert shell("sample", "run", "-n", 5, "--label", "a, b", "--out", "same.NPY").code == 0 and Path("same.NPY").exists()
    assert shell("sample", "run", "-n", 2, "--seed", 1, "--out", "other.npy").code == 0
    assert not np.array_equal(np.load("other.npy"), values[:2])
    assert shell("sample", "run/model", "-n", 3).code == 0      # a model folder; samples.png when --out is left out
    with Image.open("samples.png") as picture:
        assert picture.format == "PNG"


def test_samples_of_images(shell):
    data = labelled_images(Path("data.npz"), ("cat", "../dog"))
    assert shell("train", "gan", "--data", data, "--out", "run", "--steps", 2, "width=4", *SMALL[:2], *RARELY).code == 0
    assert shell("sample", "run", "-n", 4, "--out", "s.npy").code == 0
    values = np.load("s.npy")
    assert (values.shape, values.dtype) == ((4, 8, 8, 1), np.uint8)
    assert shell("sample", "run", "-n", 4, "--out", "many").code == 0
    files = sorted(str(p.relative_to("many")) for p in Path("many").rglob("*.png"))
    assert files == ["cat/000001.png", "cat/000003.png", "class 0/000000.png", "class 0/000002.png"]   # never outside
    with Image.open("many/cat/000001.png") as picture:
        np.testing.assert_array_equal(np.array(picture), values[1, :, :, 0])
    assert shell("train", "gan", "--data", "many", "--out", "second", "--steps", 1, "batch=4", "width=4", "threads=1",
                 *RARELY).code == 0                             # a folder of samples is a data set
    os.mkdir("with.dot")
    assert shell("sample", "run", "-n", 1, "--label", "cat", "--out", "with.dot").code == 0
    assert list(Path("with.dot").rglob("*.png"))


def test_a_run_that_failed_ends_with_1(shell):
    assert shell("train", "gan", "--data", "ring", "--out", "run", "--steps", 2, *SMALL).code == 0
    Path("run/model/model.safetensors").write_bytes(b"not what it was")
    failed = shell("sample", "run", "--json")
    assert failed.code == failed.json()["exit_code"] == 1 and "damaged" in failed.json()["error"]


def test_recipes_show_and_version(shell):
    assert "gan" in shell("recipes").out and shell("recipes", "--json").json()["recipes"][0]["name"] == "gan"
    assert shell("--version").out == f"sparring {sparring.__version__}\n"
    assert shell("--version", "--json").json() == {"command": "version", "version": sparring.__version__}
    text = shell("show", "gan", "--data", "digits", "--all").out
    for part in ("Players", "discriminator", "adversarial", "D(G(z))", "learning rate of both", "a number above 0 to 1", "0.0005"):
        assert part in text
    shown = shell("show", "gan", "discriminator_steps=3").code, shell("show", "gan", "--json").json()
    assert shown[0] == 2                                        # settings are shown, not given, there
    assert [turn["name"] for turn in shown[1]["turns"]] == ["discriminator", "generator"]
    assert all(player["parameters"] > 0 for player in shown[1]["players"])
    assert {"name", "value", "default", "bounds", "meaning"} == set(shown[1]["settings"][0])


def test_show_a_run_and_a_model(shell):
    assert shell("train", "gan", "--data", "ring", "--out", "run", "--steps", 2, "discriminator_steps=2", *SMALL).code == 0
    run, model = shell("show", "run", "--json").json(), shell("show", "run/model", "--json").json()
    assert run["turns"][0]["times"] == 2 and run["players"] == model["players"]
    assert {row["name"]: row["value"] for row in run["settings"]}["width"] == 16
    assert {row["name"]: row["value"] for row in run["run_settings"]}["show_every"] == 1000000
    assert "a run of gan on ring" in shell("show", "run").out and "a model of gan on ring" in shell("show", "run/model").out


def test_the_demo_makes_its_page_and_keeps_what_is_finished(shell, monkeypatch):
    monkeypatch.setattr(acts, "ACTS", (replace(acts.ACTS[0], steps=400),))
    said = shell("demo", "--quick", "--out", "d", "--json")
    assert said.code == 0 and said.json()["state"] == "finished"
    assert Path(said.json()["page"]).exists() and "residual" in said.err
    model = Path("d/curves/model/model.safetensors").stat().st_mtime_ns
    assert "Open the page" in shell("demo", "--quick", "--out", "d").out
    assert json.loads(Path("d/curves/config.json").read_text())["settings"]["steps"] == 20
    refused = shell("demo", "--out", "d")
    assert refused.code == 2 and "steps: 20 -> 400" in refused.err
    assert Path("d/curves/model/model.safetensors").stat().st_mtime_ns >= model


LAST = {"discriminator/D(x)": 0.501, "discriminator/D(G(z))": 0.498, "discriminator/accuracy": 0.885, "discriminator/adversarial": 1.38}


@pytest.mark.parametrize(("act", "changed", "says", "never"), [
    (0, {}, ("turns 8 random numbers into 15 points", "In round 5,000 D says 50.1 % to real and 49.8 %", "88 % of them",
             "but by very little"), ()),
    (0, {"latent": 5}, ("turns 5 random numbers",), ("8 random",)),
    (0, {"last": {"discriminator/accuracy": 0.51}}, ("hardly more than by guessing",), ("apart",)),
    (0, {"last": {"discriminator/D(x)": 0.9}}, ("90.0 % to real", "apart, and says so"), ("by very little",)),
    (0, {"last": {"discriminator/accuracy": 0.3}}, ("fewer than by guessing",), ()),
    (1, {}, ("is 0.035 on average, and 0.38 at most", "JSD(p, q) is 0.0068 nats"), ("settle",)),
    (1, {"scores": {"d_error": 0.2, "d_error_max": 0.5, "jsd": 0.3}}, ("is 0.200 on average, and 0.50 at most", "0.3000 nats"),
     ("0.0068",)),
    (1, {"scores": {}}, ("takes one step",), ("nats:",)),
    (2, {}, ("1,437 scanned digits of 10 classes, enlarged to 16 x 16", "360 more", "reads 95.3 % of them, and 98.6 %"), ()),
    (2, {"scores": {"svc_accuracy": 0.2, "svc_accuracy_real": 0.986}}, ("reads 20.0 % of them",), ("95.3 %",)),
])
def test_the_text_of_the_demo_is_made_from_its_run(act, changed, says, never):
    scores = ({}, {"d_error": 0.0353, "d_error_max": 0.3765, "jsd": 0.0068}, {"svc_accuracy": 0.9528, "svc_accuracy_real": 0.9861})[act]
    played = acts.Played(5000, changed.get("latent", 8), open_source(acts.ACTS[act].data), changed.get("scores", scores),
                         LAST | changed.get("last", {}))
    text = acts.ACTS[act].text(played)
    assert all(part in text for part in says) and not any(part in text for part in never), text


@pytest.mark.parametrize("words", ["--json", "train --json", "train gan --stepz 3 --json", "sample --json", "nonsense --json",
                                   "--json recipes", "train wgann --json", "show nothing --json", "sample . --json"])
def test_mistakes_are_one_json_object_too(shell, words):
    said = shell(*words.split())
    assert said.code == said.json()["exit_code"] == 2
    assert said.json()["error"] in said.err
