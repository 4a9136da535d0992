"""A run that is played step by step: opened in a folder, played by rounds or moves, taken back, and changed by forking it."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparring import api
from sparring.errors import InputError
from sparring.game import Move, NotFinite
from sparring.game.compiled import in_one
from sparring.game.processes import ALONE
from sparring.lab.scene import Scene, scene
from sparring.pictures.album import album
from sparring.recipes import find
from sparring.runs import checkpoint
from sparring.settings import RunSettings, make
from sparring.setup.prepare import Prepared, prepare
from sparring.setup.request import Request
from sparring.training.course import Course, course
from sparring.training.exactness import deterministic
from sparring.training.loop import disk_trouble_told, randomness_restored, resume
from sparring.training.plan import Outcome, Position, Progress

# What a game that is looked at has unless it says otherwise: nothing is tried out first, and learning does not end with the run.
LIVELY: dict[str, Any] = {"steps": 10_000, "decay": 0, "threads": 1, "precision": "fp32", "compile": "off", "log_every": 10,
                          "show_every": 5000, "score_every": 5000, "save_every": 1000, "check_every": 250}
GAP, MOST = 50, 64                  # rounds between two snapshots, and the most that are kept


@dataclass
class Snapshots:
    """States of a run in memory, by the round: dense where it is now, and sparser further back.  The first is always kept."""

    states: dict[int, dict[str, bytes]] = field(default_factory=dict)

    def add(self, step: int, state: dict[str, bytes]) -> None:
        self.states[step] = state
        if len(self.states) > MOST:
            steps = sorted(self.states)
            for old in steps[1:MOST // 2:2]:                    # every other one of the older half
                del self.states[old]

    def before(self, step: int) -> int:
        """The newest round with a state that is not after this one; the first where there is none."""
        return max((known for known in self.states if known <= step), default=min(self.states))

    def forget_after(self, step: int) -> None:
        self.states = {known: state for known, state in self.states.items() if known <= step}


class LiveRun:
    """One run folder, locked as long as it is open, with its game, its course and its snapshots."""

    def __init__(self, request: Request, out: Path, progress: Progress, fork: Path | None = None) -> None:
        """InputError for what cannot be played, or is no run that this request continues."""
        self.request, self.progress, self.context = request, progress, ExitStack()
        self.prepared: Prepared = prepare(request, out, fork)
        self.folder, self.plan = self.prepared.folder, self.prepared.plan
        try:
            if self.prepared.finished():
                raise InputError(f"{self.folder.path} is finished. Give it more rounds, or start again.")
            self.scene: Scene = scene(self.prepared.game, self.prepared.source, request.recipe, self.settings, request.seed)
            game = self.prepared.game
            self.game = in_one(game, progress.say) if self.plan.compile else game
            self.context.enter_context(randomness_restored(self.plan.device))
            self.context.enter_context(deterministic(self.plan.exact))
            self.start(resume(self.game, self.plan, self.folder, progress, ALONE))
        except BaseException:
            self.close()
            raise
        self.snapshots = Snapshots()
        self.remember()
        self.first = self.step

    @property
    def settings(self) -> Any:
        return make(self.request.entry.settings, self.prepared.config["settings"])

    @property
    def step(self) -> int:
        return self.course.at.step

    def start(self, at: Position) -> None:
        """Begin a course at this position, in which the game is."""
        self.stack = ExitStack()
        self.course: Course = self.stack.enter_context(course(self.game, self.prepared.source, self.plan, self.folder, self.progress, ALONE,
                                                              at))
        self.looked = -1            # the round before which what was due was done
        self.moving: Iterator[Move] | None = None
        self.last: Move | None = None

    def close(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()
        self.context.close()
        self.prepared.folder.unlock()

    # ---------------------------------------------------------------------------------------------------- playing
    def due(self) -> Outcome | None:
        """Do what is due before the next round, once; how the run ended where it is done."""
        if self.moving is not None or self.looked == self.step:
            return None
        self.looked = self.step
        with disk_trouble_told(self.folder):
            outcome = self.course.between(False)
        if outcome is not None:
            model = api.finish(self.prepared, self.game, outcome)
            album(model.game, model.space, self.folder, self.request.seed)
        return outcome

    def play(self) -> Outcome | None:
        """The rest of this round."""
        while (outcome := self.move()) is None and self.moving is not None:
            pass
        return outcome

    def move(self) -> Outcome | None:
        """The next move of this round, or the first one of the next; `last` says which it was."""
        if self.moving is None:
            if (outcome := self.due()) is not None or self.course.done:
                return outcome
            self.moving = self.course.moves()
        with disk_trouble_told(self.folder):
            found = next(self.moving, None)
            if found is not None:
                self.last = found
                if self.after_last(found):                      # the round is over with it: averages, the log, the doctor
                    next(self.moving, None)
                    self.moving = None
            else:
                self.moving = None
        if self.moving is None and self.step % GAP == 0:
            self.remember()
        return None

    def after_last(self, move: Move) -> bool:
        """Whether no other move is due in this round after this one."""
        names = [name for name, turn in self.game.turns.items() if turn.due(self.step)]
        return move.turn == names[-1] and move.repeat + 1 == move.times

    def next_turn(self) -> str:
        """The turn of the next move."""
        names = [name for name, turn in self.game.turns.items() if turn.due(self.step)]
        if self.moving is None or self.last is None:
            return names[0]
        if self.last.repeat + 1 < self.last.times:
            return self.last.turn
        return names[names.index(self.last.turn) + 1]

    def player_of(self, turn: str) -> str:
        player = self.game.turns[turn].player
        return next(name for name, other in self.game.players.items() if other is player)

    # ---------------------------------------------------------------------------------------------------- going back
    def remember(self) -> None:
        with suppress(NotFinite):                               # there is nothing to go back to in such a state
            self.snapshots.add(self.step, checkpoint.contents(self.game, self.step, self.course.at.facts(self.plan, ALONE)))

    def back(self, to: int) -> None:
        """Put the run into the state after `to` rounds, or after the first that is known: the nearest snapshot, and the rounds since."""
        target = max(to, self.first)
        known = self.snapshots.before(target)
        self.stack.close()
        step, facts = checkpoint.restore(self.snapshots.states[known], self.game)
        checkpoint.forget_after(self.folder.checkpoints, step)
        self.folder.rewind(step)
        self.snapshots.forget_after(step)
        self.start(Position(step, float(facts["seconds"]), list(facts["rollbacks"]), list(facts["actions"])))
        while self.step < target:
            self.play()

    def save(self) -> None:
        """Finish the round and write a checkpoint, so that the run can be continued or forked from here."""
        while self.moving is not None:
            self.move()
        if self.step > self.course.saved:
            with disk_trouble_told(self.folder):
                self.course.save()


def lively(recipe: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given, over what a game that is looked at has unless it says otherwise.  InputError when there is no such recipe."""
    known = find(recipe).settings.model_fields.keys() | RunSettings.model_fields.keys()
    return {name: value for name, value in LIVELY.items() if name in known} | dict(given)
