"""Lists of run folders: what stands in them, what is wrong with folders that are no runs, and that nothing outside is read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import sparring
from shell import TINY
from sparring.errors import InputError
from sparring.runs.folder import RunFolder
from sparring.runs.index import inside, listed, training

ROW = {"step": 7, "time": 0.5, "generator/adversarial": 0.69}


def run(folder: Path, log: str = json.dumps(ROW) + "\n", **config) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"recipe": "gan", "settings": {"steps": 9}, "data": "ring", "seed": 3} | config))
    (folder / "log.jsonl").write_text(log)
    return folder


def only(root: Path):
    found, = listed(root)
    return found


def test_a_run_says_what_it_is_and_how_far(tmp_path):
    sparring.fit("gan", "ring", out=tmp_path / "one", **TINY | {"steps": 4, "score_every": 2})
    one = only(tmp_path)
    assert (one.name, one.state, one.recipe, one.data, one.seed, one.step, one.steps) == ("one", "finished", "gan", "ring", 0, 4, 4)
    assert set(one.losses) >= {"discriminator/adversarial", "generator/adversarial"} and "step" not in one.losses
    assert one.scores and one.time > 0 and one.changed > 0 and not one.wrong


def test_runs_below_other_folders_are_found_and_those_inside_of_runs_are_not(tmp_path):
    run(tmp_path / "a")
    run(tmp_path / "demo" / "b")
    run(tmp_path / "a" / "best")
    run(tmp_path / ".hidden" / "c")
    assert [(one.name, one.state) for one in listed(tmp_path)] == [("a", "stopped"), ("demo/b", "stopped")]
    assert only(tmp_path / "a").name == "."


def test_a_run_that_is_trained_now_is_told_and_not_disturbed(tmp_path):
    folder = RunFolder(run(tmp_path / "one"))
    words = "import sys; from pathlib import Path; from sparring.runs.index import training; print(training(Path(sys.argv[1])))"

    def seen() -> str:
        return subprocess.run([sys.executable, "-c", words, folder.path], capture_output=True, text=True, check=True).stdout.strip()

    assert not training(folder.path) and not (folder.path / ".lock").exists()           # a list writes nothing
    folder.lock()
    assert seen() == "True"
    folder.unlock()
    assert seen() == "False"


@pytest.mark.parametrize(("made", "wrong"), [
    (lambda f: f.mkdir(), "no config.json in it"),
    (lambda f: (f.mkdir(), (f / "photo.png").write_bytes(b"x")), "it holds no run"),
    (lambda f: (f.mkdir(), (f / "log.jsonl").write_text("{}")), "has no config.json"),
    (lambda f: (run(f), (f / "config.json").write_text("{")), "cannot be read as JSON"),
    (lambda f: (run(f), (f / "config.json").write_text('{"model_type": "bert"}')), "names no recipe"),
    (lambda f: (run(f), (f / "config.json").write_text('["gan"]')), "names no recipe"),
    (lambda f: (run(f), (f / "config.json").unlink(), (f / "config.json").mkdir()), "regular file"),
    (lambda f: (run(f), (f / "log.jsonl").unlink(), os.mkfifo(f / "log.jsonl")), "regular file"),
    (lambda f: run(f, recipe="\x1b[31mgan"), "names no recipe"),
    (lambda f: run(f, recipe=["gan"]), "names no recipe"),
    (lambda f: run(f, settings=[]), "names no recipe"),
], ids=range(11))
def test_broken_and_foreign_folders_are_listed_with_what_is_wrong(tmp_path, made, wrong):
    made(tmp_path / "one")
    one = only(tmp_path)
    assert one.state == "broken" and wrong in one.wrong


@pytest.mark.parametrize("part", ["config.json", "log.jsonl", "scores.jsonl"])
def test_no_link_is_followed(tmp_path, part):
    outside = run(tmp_path / "outside", recipe="secret")
    (outside / "scores.jsonl").write_text('{"step": 1, "secret": 1}\n')
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "away").symlink_to(outside)
    assert "is a link" in only(tmp_path / "runs").wrong
    (tmp_path / "runs" / "away").unlink()
    one = run(tmp_path / "runs" / "one")
    (one / part).unlink(missing_ok=True)
    (one / part).symlink_to(outside / part)
    found = only(tmp_path / "runs")
    assert found.state == "broken" and found.wrong == f"its {part} is a link"


@pytest.mark.parametrize("name", ["../outside", "/etc", "one/../../outside", "away", "away/one", "", "..", "none", "one\0", "."])
def test_a_name_leads_to_no_folder_but_one_inside(tmp_path, name):
    run(tmp_path / "outside")
    run(tmp_path / "runs" / "one")
    (tmp_path / "runs" / "away").symlink_to(tmp_path / "outside")
    assert inside(tmp_path / "runs", "one") == tmp_path / "runs" / "one"
    if name == ".":                                             # the directory itself, where it is a run
        assert inside(tmp_path / "runs", name) == tmp_path / "runs"
        return
    with pytest.raises(InputError, match="there is no run"):
        inside(tmp_path / "runs", name)


@pytest.mark.parametrize(("log", "step"), [
    ("", 0), ("\n\n", 0), (json.dumps(ROW), 7), (json.dumps(ROW) + '\n{"step": 8, "ti', 7), ("x" * 200_000 + "\n", 0),
    (json.dumps(ROW) + "\n" + "x" * 100_000, 7), ('{"step": "8"}\n', 0), (json.dumps(ROW) + '\n{"step": 8, "a": "b"}\n', 7),
    ('{"step": -4}\n', 0), (json.dumps(ROW) + "\n" + '{"step": 8, "a": ' + "1" * 100_000 + "}\n", 7),
], ids=lambda value: str(value)[:30])
def test_the_last_line_that_can_be_understood_counts(tmp_path, log, step):
    run(tmp_path / "one", log)
    assert only(tmp_path).step == step


def test_a_directory_that_is_none_is_refused_and_too_many_folders_are_told(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="is not a folder"):
        listed(tmp_path / "none")
    monkeypatch.setattr("sparring.runs.index.MOST", 3)
    for name in "abcde":
        run(tmp_path / name)
    *found, last = listed(tmp_path)
    assert [one.name for one in found] == ["a", "b"] and "others were left out" in last.wrong
