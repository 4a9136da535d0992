"""The command line, called in this process: as a shell would, but without a second to start Python each time."""

import json
import sys
from typing import Any, NamedTuple

import pytest

from sparring import cli


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
            cli.app()
        return Said(int(exit_.value.code or 0), *self.capsys.readouterr())
