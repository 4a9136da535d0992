"""Trials in a child process, which may crash, hang or swallow memory without ending the run.  Linux only.

The child is a fork, so a trial may be any function.  What counts is how far a trial pushed the resident memory of the process above
where it began (VmHWM, which Linux lets a process set back).  Beyond that stands a wall: RLIMIT_AS, set to the address space at the
start, plus the bound, plus ROOM for the stacks and arenas of threads, which take address space and no memory.
"""

import json
import os
import re
import resource
import select
import signal
import time
import traceback
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from benchmarks.chaos.tally import Tally

ROOM = 2 << 30          # bytes of address space beyond the bound on memory
Trial = Callable[[int], str | None]


def guarded(trial: Trial, seeds: Iterable[int], *, seconds: float, megabytes: int, counts: Counter[str] | None = None) -> Tally:
    """Run trial(seed) for every seed: None if the promise held, else what went wrong; an exception is a failure too.

    So is a trial that takes longer than `seconds` (it is killed), needs more than `megabytes`, or ends the interpreter; the next seed
    goes on in a new child.  What a trial adds to `counts` arrives in the tally's facts, beside the slowest trial and the hungriest.
    """
    tally, left, grown, slowest = Tally(), deque(seeds), (0.0, -1), (0.0, -1)
    while left:
        pid, results = _child(trial, list(left), megabytes, Counter() if counts is None else counts)
        said = bytearray()
        while left:
            line, seed = _line(results, said, seconds), left.popleft()
            tally.tried += 1
            if not line:
                end = _end(pid, hung=line is None)
                tally.fail(seed, f"ran longer than {seconds:g} s" if line is None else f"the interpreter died ({end})")
                break
            _, wrong, took, more, added = json.loads(line)
            if wrong:
                tally.fail(seed, wrong)
            if more > megabytes:
                tally.fail(seed, f"memory grew by {more:.0f} MB, more than {megabytes}")
            grown, slowest = max(grown, (more, seed)), max(slowest, (took, seed))
            for name, times in added.items():
                tally.facts[name] = int(tally.facts.get(name, 0)) + times
        else:
            _end(pid, hung=False)
        os.close(results)
    return Tally(tally.tried, tally.failures, tally.facts | {
        "slowest seconds": round(slowest[0], 2), "slowest seed": slowest[1],
        "largest growth MB": round(grown[0], 1), "largest growth seed": grown[1]})


def _child(trial: Trial, seeds: list[int], megabytes: int, counts: Counter[str]) -> tuple[int, int]:
    """Fork; the process id, and the end of a pipe from which a line a trial can be read."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)     # Python 3.12 and newer dislike a fork beside threads
        pid = os.fork()
    os.close(writing if pid else reading)
    if pid:
        return pid, reading
    try:
        torch.set_num_threads(1)                                # the threads of torch do not survive a fork
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + (megabytes << 20) + ROOM,) * 2)
        for seed in seeds:
            os.write(writing, _one(trial, seed, counts))
    finally:
        os._exit(0)


def _one(trial: Trial, seed: int, counts: Counter[str]) -> bytes:
    before, began = counts.copy(), time.perf_counter()
    Path("/proc/self/clear_refs").write_text("5")               # the peak of memory begins anew
    low = _resident("VmRSS")
    try:
        wrong = trial(seed)
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        wrong = f"{type(error).__name__} escaped at {Path(last.filename).name}:{last.lineno}: {str(error)[:300]!r}"
    row = [seed, wrong and wrong[:1000], time.perf_counter() - began, _resident("VmHWM") - low, counts - before]
    return json.dumps(row).encode() + b"\n"


def _resident(kind: str) -> float:
    """Megabytes of memory that the process has (VmRSS) or had at most (VmHWM)."""
    found = re.search(rf"{kind}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def _line(pipe: int, said: bytearray, seconds: float) -> bytes | None:
    """The next line; nothing if the child has ended, and None if it has said nothing for so long."""
    while b"\n" not in said:
        if not select.select([pipe], [], [], seconds)[0]:
            return None
        more = os.read(pipe, 1 << 16)
        if not more:
            return b""
        said += more
    line, _, rest = bytes(said).partition(b"\n")
    said[:] = rest
    return line


def _end(pid: int, hung: bool) -> str:
    """Wait for a child, killed first if it hangs, and say how it ended."""
    if hung:
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"exit code {os.WEXITSTATUS(status)}"
