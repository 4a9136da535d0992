"""A long run of small steps: memory, open files and threads."""

import gc
import os
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from benchmarks.chaos.tally import Tally

PROMISE = "A run of any length needs no more memory, open files and threads than a short one."
SAMPLES = 100
RUNS: list[tuple[str, str, dict[str, Any]]] = [
    ("gan", "mixture", {"batch": 8, "width": 8, "depth": 1, "workers": 2}), ("r3gan", "quadratic", {"batch": 8, "width": 8, "depth": 1}),
]


class Watch:
    """Progress that measures this process now and then: resident kilobytes, open files, threads, tensors that are alive."""

    def __init__(self, steps: int) -> None:
        self.every = max(1, steps // SAMPLES)
        self.rows: list[tuple[int, int, int, int, int]] = []

    def update(self, step: int, steps: int, values: dict[str, float]) -> None:
        if step % self.every == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            tensors = sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())
            self.rows.append((step, pages * os.sysconf("SC_PAGE_SIZE") // 1024, len(os.listdir("/proc/self/fd")),
                              threading.active_count(), tensors))

    def say(self, message: str) -> None:
        pass


def trials(n: int, folder: Path, seed: int = 0) -> Tally:
    """n small steps in all, shared by the runs, with checkpoints, pictures and scores on the way.

    Drawing takes some fifty pictures to have all the memory that it ever needs, so there are many in the first half.
    """
    from sparring.setup.prepare import prepare
    from sparring.setup.request import Request
    from sparring.training.loop import train

    tally = Tally()
    for i, (recipe, data, given) in enumerate(RUNS):
        steps = n // len(RUNS)
        watch = Watch(steps)
        request = Request(recipe, data, {**given, "steps": steps, "threads": 1, "log_every": max(1, steps // SAMPLES),
                                         "save_every": steps // 20, "show_every": max(250, steps // 200), "score_every": steps // 20}, seed)
        prepared = prepare(request, folder / f"run-{i}")
        train(prepared.game, prepared.source, prepared.plan, prepared.folder, watch)
        prepared.folder.unlock()
        tally.tried += steps
        judge(f"{recipe} on {data}", watch.rows, tally)
    return tally


def judge(name: str, rows: list[tuple[int, int, int, int, int]], tally: Tally) -> None:
    """The last half of the run, in which everything that is made once has been made: nothing may rise with the steps.

    Of the memory, the slope with its standard error by batches of samples (they are not independent); it is flat when zero is
    within three errors, or when it is less than a kilobyte in a thousand steps.
    """
    half = rows[len(rows) // 2:]
    for column, what in ((2, "open files"), (3, "threads"), (4, "tensors")):
        first, last = half[0][column], half[-1][column]
        tally.facts[f"{name}: {what}"] = f"{first} -> {last}"
        if last > first + (0 if column < 4 else 50):
            tally.fail(name, f"{what} rose from {first} to {last}")
    slope, error = rise(half)
    tally.facts[f"{name}: kilobytes in 1,000 steps"] = f"{slope:.3f} +- {error:.3f}"
    tally.facts[f"{name}: resident megabytes"] = f"{half[0][1] / 1024:.1f} -> {half[-1][1] / 1024:.1f}"
    if slope > max(1.0, 3 * error):
        tally.fail(name, f"memory rose by {slope:.2f} +- {error:.2f} kilobytes in 1,000 steps")


def rise(rows: list[tuple[int, int, int, int, int]], parts: int = 10) -> tuple[float, float]:
    """Kilobytes in a thousand steps: the mean of the slopes of consecutive parts, and its standard error."""
    size = len(rows) // parts
    ends = [sum(row[1] for row in rows[k * size:(k + 1) * size]) / size for k in range(parts)]
    width = (rows[size][0] - rows[0][0]) / 1000
    slopes = [(b - a) / width for a, b in pairwise(ends)]
    mean = sum(slopes) / len(slopes)
    return mean, (sum((s - mean) ** 2 for s in slopes) / (len(slopes) - 1) / len(slopes)) ** 0.5
