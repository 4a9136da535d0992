"""An accelerator on paper: torch's `meta` device, where nothing is computed, but where devices may not be mixed either.

What reads numbers from it waits for an accelerator and is allowed: it gets ones.  A tensor of the CPU in an operation with one of
the device is not, unless it is a single number or an index, as on CUDA.
"""

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

PAPER, CPU = torch.device("meta"), torch.device("cpu")
aten = torch.ops.aten
MAY_MIX = {aten.index.Tensor, aten.index_put_.default, aten.index_put.default, aten._index_put_impl_.default, aten.copy_.default,
           aten._to_copy.default}                               # indices and copies may come from elsewhere


class Mixed(AssertionError):
    """Something is computed on two devices at once."""


class Accelerator(TorchDispatchMode):
    """In its body, `meta` behaves as CUDA does, but for values."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        tensors = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, Tensor)]
        away = [x for x in tensors if x.device.type == "meta"]
        drawn = [x for x in (*args, *kwargs.values()) if isinstance(x, torch.Generator)]
        if drawn and (away or (kwargs.get("device") or CPU).type == "meta"):
            raise Mixed(f"{func} draws on the device with a generator of the CPU")
        if func is aten._local_scalar_dense.default and away:
            return {torch.bool: True}.get(away[0].dtype, 1.0 if away[0].is_floating_point() else 1)
        if func is aten.equal.default and away:
            return True
        if func is aten._to_copy.default and away and (kwargs.get("device") or PAPER).type == "cpu":
            return torch.ones(away[0].shape, dtype=kwargs.get("dtype") or away[0].dtype)
        if func is aten.copy_.default and away and args[0].device.type == "cpu":
            return args[0].fill_(1)
        strangers = [x for x in tensors if x.device.type != "meta" and x.ndim]
        if away and strangers and func not in MAY_MIX:
            raise Mixed(f"{func} mixes devices: {[(tuple(x.shape), x.device.type) for x in tensors]}")
        return func(*args, **kwargs)


def autocast(kind: str, *args: Any, _real: Any = torch.autocast, **kwargs: Any) -> Any:
    """torch's, which knows no `meta`."""
    return nullcontext() if kind == "meta" else _real(kind, *args, **kwargs)
