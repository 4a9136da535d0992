"""What another order of the same sums does to one process: every batch, and all noise, in reverse.

    python -m benchmarks.game.parallel.backwards OUT.json
"""

import json
import sys
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional as F

import played_together
from sparring.data.source import EVERY
from sparring.game.processes import ProcessGroup, Rows, total

BATCH = 8


class Backwards(Rows):
    """Noise of each block of a batch, in reverse."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None) -> Any:
        return func(*args, **kwargs or {}) if func in (total, F.batch_norm) else super().__torch_function__(func, types, args, kwargs)

    def drawn(self, shape: tuple[int, ...], draw: Any) -> torch.Tensor:
        x = draw(shape)
        return x.unflatten(0, self.split(len(x))).flip(1).flatten(0, 1) if shape and len(x) % self.part == 0 else x


class Reversed(ProcessGroup):
    """One process that takes the rows of a batch from the last to the first."""

    def rows(self, batch: int) -> slice:
        return EVERY

    @contextmanager
    def part_of(self, batch: int) -> Any:
        with Backwards(self, batch):
            yield


def reverse(batches: Any) -> Any:
    return (type(b)(*(None if part is None else part.flip(0) for part in b)) for b in batches)


if __name__ == "__main__":
    torch.set_num_threads(1)
    found: dict[str, list[float]] = {}
    for dtype in (torch.float32, torch.float64):
        torch.set_default_dtype(dtype)
        for cell in played_together.cells():
            if "pack" not in cell[2]:                           # a pack in reverse is another sample
                there = played_together.played(*cell, played_together.ALONE)
                back = played_together.played(*cell, Reversed(), reverse)
                for name, tensor in there.items():
                    off = (back[name] - tensor).abs()
                    found[f"{dtype} {' '.join(map(str, cell))} {name}"] = [off.max().item(), (off > 1e-6).sum().item(), off.numel()]
    with open(sys.argv[1], "w") as file:
        json.dump(found, file)
