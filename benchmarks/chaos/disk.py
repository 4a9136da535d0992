"""Disks that are full, read-only or fail to sync, while a run writes to them.

A small file system in memory is mounted for it, in a mount namespace of its own, which takes the rights of root on Linux.
"""

import errno
import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.chaos.listener import Listener
from benchmarks.chaos.tally import Tally
from benchmarks.record import ROOT

PROMISE = ("When a disk is full, read-only or fails to sync, the run says which, keeps what was saved whole, and calls nothing saved that "
           "is not. Afterwards the same command ends with the bits of a run that had no trouble.")
KINDS = ("full", "read-only", "sync")
SAID = {"full": "No space left", "read-only": "Read-only file system", "sync": "Input/output error"}
GIVEN: dict[str, Any] = {"steps": 30, "batch": 16, "width": 16, "threads": 1, "save_every": 4,
                         "score_every": 10, "show_every": 10, "log_every": 1}


def possible() -> bool:
    """Whether this process may mount: `unshare` is there, and it is root's."""
    try:
        return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def trials(n: int, folder: Path, seed: int = 0) -> Tally:
    if not possible():
        return Tally(facts={"not tried": "mounting a small file system needs root on Linux"})
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["unshare", "-m", sys.executable, "-m", "benchmarks.chaos.disk", str(folder), str(n), str(seed)],
                          capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        return Tally(n, [f"all: {done.stderr[-2000:]}"])
    return Tally(**json.loads(done.stdout.splitlines()[-1]))


def train(out: Path, steps: int | None = None) -> tuple[str, list[str]]:
    """(what it failed with, or "", what was said); `steps` is where to stop short of the end."""
    from sparring.api import run
    from sparring.errors import InputError, RunFailed
    from sparring.setup.prepare import prepare
    from sparring.setup.request import Request
    from sparring.training.loop import train as play

    listener = Listener()
    try:
        prepared = prepare(Request("gan", "mixture", GIVEN, seed=5), out)
        if prepared.finished():
            prepared.folder.unlock()
        elif steps is None:
            run(prepared, listener)
        else:                                                   # as if it had been asked to stop then
            play(prepared.game, prepared.source, replace(prepared.plan, steps=steps), prepared.folder, listener)
            prepared.folder.unlock()
    except (InputError, RunFailed) as error:
        return str(error), listener.said
    return "", listener.said


def model(out: Path) -> str:
    return hashlib.sha256((out / "model" / "model.safetensors").read_bytes()).hexdigest()


def mount(where: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(where)], check=True)


def trial(kind: str, where: Path, rnd: random.Random, undisturbed: str, tally: Tally) -> list[str]:
    """What went wrong in one run with one kind of trouble."""
    out = where / "run"
    kilobytes = rnd.randrange(8, 700)
    mount(where, f"size={kilobytes if kind == 'full' else 20_000}k")
    try:
        if kind == "full":
            message, said = train(out)
        elif kind == "read-only":
            train(out, steps=rnd.randrange(4, 28))
            mount_again(where, "ro")
            message, said = train(out)
            mount_again(where, "rw")
        else:
            with patch("os.fsync", failing_after(rnd.randrange(1, 30))):
                message, said = train(out)
        if message:
            tally.count(f"{kind}, and the run was stopped by it")
        wrong = [] if SAID[kind] in message or (kind == "full" and not message) else [f"the cause is not named: {message or 'no error'}"]
        wrong += [f"said to be saved: {text}" for text in said if "saved" in text and message]
        wrong += not_whole(out / "checkpoint", "is whole" in message)
        mount_again(where, "size=20000k")
        again, _ = train(out)
        if again:
            return [*wrong, f"could not go on afterwards: {again}"]
        return wrong if model(out) == undisturbed else [*wrong, "ended with other bits"]
    finally:
        subprocess.run(["umount", str(where)], check=True)


def mount_again(where: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(where)], check=True)


def failing_after(count: int) -> Callable[[int], None]:
    """An fsync that works `count` times and never again."""
    real, calls = os.fsync, [0]

    def fsync(handle: int) -> None:
        calls[0] += 1
        if calls[0] > count:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(handle)

    return fsync


def not_whole(checkpoints: Path, promised: bool) -> list[str]:
    """Every checkpoint that can be seen must be whole, and there must be one where the message said so."""
    from sparring.runs.checkpoint import newest

    files, complaints = newest(checkpoints)
    return complaints + (["the message promises a checkpoint, and there is none"] if promised and files is None else [])


def main(folder: Path, n: int, seed: int) -> Tally:
    import torch

    torch.set_num_threads(1)
    subprocess.run(["mount", "--make-rprivate", "/"], check=False)
    tally, where = Tally(), folder / "disk"
    where.mkdir()
    message, _ = train(folder / "whole")
    assert not message, message
    undisturbed = model(folder / "whole")
    for i in range(n):
        kind = KINDS[i % len(KINDS)]
        tally.tried += 1
        tally.count(kind)
        for complaint in trial(kind, where, random.Random(f"{seed}/{i}"), undisturbed, tally):
            tally.fail(f"trial {i} ({kind})", complaint)
    return tally


if __name__ == "__main__":
    print(json.dumps(asdict(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))))
