"""Memory of a table, which should not grow with its rows, and seconds to the first round.

    python -m benchmarks.recipes.table_memory [WORD...]         # the cases that begin with one of these words
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import record

AT_ONCE = 50_000                        # rows that are written together
VALUES = (3, 5, 8, 12, 20, 40, 80, 150, 300, 1000)
MEMORY = ("RssAnon", "RssFile", "RssShmem")


def mixed(path: Path, n: int) -> None:
    """Ten columns of decimals, eight of whole numbers, ten of categories, a date and a yes or no."""
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        names = [*(f"f{k}" for k in range(10)), *(f"i{k}" for k in range(8)), *(f"c{k}" for k in range(10)), "day", "flag"]
        file.write(",".join(names) + "\n")
        for begin in range(0, n, AT_ONCE):
            m = min(AT_ONCE, n - begin)
            columns = [np.char.mod(f"%.{1 + k // 2}f", rng.normal(0, 10 * (k + 1), m) + (rng.random(m) < 0.3) * 50) for k in range(10)]
            columns += [np.char.mod("%d", rng.integers(0, 10**(1 + k // 2), m)) for k in range(8)]
            columns += [np.char.mod("v%d", rng.integers(0, count, m)) for count in VALUES]
            columns += [(np.datetime64("2001-01-01") + rng.integers(0, 8000, m)).astype(str), np.where(rng.random(m) < 0.2, "yes", "no")]
            file.writelines(",".join(row) + "\n" for row in zip(*columns, strict=True))


def many(path: Path, n: int) -> None:
    """A category of 100,000 values, and four columns more."""
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        file.write("town,x,y,kind,flag\n")
        towns = np.char.mod("town%d", np.concatenate([np.arange(100_000), rng.zipf(1.3, n - 100_000) % 100_000]))
        columns = [towns, np.char.mod("%.3f", rng.normal(0, 1, n)), np.char.mod("%d", rng.integers(0, 500, n)),
                   np.char.mod("k%d", rng.integers(0, 9, n)), np.where(rng.random(n) < 0.2, "yes", "no")]
        file.writelines(",".join(row) + "\n" for row in zip(*columns, strict=True))


class Watch:
    """The largest of each kind of memory that this process had since the last question, in GB."""

    def __init__(self) -> None:
        self.most = dict.fromkeys(MEMORY, 0.0)
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while True:
            for line in Path("/proc/self/status").read_text().splitlines():
                name, _, value = line.partition(":")
                if name in self.most:
                    self.most[name] = max(self.most[name], int(value.split()[0]) / 1e6)
            time.sleep(0.02)

    def since(self) -> float:
        found, self.most = self.most["RssAnon"], dict.fromkeys(MEMORY, 0.0)
        return round(found, 3)


def here(path: str, n: int) -> None:
    """Read, train for a few rounds and draw as many rows; what it took, as JSON.  In a process of its own."""
    from sparring.api import run
    from sparring.latent.where import Drawn
    from sparring.progress import Silent
    from sparring.setup.prepare import prepare
    from sparring.setup.request import Request
    from sparring.spaces import Table

    watch, begun = Watch(), time.perf_counter()
    rarely = {"show_every": 10**6, "score_every": 10**6, "check_every": 10**6, "threads": 2, "log_every": 1}
    first: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(Request("table", path, {"steps": 1, **rarely}, 0), Path(folder) / "run")
        found = {"GB, reading": watch.since(), "seconds, reading": round(time.perf_counter() - begun, 1)}
        run(prepared, Silent())
        first.append(time.perf_counter() - begun)
        prepared = prepare(Request("table", path, {"steps": 20, **rarely}, 0), Path(folder) / "again")
        watch.since()
        model, _ = run(prepared, Silent())
        found |= {"seconds to the end of the first round": round(first[0], 1), "GB, training": watch.since()}
    assert isinstance(model.space, Table)
    begun, drawn = time.perf_counter(), 0
    for cells in Drawn(model.game, model.space, 0).cells(n):
        drawn += len(model.space.write(cells))
    print(json.dumps(found | {"GB, drawing as many rows": watch.since(), "seconds, drawing them": round(time.perf_counter() - begun, 1)}))


def case(make: Any, n: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        make(path, n)
        size = path.stat().st_size
        said = subprocess.run([sys.executable, "-m", "benchmarks.recipes.table_memory", "--here", str(path), str(n)], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return {"rows": n, "MB": round(size / 1e6), **found}


CASES = {f"30 columns, {n:,} rows": partial(case, mixed, n) for n in (10_000, 100_000, 1_000_000)}
CASES["100,000 categories, 300,000 rows"] = partial(case, many, 300_000)

if __name__ == "__main__":
    if "--here" in sys.argv:
        here(sys.argv[-2], int(sys.argv[-1]))
        sys.exit()
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    record("table_memory", "Recipe `table` at its default settings on made tables. GB: the most memory of the process that is not that of "
           "files, seen every 20 ms; large parts of a table lie in files, which the system keeps in memory where there is room. Training: "
           "after the table has been read a second time.",
           {"memory": "does not grow with rows", "first round": "within 60 s", "100,000 categories": "under 4 GB"},
           [(name, one) for name, one in CASES.items() if not words or any(name.startswith(word) for word in words)])
