"""A run in progress: what is due between rounds, a round, and what is due after it.

`train` in loop.py goes through a course to its end; whoever wants to stop between rounds, or in the middle of one, goes through it in steps
of their own, and plays the same run.
"""

import json
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sparring.data.source import Source, batches
from sparring.doctor.attend import Attending, attend, due
from sparring.errors import InputError
from sparring.game import Game, Move, NotFinite, gathered, moves
from sparring.game.processes import ProcessGroup, bits
from sparring.metrics.run_scores import score
from sparring.pictures.snapshot import snapshot
from sparring.rng import seed_round
from sparring.runs import checkpoint
from sparring.runs.best import keep_best
from sparring.runs.folder import RunFolder, append, read_lines
from sparring.training.plan import Feels, Outcome, Plan, Position, Progress, Remake, changed, own_actions

TOGETHER = 8            # rounds after which processes ask each other whether one was asked to stop


@dataclass
class Course:
    """A game on its way through a plan, in a folder.  `acted` says that the doctor changed settings, with which the game has to be made
    anew before it continues."""

    game: Game
    source: Source
    plan: Plan
    folder: RunFolder
    progress: Progress
    group: ProcessGroup
    at: Position
    rounds: Iterator[Any]           # batches on the device
    remake: Remake | None = None
    doctor: Attending | None = None
    scores: dict[str, float] = field(default_factory=dict)
    saved: int = 0                  # rounds of the newest checkpoint
    acted: bool = False
    values: dict[str, float] = field(default_factory=dict)      # of the last logged round

    @property
    def done(self) -> bool:
        return self.at.step >= self.plan.steps

    def between(self, asked: bool) -> Outcome | None:
        """Show, score and save what is due before the next round; where the run ends here, since it is done, was `asked` to stop, or ends
        itself: how it ended."""
        plan, at, group, game, folder = self.plan, self.at, self.group, self.game, self.folder
        taken = own_actions(at, plan) if plan.doctor == "act" and self.remake else None
        ended = self.doctor is not None and self.doctor.done(plan.stop_when, taken)
        asked = asked or ended
        if group.world_size > 1:
            asked = at.step % TOGETHER == 0 and group.any(asked)
        shown = game.shows and plan.show_every and (self.done or at.step % plan.show_every == 0)
        scored = game.shows and plan.score_every and at.step and (self.done or at.step % plan.score_every == 0)
        if group.first and shown:
            snapshot(game, self.source, folder.samples, at.step, plan.seed)
        if group.first and scored:
            self.scores = score(game, self.source, plan.seed, plan.keep_best, plan.score_every * plan.batch)
            append(folder.scores, {"step": at.step, **self.scores})
            keep_best(game, folder, plan.keep_best, at.step, self.scores, at.facts(plan, group))
        if shown or scored:
            group.wait()                                         # for long; within a round no rank is waited for that long
        if at.step > self.saved and (self.done or asked or (plan.save_every and at.step % plan.save_every == 0)):
            self.save()
        if not (self.done or asked):
            return None
        health = self.doctor.diagnosis.line() if self.doctor and self.doctor.diagnosis else ""
        return Outcome(at.step, at.seconds, self.scores, tuple(at.rollbacks[plan.inherited:]), 0.0, health, ended, own_actions(at, plan))

    def save(self) -> None:
        save(self.game, self.plan, self.folder, self.group, self.at)
        self.saved = self.at.step

    def play(self) -> None:
        """One round, and what is due after it."""
        for _ in self.moves():
            pass

    def moves(self) -> Iterator[Move]:
        """The same, move by move.  Who looks in between leaves torch's random numbers as they were."""
        plan, at, group, played = self.plan, self.at, self.group, list[Move]()
        started = time.perf_counter()                           # looking and saving is not training
        seed_round(plan.seed, plan.device, at.step)             # any round can be replayed alone
        with group.part_of(plan.batch):
            for move in moves(self.game, self.rounds, at.step, group.share):
                if move.repeat + 1 == move.times:               # no other report is needed later
                    played.append(move)
                at.seconds += time.perf_counter() - started
                yield move
                started = time.perf_counter()
        terms, seen = gathered(iter(played))
        at.step += 1
        if at.step % plan.log_every == 0 or at.step in (1, plan.steps):
            values = {name: value.item() for name, value in terms.items()}
            self.values = group.means(values | {name: look().item() for name, look in seen.items()})
            at.seconds += time.perf_counter() - started
            if group.first:
                log(self.folder, {"step": at.step, "time": round(at.seconds, 3), **self.values}, self.doctor)
                self.progress.update(at.step, plan.steps, self.values)
        else:
            at.seconds += time.perf_counter() - started
        if due(at.step, plan.steps, plan.check_every):
            if self.doctor:
                consult(self.doctor, self.game, at.step, self.progress)
            if plan.doctor == "act" and self.remake and act(self.doctor, self.game, plan, self.progress, group, at, self.remake):
                self.save()
                self.acted = True


