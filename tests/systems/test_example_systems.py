"""The systems in examples/: short, sound by the rehearsal, and each learns what its paper claims, to a number (`make examples`)."""

import ast
import json
import math
import re
from pathlib import Path

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mutual_info_score

import sparring
from example_systems import EXAMPLES, QUIET, code_lines, data_of, real, trained

FILES = sorted(EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_is_short_and_names_its_paper(path):
    assert len(code_lines(path)) <= 60
    assert re.search(r"\(\w.*, 20\d\d\)", ast.get_docstring(ast.parse(path.read_text())).splitlines()[0])
    tests = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    assert f'trained("{path.stem}"' in tests, "give it a test that it learns"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_passes_the_rehearsal(path):
    sparring.check(path, data_of(path.stem))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_stopped_example_ends_like_one_that_never_stopped(path, tmp_path):
    few = {"batch": 16, "save_every": 2, "check_every": 10**6, **QUIET}
    sparring.fit(path, data_of(path.stem), out=tmp_path / "whole", steps=4, **few)
    run = tmp_path / "pieces"
    sparring.fit(path, data_of(path.stem), out=run, steps=2, **few)
    sparring.fit(path, data_of(path.stem), out=run, steps=4, **few)
    weights = [(folder / "model" / "model.safetensors").read_bytes() for folder in (tmp_path / "whole", run)]
    assert weights[0] == weights[1]


@pytest.mark.examples
def test_infogan_finds_its_code_in_the_samples():
    """Mutual information of the code and of what Q finds, at least nine tenths of the code's entropy."""
    model = trained("infogan", 300)
    z = model.latents(2000)
    found = model.game.model.Q(model.generate(z)).argmax(1)
    assert mutual_info_score(z[:, 16:].argmax(1), found) >= 0.9 * math.log(10)


@pytest.mark.examples
def test_lsgan_finds_all_modes():
    assert trained("lsgan", 1200).scores["modes"] == 8


@pytest.mark.examples
def test_began_keeps_its_balance_and_converges(tmp_path):
    """L(G(z)) / L(x) is gamma within a tenth, and the measure of convergence falls to less than a half."""
    trained("began", 1000, out=tmp_path, log_every=1)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    ratio, measure = ([row[f"discriminator/{name}"] for row in rows] for name in ("ratio", "convergence"))
    assert abs(sum(ratio[-300:]) / 300 - 0.5) < 0.05
    assert sum(measure[-100:]) < 0.5 * sum(measure[:100])


@pytest.mark.examples
def test_bigan_inverts_its_generator():
    """G(E(x)) is nearer to x than a fifth of the distance between two samples, though no loss compares them."""
    model = trained("bigan", 1200)
    x = real("bigan", 1000).x
    with torch.no_grad():
        back = model.game.model.G(model.game.model.E(x))
    assert (back - x).norm(dim=1).mean() < 0.2 * (x - x.roll(1, 0)).norm(dim=1).mean()


@pytest.mark.examples
def test_aae_reconstructs_and_its_codes_follow_the_prior():
    """Less than a third of the variance is lost; every number of a code has nearly the mean and the deviation of the prior, 0 and 1."""
    model = trained("aae", 700)
    x = real("aae", 1000).x
    with torch.no_grad():
        z = model.game.model.encoder(x)
        lost = (model.game.model.decoder(z) - x).square().mean() / x.var(0).mean()
    assert lost < 1 / 3
    assert z.mean(0).abs().max() < 0.35
    assert z.std(0).min() > 0.5 and z.std(0).max() < 1.5


@pytest.mark.examples
def test_acgan_draws_the_class_that_it_is_asked_for():
    """A classifier that learned from real digits agrees in nineteen of twenty."""
    model = trained("acgan", 600)
    x, labels = real("acgan", 1400)
    judge = LogisticRegression(max_iter=300).fit(x.flatten(1), labels)
    asked = model.labels_for(1000)
    assert judge.score(model.sample_at(asked).flatten(1), asked) > 0.95
