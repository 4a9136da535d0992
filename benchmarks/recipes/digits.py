"""Handwritten digits at 16x16: can a classifier that saw only generated ones read the real ones?"""

import tempfile
from pathlib import Path

from benchmarks.record import record
from sparring.api import Silent, run
from sparring.setup.prepare import prepare
from sparring.setup.request import Request


def case(conditional: bool, seed: int) -> dict[str, float]:
    given = {"steps": 1500, "conditional": conditional, "show_every": 10**9, "score_every": 10**9}
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(Request("gan", "digits", given, seed), Path(folder) / "run")
        _, outcome = run(prepared, Silent())
    chosen = prepared.config["run_settings"]
    return {**outcome.scores, "seconds": outcome.seconds, "threads": chosen["threads"], "precision": chosen["precision"]}


if __name__ == "__main__":
    record("digits", "1,500 rounds on 1,437 digits; 360 held out. svc_accuracy: scikit-learn's SVC with its defaults, trained on 4,000 "
           "generated digits (400 a class), tested on the held-out real ones; svc_accuracy_real: trained on the 1,437 real ones. "
           "smallest_class, largest_class: shares of 4,000 samples by an SVC trained on the real digits.",
           {"conditional": "svc_accuracy >= 0.90, seconds <= 180", "unconditional": "smallest_class >= 0.04, largest_class <= 0.20"},
           [(f"{'conditional' if conditional else 'unconditional'}, seed {seed}",
             lambda conditional=conditional, seed=seed: case(conditional, seed)) for conditional in (True, False) for seed in (0, 1, 2)])
