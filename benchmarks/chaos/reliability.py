"""Attack every promise of docs/promises.md as often as its published figure says, and write benchmarks/reliability.md.

    python -m benchmarks.chaos.reliability             about an hour on two cores; what stands in results/reliability.json is not done again
    python -m benchmarks.chaos.reliability kills nans  only these, anew
"""

import importlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS, ROOT, record

ATTACKS = {
    "kills": 100, "events": 400, "damage": 1000, "disk": 60, "nans": 80, "folders": 10_000, "pickles": 50, "images": 10_000,
    "archives": 2000, "arrays": 5000, "settings": 5000, "endurance": 100_000,
    "ranks": 100, "nodes": 20, "parquet": 5000,
}
TARGETS = {
    "kills": "100 kills over at least five recipes, no run lost, all bits identical", "events": "every file event, all PASS",
    "damage": "1,000 of 1,000 detected", "nans": "50 of 50 handled", "folders": "10,000 refused or right, nothing executed",
    "pickles": "50 of 50, nothing executed", "images": "10,000 without traceback or hang", "archives": "2,000 without traceback or hang",
    "ranks": "100 kills of one of two processes, no hang, no run lost", "nodes": "20 kills, no hang, no run lost",
    "arrays": "with settings, 10,000 without traceback or hang", "parquet": "5,000 without traceback or hang",
    "endurance": "100,000 steps, the slope of memory not to be told from zero",
}
PAGE = Path(__file__).with_name("reliability.md")
PROMISES = ROOT / "docs" / "promises.md"
BEGIN, END = "<!-- figures: written by benchmarks/chaos/reliability.py -->\n", "<!-- end of figures -->\n"


def attack(name: str, n: int) -> dict[str, Any]:
    module, began = importlib.import_module(f"chaos.{name}"), time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="sparring-chaos-") as folder:
        tally = module.trials(n, Path(folder))
    return {"promise": module.PROMISE, "tried": tally.tried, "held": tally.held, "seconds": round(time.perf_counter() - began),
            "failures": tally.failures[:20], "facts": tally.facts}


def page(result: dict[str, Any]) -> str:
    """The figures as a page for people."""
    machine = result["machine"]
    lines = ["# Reliability, attacked", "",
             f"`make chaos` on {machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}, torch "
             f"{machine['torch']}, {result['date']}. What each attack does is in `benchmarks/chaos/`; a failure names the seed that "
             f"repeats it.", "", "| attack | tried | held | minutes |", "| --- | ---: | ---: | ---: |"]
    for name, case in result["cases"].items():
        lines.append(f"| {name} | {case['tried']:,} | {case['held']:,} | {case['seconds'] / 60:.1f} |")
    lines += ["", "## Facts", ""]
    for name, case in result["cases"].items():
        facts = "; ".join(f"{fact}: {value:,}" if isinstance(value, int) else f"{fact}: {value}" for fact, value in case["facts"].items())
        lines += [f"- **{name}**: {facts or 'none'}."] + [f"  - failed: {failure}" for failure in case["failures"]]
    return "\n".join(lines) + "\n"


def promises(result: dict[str, Any]) -> str:
    """Each promise, the command that attacks it, and what came of it."""
    rows = [f"| {case['promise']} | `python -m benchmarks.chaos.reliability {name}` | {case['held']:,} of {case['tried']:,} |"
            for name, case in result["cases"].items()]
    return "\n".join(["| promise | attacked by | held |", "| --- | --- | ---: |", *rows]) + "\n"


def main(asked: list[str]) -> int:
    path = RESULTS / "reliability.json"
    if asked and path.exists():
        kept = json.loads(path.read_text())
        kept["cases"] = {name: case for name, case in kept["cases"].items() if name not in asked}
        path.write_text(json.dumps(kept, indent=1) + "\n")
    record("reliability", "Each attack of benchmarks/chaos, its trials made from seeds; held: the trials in which the promise did.",
           TARGETS, [(name, lambda name=name, n=n: attack(name, n)) for name, n in ATTACKS.items() if not asked or name in asked])
    result = json.loads(path.read_text())
    result["cases"] = {name: result["cases"][name] for name in ATTACKS if name in result["cases"]}
    PAGE.write_text(page(result))
    before, after = PROMISES.read_text().split(BEGIN)[0], PROMISES.read_text().split(END)[1]
    PROMISES.write_text(before + BEGIN + promises(result) + END + after)
    return int(any(case["failures"] for case in result["cases"].values()))


if __name__ == "__main__":
    unknown = [name for name in sys.argv[1:] if name not in ATTACKS and not name.startswith("--")]
    if unknown:
        sys.exit(f"reliability: there is no attack {unknown[0]}. Attacks: {', '.join(ATTACKS)}.")
    sys.exit(main([name for name in sys.argv[1:] if not name.startswith("--")]))
