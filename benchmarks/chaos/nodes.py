"""SIGKILL to processes of a run that two torchruns share, as two machines would; they find each other again."""

import random
import socket
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.chaos import ranks
from benchmarks.chaos.tally import Tally

PROMISE = "The same holds on several machines, each with a torchrun of its own, whichever of them loses a process."


def start(words: list[str], out: Path) -> "list[subprocess.Popen[bytes]]":
    """Two of them, on one machine."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    there = ["--nnodes", "2", "--nproc-per-node", "1", "--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{port}"]
    command = [sys.executable, "-m", "torch.distributed.run", *there, "--rdzv-id", "chaos", "--max-restarts", "100000", "-m", "sparring",
               *words, "--out", str(out)]
    return [ranks.launch(command, out.with_suffix(f".said-{node}")) for node in range(2)]


def trials(n: int, folder: Path, seed: int = 0) -> Tally:
    tally, rnd, seconds, words = Tally(), random.Random(seed), [], ranks.RUNS[0]
    if ranks.start(words, folder / "whole").wait(1200) != 0:
        return Tally(n, ["all: the undisturbed run failed: " + (folder / "whole.said").read_text(errors="replace")[-1000:]])
    for run in range(10 * n):
        if tally.tried >= n:
            break
        out = folder / f"run-{run}"
        nodes, log, most = start(words, out), out / "log.jsonl", min(n, tally.tried + ranks.MOST)
        while tally.tried < most and ranks.progress(log, nodes[0]) and nodes[0].poll() is None:
            time.sleep(rnd.uniform(0, 1))
            killed = ranks.workers(rnd.choice(nodes).pid)
            ranks.kill(killed)
            if not killed:
                continue
            began = time.monotonic()
            tally.tried += 1
            if not ranks.progress(log, nodes[0]):
                tally.fail(f"kill {tally.tried}", f"no round was logged in {ranks.HANGS} s after it")
                break
            if nodes[0].poll() is None:
                seconds.append(time.monotonic() - began)
        for node in nodes[1:]:
            ranks.ended(node, tally, f"run {run}")
        ranks.finish(nodes[0], out, folder / "whole", tally, f"run {run}")
    return ranks.told(tally, seconds)
