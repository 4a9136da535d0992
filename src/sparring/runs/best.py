"""The state with the best score so far, kept beside the last: `best/` in a run folder, which opens like a run of its own."""

import math
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from sparring.game import Game, NotFinite
from sparring.metrics.catalogue import METRICS
from sparring.runs import checkpoint
from sparring.runs.folder import RunFolder, write_atomic
from sparring.untrusted import JSON_BYTES, Strange, parse


def keep_best(game: Game, folder: RunFolder, metric: str, step: int, scores: dict[str, float], facts: dict[str, Any]) -> None:
    """Put the whole state of the game into best/, in place of the one there, when it has a better score.

    What it is compared with stands in the checkpoint there, so that a run that was killed and resumed keeps the same state as one
    that was not: scores are the same again, and an equal one replaces nothing.
    """
    name = next((name for name in scores if name.split("(")[0] == metric), None)
    if metric == "none" or name is None or not math.isfinite(scores[name]):
        return
    best, before = RunFolder(folder.best), best_score(folder, name)
    sign = 1 if METRICS[metric].better == "higher" else -1
    if before is not None and sign * scores[name] <= sign * before:
        return
    folder.best.mkdir(exist_ok=True)
    write_atomic(best.config, folder.config.read_text())
    with suppress(NotFinite):                                   # the next save of the run will tell
        kept = checkpoint.save(best.checkpoints, game, step, facts | {"score": {name: scores[name]}})
        for other in checkpoints(best):
            if other != kept:
                shutil.rmtree(other, ignore_errors=True)


def best_score(folder: RunFolder, name: str) -> float | None:
    """The score of the state in best/; None when there is no whole one, or it was kept for another metric."""
    for path in checkpoints(RunFolder(folder.best)):
        with suppress(checkpoint.Damaged, Strange, TypeError, AttributeError):
            state = checkpoint.State(**parse(checkpoint.read_folder(path, {checkpoint.STATE: JSON_BYTES})[checkpoint.STATE]))
            value = state.facts.get("score", {}).get(name)
            return value if isinstance(value, float) else None
    return None


def checkpoints(folder: RunFolder) -> list[Path]:
    return [path for path in sorted(folder.checkpoints.glob("[0-9]*"), reverse=True) if path.is_dir()]
