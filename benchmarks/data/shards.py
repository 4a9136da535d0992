"""A million small images in shards: time to the first batch, throughput beside the same images in memory, and memory.

    python -m benchmarks.data.shards [--quick]       the shards (1.1 GB, or a hundredth of it) lie in runs/shards and are made once

The cache of decoded images is emptied first.  In the first epoch images are decoded as they are needed; one epoch is then read, and what
comes after it comes from the cache.  With pyarrow, a tenth of the images again in Parquet.
"""

import io
import os
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.record import record, spread
from sparring.data import DataSettings, open_source
from sparring.data.source import Finite, batches, workers_for
from sparring.game import play
from sparring.recipes import RECIPES
from sparring.rng import seed_round
from sparring.setup.build import build

QUICK = "--quick" in sys.argv
N = 10_000 if QUICK else 1_000_000
EACH, SIDE, DIFFERENT, FOLDER = 10_000, 16, 5000, Path("runs/shards-quick" if QUICK else "runs/shards")
PARQUET, ROWS = FOLDER / "images.parquet", N // 10
CPU, BATCH, WARM, ROUNDS, PAIRS = torch.device("cpu"), 64, 10, 60, 12


def image(i: int) -> np.ndarray:
    """A disc on a ground, in three colours that follow from i."""
    rng = np.random.default_rng(i)
    ys, xs = np.mgrid[:SIDE, :SIDE]
    disc = (ys - rng.uniform(4, 12)) ** 2 + (xs - rng.uniform(4, 12)) ** 2 < rng.uniform(4, 30)
    return np.where(disc[:, :, None], rng.integers(0, 256, 3), rng.integers(0, 256, 3)).astype(np.uint8)


@cache
def coded() -> list[bytes]:
    """Every image that is different, as PNG; image i is the one at i modulo DIFFERENT."""
    streams = [io.BytesIO() for _ in range(DIFFERENT)]
    for i, stream in enumerate(streams):
        Image.fromarray(image(i)).save(stream, "PNG")
    return [stream.getvalue() for stream in streams]


def make() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for start in range(0, N, EACH):
        path = FOLDER / f"train-{start // EACH:06d}.tar"
        if path.exists():
            continue
        with tarfile.open(path.with_suffix(".part"), "w", format=tarfile.USTAR_FORMAT) as archive:
            for i in range(start, start + EACH):
                info = tarfile.TarInfo(f"{i:08d}.png")
                info.size = len(coded()[i % DIFFERENT])
                archive.addfile(info, io.BytesIO(coded()[i % DIFFERENT]))
        path.with_suffix(".part").rename(path)


def make_parquet() -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not PARQUET.exists():
        pq.write_table(pa.table({"image": [coded()[i % DIFFERENT] for i in range(ROWS)]}), PARQUET, row_group_size=1000)


