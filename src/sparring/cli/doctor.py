"""The command `doctor`: whether a run is healthy, what is wrong with it, and which settings to try."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparring.doctor import judge, weighed
from sparring.doctor.reading import opened
from sparring.doctor.retry import retries
from sparring.doctor.summary import how, what_next
from sparring.doctor.treat import words
from sparring.progress import Line

if TYPE_CHECKING:
    from sparring.metrics.dual_gap import Gap


def doctor(path: Path, gap: bool = False, recipe: str | None = None) -> dict[str, Any]:
    """The verdict on a run, in the form of the command's JSON; with its perturbed duality `gap`, if that is asked for."""
    _, config, run = opened(path)
    found, gauged = judge(run), gauge(path, recipe) if gap else None
    if gauged is not None:
        found = weighed(found, gauged.gap)
    acted = [f"changed settings at round {one['at']:,} because of {one['why'].replace('_', ' ')}: {words(one['settings'])}"
             for one in run.actions]
    lines = [f"{path}: {found.verdict}" + (f" ({found.why})" if found.why else "") + f", after {found.step:,} rounds", *acted]
    if found.verdict == "healthy":
        lines += [f"  {how(run, found)}", f"  {what_next(run, found)}"]
    if gauged is not None:
        lines += [f"duality gap {gauged.gap:.3f} nats: V is {gauged.highest:.3f} with the best discriminator found and {gauged.lowest:.3f} "
                  f"with the best generator found; at an equilibrium both are {-2 * math.log(2):.3f}"]
    for finding in found.findings:
        first, last = finding.steps
        lines += ["", f"{finding.severity}: {finding.title()}, rounds {first:,} to {last:,}",
                  "  " + ", ".join(f"{name} {value:g}" for name, value in finding.evidence.items()), f"  {finding.explanation}"]
        lines += [f"  try: {action}" for action in finding.actions]
        lines += [f"  paste: {command}" for command in retries(path, config, finding)[:1]]
    more = {} if gauged is None else {"duality_gap": {"value": gauged.gap, "highest": gauged.highest, "lowest": gauged.lowest}}
    return {**found.plain(), **more, "text": "\n".join(lines)}


def gauge(path: Path, recipe: str | None = None) -> "Gap":
    """The perturbed duality gap, with a line that says how far its searches are."""
    from sparring.evaluation.duality_gap import gap_of  # the verdict alone needs no torch
    from sparring.setup.own import outside

    line = Line("duality gap")
    try:
        return gap_of(path, outside(recipe), watch=lambda done, total: line.update(done, total, {}))
    finally:
        line.leave()