@contextmanager
def course(game: Game, source: Source, plan: Plan, folder: RunFolder, progress: Progress, group: ProcessGroup, at: Position,
           remake: Remake | None = None) -> Generator[Course]:
    """The course of a run from here on, with the doctor at its side; its threads end with the context."""
    watched = group.first and plan.check_every and (game.draws or game.animation is not None)
    doctor = attend(source, folder, plan.seed, own_actions(at, plan)) if watched else None
    if plan.on_nan == "rollback" and at.step == 0:              # so that there is always something to go back to
        save(game, plan, folder, group, at)
    with closing(batches(source, plan.batch, plan.seed, game.drawn(at.step), plan.workers, group.rows(plan.batch))) as stream:
        yield Course(game, source, plan, folder, progress, group, at, on_device(stream, plan.device), remake, doctor, last_scores(folder),
                     at.step)


def log(folder: RunFolder, row: dict[str, Any], doctor: Attending | None) -> None:
    append(folder.log, row)
    if doctor:
        doctor.note(row)


def consult(doctor: Attending, game: Game, step: int, progress: Progress) -> None:
    """Let the doctor look, and pass on what it says: how the run feels, and each finding once."""
    health = doctor.look(game, step).line()
    if isinstance(progress, Feels):
        progress.feel(health)
    for news in doctor.news():
        progress.say(news)


def act(doctor: Attending | None, game: Game, plan: Plan, progress: Progress, group: ProcessGroup, at: Position, remake: Remake) -> bool:
    """Note what the doctor wants to be changed in `at`, unless it cannot be; whether anything is."""
    own, wanted = own_actions(at, plan), None
    if doctor and (wanted := doctor.treatment(own)):
        why = impossible(game, remake, changed(at, plan) | wanted.settings)
        progress.say(wanted.line(at.step) if not why else f"doctor: cannot fix {wanted.finding} during the run: {why}")
        if why:
            doctor.helpless.add(wanted.finding)
            wanted = None
    said = json.loads(group.broadcast(json.dumps({"at": at.step, "why": wanted.finding, "settings": wanted.settings}
                                           if wanted and wanted.settings else None)))
    at.actions = [*at.actions, said] if said else at.actions
    return said is not None


def impossible(game: Game, remake: Remake, settings: Mapping[str, Any]) -> str:
    """Why the game cannot continue with these settings; empty when it can."""
    try:
        other = remake(settings)
    except InputError as error:
        return str(error)
    forms = [({name: x.shape for name, x in checkpoint.networks(one).items()}, set(one.memory)) for one in (game, other)]
    return "" if forms[0] == forms[1] else "its networks, or other state such as a pool of images, would have another shape."


def save(game: Game, plan: Plan, folder: RunFolder, group: ProcessGroup, at: Position) -> None:
    """Write a checkpoint, once all processes are found to have the same weights; what stops the first one stops all."""
    group.agree(f"the weights after {at.step} rounds", "They were not saved. Start the run again to continue from the last checkpoint. If "
               "this happens again, give exact=true, or train with one process.", held(game, group))
    poisoned: NotFinite | None = None
    if group.first:
        try:
            checkpoint.save(folder.checkpoints, game, at.step, at.facts(plan, group))
        except NotFinite as error:
            poisoned = error
    if group.any(poisoned is not None, slowly=True):
        raise poisoned or NotFinite(f"a number is not finite after {at.step} rounds.")


def held(game: Game, group: ProcessGroup) -> bytes:
    """A digest of the networks and the memory, by which processes see that they have the same; nothing where there is one."""
    if group.world_size == 1:
        return b""
    tensors: dict[str, Tensor] = {}
    plain = checkpoint.flatten({name: part.state_dict() for name, part in game.memory.items()}, tensors, "memory")
    return bits([*checkpoint.networks(game).values(), *tensors.values()]) + json.dumps(plain).encode()


def last_scores(folder: RunFolder) -> dict[str, float]:
    rows = read_lines(folder.scores)
    return {name: value for name, value in rows[-1].items() if name != "step"} if rows else {}


def on_device(rounds: Iterator[Any], device: torch.device) -> Iterator[Any]:
    """The same batches, named tuples of tensors or None, on the device."""
    if device.type == "cpu":
        return rounds
    return (type(batch)(*(part if part is None else part.to(device) for part in batch)) for batch in rounds)
