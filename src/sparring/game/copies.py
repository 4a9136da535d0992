"""Copies of networks: for averages, and for whatever is tried before training."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from sparring.errors import InputError, reason

T = TypeVar("T", bound=nn.Module | Mapping[str, nn.Module])
DEEP = 4                # containers in containers in which computed tensors are looked for


def copied(nets: T, what: str) -> T:
    """A deep copy of a network, or of several by name.

    Tensors that a network has computed and kept, as old forms of weight and spectral normalization do, are copied as values: torch
    refuses to copy them with their history.  InputError where there is something else that cannot be copied.
    """
    memo: dict[int, Any] = {}
    for net in nets.values() if isinstance(nets, Mapping) else [nets]:
        for module in net.modules():
            memo |= {id(kept): _value(kept) for kept in _awkward(vars(module), DEEP)}
    try:
        found = deepcopy(nets, memo)
        for net in found.values() if isinstance(found, Mapping) else [found]:
            for p in net.parameters():
                if not p.is_leaf:                               # the copy of a ScriptModule remembers where it is from
                    p.detach_().requires_grad_()
        return found
    except Exception as error:                                  # a stranger's module may hold anything, and raise anything
        raise InputError(f"{what} cannot be copied: {reason(error)}. Copies are needed to try networks before training, and to average "
                         "their weights. Keep out of a network what Python cannot copy, such as locks, open files and lambdas of other "
                         "libraries, or give it a __deepcopy__.") from None


def _awkward(value: Any, depth: int) -> Iterator[Tensor | torch.Generator]:
    """The computed tensors and the generators of random numbers in a value and its containers."""
    if isinstance(value, torch.Generator) or (isinstance(value, Tensor) and not value.is_leaf):
        yield value
    elif depth and isinstance(value, dict | list | tuple | set):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _awkward(part, depth - 1)


def _value(kept: Tensor | torch.Generator) -> Tensor | torch.Generator:
    if isinstance(kept, Tensor):
        return kept.detach().clone()
    other = torch.Generator(kept.device)
    other.set_state(kept.get_state())
    return other
