"""Recipe `table` beside the package `ctgan`: the same rows, the same machine, one after the other in the same run.

    python -m benchmarks.recipes.tables_beside [PYTHON]

PYTHON is that of an environment with `ctgan` and `sdmetrics`; without it one is made below runs/benchmark-tables.
"""

import csv
import json
import subprocess
import sys
import venv
from pathlib import Path
from time import process_time
from typing import Any

import torch
from torch import Tensor

from benchmarks.recipes.tables import FILES, RUNS, shuffled
from benchmarks.record import ROOT, record
from sparring.api import Model, Silent, run
from sparring.data.source import Finite
from sparring.evaluation.rows import KNOWN, cells_of
from sparring.latent.where import Drawn
from sparring.metrics.row_models import detection, usefulness
from sparring.metrics.rows import marginals, pairs
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.spaces import Table
from sparring.spaces.columns import Category, Constant

EPOCHS = 300                            # of ctgan, its own default
ROUNDS = 3000                           # of ours: fewer than the default, since the question is how soon it is as good; 1,500 are too few
THREADS = 1


def python() -> str:
    """That of the environment of the other packages."""
    if len(sys.argv) > 1:
        return sys.argv[1]
    place = RUNS / "ctgan-environment"
    if not (place / "bin" / "python").exists():
        venv.create(place, with_pip=True)
        subprocess.run([place / "bin" / "python", "-m", "pip", "install", "--quiet", f"torch=={torch.__version__.split('+')[0]}", "ctgan",
                        "sdmetrics"], check=True)
    return str(place / "bin" / "python")


def other(*words: object) -> dict[str, float]:
    """What the script in the other environment prints."""
    command = [python(), str(ROOT / "benchmarks" / "recipes" / "ctgan_package.py"), *map(str, words)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={"OMP_NUM_THREADS": str(THREADS)}).stdout
    found: dict[str, float] = json.loads(said.splitlines()[-1])
    return found


def written(space: Table, cells: Tensor, path: Path) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([[one.name for one in space.columns], *space.write(cells)])
    return path


def read(space: Table, path: Path) -> Tensor:
    """Rows of a file as cells; what the data never had, which ctgan may write, becomes the nearest that they have."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = []
    for one in space.columns:
        texts = [row[one.name].strip() for row in rows]
        if isinstance(one, Category):
            at = {value.strip(): float(k) for k, value in enumerate(one.values)}
            columns.append([at[text] for text in texts])
        else:
            columns.append([0.0] * len(texts) if isinstance(one, Constant) else [min(max(one.read(t), one.low), one.high) for t in texts])
    return torch.tensor(columns, dtype=torch.float64).T.contiguous()


def trained(name: str, seed: int) -> tuple[Model, Finite, float]:
    file, _, share = FILES[name]
    rarely = {"show_every": 10**6, "score_every": 10**6, "check_every": 10**6, "threads": THREADS, "compile": "off"}
    begun = process_time()
    prepared = prepare(Request("table", str(shuffled(file, seed)), {"held_out": share, "steps": ROUNDS, **rarely}, seed),
                       RUNS / f"beside-{name}-{seed}")
    model, _ = run(prepared, Silent())
    assert isinstance(prepared.source, Finite)
    return model, prepared.source, process_time() - begun


def beside(name: str, seed: int) -> dict[str, Any]:
    """Seconds of the processor from the file to the model, and what the rows of both are worth."""
    model, source, seconds = trained(name, seed)
    space = model.space
    assert isinstance(space, Table) and source.held_out is not None
    at = [one.name for one in space.columns].index(FILES[name][1])
    categories = ",".join(one.name for one in space.columns if isinstance(one, Category))
    learned, test = cells_of(source, space, KNOWN, 0), cells_of(source.held_out, space, KNOWN, 0)
    train = written(space, learned, RUNS / f"{name}-train.csv")
    theirs = RUNS / f"{name}-ctgan-{seed}.csv"
    told = other("fit", train, theirs, EPOCHS, seed, categories)
    begun = process_time()
    ours = torch.cat(list(Drawn(model.game, space, seed).cells(len(learned))))
    ours_sampled = process_time() - begun
    made = {"sparring": ours, "ctgan": read(space, theirs)}
    files = {"sparring": written(space, ours, RUNS / f"{name}-sparring-{seed}.csv"), "ctgan": theirs}
    real = written(space, test, RUNS / f"{name}-test.csv")
    found: dict[str, Any] = {"sparring, seconds": seconds, "ctgan, seconds": told["fit seconds"],
                             "times as fast": told["fit seconds"] / seconds, "sparring, seconds to draw": ours_sampled,
                             "ctgan, seconds to draw": told["sample seconds"], "threads": THREADS,
                             "F1, real": usefulness(space, at, learned, test, 0)[0].value}
    for who, rows in made.items():
        n = min(len(test), len(rows))
        found |= {f"F1, {who}": usefulness(space, at, rows, test, 0)[0].value,
                  f"marginals, {who}": marginals(space, test, rows[:n], 0).value, f"pairs, {who}": pairs(space, test, rows[:n], 0).value,
                  f"detection, {who}": detection(space, test[:n], rows[:n], 0).value,
                  f"sdmetrics, {who}": other("quality", real, files[who], categories)}
    return found


if __name__ == "__main__":
    RUNS.mkdir(parents=True, exist_ok=True)
    record("tables_beside", "Recipe `table` at its default settings but for the rounds in a case's name, and ctgan 0.12.1 at its own "
           f"({EPOCHS} epochs), on the same training rows of Adult (10,000 of 32,561 are held out, others for each seed), "
           "one thread each, one after the other, without compilation. Seconds of the processor, since there was other work beside both: "
           "from the file to the trained model; of ctgan, of `fit` alone. F1 as in tables.json, of one set of rows. sdmetrics: its quality "
           "report against the held-out rows.",
           {"seconds": "at least 3 times as fast to equal or better F1", "sdmetrics": "quality no lower than ctgan's"},
           [(f"adult, {ROUNDS:,} rounds, seed {seed}", lambda seed=seed: beside("adult", seed)) for seed in (0, 1, 2)])  # type: ignore[misc]
