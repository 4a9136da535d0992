"""SIGKILL to processes that train together; torchrun starts all of them again, with no variable set for it."""

import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from benchmarks.chaos.kills import differences
from benchmarks.chaos.tally import Tally

PROMISE = "When some of several processes are killed, torchrun starts them again, and the run ends with the bits of one that nobody killed."
OFTEN = ["threads=1", "log_every=1", "show_every=100", "score_every=100", "save_every=10"]
RUNS = [["train", "wgan-gp", "--data", "mixture", "--steps", "200", "batch=32", "width=32", *OFTEN],
        ["train", "gan", "--data", "digits", "--steps", "150", "batch=16", "width=8", "augment=ada", "penalty=r1", "penalty_every=4",
         *OFTEN]]
HANGS = 240             # seconds without a logged round
MOST = 10               # attacks on one run, which then goes on to its end
MOMENTS = {"one of them, at any moment": 40, "the first one, at any moment": 15, "the first one, while a checkpoint is written": 15,
           "one of them, while they start": 15, "one of them, and another right after": 10, "all of them at once": 5}


def start(words: list[str], out: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts", "100000",
               "-m", "sparring", *words, "--out", str(out)]
    return launch(command, out.with_suffix(".said"))


def launch(command: list[str], file: Path) -> "subprocess.Popen[bytes]":
    with open(file, "ab") as said:
        return subprocess.Popen(command, stdout=said, stderr=said, env={**os.environ, "OMP_NUM_THREADS": "1"})


def workers(parent: int) -> list[int]:
    """The processes that train, in the order in which they were started, which is that of their ranks."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=False).stdout.split()
    return sorted(int(pid) for pid in listed)


def size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def progress(log: Path, running: "subprocess.Popen[bytes]") -> bool:
    """Wait until a round is logged or the run ends; False when neither happens."""
    before, began = size(log), time.monotonic()
    while time.monotonic() - began < HANGS:
        if running.poll() is not None or size(log) > before:
            return True
        before = min(before, size(log))                         # rewound to the last checkpoint: what comes now is new
        time.sleep(0.02)
    return False


def until(there: Callable[[], object], seconds: float) -> bool:
    """Whether a condition comes true in this time."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if there():
            return True
        time.sleep(0.001)
    return False


def attack(moment: str, running: "subprocess.Popen[bytes]", out: Path, rnd: random.Random) -> int:
    """Kill at this moment; how many were killed."""
    if "checkpoint" in moment and not until(lambda: list(out.glob("checkpoint/.writing-*")) or running.poll() is not None, 60):
        return 0
    if "any moment" in moment:
        time.sleep(rnd.uniform(0, 1))
    already = 0
    if "start" in moment:                                       # all are killed, so that all start, and in that again
        before = set(workers(running.pid))
        kill(list(before))
        already = len(before)
        until(lambda: len(now := set(workers(running.pid))) == 2 and not now & before, 60)
        time.sleep(rnd.uniform(0, 6))
    alive = workers(running.pid)
    chosen = alive if "all" in moment else alive[:1] if "first" in moment else rnd.sample(alive, min(1, len(alive)))
    kill(chosen)
    if "another" in moment:
        time.sleep(rnd.uniform(0, 0.2))
        kill(others := [pid for pid in workers(running.pid) if pid not in chosen][:1])
        return len(chosen) + len(others)
    return already + len(chosen)


def kill(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def trials(n: int, folder: Path, seed: int = 0) -> Tally:
    """n attacks in turn on runs of each kind; every run goes on to its end, and is then compared with one that nobody touched."""
    tally, rnd, seconds = Tally(), random.Random(seed), []
    for which, words in enumerate(RUNS):
        if start(words, folder / f"whole-{which}").wait(1200) != 0:
            return Tally(n, ["all: the undisturbed run failed: " + (folder / f"whole-{which}.said").read_text(errors="replace")[-1000:]])
    for run in range(10 * n):
        if tally.tried >= n:
            break
        out, words = folder / f"run-{run}", RUNS[run % len(RUNS)]
        running, log, most = start(words, out), out / "log.jsonl", min(n, tally.tried + MOST)
        while tally.tried < most and progress(log, running) and running.poll() is None:
            moment = rnd.choices(list(MOMENTS), list(MOMENTS.values()))[0]
            killed = attack(moment, running, out, rnd)
            if not killed:
                continue
            began = time.monotonic()
            tally.tried += 1
            tally.count(f"killed {moment}")
            tally.facts["processes killed"] = int(tally.facts.get("processes killed", 0)) + killed
            if not progress(log, running):
                tally.fail(f"kill {tally.tried}", f"{moment}: no round was logged in {HANGS} s after it")
                break
            if running.poll() is None:
                seconds.append(time.monotonic() - began)
        finish(running, out, folder / f"whole-{run % len(RUNS)}", tally, f"run {run}")
    return told(tally, seconds)


def finish(running: "subprocess.Popen[bytes]", out: Path, whole: Path, tally: Tally, name: str) -> None:
    ended(running, tally, name)
    for difference in differences(whole, out):
        tally.fail(name, difference)
    tally.count("runs")


def ended(running: "subprocess.Popen[bytes]", tally: Tally, name: str) -> None:
    """Wait for torchrun's end, and see whether it was a good one."""
    try:
        if running.wait(1200) != 0:
            tally.fail(name, f"torchrun ended with code {running.returncode}")
    except subprocess.TimeoutExpired:
        kill(workers(running.pid))
        running.kill()
        tally.fail(name, "did not end")


def told(tally: Tally, seconds: list[float]) -> Tally:
    """With the time from a kill to the next logged round, starting Python and importing torch included."""
    if len(seconds) > 1:
        tenths = statistics.quantiles(seconds, n=10)
        tally.facts |= {"seconds from a kill to the next logged round, median": round(statistics.median(seconds), 1),
                        "a tenth took less than": round(tenths[0], 1), "a tenth took more than": round(tenths[-1], 1),
                        "the longest": round(max(seconds), 1)}
    return tally
