"""What `sparring bench` does: contests, one after the other, as a table with machine, versions and threads."""

from typing import Any

import torch

from sparring.bench.arithmetic import arithmetic
from sparring.bench.contests import CONTESTS, compete
from sparring.bench.overhead import overhead
from sparring.errors import InputError, did_you_mean
from sparring.progress import Line
from sparring.setup.prepare import versions

MEASURES = {"arithmetic": "share of the machine's peak in matrix products that a round of images reaches",
            "overhead": "share of a round of images that is neither a loss, its gradient nor an optimizer's step"}


def bench(names: list[str], pairs: int, threads: int | None) -> dict[str, Any]:
    """Hold the named contests, or all; InputError for a name that does not exist or nonsense numbers."""
    for name in names:
        if name not in CONTESTS and name not in MEASURES:
            raise InputError(f"there is no benchmark '{name}'.{did_you_mean(name, [*CONTESTS, *MEASURES])} "
                             f"Benchmarks: {', '.join([*CONTESTS, *MEASURES])}.")
    if pairs < 1:
        raise InputError(f"--pairs {pairs}: each ratio needs at least one pair.")
    if threads is not None and not 1 <= threads <= 1024:
        raise InputError(f"--threads {threads}: give 1 to 1024.")
    line, found, every = Line("bench"), {}, torch.get_num_threads()
    for name in names or [*CONTESTS, *MEASURES]:
        line.say(f"{name}: {CONTESTS[name].about if name in CONTESTS else MEASURES[name]}")
        found[name] = held(name, threads or (1 if name.startswith("curves") else every), pairs, line)
    about = versions()
    rows = [f"{name:<18}{told(result)}" for name, result in found.items()]
    return {"benchmarks": found, "machine": about, "text": "\n".join(rows) + f"\n{about['machine']}, torch {about['torch']}, "
            f"Python {about['python']}. Medians, with the least and the most of {pairs}; other work on the machine changes them."}


def held(name: str, threads: int, pairs: int, line: Line) -> dict[str, Any]:
    """One contest, or one measure in the precision that a run would choose."""
    if name in CONTESTS:
        return compete(CONTESTS[name], threads, pairs, line.say)
    low = "bf16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "fp32"
    return (arithmetic if name == "arithmetic" else overhead)(low, threads, pairs)


def told(result: dict[str, Any]) -> str:
    """The number that a benchmark is about, in words."""
    key = next(name for name in ("ratio", "share of the peak", "share of the engine") if name in result)
    value, unit = result[key], "x by hand" if key == "ratio" else key
    low, middle, high = (f"{value[name]:.2f}" if key == "ratio" else f"{100 * value[name]:.1f} %" for name in ("least", "median", "most"))
    return f"{middle} {unit} ({low} to {high}), {result['threads']} thread(s)"
