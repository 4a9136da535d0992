"""What every system in examples/ learns, with three seeds, beside the numbers that `make examples` holds it against.

    python -m benchmarks.recipes.examples

trains them all, for about twenty minutes of one core, and writes the table examples/README.md; names after it, those alone.
"""

import ast
import json
import statistics
import sys
import time
from typing import Any

from benchmarks.record import RESULTS, record
from benchmarks.systems.claims import MEASURED, claims
from benchmarks.systems.trained import EXAMPLES, code_lines

SEEDS = (0, 1, 2)
RESULT, PAGE = RESULTS / "examples.json", EXAMPLES / "README.md"
BEGIN = """# Systems in one file each

Each file is one system, beside its paper's algorithm: copy the nearest, and train it with `sparring train ./FILE.py`.
[Your own system](../docs/own-system.md) explains how one is written, and [the GAN zoo](../docs/zoo.md) which file is near to which GAN.
`make examples` trains all and holds them against these numbers; no training takes more than 60 s of one core.

The table is written by `python -m benchmarks.recipes.examples`, from [what was measured](../benchmarks/results/examples.json) with the
seeds 0, 1 and 2. Seconds are of the processor, for all trainings that a system's numbers need, the median of three; other work shared the
machine. A number in bold misses its bound. Code is lines that are neither blank, nor comments, nor docstrings; the median is {lines:g}.

| file | code | s | what is measured | bound | seeds 0, 1, 2 |
| --- | --- | --- | --- | --- | --- |
"""


def measured(name: str, seed: int) -> dict[str, Any]:
    """What the system reached, and what that took."""
    began = time.process_time()
    reached = [{"what": claim.what, "value": float(f"{claim.value:.4g}"), "bound": float(f"{claim.bound:.4g}"), "least": claim.least,
                "holds": claim.holds} for claim in claims(name, seed)]
    return {"seconds": round(time.process_time() - began, 1), "code_lines": len(code_lines(EXAMPLES / f"{name}.py")), "reached": reached}


def paper(name: str) -> str:
    """The first line of the file, to its first colon: the system and its paper."""
    return (ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text())) or "").split(": ")[0]


def page(cases: dict[str, Any]) -> str:
    """examples/README.md, of what was measured so far; a system whose measurement is not complete says so."""
    text = BEGIN.format(lines=statistics.median(len(code_lines(EXAMPLES / f"{name}.py")) for name in MEASURED))
    for name in MEASURED:
        runs = [cases[case] for seed in SEEDS if (case := f"{name}, seed {seed}") in cases]
        head = f"[{name}.py]({name}.py), {paper(name)} | {len(code_lines(EXAMPLES / f'{name}.py'))} | "
        if not runs:
            text += f"| {head} | not measured yet | | |\n"
            continue
        head += f"{statistics.median(run['seconds'] for run in runs):.0f}"
        for row in zip(*(run["reached"] for run in runs), strict=True):
            values = ", ".join(f"{one['value']:.3g}" if one["holds"] else f"**{one['value']:.3g}**" for one in row)
            values += ", not measured" * (len(SEEDS) - len(runs))
            text += f"| {head} | {row[0]['what']} | {'≥' if row[0]['least'] else '≤'} {row[0]['bound']:.3g} | {values} |\n"
            head = " | | "
    return text


if __name__ == "__main__":
    names = [name for name in MEASURED if name in sys.argv] or list(MEASURED)
    record("examples", "Each system on the data that come with the project, for the rounds of its measurement in benchmarks/systems, on "
           "one core that other work shared; seconds are of the processor, for all trainings of the measurement.",
           {"all": "every number on its side of its bound, with each seed; each training in less than 60 s of one core"},
           [(f"{name}, seed {seed}", lambda name=name, seed=seed: measured(name, seed)) for seed in SEEDS for name in names])
    PAGE.write_text(page(json.loads(RESULT.read_text())["cases"]))
