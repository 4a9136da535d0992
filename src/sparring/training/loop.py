"""The training loop: once in a while show, score, save; then play a round."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from sparring.data.source import Source
from sparring.errors import RunFailed
from sparring.game import Game, NotFinite
from sparring.game.compiled import in_one
from sparring.game.processes import ALONE, ProcessGroup
from sparring.runs import checkpoint
from sparring.runs.folder import RunFolder, read_lines, write_atomic
from sparring.training.course import course, held
from sparring.training.exactness import broken, conditions, deterministic
from sparring.training.interrupt import Interrupt
from sparring.training.plan import Outcome, Plan, Position, Progress, Remake, changed, keep_pace, own_actions, pace

MOST_ROLLBACKS = 3


def train(game: Game, source: Source, plan: Plan, folder: RunFolder, progress: Progress, group: ProcessGroup = ALONE,
          remake: Remake | None = None) -> tuple[Game, Outcome]:
    """Train until the plan is done or someone asks to stop; everything needed to continue is in the folder then.

    The game that comes back is the one given, unless the doctor changed its settings, for which there must be `remake`.

    RunFailed when a term is not finite (with `on_nan` rollback, after three times back with half the learning rate), or when
    the disk does not take what must be written.  Of several processes, the first process draws, scores, logs, saves and speaks.
    """
    game = in_one(game, progress.say) if plan.compile else game
    with randomness_restored(plan.device), Interrupt() as interrupt, disk_trouble_told(folder), memory_trouble_told(plan, folder), \
            deterministic(plan.exact):
        at = resume(game, plan, folder, progress, group)
        game, before = treated(game, at, plan, folder, progress, group, remake), at.seconds
        while True:
            try:
                outcome = play_on(game, source, plan, folder, progress, group, interrupt, at, remake)
                if outcome is not None:
                    return game, replace(outcome, averaging=group.seconds / max(outcome.seconds - before, group.seconds, 1e-9))
            except NotFinite as error:
                at = roll_back(error, game, plan, folder, progress, group, at)
            game = treated(game, at, plan, folder, progress, group, remake)


def play_on(game: Game, source: Source, plan: Plan, folder: RunFolder, progress: Progress, group: ProcessGroup, interrupt: Interrupt,
            at: Position, remake: Remake | None) -> Outcome | None:
    """The loop; None where the doctor acted, and the run continues with other settings."""
    with course(game, source, plan, folder, progress, group, at, remake) as run:
        while not run.acted:
            outcome = run.between(interrupt.asked)
            if outcome is not None:
                return outcome
            run.play()
    return None


def treated(game: Game, at: Position, plan: Plan, folder: RunFolder, progress: Progress, group: ProcessGroup,
            remake: Remake | None) -> Game:
    """The game with the settings that the doctor's actions left, in the state of the newest checkpoint.

    An action is a fork of the run into itself, so a run that continues and one that is stopped and resumed do the same.  Right after
    one the optimizers start again: Adam's mean of squares would keep steps small for 1 / (1 - beta2) rounds after gradients were large.
    """
    files = checkpoint.newest(folder.checkpoints, game)[0] if plan.doctor == "act" and remake else None
    if files is None or remake is None:
        return game
    if group.first:
        write_atomic(folder.actions, json.dumps(own_actions(at, plan), indent=1) + "\n")
    game = remake(changed(at, plan))
    checkpoint.restore(files, game)
    keep_pace(game, at, plan)
    if at.step == max((one["at"] for one in own_actions(at, plan)), default=-1):
        for player in game.players.values():
            player.optimizer.state.clear()
    return in_one(game, progress.say) if plan.compile else game


def resume(game: Game, plan: Plan, folder: RunFolder, progress: Progress, group: ProcessGroup) -> Position:
    """Put the newest whole checkpoint into the game; where that is, or the beginning without one."""
    if group.first:
        checkpoint.sweep(folder.checkpoints)
    group.wait()
    at = restore(game, plan, folder, progress, group)
    group.wait()
    if group.first:
        if at.step and not folder.log.exists():
            progress.say(f"{folder.log.name} is missing, so what was logged before round {at.step:,} is lost")
        folder.rewind(at.step)
    group.agree("the checkpoint to continue from",
                "Give --out a folder on a disk that all processes share, and use machines of the same kind.",
                str(at.step).encode(), held(game, group))
    return at


def restore(game: Game, plan: Plan, folder: RunFolder, progress: Progress, group: ProcessGroup) -> Position:
    """Every process reads the same checkpoint for itself."""
    files, complaints = checkpoint.newest(folder.checkpoints, game)
    for i, complaint in enumerate(complaints):
        progress.say(complaint + (" Using the checkpoint before it." if files is not None or i + 1 < len(complaints) else ""))
    if files is None:
        if complaints:
            raise RunFailed(f"all checkpoints in {folder.checkpoints} are damaged, so the run cannot be resumed. Nothing was deleted. "
                            "Train into a new folder with --out.")
        if read_lines(folder.log):
            progress.say("there is no checkpoint yet, so this run starts again at step 0")
        return Position()
    step, facts = checkpoint.restore(files, game)
    at = Position(step, float(facts.get("seconds", 0.0)), list(facts.get("rollbacks", ())), list(facts.get("actions", ())))
    keep_pace(game, at, plan)
    progress.say(f"resumed from step {step}")
    now = conditions(plan.device, plan.precision, plan.exact, group.world_size, plan.compile, plan.accumulate)
    if other := broken(facts.get("conditions", {}), now):
        progress.say("from here on the run will differ in the last bits from one that was never stopped, because these changed: " +
                     "; ".join(other))
    return at


def roll_back(error: NotFinite, game: Game, plan: Plan, folder: RunFolder, progress: Progress, group: ProcessGroup,
              at: Position) -> Position:
    """Go back to the last good checkpoint with half the learning rate, or give up with the reason."""
    if plan.on_nan != "rollback":
        raise NotFinite(f"{error} Try half the learning rate, or the same command with on_nan=rollback, and look at the last lines of "
                        f"log.jsonl.") from None
    if len(at.rollbacks) - plan.inherited >= MOST_ROLLBACKS:
        raise NotFinite(f"{error} The run has already gone back {MOST_ROLLBACKS} times, each time with half the learning rate. Start again "
                        "with a much smaller learning rate, or check the data and the settings.") from None
    files, _ = checkpoint.newest(folder.checkpoints, game)
    if files is None:
        raise NotFinite(f"{error} No whole checkpoint is left to go back to.") from None
    step, facts = checkpoint.restore(files, game)
    back = Position(step, at.seconds, [*at.rollbacks, {"at": at.step, "to": step, "why": str(error)}], list(facts.get("actions", ())))
    keep_pace(game, back, plan)
    group.wait()
    if group.first:
        folder.rewind(step)
    progress.say(f"{error}\nBack to step {step:,}, with {pace(back, plan):g} of the learning rate from there on.")
    return back


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
            "The last checkpoint is whole: run the same command again to continue."
        raise RunFailed(f"{error.filename or folder.path} could not be written: {error.strerror or error}. "
                        f"Make room or mend the permissions. {kept}") from error


@contextmanager
def memory_trouble_told(plan: Plan, folder: RunFolder) -> Iterator[None]:
    """Turn an accelerator that is out of memory into a message that says by how much, and which batch may fit."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        short = ". ".join(str(error).splitlines()[0].split(". ")[:3]).rstrip(".")
        parts, less = 2 * plan.accumulate, max(1, plan.batch // 2)
        if plan.batch % parts == 0:
            advice = (f"Add accumulate={parts} to the same command: the batch is then split into {parts} parts, and each needs about half "
                      f"of the memory{'' if parts == 2 else ' of one part now'}. The run continues from its last checkpoint.")
        else:
            advice = (f"{f'batch={less} takes about half' if less < plan.batch else 'A smaller width or size takes less'}; give it with "
                      f"--out NEWDIR, or with --fork NEWDIR to continue from the last checkpoint in {folder.path}.")
        raise RunFailed(f"batch={plan.batch} does not fit into the memory of {plan.device}: {short}. {advice}") from error
