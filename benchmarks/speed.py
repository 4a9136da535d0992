"""Steps a second against the loop a person would write: same networks, batch and optimizer, alternated in one process.

The hand-written loops generate once a round, detach for the discriminator, and log nothing; `sparring` is the whole
trainer with its log on.  On a noisy machine only the ratio within a pair means something.
"""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

import by_hand
from record import record, spread
from sparring.api import Silent, run
from sparring.data.source import Finite
from sparring.data.space import Images
from sparring.prepare import Wish, prepare

PAIRS = 3 if "--quick" in sys.argv else 5


def trainer(data: object, given: dict[str, object], rounds: int | None = None) -> float:
    """Rounds a second of training as `sparring train` counts them: logging included, pictures and scores not.

    `rounds` is how many to play of a longer run, which is what the choice of the precision is about.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(Wish("gan", data, given), Path(folder) / "run")
        plan = replace(prepared.plan, show_every=0, score_every=0, save_every=0, steps=rounds or prepared.plan.steps)
        prepared = replace(prepared, plan=plan)
        _, outcome = run(prepared, Silent())
    return outcome.step / outcome.seconds


def pairs(ours: Callable[[], float], theirs: Callable[[], float]) -> dict[str, object]:
    ours(), theirs()                                             # warm up
    rates = [(ours(), theirs()) if i % 2 else (theirs(), ours())[::-1] for i in range(PAIRS)]
    return {"sparring, steps/s": spread([a for a, _ in rates]), "by hand, steps/s": spread([b for _, b in rates]),
            "ratio": spread([a / b for a, b in rates]), "pairs": PAIRS}


def curves() -> dict[str, object]:
    torch.set_num_threads(1)
    classic = {"steps": 1500, "batch": 64, "latent": 5, "width": 128, "depth": 1, "slope": 0, "objective": "minimax", "lr": 1e-4,
               "beta1": 0.9, "decay": 0, "ema": 0, "threads": 1, "log_every": 10}
    return pairs(lambda: trainer("quadratic", classic), lambda: by_hand.curves(1500)[1])


def images(threads: int, **more: object) -> dict[str, object]:
    torch.set_num_threads(threads)
    values = torch.randint(0, 256, (2000, 3, 32, 32), dtype=torch.uint8)
    given = {"steps": 10_000, "batch": 64, "latent": 32, "width": 64, "ema": 0, "threads": threads, "log_every": 1, **more}
    source = Finite(Images(3, 32, 32), values)
    weight = float(more.get("penalty_weight", 0.0))
    return pairs(lambda: trainer(source, given, 30), lambda: by_hand.images(values, 64, 30, weight))


if __name__ == "__main__":
    record("speed", "curves: classic settings, one thread, 1,500 rounds a turn. images: 32x32 RGB DCGAN, width 64, batch 64, 30 rounds a "
           "turn of a run of 10,000, no average, against float32 by hand; R1: its penalty in every round. Each pair alternates both in "
           "one process; spreads are over the pairs.",
           {"curves": "ratio >= 1.3", "images": "ratio >= 1.7, aim 2", "images with R1": "ratio >= 2"},
           [("curves, 1 thread", curves),
            *((f"images, {threads} thread(s), {name}", lambda threads=threads, more=more: images(threads, **more))
              for threads in (2, 1) for name, more in (("default precision", {}), ("fp32", {"precision": "fp32"}),
                                                       ("R1, default precision", {"penalty": "r1", "penalty_weight": 1.0})))])
