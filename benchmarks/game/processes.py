"""Several processes: are their weights those of one, how much faster are they, and what would more of them be?

    python -m benchmarks.game.processes            about ten minutes on two idle cores; also writes the tables of docs/processes.md
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.record import RESULTS, ROOT, record, spread

TESTS, PAGE = ROOT / "tests", ROOT / "docs" / "processes.md"
BEGIN, END = "<!-- {}: written by benchmarks/game/processes.py -->\n", "<!-- end of {} -->\n"
PAIRS, ROUNDS = (2, 2) if "--quick" in sys.argv else (9, 8)
TURNS, BATCH = 2, 64                # of the paper's step: a generator's and a discriminator's, on so many samples in each process
FORMULA = ("all-reduce of S bytes by n processes in a ring: 2 (n - 1) / n * S / bandwidth + 2 (n - 1) * latency; a step of n processes, "
           f"each with {BATCH} samples: compute + all-reduce of 4 bytes a parameter, in {TURNS} turns; compute: 6 operations a parameter "
           "and sample")
PROTOCOL = ("exact: every recipe on every kind of data and with the settings that concern a whole batch, three rounds (nine with adaptive "
            "augmentation) of batch 8, by processes of one thread and by one; backwards: one process with every batch in reverse, beside "
            f"itself. pace: 32x32 RGB DCGAN, width 64, one thread a process, {PAIRS} times {ROUNDS} rounds by one process, by two, and by "
            "two that each play half a batch and exchange nothing, in turns; loopback. all-reduce: gloo, loopback, float32, medians. on "
            "paper: " + FORMULA)
ONE, TWO = "one process, images/s", "two processes, images/s"
APART, COST = "two that exchange nothing, images/s", "two, relative to two that exchange nothing"
SHARE = "share of the time in averaging, waiting included"


def torchrun(count: int, *words: object) -> list[Any]:
    """What so many processes of one thread write into OUT."""
    agent = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)] if count > 1 else []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, *agent, *(str(word).replace("OUT", folder) for word in words)]
        path = os.pathsep.join([str(ROOT), str(TESTS), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path})
        return [json.loads(file.read_text()) for file in sorted(Path(folder).glob("*.json"))]


# ------------------------------------------------------------------------------------------- the weights of one
def unseen(name: str) -> bool:
    """A bias of a discriminator that a relativistic loss cannot see: its gradient is rounding alone, which Adam divides by itself."""
    return ("r3gan" in name or "relativistic" in name) and "discriminator" in name and name.endswith("bias")


def exact(*differences: dict[str, Any]) -> dict[str, Any]:
    """By recipe and precision, over all kinds of data and settings."""
    rows = [row for found in differences for row in found.items()]
    found: dict[str, Any] = {}
    for dtype, limit in (("float32", 1e-6), ("float64", 1e-12)):
        for recipe in dict.fromkeys(name.split()[1] for name, _ in rows):
            mine = [(name, *off) for name, off in rows if name.startswith(f"torch.{dtype} {recipe} ")]
            seen = [row for row in mine if not unseen(row[0])]
            worst = max(seen, key=lambda row: row[1])
            found[f"{recipe}, {dtype}"] = {
                "largest difference": worst[1], "where": worst[0].split(" ", 2)[2], "within": worst[1] <= limit,
                "weights": sum(row[3] for row in seen), "weights off by more than 1e-6": sum(row[2] for row in seen),
                "biases that the loss cannot see": max((row[1] for row in mine if unseen(row[0])), default=0.0),
                "combinations": len({row[0].rsplit(" ", 1)[0] for row in mine})}
    return found


# ------------------------------------------------------------------------------------------------- how much faster
def pace(batch: int, precision: str) -> dict[str, Any]:
    turns = torchrun(2, "-m", "benchmarks.game.parallel.pace", "OUT/found.json", batch, precision, PAIRS, ROUNDS)[0]
    one, apart, two = ([turn[who] for turn in turns] for who in ("alone", "apart", "together"))
    faster = [a["seconds"] / b["seconds"] for a, b in zip(one, two, strict=True)]
    return {ONE: spread([batch / a["seconds"] for a in one]), APART: spread([batch / a["seconds"] for a in apart]),
            TWO: spread([batch / b["seconds"] for b in two]), "times as fast": spread(faster), "efficiency": statistics.median(faster) / 2,
            COST: spread([a["seconds"] / b["seconds"] for a, b in zip(apart, two, strict=True)]),
            SHARE: spread([b["averaging"] for b in two]), "parameters": turns[0]["parameters"], "turns": len(turns), "rounds": ROUNDS}


# --------------------------------------------------------------------------------------------------- more of them
def exchange(count: int) -> dict[str, Any]:
    """All-reduce times, and latency and bandwidth in the formula of the ring that fit them best, in relative error."""
    rows = torchrun(count, "-m", "benchmarks.game.parallel.exchange", "OUT/found.json")[0]
    sizes, seconds = (torch.tensor([row[key] for row in rows], dtype=torch.float64) for key in ("bytes", "median"))
    steps = torch.stack([torch.full_like(sizes, 2 * (count - 1)), 2 * (count - 1) / count * sizes], 1) / seconds[:, None]
    latency, inverse = torch.linalg.lstsq(steps, torch.ones(len(rows), 1, dtype=torch.float64)).solution.flatten().tolist()
    off = [ring(count, row["bytes"], latency, 1 / inverse) / row["median"] - 1 for row in rows]
    return {"latency, microseconds": 1e6 * latency, "bandwidth, bytes/s": 1 / inverse,
            "worst relative error of the fit": max(map(abs, off)), "times": rows}


def ring(count: int, size: float, latency: float, bandwidth: float) -> float:
    return 2 * (count - 1) / count * size / bandwidth + 2 * (count - 1) * latency


def operations() -> float:
    """Operations a second of one thread, in a matrix product of float32: the median of several."""
    torch.set_num_threads(1)
    a, seconds = torch.randn(1024, 1024), []
    for _ in range(21):
        began = time.perf_counter()
        a @ a
        seconds.append(time.perf_counter() - began)
    return 2 * 1024**3 / statistics.median(seconds)


def paper() -> dict[str, Any]:
    """One to eight processes, from what two of them measured."""
    two = json.loads((RESULTS / "processes.json").read_text())["cases"]["all-reduce, 2 processes"]
    latency, bandwidth, rate = two["latency, microseconds"] / 1e6, two["bandwidth, bytes/s"], operations()
    found: dict[str, Any] = {"formula": FORMULA, "operations a second": rate}
    for millions in (10, 100, 1000):
        compute = 6 * millions * 1e6 * BATCH / rate
        seconds = {n: TURNS * ring(n, 4e6 * millions / TURNS, latency, bandwidth) for n in range(1, 9)}
        rows = [{"processes": n, "all-reduce, s": s, "step, s": compute + s, "efficiency": compute / (compute + s)}
                for n, s in seconds.items()]
        found[f"{millions} M parameters"] = {"compute, s": compute, "rows": rows}
    return found


# ---------------------------------------------------------------------------------------------------------- the page
def tables(cases: dict[str, Any]) -> dict[str, str]:
    two, back = cases["exact, 2 processes"], cases["one process, backwards"]
    weights = ["| recipe | combinations | largest difference, float64 | float32 | weights off by more than 1e-6, float32 | the same, one "
               "process with its batches in reverse |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for name, row in two.items():
        if name.endswith("float64"):
            low, reverse = (case[name.replace("float64", "float32")] for case in (two, back))
            beyond = [f"{case['weights off by more than 1e-6']} of {case['weights']:,}" for case in (low, reverse)]
            weights.append(f"| `{name.split(',')[0]}` | {row['combinations']} | {row['largest difference']:.1e} | "
                           f"{low['largest difference']:.1e} | {beyond[0]} | {reverse['largest difference']:.1e}; {beyond[1]} |")
    speed = ["| batch, precision | one process, images/s | two | times as fast | efficiency | two, relative to two that exchange nothing | "
             "averaging, and waiting |", "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for name, row in cases.items():
        if name.startswith("pace"):
            faster, cost = ("{median:.2f} ({least:.2f} to {most:.2f})".format(**row[key]) for key in ("times as fast", COST))
            speed.append(f"| {name.removeprefix('pace, ')} | {row[ONE]['median']:.0f} | {row[TWO]['median']:.0f} | {faster} | "
                         f"{row['efficiency']:.0%} | {cost} | {row[SHARE]['median']:.0%} |")
    return {"weights": "\n".join(weights) + "\n", "pace": "\n".join(speed) + "\n", "paper": on_paper(cases)}


def on_paper(cases: dict[str, Any]) -> str:
    two, four, paper = cases["all-reduce, 2 processes"], cases["all-reduce, 4 processes"], cases["on paper"]
    sizes = [row for row in paper if row.endswith("parameters")]
    lines = [f"Measured with two processes: {two['latency, microseconds']:.0f} microseconds and {two['bandwidth, bytes/s'] / 1e9:.2f} "
             f"GB/s; with four, which share two cores: {four['latency, microseconds']:.0f} and {four['bandwidth, bytes/s'] / 1e9:.2f}. One "
             f"thread: {paper['operations a second'] / 1e9:.0f} G operations/s. Seconds a step, of which all-reduce; efficiency.", "",
             "| processes | " + " | ".join(sizes) + " |", "| ---: |" + " ---: |" * len(sizes)]
    for i in range(8):
        rows = [paper[size]["rows"][i] for size in sizes]
        cells = [f"{row['step, s']:.2f}, {row['all-reduce, s']:.2f}; {row['efficiency']:.0%}" for row in rows]
        lines.append(f"| {i + 1} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def write_page() -> None:
    text, result = PAGE.read_text(), json.loads((RESULTS / "processes.json").read_text())
    for name, table in tables(result["cases"]).items():
        begin, end = BEGIN.format(name), END.format(name)
        text = text.split(begin)[0] + begin + table + end + text.split(end)[1]
    PAGE.write_text(text)


if __name__ == "__main__":
    record("processes", PROTOCOL,
           {"exact": "1e-6 in float32, 1e-12 in float64, for every recipe", "pace": "reported", "on paper": "reported"},
           [*((f"exact, {n} processes", lambda n=n: exact(*torchrun(n, TESTS / "played_together.py", "OUT"))) for n in (2, 4)),
            ("one process, backwards", lambda: exact(*torchrun(1, "-m", "benchmarks.game.parallel.backwards", "OUT/found.json"))),
            *((f"pace, batch {batch}, {precision}", lambda batch=batch, precision=precision: pace(batch, precision))
              for precision in ("fp32", "bf16") for batch in (64, 128)),
            *((f"all-reduce, {n} processes", lambda n=n: exchange(n)) for n in (2, 4)), ("on paper", paper)])
    write_page()
