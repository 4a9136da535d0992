"""How long a person waits for every command's first word, in times of `import torch`.

    python -m benchmarks.cli.startup [--fresh]        results/startup.json; about ten minutes on two idle cores
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.record import ROOT, record, spread

PAIRS = 3
TORCH = "import torch; print('imported', flush=True); input()"
# What a person types; runs/points and runs/digits are runs of gan, runs/pairs one of pix2pix.  NEW is a folder that is not there.
COMMANDS = (
    "--help", "--version", "recipes", "show gan", "show runs/digits", "train gan --data ring --out NEW",
    "train gan --data digits --out NEW",
    "train images --data digits --minutes 5 --out NEW", "train cyclegan --out NEW", "train gan --data pictures --out NEW",
    "train gan --data ring steps=20 threads=1 --out runs/points", "train gna", "rerun runs/points --out NEW", "sample runs/points",
    "sample runs/digits", "evaluate runs/points", "evaluate runs/digits", "evaluate --real digits --generated pictures", "data ring",
    "data digits", "data pictures", "translate runs/pairs pictures --out NEW", "explore runs/points --out NEW", "doctor runs/points",
    "doctor runs/points --gap", "report runs/digits --out NEW/page.html", "compare runs/points runs/digits --out NEW/page.html",
    "gallery --out NEW", "demo --out NEW", "experiment", "experiment dirac --quick --out NEW", "bench")
RUNS = {"runs/points": "gan --data ring", "runs/digits": "gan --data digits width=8", "runs/pairs": "pix2pix width=8"}
ENVIRONMENT = {**{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
               "PYTHONPATH": str(ROOT / "src")}                 # the second time on, Python reads what it compiled, as in an installation


def sparring(*words: str) -> list[str]:
    return [sys.executable, "-m", "sparring", *words]


def first_word(command: list[str], folder: Path) -> tuple[float, float]:
    """Seconds, and processor seconds, until the command's first byte on standard output or error; then it is ended."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, bufsize=0, start_new_session=True)
    assert process.stdout is not None and process.stdin is not None
    assert process.stdout.read(1), f"{command} ended without a word"
    seconds = time.perf_counter() - started
    os.killpg(process.pid, signal.SIGKILL)                      # with the processes that it may have started by now
    used = os.wait4(process.pid, 0)[2]
    process.returncode = -signal.SIGKILL
    process.stdout.close()
    process.stdin.close()
    return seconds, used.ru_utime + used.ru_stime


def measured(command: str, folder: Path) -> dict[str, Any]:
    """The command and `import torch` in turns, each in a new process."""
    pairs = []
    for _ in range(PAIRS):
        shutil.rmtree(folder / "NEW", ignore_errors=True)
        alone = first_word([sys.executable, "-c", TORCH], folder)
        pairs.append((first_word(sparring(*command.split()), folder), alone))
    seconds, ratios = spread([ours[0] for ours, _ in pairs]), spread([ours[0] / alone[0] for ours, alone in pairs])
    return {"seconds": seconds, "import torch": spread([alone[0] for _, alone in pairs])["median"], "ratio": ratios,
            "ratio of processor time": spread([ours[1] / alone[1] for ours, alone in pairs])["median"], "within": ratios["median"] <= 1.5}


def prepared(folder: Path) -> Path:
    """Runs and pictures for the commands that ask for some; and everything compiled once."""
    for run, words in RUNS.items():
        subprocess.run(sparring("train", *words.split(), "steps=20", "threads=1", "--out", run), cwd=folder, env=ENVIRONMENT, check=True,
                       capture_output=True)
    (folder / "pictures").mkdir()
    for i, values in enumerate(np.random.default_rng(0).integers(0, 256, (500, 32, 32, 3), np.uint8)):
        Image.fromarray(values).save(folder / "pictures" / f"{i:03d}.png")
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(ROOT / "src")], env=ENVIRONMENT, check=True)
    return folder


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        place = prepared(Path(name))
        record("startup", f"Seconds from starting a process to its first byte on standard output or error, in turns with python -c 'import "
               f"torch; print()', {PAIRS} pairs, in ratios of each pair: median, least and most. Compiled modules and data lie in the "
               "system's cache. runs/points and runs/digits: gan; runs/pairs: pix2pix; pictures: 500 PNGs of 32x32.",
               {"every command": "ratio <= 1.5"}, [(command, partial(measured, command, place)) for command in COMMANDS])
