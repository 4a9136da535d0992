"""The systems in examples/: short, sound by the rehearsal, and each learns what its paper claims, to a number (`make examples`)."""

import ast
import json
import re
import runpy
import statistics

import numpy as np
import pytest
import torch
from benchmarks.recipes.examples import PAGE, RESULT, page
from benchmarks.systems.claims import MEASURED
from benchmarks.systems.objectives import DIVERGENCES
from benchmarks.systems.trained import EXAMPLES, QUIET, code_lines, data_of

import sparring

FILES = sorted(EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_is_short_and_names_its_paper(path):
    assert len(code_lines(path)) <= 60
    assert re.search(r"\(\w.*, 20\d\d\)", ast.get_docstring(ast.parse(path.read_text())).splitlines()[0])
    assert path.stem in MEASURED, "measure what it learns: benchmarks/systems/claims.py"


def test_there_are_twenty_and_most_are_short():
    assert len(FILES) >= 20
    assert statistics.median(len(code_lines(path)) for path in FILES) <= 45


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
@pytest.mark.parametrize("measure", [pytest.param(measure, id=f"{name}-{k}" if k else name)
                                     for name, measures in MEASURED.items() for k, measure in enumerate(measures)])
def test_an_example_learns_what_its_paper_claims(measure):
    reached = measure(0)
    print(*reached, sep="\n")
    assert [str(claim) for claim in reached if not claim.holds] == []


def test_the_page_of_examples_is_what_was_measured():
    assert PAGE.read_text() == page(json.loads(RESULT.read_text())["cases"]), "write it anew: python -m benchmarks.recipes.examples"


@pytest.mark.parametrize("name", DIVERGENCES)
def test_each_divergence_is_the_best_that_its_bound_can_be(name):
    """max over v of u g_f(v) - f*(g_f(v)) is f(u), to a millionth, for u from 0.05 to 10: the bound at its optimum is the divergence."""
    activation, conjugate = runpy.run_path(str(EXAMPLES / "fgan.py"))["TABLE"][name]
    u = torch.linspace(0.05, 10, 50, dtype=torch.float64)
    v = torch.linspace(-20, 20, 100_001, dtype=torch.float64)
    best = (u[:, None] * activation(v) - conjugate(v)).amax(1)
    assert (best - torch.from_numpy(np.asarray(DIVERGENCES[name](u.numpy())))).abs().max() < 1e-6
