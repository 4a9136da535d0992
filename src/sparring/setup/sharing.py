"""Whether several processes can train together: what they cannot share, and whether all were asked for the same."""

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


def refuse_uneven(settings: Settings, looks: dict[str, Any], device: Callable[[], str], group: ProcessGroup) -> None:
    """InputError for what several processes cannot share; `looks` are run settings that were given."""
    if group.world_size == 1:
        return
    part, pack = settings.batch // group.world_size, getattr(settings, "pack", 1)
    match device():
        case "cuda" if not dist.is_nccl_available():
            raise InputError("several processes on GPUs need a build of torch with NCCL, which this one is without. Give --device cpu, or "
                             "start without torchrun.")
        case "cuda" if group.local >= (gpus := torch.cuda.device_count()):
            raise InputError(f"process {group.rank} finds no GPU for itself: there are {gpus} on its machine, and {group.local} processes "
                             f"before it. Give --nproc-per-node {gpus}, or --device cpu.")
        case "mps":
            raise InputError("several processes train on processors or on CUDA GPUs, not on one Apple GPU. Give --device cpu, or start "
                             "without torchrun.")
    if settings.batch % group.world_size:
        raise InputError(f"batch={settings.batch} cannot be shared evenly by {group.world_size} processes. "
                         f"Try batch={max(1, part) * group.world_size}.")
    if part % pack:
        raise InputError(f"batch={settings.batch} leaves {part} samples to each of {group.world_size} processes, which pack={pack} does "
                         f"not divide. Try batch={max(1, part // pack) * pack * group.world_size}.")
    if (parts := looks.get("accumulate", 1)) > 1:
        raise InputError(f"accumulate={parts} takes a batch in parts, which several processes do already. Give accumulate=1, or more "
                         f"processes.")
    if looks.get("compile") == "on":
        raise InputError("compile=on compiles the turns of one process, and several share their noise and statistics. Give compile=off, or "
                         "start without torchrun.")
    if getattr(settings, "penalty", "") == "consensus":
        raise InputError("penalty=consensus is the square of a gradient over the whole batch, which processes that see parts of it do not "
                         "have. Train with one process, or with another penalty.")
    if pool := getattr(settings, "pool", 0):
        raise InputError(f"pool={pool} keeps earlier translations, of which every process would have others. Train with one process, or "
                         f"give pool=0.")
    if ahead := getattr(settings, "unroll", 0):
        raise InputError(f"unroll={ahead} takes steps ahead on the whole batch, which processes that see parts of it do not have. "
                         f"Train with one process, or give unroll=0.")


def refuse_strangers(asked: dict[str, Any], group: ProcessGroup) -> None:
    """InputError, in every process, when one was asked for something else than the first one was."""
    text = json.dumps(asked, default=str)
    changed = in_words(differences(json.loads(group.told(text)), json.loads(text)), "other data")
    if group.any(bool(changed), patiently=True):
        raise InputError("\n  ".join([f"process {group.rank} was started differently from process 0:", *changed] if changed else
                                     ["another process was started differently from this one, and says how."]) +
                         "\nStart all of them with the same command, on the same data.")


def refuse_own_folder(folder: RunFolder, group: ProcessGroup) -> None:
    """InputError in a process that does not see the run which the first one has made."""
    if not folder.config.exists():
        raise InputError(f"process {group.rank} does not see the run of process 0: there is none in {folder.path.absolute()}. {ONE_DISK}")
