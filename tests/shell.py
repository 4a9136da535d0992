"""The command line, called in this process: as a shell would, but without a second to start Python each time."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import sparring
from sparring.cli import app

RARELY: dict[str, Any] = {"show_every": 10**6, "score_every": 10**6}
TINY: dict[str, Any] = {"threads": 1, "batch": 16, "width": 16, "depth": 1, "latent": 5, "save_every": 2, **RARELY}


class Said(NamedTuple):
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output, in the strictest reading."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out, parse_constant=pytest.fail)


class Shell:
    """Runs `sparring` with these words."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *words: object) -> Said:
        self.monkeypatch.setattr(sys, "argv", ["sparring", *map(str, words)])
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            app.app()
        return Said(int(exit_.value.code or 0), *self.capsys.readouterr())


def make_runs(folder: Path) -> Path:
    """A finished run on points, one that still lacks its model, and one with classes of images."""
    sparring.fit("gan", "ring", out=folder / "run", steps=6, **TINY)
    shutil.copytree(folder / "run", folder / "unfinished")
    shutil.rmtree(folder / "unfinished" / "model")
    x = np.random.default_rng(0).integers(0, 255, (40, 8, 8), np.uint8)
    sparring.fit("gan", (x, np.array(["cat", "dog"] * 20)), out=folder / "pictures", steps=1, threads=1, batch=8, width=4, **RARELY)
    return folder