def in_memory(n: int) -> Finite:
    """The same n images as in the files, decoded."""
    some = torch.from_numpy(np.stack([image(i) for i in range(DIFFERENT)])).permute(0, 3, 1, 2)
    stored = open_source(FOLDER)
    assert isinstance(stored, Finite)
    rows = torch.tensor([0, 1, n // 2, n - 1])
    assert torch.equal(stored.values[rows], some[rows % DIFFERENT])
    return Finite(stored.space, some[torch.arange(n) % DIFFERENT])


def resident() -> float:
    """Megabytes of this process and of those it started."""
    mine = str(os.getpid())
    pids = [mine] + [path.name for path in Path("/proc").glob("[0-9]*") if parent(path) == mine]
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids) * os.sysconf("SC_PAGE_SIZE") / 2**20


def parent(process: Path) -> str:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[1]
    except OSError:                                             # it has ended meanwhile
        return ""


def first_batch() -> dict[str, Any]:
    """From opening the folder to a batch: the first time, when the index is made, and later."""
    for old in (FOLDER / "cache").glob("sparring/*"):
        old.unlink()
    found = {name: seconds_to_a_batch(FOLDER) for name in ("the first time, s", "with the index, s")}
    return found | {"images": N, "load of the machine": os.getloadavg()[0],
                    "megabytes on disk": sum(p.stat().st_size for p in FOLDER.glob("*.tar")) / 2**20}


def opening() -> dict[str, Any]:
    """Photographs in a zip, brought to 64x64: seconds to open it when they are decoded, and when they were before."""
    path, count = FOLDER / "photographs.zip", 200 if QUICK else 2000
    if not path.exists():
        with zipfile.ZipFile(path.with_suffix(".part"), "w") as archive:
            for i in range(count):
                stream, coarse = io.BytesIO(), np.random.default_rng(i).integers(0, 256, (12, 12, 3), np.uint8)
                Image.fromarray(coarse).resize((256, 256), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
                archive.writestr(f"{i:06d}.jpg", stream.getvalue())
        path.with_suffix(".part").rename(path)
    seconds, prints = list[float](), set[str]()
    for _ in range(2):
        began = time.perf_counter()
        prints.add(open_source(path, DataSettings(size="64")).fingerprint)
        seconds.append(time.perf_counter() - began)
    assert len(prints) == 1
    return {"images": count, "the first time, s": seconds[0], "the next, s": seconds[1], "load of the machine": os.getloadavg()[0]}


def seconds_to_a_batch(path: Path) -> float:
    began = time.perf_counter()
    source = open_source(path)
    with closing(batches(source, BATCH, 0, 0, workers_for(source))) as stream:
        next(stream)
        return time.perf_counter() - began


def one_epoch(path: Path, n: int) -> dict[str, Any]:
    """Read every image once, shuffled, without training: memory after a tenth and at the end."""
    source, found = open_source(path), {}
    began = time.perf_counter()
    with closing(batches(source, BATCH, 0, 0, workers_for(source))) as stream:
        for part, count in (("a tenth", n // BATCH // 10), ("all", n // BATCH - n // BATCH // 10)):
            for _ in islice(stream, count):
                pass
            found[f"megabytes after {part}"] = resident()
    return found | {"megabytes more": found["megabytes after all"] - found["megabytes after a tenth"],
                    "images/s": n / (time.perf_counter() - began)}


def throughput(path: Path, n: int) -> dict[str, Any]:
    """Rounds a second of a DCGAN on the files, as they are read by default, and on the same images in memory, in turn."""
    torch.set_num_threads(1)
    stored, memory = open_source(path), in_memory(n)
    recipe = RECIPES["gan"]
    settings = recipe.settings(**{**recipe.defaults(memory.space), "batch": BATCH, "width": 32, "steps": 10_000})
    rates: dict[str, list[float]] = {"files": [], "memory": []}
    costs: dict[str, list[float]] = {"files": [], "memory": []}
    for pair in range(PAIRS):
        for name, source in (("files", stored), ("memory", memory)) if pair % 2 else (("memory", memory), ("files", stored)):
            game = build(recipe, settings, memory.space, CPU, 0)
            with closing(batches(source, BATCH, 1 + pair, 0, workers_for(source))) as stream:
                for step in range(WARM + ROUNDS):
                    if step == WARM:
                        began, used = time.perf_counter(), time.process_time()
                    seed_round(0, CPU, step)
                    play(game, stream, step)
                rates[name].append(ROUNDS / (time.perf_counter() - began))
                costs[name].append((time.process_time() - used) / ROUNDS)
    return {"rounds/s": spread(rates["files"]), "in memory, rounds/s": spread(rates["memory"]),
            "ratio": spread([a / b for a, b in zip(rates["files"], rates["memory"], strict=True)]),
            "processor time of the training process, in memory / files":
                spread([b / a for a, b in zip(costs["files"], costs["memory"], strict=True)]),
            "load of the machine": os.getloadavg()[0]}


def cases() -> list[tuple[str, Callable[[], dict[str, Any]]]]:
    every: list[tuple[str, Callable[[], dict[str, Any]]]] = [
        ("first batch", first_batch), ("throughput, first epoch", lambda: throughput(FOLDER, N)),
        ("one epoch", lambda: one_epoch(FOLDER, N)), ("throughput, later epochs", lambda: throughput(FOLDER, N)),
        ("photographs in a zip", opening)]
    try:
        make_parquet()
    except ImportError:
        return every
    return [*every, ("Parquet, first batch", lambda: {"images": ROWS, "s": seconds_to_a_batch(PARQUET)}),
            ("Parquet, throughput, first epoch", lambda: throughput(PARQUET, ROWS)),
            ("Parquet, one epoch", lambda: one_epoch(PARQUET, ROWS)),
            ("Parquet, throughput, later epochs", lambda: throughput(PARQUET, ROWS))]


if __name__ == "__main__":
    make()
    os.environ["XDG_CACHE_HOME"] = str((FOLDER / "cache").resolve())
    record("shards-quick" if QUICK else "shards",
           f"{N:,} PNG images of {SIDE}x{SIDE} in .tar shards of {EACH:,}, and {ROWS:,} of them in one Parquet file. First batch: from "
           f"opening to {BATCH} images. One epoch: read without training; memory of the process and its decoders. Throughput: DCGAN, width "
           f"32, batch {BATCH}, one thread; files as they are read by default, against the same images in memory; {PAIRS} pairs of "
           f"{ROUNDS} rounds after {WARM}, in turn. The first epoch decodes; later ones read decoded images from the cache, after one "
           f"whole epoch. Photographs: JPEG of 256x256 in a zip, brought to 64x64; opened twice.",
           {"first batch": "< 2 s with the index", "throughput": "ratio >= 0.95", "memory": "flat"}, cases())
