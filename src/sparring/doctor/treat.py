"""With doctor=act: which actions the doctor takes during a run, and which it can only recommend."""

from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from sparring.doctor.advice import number
from sparring.doctor.chart import Chart
from sparring.doctor.judge import findings
from sparring.doctor.thresholds import CALIBRATED, Thresholds

MOST = 3                # actions a run
REST = 4                # check-ups before the first action, between two of them, and after the last: by default a fifth of a run each
LATEST = 0.8            # of a run: an action after that would not have its time
SHAPES = ("steps", "batch", "latent", "width", "depth", "pack", "conditional", "spectral")      # settled before the first round


@dataclass(frozen=True)
class Treatment:
    """What to change now, for which finding; `left` is the part of the action that cannot be taken during a run."""

    finding: str
    settings: dict[str, Any]
    left: dict[str, Any]

    def line(self, step: int) -> str:
        """For a terminal."""
        name = self.finding.replace("_", " ")
        done = f"doctor: changed settings at round {step:,} because of {name}: {words(self.settings)}." if self.settings else \
            f"doctor: cannot fix {name} during the run."
        return done + (f" {self.advice()}" if self.left else "")

    def advice(self) -> str:
        """How to take the rest of the action."""
        start = "continue with --fork NEWDIR" if self.left.keys() == {"steps"} else "start a new run with another --out and"
        return f"To change it: {start} {words(self.left)}."


def treatment(run: Chart, taken: Sequence[Mapping[str, Any]], limits: Thresholds = CALIBRATED) -> Treatment | None:
    """What is to be done for the worst failure of a run in which these actions were taken: {"at": round, "settings": {...}}.

    It is judged by the check-ups after the last of them alone, so that an action has REST check-ups to show what it does.  A warning
    changes nothing, since some healthy runs have one; and nothing is tried twice.  The settings of the chart are those of now.
    """
    fresh = tuple(moment for moment in run.moments if moment.step > (taken[-1]["at"] if taken else 0))
    if len(taken) >= MOST or len(fresh) < REST or fresh[-1].step > LATEST * run.steps:
        return None
    for finding in findings(replace(run, moments=fresh), limits):
        if finding.severity != "failure" or finding.steps[1] < fresh[-1].step:     # nothing is done for what may just be over
            continue
        only_advice = None
        for action in finding.actions:
            wanted = {key: plain(value) for key, _, value in (word.partition("=") for word in action.split())}
            left = {key: value for key, value in wanted.items() if fixed(key, run.settings)}
            one = Treatment(finding.name, {key: value for key, value in wanted.items() if key not in left}, left)
            if one.settings and not any(one.settings.items() <= before["settings"].items() for before in taken):
                return one
            only_advice = only_advice or (None if one.settings else one)
        if only_advice is not None:
            return only_advice
    return None


def hopeful(run: Chart, taken: Sequence[Mapping[str, Any]], helpless: Container[str] = (), limits: Thresholds = CALIBRATED) -> bool:
    """Whether the doctor may still fix a failing run: something is to be done for it, or what was done last has not had its time."""
    since = taken[-1]["at"] if taken else 0
    if sum(moment.step > since for moment in run.moments) < REST:
        return bool(taken) or bool(run.moments and run.moments[-1].step <= LATEST * run.steps)
    wanted = treatment(run, taken, limits)
    return wanted is not None and bool(wanted.settings) and wanted.finding not in helpless


def fixed(key: str, settings: Mapping[str, Any]) -> bool:
    """Whether this cannot be changed during a run: the form of its networks, how long it is, an average that it does not keep."""
    return key in SHAPES or (key == "ema" and not number(settings.get("ema")))


def plain(word: str) -> int | float | str:
    """The value of a setting, from text."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(word)
    return word


def words(settings: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in settings.items())
