"""The public crash test ckpt-chaos over `sparring train`: killed before every file event, and with every file torn in half."""

import subprocess
import sys
from pathlib import Path

from benchmarks.chaos.tally import Tally

PROMISE = ("A run that is killed at any of its file operations, or with a file half written, goes on from its newest whole checkpoint and "
           "ends with the same bits.")
RESUMED = r"(?:resumed from step |is finished \()(\d+)"      # killed while it drew its last pictures, a run is finished
TRAIN = ["train", "gan", "--data", "mixture", "--steps", "12", "batch=16", "width=16", "threads=1", "save_every=4", "show_every=6",
         "score_every=6", "log_every=3"]


def trials(n: int, folder: Path, seed: int = 0) -> Tally:
    """At most n points, evenly over all the events of a run (a run has fewer than 200)."""
    work = folder / "ckpt-chaos"
    command = [sys.executable, "-m", "ckpt_chaos", "run", "--checkpoint-glob", "{out}/checkpoint/0*", "--ckpt-ignore-size",
               "--step-regex", RESUMED, "--result-file", "{out}/model/model.safetensors", "--max-points", str(n),
               "--jobs", "2", "--timeout", "300", "--fail-on", "HARD_FAIL,SILENT_DIVERGENCE,LOST_WORK", "--work", str(work),
               "--", sys.executable, "-m", "sparring", *TRAIN, "--out", "{out}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    tally = judged(work) if work.exists() else Tally()
    if done.returncode not in (0, 1) or not tally.tried or bool(done.returncode) != bool(tally.failures):
        tally.fail("all", f"ckpt-chaos ended with code {done.returncode}: {(done.stdout + done.stderr)[-1500:]}")
    return tally


def judged(work: Path) -> Tally:
    """Its own verdicts: PASS, HARD_FAIL, SILENT_DIVERGENCE or LOST_WORK."""
    from ckpt_chaos.runner import rejudge

    tally = Tally()
    for row in rejudge(work):
        tally.tried += 1
        tally.count(row.verdict)
        if row.verdict != "PASS":
            tally.fail(row.label, row.verdict)
    return tally
