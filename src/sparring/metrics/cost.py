"""What drawing a sample takes: its multiplications, counted.  A time would differ from machine to machine, and from minute to minute."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from sparring.game import Game
from sparring.rng import generator

PRODUCTS = ("linear", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm")


class Counting(TorchFunctionMode):
    """Adds up the multiplications of convolutions and of products of matrices; what a script does inside is not seen."""

    def __init__(self) -> None:
        super().__init__()
        self.found = 0

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (),
                           kwargs: Mapping[str, Any] | None = None) -> Any:
        out, name = func(*args, **(kwargs or {})), getattr(func, "__name__", "")
        if len(args) > 1 and isinstance(out, Tensor):
            if name.startswith("conv_transpose"):
                self.found += args[0].numel() * args[1][0].numel()      # each number in goes to so many places
            elif name.startswith("conv"):
                self.found += out.numel() * args[1][0].numel()          # each number out comes from so many
            elif name in PRODUCTS:
                self.found += out.numel() * args[0].shape[-1]
        return out


@torch.no_grad()
def multiplications(game: Game) -> int:
    """How many it takes to draw one sample."""
    with Counting() as counted:
        game.sample(game.prior(1, generator(0, "cost")), torch.zeros(1, dtype=torch.int64))
    return counted.found
