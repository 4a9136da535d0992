"""Fifty files that run a program when something unpickles them, put wherever this project reads a file."""

import bz2
import gzip
import io
import json
import lzma
import marshal
import os
import pickle
import re
import shutil
import struct
import subprocess
import tarfile
import time
import types
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch

import sparring
from benchmarks.chaos.damage import Listener
from benchmarks.chaos.guard import guarded
from benchmarks.chaos.refusal import unhelpful
from benchmarks.chaos.tally import Tally
from sparring.data import open_source
from sparring.errors import InputError, RunFailed
from sparring.game.processes import ALONE
from sparring.runs import checkpoint
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.training.loop import resume

PROMISE = "A pickle, whatever its name and place, is refused or ignored. Nothing in it is ever executed."
SECONDS, MEGABYTES = 60.0, 300
EXTRA = ("data.pkl", "model.pt", "pytorch_model.bin", "sparring.py", "config.json.pkl", ".hidden")
DATA = ("a.npy", "b.npz", "c.zip", "d.png", "train-images-idx3-ubyte", "train-images-idx3-ubyte.gz", "e.pkl", "f.pt", "g.csv")
Payload = tuple[bytes, Callable[[bytes], object]]       # a file, and what a careless reader of it does


class Calls:
    """An object whose pickle calls a function."""

    def __init__(self, function: Callable[..., object], *given: object) -> None:
        self.what = function, given

    def __reduce__(self) -> tuple[Any, ...]:
        return self.what


class Kept:
    """An object whose pickle sets a state that was chosen."""

    def __init__(self, then: object) -> None:
        self.then = then

    def __reduce_ex__(self, protocol: int) -> tuple[Any, ...]:
        return types.SimpleNamespace, (), {"inner": self.then}


def payloads(marker: Path) -> dict[str, Payload]:
    """Fifty files by name, each of which leaves the marker when it is read by what reads such files."""
    shell, python = f"touch {marker}", f"open({str(marker)!r}, 'w').close()"
    system, opened = Calls(os.system, shell), Calls(open, str(marker), "w")
    simple = {f"os.system, protocol {n}": pickle.dumps(system, n) for n in range(6)}
    simple |= {f"eval, protocol {n}": pickle.dumps(Calls(eval, python), n) for n in range(6)}
    simple |= {f"exec in a state, protocol {n}": pickle.dumps(Kept(Calls(exec, python)), n) for n in (2, 4)}
    simple |= {"open": pickle.dumps(opened), "mkdir": pickle.dumps(Calls(os.mkdir, str(marker))),
               "pathlib": pickle.dumps(Calls(Path.touch, marker)),
               "a process": pickle.dumps(Calls(subprocess.check_call, ["touch", str(marker)])),
               "a pickle in a pickle": pickle.dumps(Calls(pickle.loads, pickle.dumps(system))),
               "deep in lists": pickle.dumps([{"weights": [(1, {"w": [system]})]}]), "many copies": pickle.dumps([system] * 100)}
    simple |= opcodes(shell, python, str(marker))
    made: dict[str, Payload] = {name: (data, pickle.loads) for name, data in simple.items()}
    plain = pickle.dumps(system)
    made |= {"gzip": (gzip.compress(plain), lambda data: pickle.loads(gzip.decompress(data))),
             "bzip2": (bz2.compress(plain), lambda data: pickle.loads(bz2.decompress(data))),
             "xz": (lzma.compress(plain), lambda data: pickle.loads(lzma.decompress(data)))}
    return made | archives(system, plain, marker.with_name("escaped.pkl"))


