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
    page = Path(run, "report.html").read_text(encoding="utf-8")
    assert "Samples through time" in page and "same latents each time" in page
    assert all(line in page for line in shown[-1].read_text(encoding="utf-8").splitlines()[:3]) and "repeats itself" not in page
    with open(f"{run}/scores.jsonl", "a") as file:
        file.write(json.dumps({"step": 5, "repeated": 0.9}) + "\n")
    assert shell("report", run).code == 0 and "90% had been drawn before" in Path(run, "report.html").read_text(encoding="utf-8")
    found = shell("explore", run, "--steps", 5)
    assert found.code == 0 and "100%" in found.out
    assert "From line 6 to line 1" in Path(run, "explore", "index.html").read_text(encoding="utf-8")
    for words, why in ((("sample", run, "--out", "a.png"), "not a format for lines"), (("sample", run, "--label", "x"), "label: lines"),
                       (("sample", run, "--temperature", 0), "above 0"), (("sample", run, "--prefix", "龘"), "does not know 龘"),
                       (("evaluate", run, "--size", 8), "size=8 is for images"),
                       (("explore", run, "--directions", 3), "words have no slopes"),
                       (("explore", run, "--reach", 2), "--reach 2.0: words have no slopes")):
        said = shell(*words)
        assert said.code == 2 and why in said.err and said.err.count("Error") == 1, (words, said)


def test_lines_are_looked_at_before_training(shell):
    Path("poems.txt").write_text("\n".join([*POEMS, "", "春" * 300, "\ufffd了"]), encoding="utf-8")
    said = shell("data", "poems.txt", "--json")
    found = said.json()
    assert said.code == 0 and found["kind"] == "text" and found["unit"] == "character" and found["usable"]
    assert (found["lines"], found["longest"], found["exact_duplicates"], found["unknown"]) == (49, 12, 44, 0)
    assert len(found["examples"]) == 5 and set(found["examples"]) <= {*POEMS, "\ufffd了"}
    shown, kinds = shell("data", "poems.txt").out, len(set("".join(POEMS)) | set("\ufffd了"))
    for line in ("lines            49", "2 to 12 characters, 12 in the middle; most often 12 (98%), 2 (2%)",
                 f"vocabulary: {kinds} of {kinds}",
                 "- 1 empty lines were left out.", "- 1 of 50 lines are longer than 12 characters, up to 300", "44 lines are copies",
                 "There are letters \ufffd", "sparring train seqgan --data poems.txt"):
        assert line in shown, line
    Path("folder").mkdir()
    Path("folder", "a.txt").write_text(" ".join(f"word{k}" for k in range(60)) + "\na b\n")
    found = shell("data", "folder", "--json").json()
    assert found["lines"] == 2 and any("62 of 62 words come once (a, b, word0 and 59 more)" in line for line in found["findings"])
    assert shell("data", "sentences").code == 0
    Path("one.txt").write_text("one line\n")
    said = shell("data", "one.txt")
    assert said.code == 2 and "one line with text in it" in said.err


def test_a_column_of_a_table_is_learned_and_measured(shell):
    Path("poems.csv").write_text("name,verse\n" + "\n".join(f"{k},{line}" for k, line in enumerate(POEMS)) + "\n", encoding="utf-8")
    said = shell("train", "seqgan", "--data", "poems.csv", "--steps", 3, *FAST)
    assert said.code == 2 and "has 2 columns: name, verse. Say which holds the text, such as column=verse." in said.err
    assert shell("train", "relgan", "--data", "poems.csv", "column=verse", "--steps", 4, "pretrain=2", "width=8", "filters=5", "batch=8",
                 "threads=1", "precision=fp32", "compile=off").code == 0
    run = "runs/relgan-poems"
    assert shell("sample", run, "-n", 2).code == 0
    found = shell("evaluate", run, "--n", 20, "--metrics", "copied,bleu2", "--real", "poems.csv", "--json").json()
    assert list(found["metrics"]) == ["bleu2", "self_bleu2", "copied"] and found["metrics"]["copied"]["protocol"]["real"] == 5


def test_a_run_on_lines_is_finished_once(shell):
    Path("few.txt").write_text("a b\nb a\n" * 20)
    words = ["train", "seqgan", "--data", "few.txt", "--steps", 3, *FAST]
    assert shell(*words).code == 0 and "nothing to do" in shell(*words).out
