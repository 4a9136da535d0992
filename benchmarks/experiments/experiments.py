"""The experiments in full: what each claims, with every row and every case.

`python -m benchmarks.experiments.experiments [NAME...] [--data PATH]`; pictures and unfinished work lie in runs/experiments, and an
experiment that was stopped goes on there.  Results: benchmarks/results/experiment-NAME.json.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.record import RESULTS, machine
from sparring.cli.experiment import perform
from sparring.experiments import EXPERIMENTS


def write(name: str, data: str | None) -> None:
    """Run one experiment and keep its rows; and what its cases found, without the samples that are only drawn."""
    out = Path("runs/experiments") / name
    result, _, text = perform(name, False, data, out)
    print(text, flush=True)
    cases = json.loads((out / "cases.json").read_text()) if (out / "cases.json").exists() else {}
    plain = {case: {k: v for k, v in found.items() if not isinstance(v, list | dict)} for case, found in cases.items()}
    del result["pictures"], result["quick"]
    command = f"python -m benchmarks.experiments.experiments {name}" + (" --data PATH-OF-THE-IMAGES" if data else "")
    record = {"command": command, "claim": EXPERIMENTS[name].claim, "source": EXPERIMENTS[name].source, "machine": machine(),
              "date": datetime.now(UTC).date().isoformat(), **result, "cases": plain}
    (RESULTS / f"experiment-{name}.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    path = words.pop() if "--data" in sys.argv else None
    for one in words or EXPERIMENTS:
        if words or "--fresh" in sys.argv or not (RESULTS / f"experiment-{one}.json").exists():
            write(one, path)
