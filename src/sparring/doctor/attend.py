"""The doctor during training: regular check-ups, one line of health, and each finding reported once."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sparring.data.source import Finite, Source
from sparring.data.video.frame_pairs import FramePairs
from sparring.doctor import Chart, Diagnosis, Treatment, chart, hopeful, judge, moment, treatment
from sparring.doctor.checkup import Standard, checkup, standard
from sparring.doctor.clips import ClipStandard, checkup_clips, standard_clips
from sparring.doctor.lines import LineStandard, checkup_lines, standard_lines
from sparring.game import Game
from sparring.runs.folder import RunFolder, append, read_lines
from sparring.spaces import Texts

Rows = list[dict[str, Any]]


@dataclass
class Attending:
    """What the doctor has seen of a run so far; `seconds` is what its check-ups took."""

    data: Standard | LineStandard | ClipStandard
    folder: RunFolder
    seed: int
    chart: Chart
    recent: Rows                    # what was logged since the last check-up
    reported: set[str] = field(default_factory=set)
    helpless: set[str] = field(default_factory=set)     # reported findings that nothing can be done for during the run
    diagnosis: Diagnosis | None = None
    seconds: float = 0.0

    def note(self, row: dict[str, Any]) -> None:
        """Remember a logged row."""
        self.recent.append(row)

    def look(self, game: Game, step: int) -> Diagnosis:
        """Check up on the game as it stands after `step` rounds, write that down, and judge."""
        started = time.perf_counter()
        facts = {} if self.chart.moments else self.data.facts
        row = {"step": step, **facts, **self.seen(game)}
        append(self.folder.health, row)
        self.chart = replace(self.chart, moments=(*self.chart.moments, moment(row, self.recent)), last=step)
        self.recent = []
        self.diagnosis = judge(self.chart)
        self.seconds += time.perf_counter() - started
        return self.diagnosis

    def seen(self, game: Game) -> dict[str, float]:
        """What is measured now, of whatever this game makes."""
        if isinstance(self.data, LineStandard):
            return checkup_lines(game, self.data, self.seed)
        if isinstance(self.data, ClipStandard):
            return checkup_clips(game, self.data)
        own = self.chart.config.get("own_networks")             # a discriminator of one's own may augment
        augmented = self.chart.settings.get("augment", "none") != "none" or (isinstance(own, dict) and "discriminator" in own)
        return checkup(game, self.data, self.seed, augmented)

    def news(self) -> list[str]:
        """New findings, a line each; and once nothing fails any more, those that are over."""
        found = self.diagnosis.findings if self.diagnosis else ()
        fresh = [finding for finding in found if finding.severity != "note" and finding.name not in self.reported]
        self.reported |= {finding.name for finding in fresh}
        if self.diagnosis is None or self.diagnosis.verdict == "failing":
            return [finding.line() for finding in fresh]
        over = sorted(self.reported - {finding.name for finding in found})
        self.reported -= set(over)
        return [*(finding.line() for finding in fresh),
                *(f"doctor: {name.replace('_', ' ')} is over after {self.diagnosis.step:,} rounds." for name in over)]

    def treatment(self, taken: Sequence[Mapping[str, Any]]) -> Treatment | None:
        """What to change now, in a run that asked for it; what cannot be changed while it runs is said once."""
        wanted = treatment(self.chart, taken)
        if wanted is None or wanted.finding in self.helpless:
            return None
        self.helpless |= set() if wanted.settings else {wanted.finding}
        return wanted

    def done(self, stop_when: str, taken: Sequence[Mapping[str, Any]] | None = None) -> bool:
        """Whether `stop_when` ends the run now.  A run that the doctor acts on, with what it has `taken`, has failed only when nothing is
        left to try."""
        if self.diagnosis is None:
            return False
        if self.diagnosis.verdict == "failing" and taken is not None and hopeful(self.chart, taken, self.helpless):
            return False
        return self.diagnosis.ends(stop_when)


def due(step: int, steps: int, every: int) -> bool:
    """Whether to look after this round of a run of so many: every so often (0: never) and at the end, right before which there is no
    other look, since what is there in two looks in a row is to have lasted."""
    return bool(every) and (step == steps or (step % every == 0 and not 0 < steps - step < every / 2))


def attend(source: Source, folder: RunFolder, seed: int, taken: Sequence[Mapping[str, Any]] = ()) -> Attending:
    """Start with a run, or continue with one: what is in its folder is known and reported; `taken` is what the doctor did in it,
    after which some settings are no longer those of its config.json."""
    config = folder.read_config() or {}
    log, health = read_lines(folder.log), read_lines(folder.health)
    known = max((row["step"] for row in health), default=0)
    data: Standard | LineStandard | ClipStandard
    if isinstance(source, FramePairs):
        data = standard_clips(source, seed)
    elif isinstance(source, Finite) and isinstance(source.space, Texts):
        data = standard_lines(source, seed)
    else:
        data = standard(source, seed)
    watch = Attending(data, folder, seed, chart(log, health, config, taken), [row for row in log if row["step"] > known])
    if health:
        watch.diagnosis = judge(watch.chart)
        watch.news()
    return watch
