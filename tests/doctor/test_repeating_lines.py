"""The doctor on lines of text: what it counts, what it says of it, and what it does."""

from dataclasses import replace

import torch

import sparring
from conftest import small_lines
from sparring.data.text.lines import TextSettings, open_text
from sparring.doctor import diagnose
from sparring.doctor.lines import checkup_lines, standard_lines
from sparring.doctor.reading import opened
from sparring.runs.folder import read_lines
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from untrained import untrained

FEW = {"latent": 4, "noise": 16, "filters": 5, "width": 8}
GOOD = {"repeated": 0.02, "repeated_real": 0.02, "distinct": 1.0, "copies": 0.0, "copies_real": 0.01}
CONFIG = {"recipe": "seqgan", "space": {"kind": "texts"}, "settings": {"steps": 100, "anchor": 0.0, "policy_lr": 0.01, "width": 64,
                                                                       "discriminator_steps": 5, "discriminator_lr": 1e-3}}
TINY = {"pretrain": 2, "batch": 8, "threads": 1, "precision": "fp32", "compile": "off", **FEW}


def animals():
    """48 different lines, a tenth of them held out."""
    one, did, other = ("cat", "dog", "cow", "hen"), ("sees", "hears", "likes"), ("fox", "owl", "pig", "bee")
    return open_text([f"the {a} {does} the {b}" for a in one for does in did for b in other], TextSettings())


def told(row, log=None, looks=10):
    steps = range(10, 10 * looks + 1, 10)
    return diagnose([{"step": s, **(log or {})} for s in steps], [{"step": s, **row} for s in steps], CONFIG)


def by_name(found):
    return {finding.name: finding for finding in found.findings}


def test_lines_like_the_data_are_well_and_too_few_check_ups_tell_nothing():
    assert told(GOOD).verdict == "healthy" and not told(GOOD).findings
    assert told(GOOD, looks=2).verdict == "unclear"
    assert told(GOOD | {"gradient/generator": 1.0, "pace/generator": 0.001}).verdict == "healthy"


def test_lines_that_come_again_are_a_collapse_and_those_of_the_data_may():
    for row in ({"repeated": 0.4}, {"distinct": 0.3}):
        found = told(GOOD | row)
        one = by_name(found)["mode_collapse"]
        assert found.verdict == "failing" and "repeat themselves" in one.explanation
        assert one.actions == ("anchor=1", "policy_lr=0.001")
    assert told(GOOD | {"repeated": 0.4, "repeated_real": 0.3}).verdict == "healthy"


def test_copies_are_memorization_unless_unseen_lines_are_there_too():
    assert by_name(told(GOOD | {"copies": 0.5}))["memorization"].actions == ("width=32",)
    assert told(GOOD | {"copies": 0.5, "copies_real": 0.4}).verdict == "healthy"


def test_rewards_near_nothing_and_near_one_are_told_with_what_slows_the_discriminator():
    for reward in (0.01, 0.99):
        found = told(GOOD, {"generator/reward": reward, "discriminator/D(x)": 0.98})
        one = by_name(found)["reward_saturated"]
        assert found.verdict == "healthy" and one.severity == "warning" and one.evidence == {"reward": reward, "D(x)": 0.98}
        assert one.actions == ("discriminator_steps=1 discriminator_lr=0.0001",)
    assert not told(GOOD, {"generator/reward": 0.3}).findings


def test_what_is_counted():
    source = small_lines()
    data, game = standard_lines(source, 0), untrained("seqgan", source.space, **FEW).game
    row = checkup_lines(game, data, 0)
    assert data.size == 3 and 0 <= row["repeated"] < 1 and row["distinct"] > 0 and 0 <= row["copies"] <= 1
    line = torch.tensor([[2, 3, 4, 5, 0]])
    stuck = checkup_lines(replace(game, sample=lambda z: line.expand(len(z), -1)), data, 0)
    assert stuck["repeated"] == 1 - 1 / data.n and stuck["distinct"] < 0.5 and stuck["copies"] in (0.0, 1.0)


def test_lines_of_one_word_have_no_sequences():
    source = open_text([f"word{k}" for k in range(40)], TextSettings())
    data = standard_lines(source, 0)
    assert data.size == 1 and checkup_lines(untrained("relgan", source.space, **FEW).game, data, 0)["distinct"] >= 0


def test_a_run_is_checked_and_no_bit_of_it_depends_on_that(tmp_path):
    for name, every in (("often", 2), ("once", 1000)):
        sparring.fit("seqgan", animals(), steps=6, warm=2, rollouts=1, check_every=every, out=tmp_path / name, **TINY)
    often, once = (read_lines(tmp_path / name / "health.jsonl") for name in ("often", "once"))
    assert [row["step"] for row in often] == [2, 4, 6] and [row["step"] for row in once] == [6]
    assert often[-1] | {"data/samples": 43.0} == once[-1]
    assert opened(tmp_path / "often")[2].kind == "texts"


def test_check_ups_are_as_many_as_the_play_needs(tmp_path):
    for steps, given, every in ((4000, {}, 40), (40_000, {}, 2000), (4000, {"check_every": 7}, 7), (3600, {}, 180)):
        prepared = prepare(Request("seqgan", animals(), TINY | {"pretrain": 3600, "steps": steps} | given), tmp_path / f"{steps}{every}")
        assert prepared.plan.check_every == every
        prepared.folder.unlock()
