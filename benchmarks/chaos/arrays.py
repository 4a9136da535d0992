"""Arrays in memory and in .npy, .npz and IDX files: of strange types and shapes, damaged, lying, or holding code."""

import gzip
import io
import pickle
import random
import shutil
import struct
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch

from benchmarks.chaos.guard import guarded
from benchmarks.chaos.images import EXTREMES, OPTIONS, zeros
from benchmarks.chaos.refusal import insane, unhelpful
from benchmarks.chaos.tally import Tally
from sparring.data import DataSettings, open_source
from sparring.errors import InputError

PROMISE = "Any array, and any bytes named .npy, .npz or IDX, are read, or refused with a reason and a fix. No code in them ever runs."
SECONDS, MEGABYTES = 20.0, 400
EXECUTED = "code was executed"
SHAPES = ((), (0,), (1,), (7,), (5, 3), (1, 1), (0, 4), (4, 0), (3, 8, 8), (2, 8, 8, 3), (2, 3, 8, 8), (2, 4, 4, 4), (8, 8, 3), (2, 1, 8),
          (3, 2, 8, 8), (1, 2, 3, 4, 5), (1,) * 12, (600,), (40, 20), (6, 1), (1, 9))
TYPES = ("u1", "u2", ">u2", "u4", "u8", "i1", "i2", "i4", "i8", ">i8", "f2", "f4", ">f4", "f8", ">f8", "g", "?", "F", "D", "G", "U5", "S3",
         "S0", "U0", "V4", "V0", "M8[s]", "m8[ns]", "O", "i4,f8", "(2,3)f4", [("a", "f4", (2,)), ("b", "O")])
PLAIN = ("u1", "f4", "f8", "i8", "?", "u2")
NUMBERS = (0.0, -0.0, 1.0, -1.0, 0.5, 255.0, 256.0, 1e-320, 1e300, -1e300, 3.4e38, 3.5e38, 65504.0, np.nan, np.inf, -np.inf)
IN_MEMORY = ("the array", "the labels", "the data", "a tuple", "http://a", "xxx", "no?such")      # what a refusal may call it
IDX_NAMES = ("train-images-idx3-ubyte", "train-images.idx3-ubyte", "train-images-idx3-ubyte.gz")


