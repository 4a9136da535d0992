"""How long an all-reduce takes, by the size of what is summed: torchrun ... -m benchmarks.game.parallel.exchange OUT.json"""

import json
import statistics
import sys
import time

import torch
import torch.distributed as dist

from sparring.game.processes import joined

SIZES = [2**k for k in range(10, 29, 2)]            # bytes: 1 KiB to 256 MiB
REPEATS = {2**10: 200, 2**20: 40, 2**24: 10, 2**28: 5}


def repeats(size: int) -> int:
    return next(count for least, count in reversed(REPEATS.items()) if size >= least)


def measure(size: int) -> dict[str, float]:
    """Seconds of one all-reduce of float32, everybody there when it begins."""
    x, seconds = torch.ones(size // 4), []
    for i in range(repeats(size) + 2):
        dist.barrier()
        began = time.perf_counter()
        dist.all_reduce(x)
        if i >= 2:
            seconds.append(time.perf_counter() - began)
        x.fill_(1)
    return {"bytes": size, "median": statistics.median(seconds), "least": min(seconds), "most": max(seconds), "times": len(seconds)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined() as group:
        found = [measure(size) for size in SIZES]
        if group.first:
            with open(sys.argv[1], "w") as file:
                json.dump(found, file)
