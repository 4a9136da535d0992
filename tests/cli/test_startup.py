"""A command's first word: what is imported before it."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import sparring
from shell import RARELY, TINY, Shell

# Prints, as JSON, which of the heavy modules are there after each step; ends at the first word of the last.
STEPS = """
import json, os, sys
HEAVY = ("torch", "numpy", "sklearn", "scipy", "matplotlib", "pyarrow")
found = {}
class Said:
    encoding, words = "utf-8", ""
    def write(self, text): self.words += text
    def flush(self): pass
    def isatty(self): return False
class FirstWord(Said):
    def write(self, text):
        found["train"] = heavy()
        os.write(1, json.dumps(found | {"said": text}).encode())
        os._exit(0)
def heavy(): return [name for name in HEAVY if name in sys.modules]
def run(name, *words, err=None):
    sys.argv, sys.stdout, sys.stderr = ["sparring", *words], Said(), err or Said()
    try:
        app.app()
    except SystemExit as end:
        found[name] = [end.code or 0, *heavy()]
import sparring
found["sparring"] = heavy()
from sparring.cli import app
for words in ("--help", "train --help", "--version", "train gan --stepz 3", "doctor run"):
    run(words, *words.split())
run("sample", "sample", "pictures", "--out", "samples")
run("train", "train", "gan", "--data", "digits", "--steps", "3", "--out", "new", err=FirstWord())
"""


@pytest.fixture
def shell(monkeypatch, capsys, tmp_path) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch, capsys)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    sparring.fit("gan", "ring", out=folder / "run", steps=2, **TINY)
    x = np.random.default_rng(0).integers(0, 255, (40, 8, 8), np.uint8)
    sparring.fit("gan", x, out=folder / "pictures", steps=1, threads=1, batch=8, width=4, **RARELY)
    return folder


def test_what_is_imported_before_a_command_says_its_first_word(runs):
    said = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, cwd=runs, timeout=120, env={**os.environ, "COLUMNS": "80"})
    found = json.loads(said.stdout)
    assert found.pop("said") == "gan on digits\n", found
    assert found == {"sparring": [], "--help": [0], "train --help": [0], "--version": [0], "train gan --stepz 3": [2],
                     "doctor run": [0], "sample": [0, "torch", "numpy"], "train": ["torch", "numpy"]}


def test_what_takes_long_first_says_what_it_reads(shell, runs, monkeypatch):
    monkeypatch.chdir(runs)
    assert shell("sample", "run", "--json").err == "reading run\n"
    assert shell("compare", "run", "nothing").err.startswith("reading run\nError: ")
    assert shell("sample", "nothing").err.startswith("Error: ")
    assert shell("data", "ring").err.startswith("reading ring\n")
