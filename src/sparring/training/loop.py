"""The training loop: once in a while show, score, save; then play a round."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from sparring.data.source import Source, batches
from sparring.doctor.attend import Attending, attend, due
from sparring.errors import InputError, RunFailed
from sparring.game import Game, NotFinite, play
from sparring.game.compiled import in_one
from sparring.game.processes import ALONE, ProcessGroup, bits
from sparring.metrics.run_scores import score
from sparring.pictures.snapshot import snapshot
from sparring.rng import seed_round
from sparring.runs import checkpoint
from sparring.runs.best import keep_best
from sparring.runs.folder import RunFolder, append, read_lines, write_atomic
from sparring.training.exactness import broken, conditions, deterministic
from sparring.training.interrupt import Interrupt

Remake = Callable[[Mapping[str, Any]], Game]        # the same game with these settings, untrained

MOST_ROLLBACKS = 3
TOGETHER = 8            # rounds after which processes ask each other whether one was asked to stop


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
    saved, scores = at.step, last_scores(folder)
    watched = group.first and plan.check_every and (game.draws or game.animation is not None)
    doctor = attend(source, folder, plan.seed, own_actions(at, plan)) if watched else None
    if plan.on_nan == "rollback" and at.step == 0:              # so that there is always something to go back to
        save(game, plan, folder, group, at)
    with closing(batches(source, plan.batch, plan.seed, game.drawn(at.step), plan.workers, group.rows(plan.batch))) as stream:
        rounds = on_device(stream, plan.device)
        while True:
            done = at.step >= plan.steps
            taken = own_actions(at, plan) if plan.doctor == "act" and remake else None
            ended = doctor is not None and doctor.done(plan.stop_when, taken)
            asked = interrupt.asked or ended
            if group.world_size > 1:
                asked = at.step % TOGETHER == 0 and group.any(asked)
            shown = game.shows and plan.show_every and (done or at.step % plan.show_every == 0)
            scored = game.shows and plan.score_every and at.step and (done or at.step % plan.score_every == 0)
            if group.first and shown:
                snapshot(game, source, folder.samples, at.step, plan.seed)
            if group.first and scored:
                scores = score(game, source, plan.seed, plan.keep_best, plan.score_every * plan.batch)
                append(folder.scores, {"step": at.step, **scores})
                keep_best(game, folder, plan.keep_best, at.step, scores, at.facts(plan, group))
            if shown or scored:
                group.wait()                                     # for long; within a round no rank is waited for that long
            if at.step > saved and (done or asked or (plan.save_every and at.step % plan.save_every == 0)):
                save(game, plan, folder, group, at)
                saved = at.step
            if done or asked:
                health = doctor.diagnosis.line() if doctor and doctor.diagnosis else ""
                return Outcome(at.step, at.seconds, scores, tuple(at.rollbacks[plan.inherited:]), 0.0, health, ended, own_actions(at, plan))
            started = time.perf_counter()                       # looking and saving is not training
            seed_round(plan.seed, plan.device, at.step)         # any round can be replayed alone
            with group.part_of(plan.batch):
                terms, seen = play(game, rounds, at.step, group.share)
            at.step += 1
            if at.step % plan.log_every == 0 or at.step in (1, plan.steps):
                values = {name: value.item() for name, value in terms.items()}
                values = group.means(values | {name: look().item() for name, look in seen.items()})
                at.seconds += time.perf_counter() - started
                if group.first:
                    log(folder, {"step": at.step, "time": round(at.seconds, 3), **values}, doctor)
                    progress.update(at.step, plan.steps, values)
            else:
                at.seconds += time.perf_counter() - started
            if due(at.step, plan.steps, plan.check_every):
                if doctor:
                    consult(doctor, game, at.step, progress)
                if plan.doctor == "act" and remake and act(doctor, game, plan, progress, group, at, remake):
                    save(game, plan, folder, group, at)
                    return None


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


def own_actions(at: Position, plan: Plan) -> tuple[dict[str, Any], ...]:
    return tuple(at.actions[plan.inherited_actions:])


def changed(at: Position, plan: Plan) -> dict[str, Any]:
    """The settings that the doctor's actions left, where they are no longer those that were asked for."""
    return {name: value for action in own_actions(at, plan) for name, value in action["settings"].items()}


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


def held(game: Game, group: ProcessGroup) -> bytes:
    """A digest of the networks and the memory, by which processes see that they have the same; nothing where there is one."""
    if group.world_size == 1:
        return b""
    tensors: dict[str, Tensor] = {}
    plain = checkpoint.flatten({name: part.state_dict() for name, part in game.memory.items()}, tensors, "memory")
    return bits([*checkpoint.networks(game).values(), *tensors.values()]) + json.dumps(plain).encode()


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


def pace(at: Position, plan: Plan) -> float:
    """Half the learning rate for every time that the run went back, not counting the run that it was forked from."""
    return 0.5 ** (len(at.rollbacks) - plan.inherited)


def keep_pace(game: Game, at: Position, plan: Plan) -> None:
    for player in game.players.values():
        player.pace = pace(at, plan)


def last_scores(folder: RunFolder) -> dict[str, float]:
    rows = read_lines(folder.scores)
    return {name: value for name, value in rows[-1].items() if name != "step"} if rows else {}


def on_device(rounds: Iterator[Any], device: torch.device) -> Iterator[Any]:
    """The same batches, named tuples of tensors or None, on the device."""
    if device.type == "cpu":
        return rounds
    return (type(batch)(*(part if part is None else part.to(device) for part in batch)) for batch in rounds)


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
