"""The command that takes a finding's advice: that of the run, with other settings and a folder of its own."""

import itertools
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparring.doctor.finding import Finding


def retry(config: Mapping[str, Any], action: str, run: str, out: str) -> str:
    """`sparring train ...` as config.json has it, with the action's settings, into the folder `out`; with --fork, which continues
    `run`, where only the length changes.  Empty for a run that no such command started, or that was forked, whose own settings are
    in another run."""
    try:
        words = shlex.split(str(config.get("command", "")))
    except ValueError:
        return ""
    if words[:2] != ["sparring", "train"] or config.get("forked_from") or not action:
        return ""
    wanted = dict(word.split("=", 1) for word in action.split())
    longer = wanted.keys() == {"steps"}
    dropped = {"--out", "--fork"} | ({"--steps", "--minutes"} if "steps" in wanted else set())
    kept = [word for word in without(words, dropped) if word != "--json" and word.split("=", 1)[0] not in wanted]
    where = ["--out", run, "--fork", out] if longer else ["--out", out]
    return shlex.join([*kept, *action.split(), *where])


def without(words: list[str], options: set[str]) -> list[str]:
    """The words less these options, each of which has a value: written `--out X` or `--out=X`."""
    kept, skip = list[str](), False
    for word in words:
        if skip:
            skip = False
        elif word in options:
            skip = True
        elif word.split("=", 1)[0] not in options:
            kept.append(word)
    return kept


def retries(path: Path, config: dict[str, Any], finding: Finding) -> list[str]:
    """What to paste to take each action, where the run was begun by a command."""
    names = (f"{path}-again{f'-{i}' if i > 1 else ''}" for i in itertools.count(1))
    out = next(name for name in names if not Path(name).exists())
    return [command for action in finding.actions if (command := retry(config, action, str(path), out))]
