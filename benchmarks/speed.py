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


def trainer(data: object, given: dict[str, object]) -> float:
    """Rounds a second of training as `sparring train` counts them: logging included, pictures and scores not."""
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(Wish("gan", data, given), Path(folder) / "run")
        prepared = replace(prepared, plan=replace(prepared.plan, show_every=0, score_every=0))
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


def images(threads: int) -> dict[str, object]:
    torch.set_num_threads(threads)
    values = torch.randint(0, 256, (2000, 3, 32, 32), dtype=torch.uint8)
    given = {"steps": 30, "batch": 64, "latent": 32, "width": 64, "ema": 0, "threads": threads, "log_every": 1}
    source = Finite(Images(3, 32, 32), values)
    return pairs(lambda: trainer(source, given), lambda: by_hand.images(values, 64, 30))


if __name__ == "__main__":
    record("speed", "curves: classic settings, one thread, 1,500 rounds a turn. images: 32x32 RGB DCGAN, width 64, batch 64, 30 rounds a "
           "turn, no average. Each pair alternates both in one process; spreads are over the pairs.",
           {"curves": "ratio >= 1.0, aim 1.3", "images": "ratio >= 1.0"},
           [("curves, 1 thread", curves), ("images, 2 threads", lambda: images(2)), ("images, 1 thread", lambda: images(1))])
