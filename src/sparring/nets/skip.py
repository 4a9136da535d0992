"""A translation as a change to the image that came in."""

import torch
from torch import Tensor

NEARLY = 0.95           # of a colour at the end of its range, so that the change is finite, and its gradient is not zero, there too


def onto(x: Tensor, change: Tensor) -> Tensor:
    """tanh(change + atanh(0.95 x)), in [-1, 1], for x in [-1, 1] of the same shape: where the change is zero, nearly x itself."""
    return torch.tanh(change + torch.atanh(NEARLY * x))
