"""A million small images in shards: time to the first batch, throughput beside the same images in memory, and memory.

    python benchmarks/shards.py [--quick]       the shards (1.1 GB, or a hundredth of it) lie in runs/shards and are made once
"""

import io
import os
import sys
import tarfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from record import record, spread
from sparring.data import shards
from sparring.data.source import Finite, batches
from sparring.game import play
from sparring.prepare import build
from sparring.recipes import RECIPES
from sparring.rng import seed_round

N = 10_000 if "--quick" in sys.argv else 1_000_000
EACH, SIDE, FOLDER = 10_000, 16, Path("runs/shards-quick" if "--quick" in sys.argv else "runs/shards")
CPU, ROUNDS, PAIRS = torch.device("cpu"), 60, 5


def image(i: int) -> np.ndarray:
    """A disc on a ground, in three colours that follow from i."""
    rng = np.random.default_rng(i % 5000)
    ys, xs = np.mgrid[:SIDE, :SIDE]
    disc = (ys - rng.uniform(4, 12)) ** 2 + (xs - rng.uniform(4, 12)) ** 2 < rng.uniform(4, 30)
    return np.where(disc[:, :, None], rng.integers(0, 256, 3), rng.integers(0, 256, 3)).astype(np.uint8)


def make() -> None:
    encoded = []
    for i in range(5000):
        stream = io.BytesIO()
        Image.fromarray(image(i)).save(stream, "PNG")
        encoded.append(stream.getvalue())
    FOLDER.mkdir(parents=True, exist_ok=True)
    for start in range(0, N, EACH):
        path = FOLDER / f"train-{start // EACH:06d}.tar"
        if path.exists():
            continue
        with tarfile.open(path.with_suffix(".part"), "w", format=tarfile.USTAR_FORMAT) as archive:
            for i in range(start, start + EACH):
                info = tarfile.TarInfo(f"{i:08d}.png")
                info.size = len(encoded[i % 5000])
                archive.addfile(info, io.BytesIO(encoded[i % 5000]))
        path.with_suffix(".part").rename(path)


def resident() -> float:
    """Megabytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def first_batch() -> dict[str, float]:
    """From opening the folder to a batch of 64: the first time, when the index is made, and later."""
    os.environ["XDG_CACHE_HOME"] = str(FOLDER / "cache")
    for old in (FOLDER / "cache").glob("sparring/*"):
        old.unlink()
    found = {}
    for name in ("the first time, s", "with the index, s"):
        began = time.perf_counter()
        source = shards.read_shards(FOLDER)
        with closing(batches(source, 64, 0)) as stream:
            next(stream)
        found[name] = time.perf_counter() - began
    return found | {"images": len(source), "megabytes on disk": sum(p.stat().st_size for p in FOLDER.glob("*.tar")) / 2**20}


def throughput() -> dict[str, object]:
    """Rounds a second of a DCGAN on shards with two workers, and on the same images in memory, in turn."""
    torch.set_num_threads(1)
    stored = shards.read_shards(FOLDER)
    some = torch.arange(min(N, 50_000))
    memory = Finite(stored.space, stored.values[some])
    recipe = RECIPES["gan"]
    settings = recipe.settings(**{**recipe.defaults(stored.space), "batch": 64, "width": 32, "steps": 10_000})
    rates: dict[str, list[float]] = {"shards": [], "memory": []}
    before = resident()
    for pair in range(PAIRS):
        for name, source in (("shards", stored), ("memory", memory)) if pair % 2 else (("memory", memory), ("shards", stored)):
            game = build(recipe, settings, source.space, CPU, 0)
            with closing(batches(source, 64, pair, 0, 2 if source is stored else 0)) as stream:
                for step in range(5 + ROUNDS):
                    if step == 5:
                        began = time.perf_counter()
                    seed_round(0, CPU, step)
                    play(game, stream, step)
            rates[name].append(ROUNDS / (time.perf_counter() - began))
    return {"shards, rounds/s": spread(rates["shards"]), "memory, rounds/s": spread(rates["memory"]),
            "ratio": spread([a / b for a, b in zip(rates["shards"], rates["memory"], strict=True)]),
            "megabytes more at the end": resident() - before}


if __name__ == "__main__":
    make()
    name = "shards-quick" if "--quick" in sys.argv else "shards"
    record(name, f"{N:,} PNG images of {SIDE}x{SIDE} in .tar shards of {EACH:,}. First batch: from opening the folder to 64 images. "
           f"Throughput: DCGAN, width 32, batch 64, one thread, shards with two workers; {PAIRS} pairs of {ROUNDS} rounds, in turn.",
           {"first batch": "< 2 s with the index", "throughput": "ratio >= 0.95", "memory": "flat"},
           [("first batch", first_batch), ("throughput", throughput)])
