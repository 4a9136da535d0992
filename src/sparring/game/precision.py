"""Networks in bfloat16, and everything that must be exact to more than two digits in float32."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def in_bfloat16(loss: Callable[..., Any], device: torch.device) -> Callable[..., Any]:
    """The same loss of a turn, its networks' passes under autocast.

    Weights, averages, optimizer states and the terms of the losses stay in float32, and so do penalties, which leave the
    autocast region for their slopes.  Sampling is not touched.
    """
    def reduced(batch: Any, step: int) -> Any:
        with torch.autocast(device.type, torch.bfloat16):
            report = loss(batch, step)
        return report._replace(minimize={name: full(term) for name, term in report.minimize.items()})

    return reduced


def full(x: Tensor) -> Tensor:
    """At least float32: what a network gives in an autocast region, before anything is computed from it."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
