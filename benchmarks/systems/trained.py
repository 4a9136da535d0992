"""What measurements of the systems in examples/ share: where they stand, which data they learn from, training, and claims."""

import ast
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

import sparring
from benchmarks.record import ROOT
from sparring.api import Model
from sparring.data import open_source
from sparring.data.source import Batch, Source, batches
from sparring.recipes import Reader
from sparring.setup.own import from_file

EXAMPLES = ROOT / "examples"
SECONDS = 60                                                    # of one core, for one training
QUIET = {"threads": 1, "compile": "off", "progress": False, "show_every": 10**6, "score_every": 10**6}


class Claim(NamedTuple):
    """A number that a trained system should reach."""

    what: str
    value: float
    bound: float
    least: bool                                                 # whether the bound is the least that holds; otherwise the most

    @property
    def holds(self) -> bool:
        return self.value >= self.bound if self.least else self.value <= self.bound

    def __str__(self) -> str:
        return f"{self.what}: {self.value:.4g}, {'at least' if self.least else 'at most'} {self.bound:.4g}"


Claims = Sequence[Claim]


def at_least(what: str, value: Any, bound: float) -> Claim:
    return Claim(what, float(value), float(bound), True)


def at_most(what: str, value: Any, bound: float) -> Claim:
    return Claim(what, float(value), float(bound), False)


def code_lines(path: Path) -> list[str]:
    """Lines that hold code: neither blank, nor a comment, nor a docstring."""
    text = path.read_text()
    tree = ast.parse(text)
    words = {line for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
             for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    return [line for i, line in enumerate(text.splitlines(), 1) if line.strip() and not line.strip().startswith("#") and i not in words]


def reader(name: str) -> Reader:
    """How the system reads data, as its file says in READS."""
    return from_file(EXAMPLES / f"{name}.py").reads


def data_of(name: str) -> str:
    """The data that come with the project and that the system learns from: the example of its READS."""
    return reader(name).example


def source_of(name: str, **settings: Any) -> Source:
    """The data that the system learns from, as a source."""
    reads = reader(name)
    return reads.open(reads.example, reads.settings(**settings))


def trained(name: str, steps: int, seed: int = 0, **more: Any) -> Model:
    """The system after so many rounds.  AssertionError when they take more than a minute of the processor, UserWarning when they were
    interrupted."""
    began = time.process_time()
    with warnings.catch_warnings(action="error", category=UserWarning):
        model = sparring.fit(EXAMPLES / f"{name}.py", data_of(name), steps=steps, seed=seed, **QUIET, **more)
    assert (took := time.process_time() - began) < SECONDS, f"{name} took {took:.0f} s of the processor, more than {SECONDS}"
    return model


def real(name: str, n: int) -> Batch:
    """A batch of n samples of the data that the system learns from."""
    return next(batches(source_of(name), n, 1))


def held_out() -> Batch:
    """The 360 digits that training does not see, and their classes."""
    return open_source("digits").held_out.at(torch.arange(360))
