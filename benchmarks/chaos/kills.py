"""SIGKILL at random moments of real training."""

import contextlib
import io
import json
import multiprocessing
import random
import time
from pathlib import Path
from typing import Any

from benchmarks.chaos.tally import Tally

PROMISE = "A run that is killed at any moment, however often, goes on and ends with the same bits as one that was not."
RUNS: list[tuple[str, str, dict[str, Any]]] = [
    ("gan", "digits", {"steps": 60, "width": 8, "batch": 16}),
    ("gan", "quadratic", {"steps": 400, "discriminator_steps": 2, "penalty": "r1", "penalty_weight": 0.1, "penalty_every": 3}),
    ("wgan", "ring", {"steps": 120, "first_steps": 10, "batch": 64}),
    ("wgan-gp", "grid", {"steps": 120, "batch": 64}),
    ("r3gan", "mixture", {"steps": 250, "workers": 2}),
    ("vae", "digits", {"steps": 80, "width": 8, "batch": 16, "precision": "bf16"}),
]
OFTEN = {"threads": 1, "log_every": 7, "show_every": 40, "score_every": 40, "save_every": 5}


def train(recipe: str, data: str, given: dict[str, Any], out: str) -> None:
    """In a process of its own: what `sparring train` does."""
    from sparring.api import Silent, run
    from sparring.setup.prepare import prepare
    from sparring.setup.request import Request

    with contextlib.redirect_stderr(io.StringIO()):
        prepared = prepare(Request(recipe, data, given, seed=3), Path(out))
        if not prepared.finished():
            run(prepared, Silent())


def children() -> Any:
    """Processes that start with torch imported already, so that most of their life is training."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sparring.cli.train", "sparring.api", "sparring.setup.prepare", "benchmarks.chaos.kills"])
    return context


def trials(n: int, folder: Path, seed: int = 0) -> Tally:
    """n kills, over all the runs in turn; each run is killed until it gets to its end, then begun anew in another folder."""
    tally, rnd, context = Tally(), random.Random(seed), children()
    whole: dict[int, tuple[Path, float]] = {}
    for turn in range(10 * n):
        if tally.tried >= n:
            break
        which = turn % len(RUNS)
        recipe, data, given = RUNS[which]
        if which not in whole:
            whole[which] = undisturbed(context, which, folder)
        reference, seconds = whole[which]
        out, name, killed = folder / f"run-{turn}", f"{recipe} on {data}, run {turn}", 0
        while tally.tried < n:
            process = context.Process(target=train, args=(recipe, data, given | OFTEN, str(out)))
            process.start()
            process.join(rnd.uniform(0.02, seconds))
            if not process.is_alive():
                if process.exitcode:
                    tally.fail(name, f"ended with code {process.exitcode} after {killed} kills")
                break
            if list(out.glob("**/.writing-*")):
                tally.count("kills while a file was being written")
            process.kill()
            process.join()
            killed += 1
            tally.tried += 1
        finish(context, (recipe, data, given | OFTEN, str(out)), tally, name)
        for difference in differences(reference, out):
            tally.fail(name, f"{difference} after {killed} kills")
        tally.count("runs")
    tally.facts["recipes"] = len({RUNS[which][0] for which in whole})
    return tally


def undisturbed(context: Any, which: int, folder: Path) -> tuple[Path, float]:
    """The run that nobody kills, and the seconds it takes."""
    recipe, data, given = RUNS[which]
    out, began = folder / f"whole-{which}", time.monotonic()
    finish(context, (recipe, data, given | OFTEN, str(out)), Tally(), recipe)
    return out, time.monotonic() - began


def finish(context: Any, what: tuple[Any, ...], tally: Tally, name: str) -> None:
    process = context.Process(target=train, args=what)
    process.start()
    process.join(300)
    if process.exitcode != 0:
        process.kill()
        tally.fail(name, f"could not be finished: code {process.exitcode}")


def differences(whole: Path, pieces: Path) -> list[str]:
    """What of a run that was killed is not what it is in the run that was not: its model, its logs, its pictures."""
    from sparring.runs.folder import read_lines

    found = []
    if not (pieces / "model" / "model.safetensors").exists():
        return ["there is no model"]
    for name in ("model/model.safetensors", *(str(p.relative_to(whole)) for p in sorted(whole.glob("samples/*.png")))):
        if not (pieces / name).exists() or (whole / name).read_bytes() != (pieces / name).read_bytes():
            found.append(f"{name} differs")
    for name in ("log.jsonl", "scores.jsonl"):
        logs = [[json.dumps(row | {"time": 0}) for row in read_lines(run / name)] for run in (whole, pieces)]
        if logs[0] != logs[1]:
            found.append(f"{name} differs")
    newest = [max((run / "checkpoint").iterdir(), key=lambda p: p.name) for run in (whole, pieces)]
    for name in ("model.safetensors", "optimizer.safetensors"):
        if (newest[0] / name).read_bytes() != (newest[1] / name).read_bytes():
            found.append(f"the last checkpoint's {name} differs")
    left = [str(p.relative_to(pieces)) for p in pieces.glob("**/.*-*")]
    return found + ([f"left behind: {', '.join(left)}"] if left else [])
