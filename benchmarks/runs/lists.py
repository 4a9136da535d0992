"""How long a list of 100 run folders takes, and a chart of a log of 1,000,000 rounds.

    python -m benchmarks.runs.lists [--fresh]         results/lists.json; about two minutes and 300 MB of disk
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import record, spread
from sparring.runs.folder import read_lines
from sparring.runs.index import listed
from sparring.runs.log_lines import LogLines

RUNS, ROUNDS, OF_OTHERS, LOOKS = 100, 1_000_000, 2_000, 5
TERMS = ("discriminator/adversarial", "generator/adversarial", "discriminator/D(x)", "discriminator/D(G(z))", "discriminator/accuracy")
MEMORY = """
import re, sys
from pathlib import Path
from sparring.runs.log_lines import LogLines
most = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
lines = LogLines(Path(sys.argv[1]))
lines.read(0)
before = most()
while not lines.exact:
    lines.read()
print(before, most())
"""


def made(root: Path) -> Path:
    """Runs as `sparring train` leaves them, but for the models: the numbers in their logs are drawn."""
    chance = random.Random(0)
    for k in range(RUNS):
        folder = root / f"run-{k:03d}"
        (folder / "model").mkdir(parents=True)
        (folder / "model" / "model.safetensors").touch()
        (folder / "config.json").write_text(json.dumps({"recipe": "gan", "settings": {"steps": ROUNDS}, "data": "ring", "seed": k}))
        with open(folder / "log.jsonl", "w") as log:
            for step in range(1, (OF_OTHERS if k else ROUNDS) + 1):
                row = {"step": step, "time": round(step / 2000, 3), **{term: chance.random() for term in TERMS}}
                log.write(json.dumps(row) + "\n")
        with open(folder / "scores.jsonl", "w") as scores:
            for step in range(100, OF_OTHERS, 100):
                scores.write(json.dumps({"step": step, "modes": 8, "quality": chance.random()}) + "\n")
    return root


def timed(action: Callable[[], Any]) -> dict[str, float]:
    seconds = []
    for _ in range(LOOKS):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return spread(seconds)


def the_list(root: Path) -> dict[str, Any]:
    found = listed(root)
    assert len(found) == RUNS and all(one.state == "finished" for one in found)
    assert found[0].step == ROUNDS
    seconds = timed(lambda: listed(root))
    return {"runs": RUNS, "seconds": seconds, "within": seconds["median"] < 1}


def first_look(log: Path) -> LogLines:
    lines = LogLines(log)
    lines.read(seconds=0)
    return lines


def the_chart(log: Path) -> dict[str, Any]:
    """The first look, and how long it takes until every line has been read; in the end exact, beside what reading all of it says."""
    seconds = timed(lambda: first_look(log).lines())
    lines = first_look(log)
    points, used = len(lines.lines()[TERMS[0]].steps), time.process_time()
    started = time.perf_counter()
    while not lines.exact:
        lines.read()
    whole, used = time.perf_counter() - started, time.process_time() - used
    return {"megabytes": round(log.stat().st_size / 2**20), "points": points, "seconds": seconds, "within": seconds["median"] < 1,
            "seconds until exact": whole, "processor seconds until exact": used, "exact": same(lines, log)}


def same(lines: LogLines, log: Path) -> bool:
    """Whether each point is that of all rows of its stretch."""
    rows = read_lines(log)
    steps = np.array([row["step"] for row in rows])
    starts = np.flatnonzero(np.diff(steps // lines.width, prepend=-1))
    for name, line in lines.lines().items():
        values = np.array([row[name] for row in rows], dtype=np.float64)
        if not (np.array_equal(line.low, np.minimum.reduceat(values, starts)) and
                np.array_equal(line.high, np.maximum.reduceat(values, starts))):
            return False
    return True


def growing(log: Path) -> dict[str, Any]:
    """A look at a log of which all was read, after 100 rounds more."""
    lines, step = first_look(log), ROUNDS
    while not lines.exact:
        lines.read()

    def grown() -> None:
        nonlocal step
        with open(log, "a") as file:
            for _ in range(100):
                step += 1
                file.write(json.dumps({"step": step, "time": step / 2000, TERMS[0]: 1.0}) + "\n")
        assert lines.read() and lines.last == step
        lines.lines()

    seconds = timed(grown)
    return {"seconds": seconds, "within": seconds["median"] < 0.1}


def memory(log: Path) -> dict[str, Any]:
    """Of a process that reads it all: at the first look, and at most."""
    said = subprocess.run([sys.executable, "-c", MEMORY, log], capture_output=True, text=True, check=True).stdout
    before, after = (int(kilobytes) / 1024 for kilobytes in said.split())
    return {"megabytes at the first look": before, "megabytes at most": after, "within": after - before < 10}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        place = made(Path(name))
        long = place / "run-000" / "log.jsonl"
        record("lists", f"{RUNS} run folders of which one has {ROUNDS:,} logged rounds and the others {OF_OTHERS:,}, in the system's "
               f"cache. Seconds of {LOOKS} times: median, least and most. The list: sparring.runs.index.listed. The chart: a new LogLines, "
               "its first look and its lines; then looks of 0.2 seconds until every line has been read. Growing: 100 rounds are added, and "
               "looked at.",
               {"list": "median < 1 s", "chart": "median < 1 s; exact in the end", "growing": "median < 0.1 s",
                "memory": "grows by less than 10 MB while all is read"},
               [("list", partial(the_list, place)), ("chart", partial(the_chart, long)), ("memory", partial(memory, long)),
                ("growing", partial(growing, long))])
