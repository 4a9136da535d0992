"""Fashion-MNIST from its IDX files at 32x32: does memory grow with the steps?"""

import os
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.record import DATA as SETS
from benchmarks.record import record
from sparring.api import run
from sparring.setup.prepare import prepare
from sparring.setup.request import Request

DATA = SETS / "fashion-mnist"
STEPS = 1000


class Memory:
    """Progress that notes how much memory the process holds, in MB, at every logged round."""

    def __init__(self) -> None:
        self.held: list[tuple[int, float]] = []

    def update(self, step: int, steps: int, values: dict[str, float]) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.held.append((step, pages * os.sysconf("SC_PAGE_SIZE") / 2**20))

    def say(self, message: str) -> None:
        pass


def case() -> dict[str, object]:
    memory = Memory()
    with tempfile.TemporaryDirectory() as folder:
        given = {"steps": STEPS, "size": 32, "log_every": 10, "show_every": 10**9, "save_every": 100, "score_every": 10**9}
        prepared = prepare(Request("gan", str(DATA), given), Path(folder) / "run")
        _, outcome = run(prepared, memory)
    early = median(mb for step, mb in memory.held if 0.2 * STEPS <= step < 0.4 * STEPS)
    late = median(mb for step, mb in memory.held if step >= 0.8 * STEPS)
    return {"steps": outcome.step, "steps/s": outcome.step / outcome.seconds, "threads": prepared.config["run_settings"]["threads"],
            "MB, rounds 200-400": early, "MB, rounds 800-1000": late, "growth, MB": late - early, **outcome.scores}


if __name__ == "__main__":
    record("fashion", f"60,000 images read from train-images-idx3-ubyte.gz, resized to 32x32, conditional, defaults, {STEPS} rounds of "
           "batch 64; resident memory of the process at every tenth round. Set SPARRING_DATA to the folder that holds fashion-mnist/.",
           {"all": "memory does not grow with the steps"}, [("seed 0", case)])
