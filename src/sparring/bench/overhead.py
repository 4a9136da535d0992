"""How much of a round is the engine's own: everything but the losses, their gradients and the optimizers' steps."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from sparring.api import run
from sparring.bench.contests import DCGAN, LONG, noise_images, spread
from sparring.game import Player
from sparring.progress import Silent
from sparring.setup.prepare import Prepared, prepare
from sparring.setup.request import Request


def overhead(precision: str, threads: int, repeats: int, rounds: int = 20) -> dict[str, Any]:
    """The share of training, logging every round and drawing batches included, that the contest of images spends on the engine."""
    shares = []
    for _ in range(repeats):
        clock = Clock()
        with tempfile.TemporaryDirectory() as folder, timing(clock):
            given = {**DCGAN, "steps": LONG, "threads": threads, "precision": precision, "log_every": 1}
            prepared = timed_losses(prepare(Request("gan", noise_images(), given), Path(folder) / "run"), clock, rounds)
            clock.seconds = 0.0
            _, outcome = run(prepared, Silent())
            prepared.folder.unlock()
        shares.append(1 - clock.seconds / outcome.seconds)
    return {"share of the engine": spread(shares), "rounds": rounds, "repeats": repeats, "threads": threads, "precision": precision}


def timed_losses(prepared: Prepared, clock: "Clock", rounds: int) -> Prepared:
    """The same run, shorter, its losses timed, with neither pictures nor scores."""
    turns = {name: replace(turn, loss=clock.timed(turn.loss)) for name, turn in prepared.game.turns.items()}
    plan = replace(prepared.plan, show_every=0, score_every=0, save_every=0, steps=rounds)
    return replace(prepared, game=replace(prepared.game, turns=turns), plan=plan)


class Clock:
    """Seconds spent inside the functions that it timed."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                self.seconds += time.perf_counter() - began

        return call


@contextmanager
def timing(clock: Clock) -> Iterator[None]:
    """While entered, backward passes and optimizer steps count."""
    backward, move = Tensor.backward, Player.move
    Tensor.backward, Player.move = clock.timed(backward), clock.timed(move)  # type: ignore[method-assign]
    try:
        yield
    finally:
        Tensor.backward, Player.move = backward, move  # type: ignore[method-assign]
