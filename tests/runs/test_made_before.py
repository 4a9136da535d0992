"""A run folder and a model folder that an earlier version wrote still open, resume, sample and can be evaluated.

`made_before` was written before the code moved into rooms: 12 rounds of a tiny `gan` on the ring, with the samples that it drew then,
and a model of images in two classes.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

import sparring
from sparring.runs.folder import read_lines

BEFORE = Path(__file__).parent / "made_before"
THEN = {"steps": 12, "threads": 1, "batch": 16, "width": 16, "depth": 1, "latent": 5, "save_every": 4, "check_every": 4, "score_every": 6,
        "show_every": 10**6, "precision": "fp32", "compile": "off"}


@pytest.mark.parametrize("folder, samples", [("run", "ring-samples.npy"), ("run/model", "ring-samples.npy"),
                                             ("pictures", "picture-samples.npy")])
def test_what_was_fitted_before_draws_the_same_samples(folder, samples):
    then = np.load(BEFORE / samples)
    assert np.allclose(sparring.load(BEFORE / folder).sample(len(then)).numpy(), then, atol=1e-5)


def test_classes_can_still_be_asked_for():
    model = sparring.load(BEFORE / "pictures")
    assert model.labels == ("cat", "dog")
    assert model.sample(2, labels="dog").shape == (2, 1, 8, 8)


def test_a_run_from_before_can_be_evaluated():
    assert "swd(values)" in sparring.evaluate(BEFORE / "run", n=64)["metrics"]


def test_a_run_from_before_goes_on_where_it_was(tmp_path):
    run = tmp_path / "run"
    shutil.copytree(BEFORE / "run", run)
    shutil.rmtree(run / "model")
    shutil.rmtree(run / "checkpoint" / "000000012")
    sparring.fit("gan", "ring", out=run, seed=3, **THEN)
    now, then = (read_lines(folder / "log.jsonl") for folder in (run, BEFORE / "run"))
    assert [row["step"] for row in now] == [row["step"] for row in then]
    for name, value in then[-1].items():
        assert name == "time" or now[-1][name] == pytest.approx(value, abs=1e-4), name
    ours, theirs = (load_file(folder / "model" / "model.safetensors") for folder in (run, BEFORE / "run"))
    assert all(np.allclose(ours[name], theirs[name], atol=1e-5) for name in theirs)
