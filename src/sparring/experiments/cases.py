"""Many independent cases side by side, each kept in a file as soon as it is done, so that a stopped experiment can continue."""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from sparring.errors import InputError, RunFailed
from sparring.experiments.claims import Setting
from sparring.progress import duration
from sparring.runs.folder import write_atomic

ANEW = "Remove it to do its cases again, or give another folder with --out."


def solve(setting: Setting, work: Callable[..., dict[str, Any]], cases: Sequence[tuple[Any, ...]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """work(*case) for every case, by case: plain values that JSON holds.

    `work` is a function of a module and its arguments are plain values, since other processes do it, one thread each.
    What is in the folder's cases.json, from an earlier call that was stopped, is not done again.
    InputError when that file is damaged; what a case raised, once those that were being done beside it are kept.
    """
    path = setting.out / "cases.json"
    setting.out.mkdir(parents=True, exist_ok=True)
    done = kept(path)
    failed: BaseException | None = None
    missing = [case for case in cases if name_of(case) not in done]
    if len(missing) < len(cases):
        setting.tell(f"  {len(cases) - len(missing)} of {len(cases)} cases are already in {path}; remove the file to run them again")
    began = time.monotonic()
    with ProcessPoolExecutor(min(len(missing) or 1, os.cpu_count() or 1), multiprocessing.get_context("spawn"), begin_work) as pool, \
            stopped_at_once(pool, path):
        futures = {pool.submit(work, *case): case for case in missing}
        for count, future in enumerate(as_completed(futures), 1):
            if future.cancelled() or (error := future.exception()) is not None:
                failed = failed or (None if future.cancelled() else error)
                for waiting in futures:                         # what is being done is still finished and kept, nothing more begun
                    waiting.cancel()
                continue
            done[name_of(futures[future])] = future.result()
            write_atomic(path, json.dumps(done, indent=1) + "\n")
            left = (time.monotonic() - began) / count * (len(missing) - count)
            setting.tell(f"  {count} of {len(missing)}: {name_of(futures[future])}" + (f", {duration(left)} left" if left else ""))
    if failed is not None:
        raise failed
    return {case: done[name_of(case)] for case in cases}


def begin_work() -> None:
    """In each worker: one thread, and Ctrl-C is for the process that waits for it."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def stopped_at_once(pool: ProcessPoolExecutor, path: Path) -> Iterator[None]:
    """On Ctrl-C end the workers too, and say what is kept."""
    try:
        yield
    except KeyboardInterrupt:
        for process in list((pool._processes or {}).values()):
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        raise RunFailed(f"stopped. Finished cases are kept in {path}; run the same command to continue.") from None


def kept(path: Path) -> dict[str, dict[str, Any]]:
    """What is in the file, nothing when there is none; InputError when it is not such a file."""
    if not path.exists():
        return {}
    try:
        done = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON: {str(error).splitlines()[0]}. {ANEW}") from None
    if not isinstance(done, dict) or not all(isinstance(found, dict) for found in done.values()):
        raise InputError(f"{path} should hold an object of objects, by case. {ANEW}")
    return done


def name_of(case: tuple[Any, ...]) -> str:
    return ", ".join(map(str, case))