def opcodes(shell: str, python: str, marker: str) -> dict[str, bytes]:
    """Pickles written by hand, one for each way in which they may call something."""

    def text(word: str) -> bytes:
        return b"X" + struct.pack("<I", len(word)) + word.encode()

    def short(word: str) -> bytes:
        return b"\x8c" + bytes([len(word)]) + word.encode()

    def call(given: bytes) -> bytes:
        return given + b"\x85R"                                 # TUPLE1, REDUCE

    glob, code = b"cos\nsystem\n", marshal.dumps(compile(python, "x", "exec"))
    stacked = short("os") + short("system") + b"\x93"
    partial_ = b"cfunctools\npartial\n"
    raw = b"B" + struct.pack("<I", len(code)) + code
    function = b"ctypes\nFunctionType\n" + b"cmarshal\nloads\n" + raw + b"\x85R}\x86R"
    keyword = b"}" + text("file") + text(marker) + b"s" + text("mode") + text("w") + b"s"
    return {
        "GLOBAL": b"\x80\x02" + glob + call(text(shell)) + b".", "STACK_GLOBAL": b"\x80\x04" + stacked + call(short(shell)) + b".",
        "INST": b"(S" + repr(shell).encode() + b"\nios\nsystem\n.", "OBJ": b"\x80\x02(" + glob + text(shell) + b"o.",
        "REDUCE with a mark": glob + b"(" + text(shell) + b"tR.",
        "NEWOBJ": b"\x80\x02" + partial_ + glob + text(shell) + b"\x86\x81)R.",
        "NEWOBJ_EX": b"\x80\x04" + partial_ + b"cbuiltins\nopen\n\x85" + keyword + b"\x92)R.",
        "BUILD": b"\x80\x02ctypes\nSimpleNamespace\n)R}" + text("__setstate__") + glob + b"sb" + text(shell) + b"b.",
        "a frame": b"\x80\x04\x95" + struct.pack("<Q", len(stacked + call(short(shell))) + 1) + stacked + call(short(shell)) + b".",
        "memo": b"\x80\x02" + glob + b"q\x000h\x00" + call(text(shell)) + b".",
        "by __import__": b"\x80\x04" + short("builtins") + short("__import__") + b"\x93" + call(short("os")) + b"0" + stacked
                         + call(short(shell)) + b".",
        "attrgetter": b"\x80\x02coperator\nattrgetter\n" + call(text("system")) + b"cbuiltins\n__import__\n" + call(text("os"))
                      + b"\x85R" + call(text(shell)) + b".",
        "code, as dill does": b"\x80\x02" + function + b")R.",
        "getattr": b"\x80\x02cbuiltins\ngetattr\ncbuiltins\n__import__\n" + call(text("os")) + text("system") + b"\x86R"
                   + call(text(shell)) + b".",
        "after a good one": b"\x80\x02" + text("weights") + b"0" + glob + call(text(shell)) + b".",
        "runpy": b"\x80\x02crunpy\n_run_code\n" + text(python) + b"}\x86R.", "timeit": b"\x80\x02ctimeit\ntimeit\n(" + text("pass")
                 + text(python) + b"tR.",
    }


