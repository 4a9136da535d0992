"""Figures of models of text: what each is beside, what is never told alone, and which lines a model is held against."""

import math
from pathlib import Path

import pytest
import torch

import sparring
from conftest import small_lines
from shell import Shell
from sparring.cli.evaluate import table
from sparring.data.source import Finite
from sparring.data.text.lines import TextSettings, open_text
from sparring.errors import InputError
from sparring.evaluation import lines
from sparring.evaluation.samples import evaluate
from sparring.metrics import sentence_embeddings
from sparring.metrics.bleu import bleu
from sparring.metrics.texts import nats, weighted
from sparring.nets.text import TextEncoder
from untrained import untrained

FAST = ["pretrain=30", "warm=1", "rollouts=1", "width=8", "latent=4", "noise=16", "filters=5", "batch=8", "threads=1", "precision=fp32",
        "compile=off"]
FEW = {"latent": 4, "noise": 16, "filters": 5, "free_bits": 4.0}
ANIMALS = [f"the {a} {does} the {b}" for a in ("cat", "dog", "cow", "hen") for does in ("sees", "hears") for b in ("fox", "owl", "pig")] * 3


@pytest.fixture
def shell(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lines, "MOST", 60)
    monkeypatch.setattr(sentence_embeddings, "ROUNDS", 20)
    monkeypatch.setattr(sentence_embeddings, "LEAST", 20)
    return Shell(monkeypatch, capsys)


def test_likelihood_of_a_uniform_net_is_that_of_its_words_at_every_temperature():
    source = small_lines()
    net = untrained("seqgan", source.space, **FEW).game.model
    for p in net.parameters():
        p.data.zero_()
    x = source.values
    each, one = weighted(net, x, 0, 3, (0.5, 1.0))
    words = ((x != 0).sum(1) + (x[:, -1] == 0)).double()        # with the END of those that have one
    assert torch.allclose(each, math.log(source.space.tokens) * words.expand(2, -1)) and torch.allclose(each, one)


def test_more_latents_make_a_tighter_bound():
    source = small_lines()
    torch.manual_seed(0)
    net = untrained("seqgan", source.space, **FEW).game.model
    assert isinstance(net.encoder, TextEncoder)
    for p in net.writer.parameters():
        p.data *= 3
    x = source.values[:16]
    once, many, most = (float(weighted(net, x, 0, draws)[0].sum()) for draws in (1, 16, 256))
    assert most < many < once and float(weighted(net, x, 0, 256)[1].sum()) > most
    words = float(((x != 0).sum(1) + (x[:, -1] == 0)).sum())
    assert float(weighted(net, x, 0, 256)[1].sum()) / words == pytest.approx(nats(net, x, 0), rel=0.05)


def test_a_run_is_held_against_the_lines_that_it_never_saw(shell):
    Path("animals.txt").write_text("\n".join(ANIMALS) + "\n")
    assert shell("train", "seqgan", "--data", "animals.txt", "--steps", 32, "held_out=0.3", *FAST).code == 0
    said = shell("evaluate", "runs/seqgan-animals", "--json").json()
    assert list(said["metrics"]) == list(lines.MEASURES) and not said["left_out"]
    for name, figure in said["metrics"].items():
        most = {"nats": 9, "frechet": math.inf}.get(name, 1)
        assert figure["low"] <= figure["value"] <= figure["high"] and 0 <= figure["value"] <= most, name
        assert figure["protocol"]["real"] == 22 and figure["protocol"]["generated"] == 60 and figure["protocol"]["interval"]
    assert [row["temperature"] for row in said["temperatures"]] == [0.7, 0.85, 1.0, 1.15]
    at_one = said["temperatures"][2]
    assert all(at_one[name] == pytest.approx(said["metrics"][name]["value"])
               for name in ("nats", "bleu4", "self_bleu4", "frechet", "copied"))
    model, source = sparring.load("runs/seqgan-animals"), open_text("animals.txt", TextSettings(held_out=0.3))
    drawn, real = ([tuple(row[row > 0].tolist()) for row in x] for x in (model.space.read([one.split() for one in model.sample(60)]),
                                                                         source.held_out.values))
    assert said["metrics"]["bleu2"]["value"] == pytest.approx(bleu(drawn, real)[0].mean())
    shown = table(said)
    assert "the same model at other temperatures" in shown
    assert "60 generated lines against 22 real ones (held out from training), in words" in shown


def test_quality_is_never_told_without_variety(shell):
    Path("animals.txt").write_text("\n".join(ANIMALS) + "\n")
    shell("train", "seqgan", "--data", "animals.txt", "--steps", 3, *FAST)
    found = evaluate("runs/seqgan-animals", metrics="bleu3")
    assert list(found["metrics"]) == ["bleu3", "self_bleu3"] and all("self_bleu4" in row for row in found["temperatures"])
    with pytest.raises(InputError, match=r"no metric 'bleu9'.*bleu2"):
        evaluate("runs/seqgan-animals", metrics="bleu9")
    Path("other.txt").write_text("the cat sees the moon\n" * 3 + "the " * 9 + "cat\n" + "the owl hears the dog\n")
    other = evaluate("runs/seqgan-animals", real="other.txt")
    assert any("1 of 5 lines are longer" in note for note in other["notes"]) and "copied" in other["metrics"]
    assert any("3 of 20 words are not in the model's vocabulary" in note for note in other["notes"])
    with pytest.raises(InputError, match=r"frechet needs 20 unseen lines .* 4 unseen and 60 generated"):
        evaluate("runs/seqgan-animals", real="other.txt", metrics="frechet")
    Path("animals.txt").unlink()
    with pytest.raises(InputError, match="was not found"):
        evaluate("runs/seqgan-animals")
    left = evaluate("runs/seqgan-animals", real="other.txt")
    assert left["left_out"].keys() == {"frechet", "copied", "copied_4grams"} and "copied" not in left["temperatures"][0]
    with pytest.raises(InputError, match="copied needs the lines that were learned from"):
        evaluate("runs/seqgan-animals", real="other.txt", metrics=["copied"])
    Path("animals.txt").write_text("a new file\nwith other words\n" * 9)
    with pytest.raises(InputError, match="not that which the model was trained on"):
        evaluate("runs/seqgan-animals")
    with pytest.raises(InputError, match="0 of 2 lines have at most 5 words"):
        evaluate("runs/seqgan-animals", real=["a b c d e f"] * 2)


def test_copies_are_told_from_lines_that_are_new(monkeypatch):
    source = small_lines()
    model = untrained("seqgan", source.space, **FEW)
    monkeypatch.setattr(lines, "MOST", 20)
    line = source.values[(source.values > 0).all(1)][:1].long()
    monkeypatch.setattr(lines, "drawn", lambda model, n, *given: line.repeat(n, 1))
    found = evaluate(model, real=source, metrics=["repeated", "copied", "self_bleu2"])
    alone = evaluate(model, real=Finite(source.space, source.values), metrics=["copied", "repeated"])
    assert alone["metrics"]["copied"]["protocol"]["baseline"] == 1 and any("held_out=0.1" in note for note in alone["notes"])
    assert alone["metrics"]["repeated"]["protocol"]["baseline"] < 0.8
    assert found["left_out"] == {} and [round(one["value"], 3) for one in found["metrics"].values()] == [1.0, 0.95, 1.0]
