"""The conditions of exact resuming: stated once, recorded in every checkpoint, compared on resuming."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from sparring.errors import RunFailed

PROMISE = ("A run that was stopped and resumed, however often, ends with the same bits as one that never stopped, on the same machine "
           "type and device, with the same torch, threads, processes, precision, compilation and accumulate.")


def conditions(device: torch.device, precision: str, exact: bool, processes: int = 1, compiled: bool = False,
               parts: int = 1) -> dict[str, str]:
    """The things that the promise names, as they are in this process."""
    machine = f"{platform.system()} {platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"
    if device.type == "cuda":
        machine += f", {torch.cuda.get_device_name(device)}"
    return {"machine type": machine, "device": device.type, "torch": torch.__version__, "threads": str(torch.get_num_threads()),
            "processes": str(processes), "precision": precision, "turns": "compiled" if compiled else "not compiled",
            "parts of a batch": str(parts), "deterministic algorithms": "yes" if exact else "not asked for"}


def broken(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """`name: before -> now` for each condition that no longer holds."""
    return [f"{name}: {value} -> {now[name]}" for name, value in before.items() if name in now and now[name] != value]


@contextmanager
def deterministic(exact: bool) -> Iterator[None]:
    """While entered, torch uses deterministic algorithms alone; RunFailed for an operation that has none."""
    if not exact:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")         # without it cuBLAS refuses to be deterministic
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        raise RunFailed(f"exact=true: {str(error).splitlines()[0]} Use exact=false, or a network without that operation.") from None
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]