def archives(system: Calls, plain: bytes, elsewhere: Path) -> dict[str, Payload]:
    """Files of torch, NumPy and joblib, and packed ones with names that lead elsewhere."""

    def saved(save: Callable[..., object], *things: object, **options: object) -> bytes:
        stream = io.BytesIO()
        save(*things, stream, **options) if save is not np.save and save is not np.savez else save(stream, *things, **options)
        return stream.getvalue()

    def zipped(names: dict[str, bytes]) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for name, data in names.items():
                archive.writestr(name, data)
        return stream.getvalue()

    def tarred(name: str) -> bytes:
        stream, entry = io.BytesIO(), tarfile.TarInfo(name)
        entry.size = len(plain)
        with tarfile.open(fileobj=stream, mode="w") as archive:
            archive.addfile(entry, io.BytesIO(plain))
        return stream.getvalue()

    def members(data: bytes) -> None:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                if name.endswith(".pkl"):
                    pickle.loads(archive.read(name))

    def member(data: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            pickle.loads(archive.extractfile(archive.next()).read())

    def loaded(data: bytes) -> None:
        torch.load(io.BytesIO(data), weights_only=False)

    def array(data: bytes) -> None:
        found = np.load(io.BytesIO(data), allow_pickle=True)
        _ = [found[name] for name in found.files] if hasattr(found, "files") else found

    objects, tensors = np.array([system, 1], object), {"w": torch.ones(3), "x": system}
    slip = {"../../escaped.pkl": plain, str(elsewhere): plain, "archive/data.pkl": plain}
    return {
        "torch.save": (saved(torch.save, tensors), loaded), "torch.save, legacy": (saved(torch.save, tensors,
        _use_new_zipfile_serialization=False), loaded),
        "object array": (saved(np.save, objects), array), "object arrays": (saved(np.savez, x=objects, y=objects), array),
        "record array": (saved(np.save, np.array([(1, system)], [("a", "i4"), ("b", "O")])), array),
        "joblib": (saved(joblib.dump, {"w": np.ones(3), "x": system}), lambda data: joblib.load(io.BytesIO(data))),
        "joblib, packed": (saved(joblib.dump, {"w": np.ones(3), "x": system}, compress=3), lambda data: joblib.load(io.BytesIO(data))),
        "zip slip": (zipped(slip), members), "tar": (tarred("../../escaped.pkl"), member),
    }


def model_folder(folder: Path) -> tuple[Path, torch.Tensor]:
    model = sparring.fit("gan", data="ring", steps=2, batch=8, width=4, depth=1, latent=2, threads=1)
    return model.save(folder), model.sample(2)


def run_folder(folder: Path) -> Path:
    """A run with two checkpoints and no model yet."""
    sparring.fit("gan", data="ring", out=folder, steps=2, **TINY)
    shutil.rmtree(folder / "model")
    return folder


TINY: dict[str, Any] = {"batch": 8, "width": 4, "depth": 1, "latent": 2, "threads": 1, "save_every": 1, "show_every": 9, "score_every": 9}


def agreeing(folder: Path) -> None:
    """Write the manifest anew, so that it agrees with whatever is in the folder."""
    names = [name for name in json.loads((folder / checkpoint.MANIFEST).read_bytes())]
    entries = {name: checkpoint._entry((folder / name).read_bytes()) for name in names}
    (folder / checkpoint.MANIFEST).write_bytes(checkpoint._manifest(entries))


def trials(n: int, folder: Path, seed: int = 0) -> Tally:
    """n of the fifty, each in every place in turn."""
    counts: Counter[str] = Counter()
    marker = folder / "executed"
    made = payloads(marker)
    assert len(made) == 50, len(made)
    model, drawn = model_folder(folder / "model")
    run = run_folder(folder / "run")

    def trial(k: int) -> str | None:
        name, (data, careless) = list(made.items())[k % len(made)]
        place = folder / f"pickles-{k}"
        place.mkdir()
        try:
            wrong = alive(data, careless, marker) or in_model(data, model, drawn, place, counts) or in_run(data, run, place, counts) \
                or as_data(data, place, counts)
            time.sleep(0.02)                                    # for a process that was started, and would write late
            ran = "it was executed" if marker.exists() or [*folder.rglob("escaped*"), *folder.parent.glob("escaped*")] else None
            return (wrong or ran) and f"{name}: {wrong or ran}"
        finally:
            shutil.rmtree(place)

    return guarded(trial, range(seed, seed + n), seconds=SECONDS, megabytes=MEGABYTES, counts=counts)


def alive(data: bytes, careless: Callable[[bytes], object], marker: Path) -> str | None:
    """None if the file does harm to a careless reader, which is removed again; without that a trial would show nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            careless(data)
        except Exception as error:
            if not marker.exists():
                return f"is not alive: {error!r}"
    if not marker.exists():
        return "is not alive"
    marker.rmdir() if marker.is_dir() else marker.unlink()
    return None


@contextmanager
def instead(data: bytes, folders: Iterable[Path], name: str, agree: bool) -> Iterator[None]:
    """The payload in place of a file in each of these folders, with hashes that agree or with those that were."""
    folders = list(folders)
    kept = {folder / part: (folder / part).read_bytes() for folder in folders for part in {name, checkpoint.MANIFEST}
            if (folder / part).exists()}
    try:
        for folder in folders:
            (folder / name).write_bytes(data)
            if agree and name != checkpoint.MANIFEST:
                agreeing(folder)
        yield
    finally:
        for path, before in kept.items():
            path.write_bytes(before)


def in_model(data: bytes, model: Path, drawn: torch.Tensor, place: Path, counts: Counter[str]) -> str | None:
    """In place of each file of a model, and beside its files."""
    copy = shutil.copytree(model, place / "model")
    for name, agree in product((checkpoint.CONFIG, checkpoint.MODEL, checkpoint.MANIFEST), (False, True)):
        with instead(data, [copy], name, agree):
            if wrong := refused(partial(sparring.load, copy), copy, counts):
                return f"as {name} of a model: {wrong}"
    for name in EXTRA:
        (copy / name).write_bytes(data)
    counts["passed over"] += len(EXTRA)
    return None if torch.equal(sparring.load(copy).sample(2), drawn) else "a file beside the model changed it"


def in_run(data: bytes, run: Path, place: Path, counts: Counter[str]) -> str | None:
    """In place of each file of a run that is not finished, and of each file of its checkpoints, when it is loaded and when it goes on."""
    copy = shutil.copytree(run, place / "run", ignore=shutil.ignore_patterns("*.png"))
    saved = list((copy / "checkpoint").iterdir())
    for name, agree in product((checkpoint.MODEL, checkpoint.OPTIMIZER, checkpoint.STATE, checkpoint.MANIFEST), (False, True)):
        with instead(data, saved, name, agree):
            for attempt in (partial(sparring.load, copy), partial(go_on, copy)):
                if wrong := refused(attempt, copy, counts):
                    return f"as {name} of a checkpoint: {wrong}"
    with instead(data, [copy], "config.json", False):
        if wrong := refused(partial(sparring.load, copy), copy, counts) or refused(partial(go_on, copy), copy, counts):
            return f"as config.json of a run: {wrong}"
    for name in (*EXTRA, "log.jsonl", "scores.jsonl", "checkpoint/data.pkl", "checkpoint/000000002/data.pkl"):
        (copy / name).write_bytes(data)
    counts["passed over"] += len(EXTRA) + 4
    return None if go_on(copy) == 2 else "a file beside those of a run kept it from going on"


def go_on(run: Path) -> int:
    """The step from which the run goes on when the same is asked for again."""
    prepared = prepare(Request("gan", "ring", {"steps": 2, **TINY}, device="auto"), run)
    try:
        return resume(prepared.game, prepared.plan, prepared.folder, Listener(), ALONE).step
    finally:
        prepared.folder.unlock()


def as_data(data: bytes, place: Path, counts: Counter[str]) -> str | None:
    """Under every name that data may have, alone and in a folder."""
    folder = place / "data"
    folder.mkdir()
    for name in DATA:
        (folder / name).write_bytes(data)
        for what in (folder / name, folder):
            try:
                return f"as {name}: accepted as {open_source(what)!r}"[:200]
            except InputError as error:
                counts["refused"] += 1
                if str(folder) not in str(error):
                    return f"as {name}: the refusal does not name it: {error}"
        (folder / name).unlink()
    return None


def refused(attempt: Callable[[], object], path: Path, counts: Counter[str]) -> str | None:
    """None when it was refused with a message that helps."""
    try:
        found = attempt()
    except (InputError, RunFailed) as error:
        counts["refused"] += 1
        return badly_told(error, path)
    return f"accepted: {found!r}"[:200]


def badly_told(error: Exception, path: Path) -> str | None:
    """What is wrong with a refusal, where the fix may be to train, too."""
    return unhelpful(re.sub(r"\b([Tt]rain (?=into)|Let the run train )", "use ", str(error)), [str(path)])