class Trap:
    """An object whose pickle makes a file when it is read."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return open, (str(self.marker), "w")


def array(rng: random.Random) -> np.ndarray:
    """An array of any type and shape, of hostile or plain values, perhaps not in one piece of memory."""
    dtype, shape = np.dtype(rng.choice(TYPES if rng.random() < 0.5 else PLAIN)), rng.choice(SHAPES)
    x = np.zeros(shape, dtype)
    plain = np.random.default_rng(rng.getrandbits(32))
    if dtype.kind in "buif" and dtype.subdtype is None and x.size:
        low, high = {"b": (0, 2), "f": (-1, 1)}.get(dtype.kind, (0, 100))
        values = np.asarray(plain.uniform(low, high, x.shape))
        with np.errstate(all="ignore"):
            x[...] = np.abs(values) if rng.random() < 0.5 else values
            if dtype.kind == "f" and rng.random() < 0.4:
                x.flat[plain.integers(x.size, size=rng.randint(1, x.size))] = rng.choice(NUMBERS)
        if rng.random() < 0.1:
            x = np.frombuffer(plain.bytes(x.nbytes), x.dtype).reshape(x.shape)          # any bits at all
        elif rng.random() < 0.1 and dtype.kind in "iu":
            x[...] = rng.choice((np.iinfo(dtype).min, np.iinfo(dtype).max))
    elif dtype.kind == "O" and x.size:
        x[...] = rng.choice(([1], {}, "text", 2**80, None, lambda: 1))
    if x.ndim and rng.random() < 0.3:
        x = rng.choice((lambda: x[::-1], lambda: x.T, lambda: np.broadcast_to(x, (3, *x.shape)), lambda: np.asfortranarray(x),
                        lambda: np.ma.masked_array(x), lambda: x.view(np.recarray) if dtype.names else x))()
    return x


def labels(rng: random.Random, n: int) -> object:
    """Labels for n samples, good or bad."""
    plain = [k % 3 for k in range(n)]
    return rng.choice([
        lambda: plain, lambda: np.array(plain), lambda: torch.tensor(plain), lambda: [f"class {k}" for k in plain], lambda: [],
        lambda: [*plain, 1], lambda: None, lambda: [[k] for k in plain], lambda: [0.5] * n, lambda: ["\x1b[31m", "\x1b[32m"] * (n // 2 + 1),
        lambda: {"a": 1}, lambda: "a" * n, lambda: [2**70] * n, lambda: [object()] * n, lambda: [b"a"] * n, lambda: [[1], [2, 3]],
        lambda: ["\ud800", "\udfff"] * (n // 2) + ["x"] * (n % 2), lambda: ["n" * 5000] * n, lambda: 7, lambda: lambda: 1,
        lambda: np.ma.masked_array(plain, mask=[k == 1 for k in plain]), lambda: [True, None] * n, lambda: np.zeros((n, 3), int),
        lambda: torch.zeros(n), lambda: torch.eye(max(1, n)).to_sparse(), lambda: [[]] * n, lambda: range(n), lambda: set(plain),
        lambda: list(map(str, range(n)))])()


def in_memory(rng: random.Random) -> object:
    x: object = array(rng)
    kind, n = rng.random(), len(x) if x.ndim else 0
    if kind < 0.15:
        x = rng.choice([
            lambda: torch.zeros(3, 8, 8, dtype=rng.choice((torch.complex64, torch.bfloat16, torch.float16, torch.bool, torch.int8))),
            lambda: torch.eye(4).to_sparse(), lambda: torch.empty(4, 4, device="meta"), lambda: torch.ones(4, 2, requires_grad=True),
            lambda: torch.quantize_per_tensor(torch.zeros(4, 2), 0.1, 0, torch.quint8), lambda: torch.nested.nested_tensor([torch.ones(2)]),
            lambda: torch.full((4, 2), float("nan")), lambda: torch.zeros(2, 2, dtype=torch.complex64).conj(), lambda: torch.zeros(()),
            lambda: torch.ones(4, 2, dtype=torch.float8_e5m2), lambda: torch.ones(4, 2, dtype=torch.uint16), lambda: [1, 2],
            lambda: torch.zeros(1).expand(100, 100), lambda: {}, lambda: 3, lambda: None, lambda: b"x", lambda: np.float64(1),
            lambda: np.asmatrix(np.eye(3)), lambda: "\0", lambda: "x" * 9000, lambda: "http://a/b.npy", lambda: "no\nsuch"])()
    return rng.choice([(x, labels(rng, n)), (x, labels(rng, n)), (x,), (x, None), (), (x, 1, 2)]) if kind > 0.6 else x


def npy(x: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, x, allow_pickle=True)
    return stream.getvalue()


def npy_file(rng: random.Random, marker: Path) -> bytes:
    """An .npy, whole or with a header or body that says something else."""
    kind = rng.random()
    if kind < 0.12:
        trap = np.empty(rng.choice(((), (1,), (4,))), object)
        trap[...] = Trap(marker)
        return npy(trap)
    if kind < 0.16:
        return pickle.dumps(Trap(marker))
    if kind < 0.4:
        shape = rng.choice(("(1000000000,)", "(10**9,)", "(99999, 99999, 99)", "(-1,)", "(-5, 3)", "(0, 99999999999999999999)",
                            "(True,)", "(2.0,)", "5", "()", "(4294967296, 4294967296)", "('a',)", "(9,)*9", "[3]",
                            "(" * 3000, "(500000000,)", "(3L,)"))
        descr = rng.choice(("<f8", "|u1", ">f4", "|b1", "|O", "<U9999999", "|V0", "<f16", "<m8[s]", "nonsense", "", "[", "\\", "a" * 9000))
        order = rng.choice(("False", "False", "True", "0", "__import__('os')", "'\\d'"))
        return headed(descr, shape, order, rng.choice((1, 1, 1, 1, 2, 3, 4, 255))) + bytes(rng.randrange(100))
    try:
        return npy(array(rng))
    except Exception:                                             # a function cannot be pickled
        return npy(np.arange(12.0).reshape(4, 3))


def npz_file(rng: random.Random, marker: Path) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", rng.choice((0, 0, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))) as archive:
        for _ in range(rng.randrange(4)):
            name = rng.choice(("x", "x", "x", "y", "y", "images", "labels", "data", "X", "../x", "a\x1b[31m", "n" * 400, "/etc/x"))
            data = npy_file(rng, marker)
            if name in ("y", "labels"):
                data = rng.choice((data, npy(np.arange(5) % 2), npy(np.array(["a", "b"] * 2 + ["c"])), npy(np.arange(2))))
            archive.writestr(name + rng.choice((".npy", ".npy", ".npy", ".npy", ".pkl", "")), data)
    return stream.getvalue() if rng.random() < 0.96 else rng.choice(npz_bombs())


@cache
def npz_bombs() -> list[bytes]:
    """Ten million zeros in ten kilobytes; a header that claims five billion; and the same where the zip claims them as well."""
    made = []
    for shape, zip_claims in ((10_000_000, 0), (5_000_000_000, 0), (5_000_000_000, 0xF0000000)):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.npy", headed("|b1", f"({shape},)") + bytes(10_000_000))
        raw = bytearray(stream.getvalue())
        if zip_claims:
            struct.pack_into("<I", raw, raw.rindex(b"PK\1\2") + 24, zip_claims)
        made.append(bytes(raw))
    return made


def headed(descr: str, shape: str, order: str = "False", version: int = 1) -> bytes:
    """The first part of an .npy, which may say anything."""
    head = f"{{'descr': {descr!r}, 'fortran_order': {order}, 'shape': {shape}, }}".encode() + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + (len(head) % 65536).to_bytes(2 if version == 1 else 4, "little") + head


@cache
def idx_bombs() -> list[bytes]:
    packed = zeros(200 << 20)
    lying = gzip.compress(struct.pack(">BBBBIII", 0, 0, 8, 3, 1000, 28, 28))[:10] + packed[2:-4] + struct.pack("<II", 0, 200 << 20)
    return [lying, gzip.compress(struct.pack(">BBBBIII", 0, 0, 8, 3, 1 << 16, 1 << 8, 1 << 8)),
            struct.pack(">BBBBIII", 0, 0, 8, 3, 1 << 16, 1 << 8, 1 << 8) + b"x"]


def idx_file(rng: random.Random, dims: int) -> bytes:
    if rng.random() < 0.05:
        return rng.choice(idx_bombs())
    shape = tuple(rng.choice((1, 2, 5, 9, 28)) for _ in range(dims))
    data = bytes([0, 0, 8, dims]) + struct.pack(f">{dims}I", *shape) + rng.randbytes(int(np.prod(shape)))
    return gzip.compress(data) if rng.random() < 0.4 else data


def damaged(data: bytes, rng: random.Random) -> bytes:
    raw, kind = bytearray(data), rng.random()
    if not raw or kind < 0.45:
        return data
    if kind < 0.55:
        return data[:rng.randrange(len(raw))]
    if kind < 0.6:
        return data + rng.randbytes(rng.randint(1, 50))
    for _ in range(rng.randint(1, 4)):
        at, width = rng.randrange(min(len(raw), rng.choice((16, 140, 10**9)))), rng.choice((1, 1, 2, 4, 8))
        raw[at:at + width] = (rng.choice((*EXTREMES, rng.getrandbits(8), rng.getrandbits(64))) % (1 << 8 * width)).to_bytes(width, "big")
    return bytes(raw)


def written(place: Path, k: int, rng: random.Random, marker: Path) -> tuple[tuple[str], Path]:
    """Put a file, perhaps with others, in a folder; the name that a refusal must have, and what to open."""
    kind = rng.choice(("npy", "npz", "idx"))
    if kind != "idx":
        path = place / f"values-{k}.{kind}"
        path.write_bytes(damaged((npy_file if kind == "npy" else npz_file)(rng, marker), rng))
        return (path.name,), path
    name = rng.choice(IDX_NAMES)
    names = [name, name.replace("train", "t10k")] if rng.random() < 0.3 else [name]
    for each in names:
        (place / each).write_bytes(damaged(idx_file(rng, 3), rng))
        if rng.random() < 0.6:
            (place / each.replace("images", "labels").replace("idx3", "idx1")).write_bytes(damaged(idx_file(rng, 1), rng))
    return ("-ubyte",), rng.choice((place, place / name))


def trials(n: int, folder: Path, seed: int = 0) -> Tally:
    """n arrays, two in five of them in memory; a pickle that runs makes a file, which is a failure of its own kind."""
    counts: Counter[str] = Counter()
    idx_bombs(), npz_bombs()

    def trial(k: int) -> str | None:
        rng, place = random.Random(f"arrays {k}"), folder / f"arrays-{k}"
        marker = place / "executed"
        place.mkdir(parents=True)
        try:
            options = DataSettings(**rng.choice(OPTIONS)) if rng.random() < 0.2 else DataSettings()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")                   # what numpy and torch say while the odd arrays are made
                names, data = (IN_MEMORY, in_memory(rng)) if rng.random() < 0.4 else written(place, k, rng, marker)
            wrong = judged(lambda: open_source(data, options), names, counts)
            if marker.exists():
                wrong = f"{EXECUTED}; {wrong}"
        finally:
            shutil.rmtree(place)
        return wrong and f"{wrong}; {kind_of(data)}, {options}"

    tally = guarded(trial, range(seed, seed + n), seconds=SECONDS, megabytes=MEGABYTES, counts=counts)
    tally.facts["code executions"] = sum(EXECUTED in failure for failure in tally.failures)
    return tally


def kind_of(data: object) -> str:
    shape = getattr(data, "shape", None)
    return f"{type(data).__name__} {getattr(data, 'dtype', '')} {list(shape) if shape is not None else str(data)[:100]}"


def judged(read: Callable[[], object], names: tuple[str, ...], counts: Counter[str]) -> str | None:
    """None if the array is read, and the data can be used, or refused by one of its names; else what is wrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            source = read()
    except InputError as error:
        counts["refused"] += 1
        wrong = unhelpful(str(error), names)
        return wrong and f"the refusal {wrong}"
    counts["accepted"] += 1
    wrong = insane(source)
    return wrong and f"the data {wrong}"
