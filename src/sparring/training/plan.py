"""What a run is asked to do, where it is, and where it ended."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch

from sparring.game import Game
from sparring.game.processes import ProcessGroup
from sparring.training.exactness import conditions

Remake = Callable[[Mapping[str, Any]], Game]        # the same game with these settings, untrained


@dataclass(frozen=True)
class Plan:
    """How long to train, on how much at once, how often to look (every so many rounds, 0 for never), and how to compute."""

    steps: int
    batch: int
    seed: int
    device: torch.device
    log_every: int = 10
    show_every: int = 0
    score_every: int = 0
    save_every: int = 0
    workers: int = 0
    precision: str = "fp32"
    compile: bool = False
    exact: bool = False
    on_nan: str = "stop"
    keep_best: str = "none"     # a metric: the state with the best so far is kept
    check_every: int = 0
    stop_when: str = "never"
    inherited: int = 0          # rollbacks of the run that this one was forked from
    doctor: str = "tell"
    inherited_actions: int = 0  # of the doctor, in the run that this one was forked from
    accumulate: int = 1         # parts that a batch is taken in


@dataclass(frozen=True)
class Outcome:
    """Where training stopped, after how many seconds of it, the last scores, the times it had to go back, and which share of the
    time since it was last started several processes spent on averaging gradients."""

    step: int
    seconds: float
    scores: dict[str, float]
    rollbacks: tuple[dict[str, Any], ...] = ()
    averaging: float = 0.0
    health: str = ""            # the doctor's last line
    ended: bool = False         # early, as `stop_when` asked
    actions: tuple[dict[str, Any], ...] = ()

    def finished(self, plan: Plan) -> bool:
        return self.step >= plan.steps


class Progress(Protocol):
    """Whoever wants to watch: told now and then how far training is."""

    def update(self, step: int, steps: int, values: dict[str, float]) -> None: ...

    def say(self, message: str) -> None: ...


@runtime_checkable
class Feels(Protocol):
    """Whoever also wants to be told how the run is, in one line."""

    def feel(self, health: str) -> None: ...


@dataclass
class Position:
    """Where a run is: what a checkpoint holds beside the game."""

    step: int = 0
    seconds: float = 0.0
    rollbacks: list[dict[str, Any]] = field(default_factory=list)    # {"at": round, "to": round, "why": message}
    actions: list[dict[str, Any]] = field(default_factory=list)      # of the doctor: {"at": round, "why": finding, "settings": {...}}

    def facts(self, plan: Plan, group: ProcessGroup) -> dict[str, Any]:
        return {"seconds": self.seconds, "rollbacks": self.rollbacks, "actions": self.actions,
                "conditions": conditions(plan.device, plan.precision, plan.exact, group.world_size, plan.compile, plan.accumulate)}


def own_actions(at: Position, plan: Plan) -> tuple[dict[str, Any], ...]:
    return tuple(at.actions[plan.inherited_actions:])


def changed(at: Position, plan: Plan) -> dict[str, Any]:
    """The settings that the doctor's actions left, where they are no longer those that were asked for."""
    return {name: value for action in own_actions(at, plan) for name, value in action["settings"].items()}


def pace(at: Position, plan: Plan) -> float:
    """Half the learning rate for every time that the run went back, not counting the run that it was forked from."""
    return 0.5 ** (len(at.rollbacks) - plan.inherited)


def keep_pace(game: Game, at: Position, plan: Plan) -> None:
    for player in game.players.values():
        player.pace = pace(at, plan)
