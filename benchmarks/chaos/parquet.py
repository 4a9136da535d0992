"""Parquet files of odd columns, damaged, lying, or made to unpack to more than any machine holds."""

import io
import random
import shutil
import warnings
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import torch

from benchmarks.chaos.guard import guarded
from benchmarks.chaos.images import EXTREMES, bases
from benchmarks.chaos.refusal import insane, unhelpful
from benchmarks.chaos.tally import Tally
from sparring.data import open_source
from sparring.data.source import Finite
from sparring.errors import InputError, RunFailed

PROMISE = "Any bytes named .parquet are read, or refused by name with a reason and a fix: no traceback, no hang, bounded memory."
SECONDS, MEGABYTES = 60.0, 600
CODECS = ("none", "snappy", "gzip", "zstd", "brotli", "lz4")


@cache
def whole() -> dict[str, bytes]:
    """Files as people write them, and as they should not."""
    import pyarrow as pa

    good, n = bases()["PNG RGB"] if "PNG RGB" in bases() else next(iter(bases().values())), 12
    rng = np.random.default_rng(0)
    coded = [good] * n
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    tables = {
        "bytes": {"image": pa.array(coded), "label": [i % 3 for i in range(n)]},
        "struct": {"image": pa.array([{"bytes": data, "path": "a.png"} for data in coded], struct), "label": ["a", "b"] * (n // 2)},
        "holes": {"image": pa.array([None, *coded[1:]]), "label": pa.array([None] + [1] * (n - 1))},
        "paths only": {"image": pa.array([{"bytes": None, "path": "a.png"}] * n, struct)},
        "numbers": {f"c{k}": rng.normal(size=n) for k in range(5)} | {"class": rng.integers(0, 3, n)},
        "kinds": {"a": rng.integers(0, 99, n, np.int8), "b": rng.random(n) < 0.5, "c": rng.normal(size=n).astype(np.float16),
                  "d": pa.array([1] * n, pa.decimal128(9, 2)), "e": pa.array([0] * n, pa.timestamp("us")), "f": [[1, 2]] * n,
                  "g": pa.array(["x", "y"] * (n // 2)).dictionary_encode(), "h": pa.array([{"p": 1, "q": {"r": "s"}}] * n)},
        "gaps": {"a": pa.array([1.0, None] * (n // 2)), "b": pa.array([float("nan")] * n)},
        "names": {"a.b": rng.normal(size=n), "a": rng.normal(size=n), "\x1b[31m": rng.normal(size=n), "": rng.normal(size=n),
                  "n" * 9000: rng.normal(size=n), "label": ["\x1b[32m", "\x1b[31m"] * (n // 2)},
        "words": {"label": [chr(65 + i) * 300 for i in range(n)], "a": np.arange(n)},
        "empty": {"a": pa.array([], pa.float64())}, "nothing": {},
    }
    files = {}
    for i, (name, columns) in enumerate(tables.items()):
        for form in range(2):
            files[f"{name} {form}"] = packed(columns, CODECS[(i + 3 * form) % len(CODECS)], form)
    return files


def packed(columns: dict[str, object], codec: str, form: int, each: int = 5) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream, row_group_size=each, compression=codec, use_dictionary=not form, write_page_index=bool(form),
                   data_page_version=("1.0", "2.0")[form], data_page_size=100)
    return stream.getvalue()


@cache
def bombs() -> dict[str, bytes]:
    """Small files of very much: one value, long or short, again and again."""
    import pyarrow as pa

    once = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000, np.int32)), pa.array([b"\x89PNG" + bytes(4 << 20)]))
    return {"long values": packed({"image": once}, "zstd", 0, 20_000), "rows": packed({"a": np.zeros(3_000_000)}, "zstd", 0, 3_000_000),
            "groups": packed({"a": np.arange(4000.0)}, "none", 0, 1)}


def spoiled(rng: random.Random) -> tuple[str, bytes]:
    """What was done, and the bytes."""
    if rng.random() < 0.01:
        name = rng.choice(sorted(bombs()))
        return name, bombs()[name]
    name = rng.choice(sorted(whole()))
    raw, kind = bytearray(whole()[name]), rng.random()
    if kind < 0.06:
        return f"{name}, whole", bytes(raw)
    footer = len(raw) - 8 - int.from_bytes(raw[-8:-4], "little")
    if kind < 0.12:
        raw = raw[:rng.randrange(len(raw))]
    elif kind < 0.2:
        other = whole()[rng.choice(sorted(whole()))]
        raw = raw[:rng.randrange(4, len(raw))] + other[rng.randrange(len(other)):]
    elif kind < 0.25:
        raw[-8:-4] = (rng.choice(EXTREMES) % (1 << 32)).to_bytes(4, "little")
    else:                                                       # in the footer, which says what the rest is, or anywhere
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(footer, len(raw) - 8) if footer < 5 or rng.random() < 0.6 else rng.randrange(4, footer)
            if rng.random() < 0.5:
                raw[at] ^= 1 << rng.randrange(8)
            else:
                width = rng.choice((1, 1, 2, 5))
                raw[at:at + width] = rng.choice((b"\xff" * width, bytes(width), rng.randbytes(width), b"\xff\xff\xff\xff\x0f"[:width]))
    return f"{name}, damaged", bytes(raw)


def trials(n: int, folder: Path, seed: int = 0) -> Tally:
    """n files; nothing when pyarrow is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        return Tally(facts={"not tried": "pyarrow is not installed"})
    counts: Counter[str] = Counter()
    whole(), bombs()

    def trial(k: int) -> str | None:
        what, data = spoiled(random.Random(f"parquet {k}"))
        place = folder / f"parquet-{k}"
        place.mkdir(parents=True)
        try:
            path = place / f"set-{k}.parquet"
            path.write_bytes(data)
            wrong = judged(path, counts)
        finally:
            shutil.rmtree(place)
        return wrong and f"{what}: {wrong}"

    return guarded(trial, range(seed, seed + n), seconds=SECONDS, megabytes=MEGABYTES, counts=counts)


def judged(path: Path, counts: Counter[str]) -> str | None:
    """None if the file is read, and all of it can be used, or refused by its name; else what is wrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            source = open_source(path)
            assert isinstance(source, Finite)
            values = source.values[torch.arange(min(len(source), 5000))]
    except (InputError, RunFailed) as error:
        counts["refused"] += 1
        wrong = unhelpful(str(error), [path.name])
        return wrong and f"the refusal {wrong}"
    counts["accepted"] += 1
    labels = None if source.labels is None else source.labels[:len(values)]
    wrong = insane(Finite(source.space, values, labels, notes=source.notes))
    return wrong and f"the data {wrong}"
