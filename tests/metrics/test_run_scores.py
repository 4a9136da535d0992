"""How many samples the scores of a run are of."""

import json

import pytest
import torch

import sparring
from sparring.data.opening import open_source
from sparring.data.source import Finite
from sparring.metrics import run_scores
from sparring.metrics.features import pixels
from sparring.metrics.run_scores import FEW, SAMPLES, at_most
from sparring.spaces import Images

SPACE = Images(3, 8, 8)
DATA = Finite(SPACE, torch.randint(0, 256, (60, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize(("learned", "count"), [(1, FEW), (FEW, FEW), (1234, 1234), (SAMPLES, SAMPLES), (10 * SAMPLES, SAMPLES)])
def test_images_are_scored_by_no_more_than_were_learned_from(learned, count):
    assert at_most(DATA, learned) == count


def test_vectors_are_scored_by_as_many_in_any_run():
    assert at_most(open_source("ring"), 1) == SAMPLES


@pytest.mark.parametrize("metric", ["none", "kid"])
def test_a_short_run_draws_as_few_and_a_long_one_scores_the_same_bits_as_ever(metric, monkeypatch, tmp_path):
    drawn, draw = [], run_scores.draw
    monkeypatch.setattr(run_scores, "draw", lambda game, source, n, seed: drawn.append(n) or draw(game, source, n, seed))
    monkeypatch.setattr(run_scores, "choose", lambda space: (pixels(), ""))
    monkeypatch.setattr(run_scores, "FEW", 8)
    monkeypatch.setattr(run_scores, "SAMPLES", 50)
    given = {"data": DATA, "latent": 4, "width": 4, "batch": 4, "steps": 10, "threads": 1, "keep_best": metric, "seed": 0}
    sparring.fit("gan", **given, score_every=5, out=tmp_path / "short")
    assert drawn and set(drawn) == {20}
    drawn.clear()
    sparring.fit("gan", **given, score_every=10, out=tmp_path / "less often")
    assert set(drawn) == {40}
    long = sparring.fit("gan", **given | {"steps": 13}, score_every=13, out=tmp_path / "long")
    row = json.loads((tmp_path / "long" / "scores.jsonl").read_text().splitlines()[-1])
    assert row == {"step": 13, **run_scores.score(long.game, DATA, 0, metric)}
