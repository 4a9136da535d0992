"""Run a benchmark case by case and write down command, machine, protocol, date and every result.

A case that already stands in the file is not run again, so a long benchmark can be stopped and goes on later;
`--fresh` begins anew.
"""

import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import sparring

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
DATA = Path(os.environ.get("SPARRING_DATA", ROOT.parent / "shared" / "data"))       # where the real data sets lie


def machine() -> dict[str, Any]:
    model = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
    return {"processor": model, "cores": os.cpu_count(), "system": platform.system(), "python": platform.python_version(),
            "torch": torch.__version__, "sparring": sparring.__version__}


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def record(name: str, protocol: str, targets: dict[str, str], cases: Iterable[tuple[str, Callable[[], dict[str, Any]]]]) -> None:
    """Run the cases and write benchmarks/results/NAME.json after each; another process may be at other cases of the same file."""
    path = RESULTS / f"{name}.json"
    if "--fresh" in sys.argv:
        path.unlink(missing_ok=True)
    result = {"command": f"python -m {sys.modules['__main__'].__spec__.name}", "protocol": protocol, "targets": targets,
              "machine": machine(), "date": datetime.now(UTC).date().isoformat()}

    def known() -> dict[str, Any]:
        return json.loads(path.read_text())["cases"] if path.exists() else {}

    for case, run in cases:
        if case not in known():
            found = {k: round(v, 6) if isinstance(v, float) else v for k, v in run().items()}
            RESULTS.mkdir(exist_ok=True)
            path.write_text(json.dumps(result | {"cases": known() | {case: found}}, indent=1) + "\n")
        print(f"{name} {case}: {known()[case]}", flush=True)


def spread(values: list[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}
