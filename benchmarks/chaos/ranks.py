"""SIGKILL to one of two processes that train together; torchrun starts both again."""

import os
import random
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from chaos.kills import differences
from chaos.tally import Tally

PROMISE = "When one of several processes is killed, torchrun starts them again, and the run ends with the bits of one that nobody killed."
TRAIN = ["train", "wgan-gp", "--data", "mixture", "--steps", "600", "batch=32", "width=32", "threads=1", "save_every=10", "log_every=1",
         "show_every=300", "score_every=300"]
HANGS = 120             # seconds without a logged round


def start(out: Path) -> "subprocess.Popen[bytes]":
    """Without the variable, torchrun's restarts may wait for a store of the processes that are gone."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts", "100000",
               "-m", "sparring", *TRAIN, "--out", str(out)]
    with open(out.with_suffix(".said"), "wb") as said:
        return subprocess.Popen(command, stdout=said, stderr=said, env={**os.environ, "OMP_NUM_THREADS": "1",
                                                                      "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"})


def workers(parent: int) -> list[int]:
    """The processes that train."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=False).stdout.split()
    return [int(pid) for pid in listed]


def size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def progress(log: Path, running: "subprocess.Popen[bytes]") -> bool:
    """Wait until a round is logged or the run ends; False when neither happens."""
    before, began = size(log), time.monotonic()
    while time.monotonic() - began < HANGS:
        if running.poll() is not None or size(log) > before:
            return True
        if size(log) < before:                                  # rewound to the last checkpoint: what comes now is new
            before = size(log)
        time.sleep(0.05)
    return False


def trials(n: int, folder: Path, seed: int = 0) -> Tally:
    tally, rnd, recovery = Tally(), random.Random(seed), []
    whole = folder / "whole"
    if start(whole).wait(3600) != 0:
        return Tally(n, ["all: the undisturbed run failed: " + whole.with_suffix(".said").read_text(errors="replace")[-1000:]])
    for run in range(n):
        if tally.tried >= n:
            break
        out = folder / f"run-{run}"
        running, log = start(out), out / "log.jsonl"
        while tally.tried < n and progress(log, running) and running.poll() is None:
            time.sleep(rnd.uniform(0, 0.5))
            alive = workers(running.pid)
            if not alive:
                continue
            killed = time.monotonic()
            os.kill(rnd.choice(alive), signal.SIGKILL)
            tally.tried += 1
            if not progress(log, running):
                tally.fail(f"kill {tally.tried}", f"no round was logged in {HANGS} s after it")
                break
            recovery.append(time.monotonic() - killed)
        try:
            if running.wait(1200) != 0:
                tally.fail(f"run {run}", f"torchrun ended with code {running.returncode}")
        except subprocess.TimeoutExpired:
            running.kill()
            tally.fail(f"run {run}", "did not end")
        for difference in differences(whole, out):
            tally.fail(f"run {run}", difference)
        tally.count("runs")
    if recovery:
        tally.facts["median seconds from a kill to the next logged round"] = round(statistics.median(recovery), 1)
    return tally
