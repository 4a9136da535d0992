"""`sparring train seqgan` and `sparring sample` as a person with a file of verses uses them."""

import csv
import json
from pathlib import Path

import pytest

import sparring
from shell import Shell

POEMS = ["春眠不觉晓，处处闻啼鸟。", "床前明月光，疑是地上霜。", "白日依山尽，黄河入海流。", "红豆生南国，春来发几枝。"] * 12
FAST = ["pretrain=2", "warm=1", "rollouts=1", "width=8", "filters=5", "batch=8", "threads=1", "precision=fp32", "compile=off"]


@pytest.fixture
def shell(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch, capsys)


def test_a_file_of_verses_is_learned_and_lines_are_drawn(shell):
    Path("poems.txt").write_text("\n".join(POEMS) + "\n", encoding="utf-8")
    said = shell("train", "seqgan", "--data", "poems.txt", "--steps", 5, *FAST)
    assert said.code == 0, said.err
    assert "split into characters (as found)" in said.err and "longest line: 12 characters" in said.err
    run = "runs/seqgan-poems"
    shown = sorted(Path(run, "samples").glob("*.txt"))
    assert len(shown) == 6 and len(shown[-1].read_text(encoding="utf-8").splitlines()) == 20
    scores = json.loads(Path(run, "scores.jsonl").read_text().splitlines()[-1])
    assert scores.keys() == {"step", "nats", "repeated", "copied", "copied_real"} and scores["nats"] > 0
    lines = shell("sample", run, "-n", 5).out.splitlines()
    assert len(lines) == 5 and lines == sparring.load(run).sample(5)
    assert all(line.startswith("春") for line in shell("sample", run, "-n", 3, "--prefix", "春", "--temperature", 0.5).out.splitlines())
    assert shell("sample", run, "-n", 2, "--json").json()["lines"] == lines[:2]
    for name in ("made.txt", "made.csv", "made.json"):
        assert f"5 lines: {name}" in shell("sample", run, "-n", 5, "--out", name).out
    assert Path("made.txt").read_text(encoding="utf-8").splitlines() == json.loads(Path("made.json").read_text(encoding="utf-8")) == lines
    with open("made.csv", newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["text"], *([line] for line in lines)]
    assert shell("report", run).code == 0
    for words, why in ((("sample", run, "--out", "a.png"), "not a format for lines"), (("sample", run, "--label", "x"), "label: lines"),
                       (("sample", run, "--temperature", 0), "above 0"), (("sample", run, "--prefix", "龘"), "does not know 龘"),
                       (("evaluate", run, "--size", 8), "size=8 is for images"), (("explore", run), "words have no slopes")):
        said = shell(*words)
        assert said.code == 2 and why in said.err and said.err.count("Error") == 1, (words, said)


def test_a_run_on_lines_is_finished_once(shell):
    Path("few.txt").write_text("a b\nb a\n" * 20)
    words = ["train", "seqgan", "--data", "few.txt", "--steps", 3, *FAST]
    assert shell(*words).code == 0 and "nothing to do" in shell(*words).out
