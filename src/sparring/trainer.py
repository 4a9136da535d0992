"""The training loop: once in a while show, score, save; then play a round."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch

from sparring import checkpoint
from sparring.data.source import Batch, Source, batches
from sparring.errors import RunFailed
from sparring.game import Game, play
from sparring.interrupt import Interrupt
from sparring.pictures.snapshot import snapshot
from sparring.rng import seed_round
from sparring.run import RunFolder, append, read_lines
from sparring.scores import score


@dataclass(frozen=True)
class Plan:
    """How long to train, on how much at once, and how often to look: every so many rounds, 0 for never."""

    steps: int
    batch: int
    seed: int
    device: torch.device
    log_every: int = 10
    show_every: int = 0
    score_every: int = 0
    save_every: int = 0


@dataclass(frozen=True)
class Outcome:
    """Where training stopped, after how many seconds of it, and the last scores."""

    step: int
    seconds: float
    scores: dict[str, float]

    def finished(self, plan: Plan) -> bool:
        return self.step >= plan.steps


class Progress(Protocol):
    """Whoever wants to watch: told now and then how far training is."""

    def update(self, step: int, steps: int, values: dict[str, float]) -> None: ...

    def say(self, message: str) -> None: ...


def train(game: Game, source: Source, plan: Plan, folder: RunFolder, progress: Progress) -> Outcome:
    """Train until the plan is done or someone asks to stop; everything needed to go on is in the folder then.

    RunFailed when a term is not finite, or when the disk does not take what must be written.
    """
    step, seconds = resume(game, folder, progress)
    rounds = on_device(batches(source, plan.batch, plan.seed, game.drawn(step)), plan.device)
    saved, scores = step, last_scores(folder)
    with randomness_restored(plan.device), Interrupt() as interrupt, disk_trouble_told(folder):
        while True:
            done = step >= plan.steps
            if plan.show_every and (done or step % plan.show_every == 0):
                snapshot(game, source, folder.samples, step, plan.seed)
            if plan.score_every and step and (done or step % plan.score_every == 0):
                scores = score(game, source, plan.seed)
                append(folder.scores, {"step": step, **scores})
            if step > saved and (done or interrupt.asked or (plan.save_every and step % plan.save_every == 0)):
                checkpoint.save(folder.checkpoints, game, step, {"seconds": seconds})
                saved = step
            if done or interrupt.asked:
                return Outcome(step, seconds, scores)
            started = time.perf_counter()                       # looking and saving is not training
            seed_round(plan.seed, plan.device, step)            # any round can be replayed alone
            terms, watched = play(game, rounds, step)
            step += 1
            if step % plan.log_every == 0 or step in (1, plan.steps):
                values = {name: value.item() for name, value in terms.items()}
                values |= {name: look().item() for name, look in watched.items()}
                seconds += time.perf_counter() - started
                append(folder.log, {"step": step, "time": round(seconds, 3), **values})
                progress.update(step, plan.steps, values)
            else:
                seconds += time.perf_counter() - started


def resume(game: Game, folder: RunFolder, progress: Progress) -> tuple[int, float]:
    """Put the newest whole checkpoint into the game; its step and seconds of training, (0, 0.0) without one."""
    files, complaints = checkpoint.newest(folder.checkpoints)
    for complaint in complaints:
        progress.say(f"{complaint} Using the checkpoint before it.")
    if files is None:
        if complaints:
            raise RunFailed(f"no checkpoint in {folder.checkpoints} is whole, so nothing can be resumed. "
                            f"Nothing was deleted; train into a new folder with --out.")
        if read_lines(folder.log):
            progress.say("there is no checkpoint yet, so this run starts again at step 0")
        folder.rewind(0)
        return 0, 0.0
    step, facts = checkpoint.restore(files, game)
    folder.rewind(step)
    return step, float(facts.get("seconds", 0.0))


def last_scores(folder: RunFolder) -> dict[str, float]:
    rows = read_lines(folder.scores)
    return {name: value for name, value in rows[-1].items() if name != "step"} if rows else {}


def on_device(rounds: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """The same batches, on the device."""
    if device.type == "cpu":
        return rounds
    return (Batch(batch.x.to(device), None if batch.labels is None else batch.labels.to(device)) for batch in rounds)


@contextmanager
def randomness_restored(device: torch.device) -> Iterator[None]:
    """Leave the caller's random numbers as they were: rounds are seeded one by one."""
    accelerators = [torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=accelerators):
        yield


@contextmanager
def disk_trouble_told(folder: RunFolder) -> Iterator[None]:
    """Turn a full or read-only disk into a message that says what is still whole."""
    try:
        yield
    except OSError as error:
        files, _ = checkpoint.newest(folder.checkpoints)
        kept = "There is no earlier checkpoint." if files is None else \
            "The last checkpoint is whole: run the same command again to go on."
        raise RunFailed(f"{error.filename or folder.path} could not be written: {error.strerror or error}. "
                        f"Make room or mend the permissions. {kept}") from error
