"""Every recipe that samples, translates or animates as a file in ONNX: how exact, how large, and how fast beside torch.

    python -m benchmarks.recipes.export [--fresh]       results/export.json; about twenty minutes on one core
"""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import onnxruntime
import torch

import sparring
from benchmarks.record import record
from sparring.export.convert import LARGEST
from sparring.export.files import Written, write

AT_ONCE, PAIRS = 64, 7
RUNS: dict[str, tuple[str, int, dict[str, Any]]] = {            # recipe: data, rounds, settings
    "gan": ("digits", 100, {}), "images": ("digits", 40, {}), "projected": ("digits", 5, {}), "stylegan": ("digits", 10, {}),
    "wgan": ("mixture", 500, {}), "wgan-gp": ("mixture", 500, {}), "r3gan": ("ring", 500, {}), "vae": ("digits", 100, {}),
    "table": ("people", 100, {}), "tvae": ("people", 200, {}), "seqgan": ("sentences", 30, {"pretrain": 25, "warm": 2}),
    "relgan": ("sentences", 30, {"pretrain": 25}), "pix2pix": ("shapes", 10, {}), "cyclegan": ("shapes", 4, {}),
    "stargan": ("tints", 4, {}), "motion": ("moving", 4, {})}


def measured(recipe: str) -> dict[str, Any]:
    """A model that was trained a little, so that its weights are none that they began with; and its files."""
    data, rounds, settings = RUNS[recipe]
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = sparring.fit(recipe, data, out=folder / "run", steps=rounds, threads=1, show_every=10**6, score_every=10**6,
                             save_every=10**6, progress=False, **settings)
        started = time.perf_counter()
        files = write(model, folder / f"{recipe}.onnx")
        seconds = time.perf_counter() - started
        found = [speeds(file) for file in files]
    worst = max(file.difference for file in files)
    return {"data": data, "rounds": rounds, "files": len(files), "largest difference": f"{worst:.1e}", "within": worst <= LARGEST,
            "bytes": sum(file.size for file in files), "seconds to export": seconds, "ms a sample, onnxruntime": found[0][0],
            "ms a sample, torch": found[0][1], "times as fast": found[0][1] / found[0][0]}


def speeds(file: Written) -> tuple[float, float]:
    """Milliseconds a sample by onnxruntime and by torch, on one thread, in turns: the median of each."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file.file), options, providers=["CPUExecutionProvider"])
    rows = {name: x if name in file.part.single else x[:AT_ONCE] for name, x in file.part.trial.items()}
    arrays = {name: x.numpy() for name, x in rows.items()}

    def by_torch() -> object:
        with torch.no_grad():
            return file.part.net(**rows)

    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(PAIRS + 1):
        for times, action in zip(taken, (lambda: session.run(None, arrays), by_torch), strict=True):
            times.append(timed(action))
    return tuple(1000 * sorted(times[1:])[PAIRS // 2] / AT_ONCE for times in taken)  # type: ignore[return-value]


def timed(action: Callable[[], object]) -> float:
    """In processor time, of which other work on the machine takes less."""
    started = time.process_time()
    action()
    return time.process_time() - started


if __name__ == "__main__":
    record("export", f"Each recipe with its own networks for data that come with the project, trained for a few rounds on one thread, "
           f"then exported: float32, the largest difference between onnxruntime {onnxruntime.__version__} and torch over 100 latents or "
           "images, in the numbers of the network (of tables: in a column's scale; names and words count 1 where they differ), with 100, 7 "
           f"and 1 rows at once. Speed: {AT_ONCE} samples at once, one thread each, processor time, the median of {PAIRS} in turns.",
           {"each recipe": f"largest difference <= {LARGEST:.0e}"}, [(recipe, partial(measured, recipe)) for recipe in RUNS])
