"""Evaluating a run or two sets: the same figures every time, with their protocol, and never at the cost of training."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sparring
from shell import RARELY, TINY, Shell
from sparring.data import open_source
from sparring.data.source import Finite
from sparring.errors import InputError
from sparring.evaluation.samples import thin
from sparring.metrics.catalogue import METRICS, OF_FEATURES
from sparring.runs.folder import read_lines
from sparring.spaces import Images, to_uint8

PICTURES = {"steps": 5, "batch": 16, "width": 4, "threads": 1, "precision": "fp32"} | RARELY


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """A conditional run on digits, 200 of them held out and too large for the usual scores, and one on a table of numbers."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "images").mkdir()
    source = open_source("digits")
    for name, rows in (("train", slice(0, 300)), ("t10k", slice(300, 500))):
        for kind, values in (("images-idx3", source.values[rows, 0].repeat_interleave(3, 1).repeat_interleave(3, 2)[:, 6:42, 6:42]),
                             ("labels-idx1", source.labels[rows].to(torch.uint8))):
            head = bytes([0, 0, 8, values.ndim]) + b"".join(k.to_bytes(4, "big") for k in values.shape)
            (folder / "images" / f"{name}-{kind}-ubyte").write_bytes(head + values.contiguous().numpy().tobytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sparring.metrics.run_scores.SAMPLES", 200)
        sparring.fit("gan", str(folder / "images"), out=folder / "digits", **PICTURES)
    np.save(folder / "table.npy", np.random.default_rng(0).normal([0, 5], [1, 3], (200, 2)).astype(np.float32))
    sparring.fit("gan", str(folder / "table.npy"), out=folder / "table", steps=30, **TINY)
    return folder


@pytest.fixture
def shell(runs, tmp_path, monkeypatch, capsys) -> Shell:
    shutil.copytree(runs, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch, capsys)


def figures(shell, *words):
    said = shell("evaluate", *words, "--json")
    assert said.code == 0, said.err
    return json.loads(said.out)


def test_a_run_is_evaluated_twice_with_the_same_figures(shell):
    first = figures(shell, "digits", "--n", 200)
    assert set(first["metrics"]) == {f"{name}(grey28-v1)" for name in (*OF_FEATURES, "memorization")}
    assert set(first["left_out"]) == {"cas"}
    for name, figure in first["metrics"].items():
        assert set(figure) == {"value", "low", "high", "protocol"}
        assert figure["low"] <= figure["value"] <= figure["high"] or name.startswith("fid_infinity"), name
        about = figure["protocol"]
        assert (about["extractor"], about["features"], about["real"], about["generated"]) == ("grey28-v1", 64, 200, 200)
        assert about["split"] == "held out from training" and about["seed"] == 0 and len(about["sha256"]) == 64
        assert {"resize", "interval"} <= about.keys()
    assert figures(shell, "digits", "--n", 200) == first
    other = sparring.evaluate("digits", n=200, seed=1, metrics="kid")["metrics"]["kid(grey28-v1)"]
    kid = first["metrics"]["kid(grey28-v1)"]                    # after so few rounds, samples may be the same in 8 bits; intervals are not
    assert any(other[name] != kid[name] for name in ("value", "low", "high")) and other["protocol"]["seed"] == 1
    text = shell("evaluate", "digits", "--n", 200).out
    assert "95 % interval" in text and "left out: cas trains two classifiers" in text and "the same of held-out samples" in text


def test_samples_in_a_file_get_the_figures_of_their_run(shell):
    """Scores are of images in 8 bits, as anybody could save them."""
    assert shell("sample", "digits", "-n", 150, "--out", "made.npy").code == 0
    of_run = figures(shell, "digits", "--n", 150)
    assert figures(shell, "--real", "images", "--generated", "made.npy", "--n", 150)["metrics"] == of_run["metrics"]


def test_two_sets_need_no_run(shell):
    x = np.random.default_rng(0).integers(0, 256, (80, 20, 24, 3), np.uint8)
    np.save("a.npy", x[:40])
    Path("b").mkdir()
    for i, image in enumerate(x[40:]):
        Image.fromarray(image).resize((48, 40)).save(f"b/{i}.png")              # read at the size of the real ones
    found = figures(shell, "--real", "a.npy", "--generated", "b")
    assert "kid(pixels)" in found["metrics"] and "fid" in found["left_out"]
    assert found["left_out"]["fid"] == "fid needs at least 1,441 samples a set, one more than it has features (1,440), and there are 40"
    assert any(note.startswith("features: pixels, pixels:") for note in found["notes"])
    np.save("v.npy", np.random.default_rng(1).normal([0, 5], [1, 3], (90, 2)))
    found = figures(shell, "--real", "table.npy", "--generated", "v.npy", "--metrics", "fid,coverage")
    assert list(found["metrics"]) == ["fid(values)", "coverage(values)"] and found["left_out"] == {}
    assert found["metrics"]["coverage(values)"]["value"] > 0.8                    # standardized as the real ones are
    assert found["metrics"]["fid(values)"]["protocol"]["generated"] == 90


def test_vectors_and_curves_and_endless_data(shell):
    assert figures(shell, "table", "--n", 100)["metrics"]["fid(values)"]["value"] >= 0
    found = sparring.evaluate(real="ring", generated=open_source("ring").draw(500, torch.Generator().manual_seed(9)), n=500)
    assert found["left_out"].keys() == {"memorization", "cas"}
    coverage, density = (found["metrics"][f"{name}(values)"] for name in ("coverage", "density"))
    assert coverage["low"] <= 0.969 <= coverage["high"] and density["low"] <= 1 <= density["high"]
    assert found["metrics"]["kid(values)"]["low"] <= 0 <= found["metrics"]["kid(values)"]["high"]
    assert coverage["protocol"]["split"] == "drawn afresh"


def test_copies_of_the_training_data_are_found_out():
    digits = open_source("digits")
    held = digits.held_out
    honest = Finite(digits.space, held.values[:180], held.labels[:180])
    source = Finite(digits.space, digits.values, digits.labels, held_out=Finite(digits.space, held.values[180:], held.labels[180:]))
    found = sparring.evaluate(real=source, generated=honest, metrics="memorization")["metrics"]["memorization(grey28-v1)"]
    assert found["low"] <= 0.06 and found["protocol"]["train"] == len(digits)
    copied = sparring.evaluate(real=source, generated=Finite(digits.space, digits.values[:180]), metrics="memorization")
    assert copied["metrics"]["memorization(grey28-v1)"]["value"] == 1.0
    alone = Finite(digits.space, digits.values)                                   # nothing held out: each beside the others
    found = sparring.evaluate(real=alone, generated=honest, metrics=["memorization"])["metrics"]["memorization(grey28-v1)"]
    assert found["low"] <= 0.06 and found["protocol"]["compared_with"] == "training samples, each beside the others"


def test_copies_are_looked_for_in_the_data_of_the_run_whatever_it_is_held_against(shell):
    """Another set, such as pictures that were kept away from training, is what samples are judged by, not what they were learned from."""
    x = open_source("digits").values[:60]
    np.save("kept.npy", x.repeat_interleave(5, 2).repeat_interleave(5, 3)[:, :, 2:38, 2:38].numpy())
    found = figures(shell, "digits", "--real", "kept.npy", "--metrics", "memorization,density")
    about = found["metrics"]["memorization(grey28-v1)"]["protocol"]
    assert (about["train"], about["real"], about["compared_with"]) == (300, 60, "samples of the other set")
    assert about["split"] == "another set than the run's" and "not the data that the run was trained on" in found["notes"][0]
    config = json.loads(Path("digits/config.json").read_text())
    Path("digits/config.json").write_text(json.dumps(config | {"data": "moved"}))
    said = shell("evaluate", "digits", "--real", "kept.npy", "--metrics", "memorization")
    assert said.code == 2 and "needs the data that the run was trained on, which was not found" in said.err
    assert "memorization" in figures(shell, "digits", "--real", "kept.npy", "--metrics", "density")["metrics"].keys() ^ {"memorization"}


def test_a_figure_of_none_or_all_is_not_taken_for_certain():
    digits = open_source("digits")
    far = Finite(digits.space, 255 - digits.values[:100] // 16)
    found = sparring.evaluate(real=digits, generated=far, n=100, features="pixels")["metrics"]
    for name in ("density", "precision", "recall", "memorization"):
        figure = found[f"{name}(pixels)"]
        assert figure["value"] == 0 == figure["low"] and 0.01 < figure["high"] < 0.1, name


def test_copies_of_one_sample_are_no_more_certain_than_one():
    digits = open_source("digits")
    one = Finite(digits.space, digits.values[:1].repeat(60, 1, 1, 1) // 2 + 100)
    found = sparring.evaluate(real=digits, generated=one, features="pixels", metrics=["precision", "density", "recall"])
    assert all(figure["value"] == 0 and figure["high"] > 0.5 for figure in found["metrics"].values())
    assert any("59 of the 60 generated samples are copies" in note for note in found["notes"])


def test_a_set_beside_itself_is_told(shell):
    notes = figures(shell, "--real", "table.npy", "--generated", "table.npy", "--metrics", "kid")["notes"]
    assert any("200 of the generated samples are exact copies of real ones" in note for note in notes)


def test_a_classifier_that_saw_only_samples_reads_real_ones(monkeypatch):
    monkeypatch.setattr("sparring.metrics.cas.ROUNDS", 40)
    digits = open_source("digits")
    found = sparring.evaluate(real=digits, generated=Finite(digits.space, digits.values, digits.labels), metrics="cas")["metrics"]["cas"]
    assert found["value"] > 0.7 and found["low"] < found["value"] < found["high"]
    assert found["protocol"]["trained_on_real"] > 0.7 and found["protocol"]["tested_on"] == 360
    assert "extractor" not in found["protocol"] and found["protocol"]["generated"] == len(digits) > 360
    x, y = np.random.default_rng(0).normal(size=(200, 2)) + np.repeat([[0, 0], [4, 4]], 100, 0), np.repeat(["a", "b"], 100)
    table = sparring.evaluate(real=(x, y), generated=(x + 0.1, y), metrics="cas")["metrics"]["cas"]
    assert table["value"] > 0.95 and table["protocol"]["classifier"] == "support vector machine"


MISTAKES = [
    ("", "give a run, or two sets"),
    ("digits --generated few.npy", "give a run, or two sets"),
    ("--generated few.npy", "--generated needs --real"),
    ("nowhere", "there is nothing at nowhere"),
    ("digits --metrics fud", "there is no metric 'fud'. Did you mean 'fid'"),
    ("digits --metrics fid --n 60", "fid needs at least 65 samples a set, one more than it has features (64), and there are 60"),
    ("--real table.npy --generated few.npy --metrics coverage", "coverage needs at least 7 samples a set, and there are 3"),
    ("digits --n 1", "n=1: the number of samples should be a whole number from 2"),
    ("table --metrics cas", "cas needs samples that were made for a class"),
    ("--real table.npy --generated other.npy", "the generated samples are vectors of 5 numbers, and the real ones vectors of 2"),
    ("--real images --generated table.npy", "are vectors of 2 numbers, and the real ones images of 36x36 with 1 channel(s)"),
    ("digits --features nothing.pt", "neither the name of features"),
    ("--real ring --generated ring --metrics memorization", "memorization needs training data"),
    ("digits --metrics cas --n 20", "cas needs at least 5 samples of every one of at least two classes"),
    ("digits --features few.npy --sha256 00", "and 00 was given"),
]


def test_one_line_for_every_mistake(shell):
    np.save("few.npy", np.zeros((3, 2)))
    np.save("other.npy", np.zeros((30, 5)))
    for words, complaint in MISTAKES:
        said = shell("evaluate", *words.split())
        assert said.code == 2 and complaint in said.err and "Traceback" not in said.err, (words, said.err)
    shutil.rmtree("digits/model")
    assert shell("evaluate", "digits", "--n", 70, "--metrics", "kid").code == 0     # an unfinished run has a checkpoint
    config = Path("table/config.json")
    config.write_text(config.read_text().replace("table.npy", "gone.npy"))
    assert "Put it back, or give it to `sparring evaluate`" in shell("evaluate", "table").err


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model" / "model.safetensors").read_bytes()).hexdigest()


def test_scoring_in_mid_run_changes_nothing(runs, tmp_path, monkeypatch):
    monkeypatch.setattr("sparring.metrics.run_scores.SAMPLES", 200)
    plain = {**PICTURES, "steps": 12, "augment": "diff"}
    sparring.fit("gan", str(runs / "images"), out=tmp_path / "plain", **plain)
    watched = {**plain, "score_every": 6, "keep_best": "coverage"}
    sparring.fit("gan", str(runs / "images"), out=tmp_path / "watched", **watched)
    assert weights(tmp_path / "plain") == weights(tmp_path / "watched")
    assert [row["step"] for row in read_lines(tmp_path / "watched" / "scores.jsonl")] == [6, 12]
    assert not (tmp_path / "plain" / "best").exists()


def test_the_best_state_is_kept_and_opens_like_a_run(tmp_path, monkeypatch):
    wanted = iter([3.0, 2.0, float("nan"), 2.0, 5.0])
    with monkeypatch.context() as patch:
        patch.setattr("sparring.training.course.score", lambda game, source, seed, metric, learned: {"kid(values)": next(wanted)})
        sparring.fit("gan", "ring", out=tmp_path / "run", steps=10, **TINY | {"score_every": 2, "save_every": 4, "keep_best": "kid"})
    assert [p.name for p in (tmp_path / "run" / "best" / "checkpoint").iterdir()] == ["000000004"]
    model = sparring.load(tmp_path / "run" / "best")
    assert model.trained["steps"] == 4
    kept, saved = (files(tmp_path / "run" / part / "checkpoint" / "000000004") for part in ("best", "."))
    assert kept == saved
    assert sparring.evaluate(tmp_path / "run" / "best", metrics="swd", n=50)["metrics"]["swd(values)"]["value"] > 0


def test_higher_is_better_for_some(tmp_path, monkeypatch):
    wanted = iter([0.3, 0.2, 0.4])
    monkeypatch.setattr("sparring.training.course.score", lambda game, source, seed, metric, learned: {"recall(values)": next(wanted)})
    sparring.fit("gan", "ring", out=tmp_path / "run", steps=3, **TINY | {"score_every": 1, "keep_best": "recall"})
    assert [p.name for p in (tmp_path / "run" / "best" / "checkpoint").iterdir()] == ["000000003"]


def files(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*"))
            if p.is_file() and p.suffix == ".safetensors"}


def test_a_run_that_was_killed_keeps_the_same_best(tmp_path, monkeypatch):
    """Killed after a better state was put into best/ and before its score could be saved with the run."""
    given = TINY | {"score_every": 2, "save_every": 4, "keep_best": "swd"}
    x = np.random.default_rng(0).normal(size=(200, 2))
    sparring.fit("gan", x, out=tmp_path / "whole", steps=12, **given)
    from sparring.training import course

    def dies(*given):
        keep(*given)
        if given[3] == 6:
            raise KeyboardInterrupt

    keep = course.keep_best
    monkeypatch.setattr(course, "keep_best", dies)
    with pytest.raises(KeyboardInterrupt):
        sparring.fit("gan", x, out=tmp_path / "killed", steps=12, **given)
    monkeypatch.setattr(course, "keep_best", keep)
    sparring.fit("gan", x, out=tmp_path / "killed", steps=12, **given)
    for part in ("best", "checkpoint", "model"):
        assert files(tmp_path / "killed" / part) == files(tmp_path / "whole" / part)
    assert (tmp_path / "killed" / "scores.jsonl").read_bytes() == (tmp_path / "whole" / "scores.jsonl").read_bytes()


def test_a_metric_that_the_data_is_too_small_for_is_refused_before_training(tmp_path):
    x = np.random.default_rng(0).integers(0, 255, (60, 16, 16), np.uint8)
    with pytest.raises(InputError, match=r"keep_best=fid cannot be computed: fid needs at least 65 samples a set"):
        sparring.fit("gan", x, out=tmp_path / "run", keep_best="fid", **PICTURES)
    with pytest.raises(InputError, match="Expected none or fid or"):
        sparring.fit("gan", "ring", keep_best="cas", **TINY)


def test_generated_images_are_rounded_as_files_are():
    space = Images(1, 8, 8)
    x = torch.rand(4, 1, 8, 8) * 2 - 1
    from sparring.metrics.compared_sets import stored
    assert torch.equal(stored(space, x, None).values, to_uint8(x))


@pytest.mark.parametrize("precision, recall, told", [(0.0, 1.0, True), (0.3, 1.0, False), (0.0, 0.1, False)])
def test_figures_of_data_without_thickness_are_explained(precision, recall, told):
    assert bool(thin({"precision(values)": {"value": precision}, "recall(values)": {"value": recall}})) == told


def test_every_metric_says_what_it_is():
    assert all(m.meaning and m.better in ("lower", "higher") and m.least(3) >= 2 for m in METRICS.values())
