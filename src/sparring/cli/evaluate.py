"""The command `evaluate`: figures for a run, or for two sets, as a table."""

import re
from typing import Any

from sparring.evaluation import lines as of_lines
from sparring.evaluation import rows as of_rows
from sparring.evaluation.samples import evaluate as figures_of
from sparring.evaluation.translations import MEASURES
from sparring.metrics.catalogue import METRICS
from sparring.progress import Line


def evaluate(run: str | None, given: list[str] | None, generated: str | None, metrics: list[str] | None, n: int, size: str, features: str,
             sha256: str, seed: int, as_: str = "", target: str | None = None, recipe: str | None = None) -> dict[str, Any]:
    """Figures for a run, or for two sets, as a table."""
    real = given[0] if given and len(given) == 1 else given or None
    found = figures_of(run, real=real, generated=generated, metrics=metrics, n=n, size=size, features=features, sha256=sha256,
                       seed=seed, as_=as_, target=target, recipe=recipe, watch=Line)
    return {"run": run, "real": real, "generated": generated, **found, "text": table(found)}


def table(found: dict[str, Any]) -> str:
    """The figures in columns, then what was left out, then how they were made."""
    rows = [("", "value", "95 % interval", "better", "what it is")]
    for name, figure in found["metrics"].items():
        metric = (MEASURES | METRICS | of_rows.MEASURES | of_lines.MEASURES)[re.split(r"[( ]", name)[0]]
        rows.append((name, told(figure["value"]), f"{told(figure['low'])} to {told(figure['high'])}", metric.better, metric.meaning))
        about = figure["protocol"]
        if "trained_on_real" in about:
            rows.append(("", told(about["trained_on_real"]), "", "", "the same trained on as many real samples"))
        if "baseline" in about:
            rows.append(("", told(about["baseline"]), "", "", f"the same of {about['compared_with']}"))
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)).rstrip() for row in rows]
    lines += over_temperatures(found.get("temperatures", []))
    lines += ["", *found["notes"], *(f"left out: {why}" for why in found["left_out"].values())]
    return "\n".join(lines)


def over_temperatures(rows: list[dict[str, float]]) -> list[str]:
    """The model's own figures at several temperatures, a row each."""
    if not rows:
        return []
    names = list(rows[0])
    return ["", "the same model at other temperatures", "  ".join(f"{name:>11}" for name in names),
            *("  ".join(f"{told(row[name]):>11}" for name in names) for row in rows)]


def told(value: float) -> str:
    return f"{value:.4g}"
