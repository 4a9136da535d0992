"""Checks before distributed training: settings that cannot be shared, and whether all ranks got the same request."""

import json
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist

from sparring.errors import InputError
from sparring.game.processes import ProcessGroup
from sparring.runs.folder import RunFolder, differences, in_words
from sparring.settings import Settings

ONE_DISK = "Give --out a folder on a disk that all of them share."


def refuse_uneven(settings: Settings, run_settings: dict[str, Any], device: Callable[[], str], group: ProcessGroup) -> None:
    """InputError for what several processes cannot share; `run_settings`: the given settings of the run."""
    if group.world_size == 1:
        return
    part = settings.batch // group.world_size
    match device():
        case "cuda" if not dist.is_nccl_available():
            raise InputError("several processes on GPUs need a build of torch with NCCL, and this one has none. Give --device cpu, or "
                             "start without torchrun.")
        case "cuda" if group.local >= (gpus := torch.cuda.device_count()):
            raise InputError(f"rank {group.rank} has no GPU: its machine has {gpus} GPU(s), and its local rank is {group.local}. Give "
                             f"--nproc-per-node {gpus}, or --device cpu.")
        case "mps":
            raise InputError("several processes train on processors or on CUDA GPUs, not on one Apple GPU. Give --device cpu, or start "
                             "without torchrun.")
    if settings.batch % group.world_size:
        raise InputError(f"batch={settings.batch} is not a multiple of the world size, {group.world_size}. Try "
                         f"batch={max(1, part) * group.world_size}.")
    for name in ("pack", "group"):                              # samples of a batch that are looked at together
        if part % (size := getattr(settings, name, 1)):
            raise InputError(f"batch={settings.batch} gives each of {group.world_size} processes {part} samples, not a multiple of "
                             f"{name}={size}. Try batch={max(1, part // size) * size * group.world_size}.")
    if (parts := run_settings.get("accumulate", 1)) > 1:
        raise InputError(f"accumulate={parts} cannot be used with several processes, which split each batch already. Give accumulate=1, or "
                         "use more processes.")
    if run_settings.get("compile") == "on":
        raise InputError("compile=on works with one process only, since several share noise and batch statistics. Give compile=off, or "
                         "start without torchrun.")
    if getattr(settings, "penalty", "") == "consensus":
        raise InputError("penalty=consensus needs the gradient over the whole batch, and each process has only a part. Train with one "
                         "process, or with another penalty.")
    if pool := getattr(settings, "pool", 0):
        raise InputError(f"pool={pool} keeps earlier translations, and each process would keep different ones. Train with one process, or "
                         "give pool=0.")
    if ahead := getattr(settings, "unroll", 0):
        raise InputError(f"unroll={ahead} needs the whole batch, and each process has only a part. Train with one process, or give "
                         "unroll=0.")


def refuse_strangers(asked: dict[str, Any], group: ProcessGroup) -> None:
    """InputError, in every process, when one was asked for something else than the first one was."""
    text = json.dumps(asked, default=str)
    changed = in_words(differences(json.loads(group.broadcast(text)), json.loads(text)), "other data")
    if group.any(bool(changed), slowly=True):
        raise InputError("\n  ".join([f"rank {group.rank} was started differently from rank 0:", *changed] if changed else
                                     ["another process was started differently from this one; its message says how."]) +
                         "\nStart all of them with the same command, on the same data.")


def refuse_own_folder(folder: RunFolder, group: ProcessGroup) -> None:
    """InputError on a rank that does not see the run folder which rank 0 has made."""
    if not folder.config.exists():
        raise InputError(f"rank {group.rank} does not see the run folder of rank 0: there is no run in {folder.path.absolute()}. "
                         f"{ONE_DISK}")
