"""What tests of the systems in examples/ share: where they stand, which data they learn from, and training within a minute of one core."""

import ast
import time
from pathlib import Path

import sparring
from sparring.data.source import batches
from sparring.setup.own import from_file

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SECONDS = 60                                                    # of one core
QUIET = {"threads": 1, "progress": False, "show_every": 10**6, "score_every": 10**6}


def code_lines(path):
    """Lines that hold code: neither blank, nor a comment, nor a docstring."""
    text = path.read_text()
    tree = ast.parse(text)
    words = {line for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
             for line in range(node.lineno, node.end_lineno + 1)}
    return [line for i, line in enumerate(text.splitlines(), 1) if line.strip() and not line.strip().startswith("#") and i not in words]


def reader(name):
    """How the system reads data, as its file says in READS."""
    return from_file(EXAMPLES / f"{name}.py").reads


def data_of(name):
    """The data that come with the project and that the system learns from: the example of its READS."""
    return reader(name).example


def trained(name, steps, **more):
    """The system after so many rounds, which take at most a minute of the processor."""
    began = time.process_time()
    model = sparring.fit(EXAMPLES / f"{name}.py", data_of(name), steps=steps, **QUIET, **more)
    assert time.process_time() - began < SECONDS
    return model


def real(name, n):
    """A batch of n samples of the data that the system learns from."""
    reads = reader(name)
    return next(batches(reads.open(reads.example, reads.settings()), n, 1))
