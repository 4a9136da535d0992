"""The contests and measures of `sparring bench` on this machine, and the page docs/speed.md made of them.

    python -m benchmarks.bench.speed [--fresh]        results/speed.json, and the table in docs/speed.md
"""

import json
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.record import RESULTS, ROOT, record
from sparring.bench.arithmetic import arithmetic
from sparring.bench.contests import CONTESTS, compete
from sparring.bench.overhead import overhead
from sparring.cli.bench import told

PAIRS = 5
PAGE, BEGIN, END = ROOT / "docs/speed.md", "<!-- measured -->", "<!-- /measured -->"
TARGETS = {"curves": "ratio >= 1.3", "curves-compiled": "ratio >= 2.7", "images": "ratio >= 1.7, aim 2", "images-r1": "ratio >= 2",
           "stylegan": "ratio >= 0.95", "arithmetic": "share >= 50 %", "overhead": "share <= 3 %"}


def cases() -> list[tuple[str, Callable[[], dict[str, Any]]]]:
    most = torch.get_num_threads()
    counts = {"curves": (1,), "curves-compiled": (1,), "images": (most, 1)}
    found: list[tuple[str, Callable[[], dict[str, Any]]]] = []
    for name, contest in CONTESTS.items():
        for threads in counts.get(name, (most,)):
            found.append((f"{name}, {threads} thread(s)", lambda contest=contest, threads=threads: compete(contest, threads, PAIRS, print)))
    for precision in ("bf16", "fp32"):
        found.append((f"arithmetic, {most} thread(s), {precision}", lambda precision=precision: arithmetic(precision, most, PAIRS)))
    found.append((f"overhead, {most} thread(s), bf16", lambda: overhead("bf16", most, PAIRS)))
    return found


def write_page() -> None:
    """The table of what was measured, between the markers."""
    result = json.loads((RESULTS / "speed.json").read_text())
    machine = result["machine"]
    lines = ["| benchmark | wanted | measured: median (least to most) |", "| --- | --- | --- |"]
    for case, found in result["cases"].items():
        name = case.split(",")[0]
        wanted = TARGETS.get(name, "") if not case.endswith("fp32") else ""
        lines.append(f"| {case} | {wanted} | {told(found).rsplit(',', 1)[0]} |")
    lines.append(f"\n{machine['processor']}, {machine['cores']} cores, torch {machine['torch']}, Python {machine['python']}, "
                 f"{result['date']}; `{result['command']}`.")
    text = PAGE.read_text()
    PAGE.write_text(text[:text.index(BEGIN) + len(BEGIN)] + "\n" + "\n".join(lines) + "\n" + text[text.index(END):])


if __name__ == "__main__":
    record("speed", "Rounds a second of training as `sparring train` counts them, logging included, pictures and scores not, against a "
           f"loop written by hand in float32 with the same networks and batch, alternated in one process, {PAIRS} pairs. curves: the "
           "classic settings. images: 32x32 RGB DCGAN, width 64, batch 64. arithmetic: operations of products and convolutions, as "
           "torch counts them, a second, over those of the fastest square matrix product in the same precision, in turn. overhead: what "
           "is not a loss, its gradient or a step, logging every round.", TARGETS, cases())
    write_page()
