"""Layers and weights that a network keeps where torch does not look for them, in a plain list, say: they neither learn nor are saved."""

from collections.abc import Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sparring.errors import InputError
from sparring.setup.outputs import wrapped
from sparring.setup.python_state import USUAL

KEPT_BY_TORCH = {"_flat_weights"}               # of recurrent layers: their own parameters once more
PLAIN = (FunctionType, BuiltinFunctionType, MethodType, ModuleType, type, Optimizer)    # what is not looked into
DEEP, MANY = 4, 10_000                          # containers in containers, and parts of one, that are looked at


def refuse_unregistered(own: Mapping[str, nn.Module]) -> None:
    """InputError for trainable parameters that some attribute holds and that none of these networks has registered, with its name."""
    known = {id(p) for net in own.values() for p in net.parameters()}
    for player, net in own.items():
        for name, module in net.named_modules():
            seen = set[int]()
            for key, value in vars(module).items():
                if key in USUAL or key in KEPT_BY_TORCH:
                    continue
                for place, within, one in trainable(value, key, None, seen, DEEP):
                    held = one.parameters() if isinstance(one, nn.Module) else [one]
                    if any(p.requires_grad and id(p) not in known for p in held):
                        raise InputError(in_words(f"{player}.{name}." if name else f"{player}.", key, place, within, one))


def trainable(value: Any, place: str, within: Any, seen: set[int], depth: int) -> Iterator[tuple[str, Any, nn.Module | Tensor]]:
    """Modules, and tensors that want a gradient, in a value and its containers: where, in what container, and which."""
    if isinstance(value, nn.Module) or (isinstance(value, Tensor) and not wrapped(value) and value.requires_grad and value.is_leaf):
        yield place, within, value
    elif depth and not isinstance(value, Tensor) and id(value) not in seen:
        seen.add(id(value))
        for key, part in inside(value).items():
            yield from trainable(part, f"{place}{key}", value, seen, depth - 1)


def inside(value: Any) -> dict[str, Any]:
    """The parts of a container, or the attributes of an object that is not torch's, by how one writes them."""
    if isinstance(value, dict):
        return {f"[{key!r}]": part for key, part in value.items()} if len(value) <= MANY else {}
    if isinstance(value, list | tuple | set | frozenset) or type(value).__name__ == "deque":
        return {f"[{i}]": part for i, part in enumerate(value)} if len(value) <= MANY else {}
    if isinstance(value, PLAIN) or type(value).__module__.split(".")[0] == torch.__name__ or not hasattr(value, "__dict__"):
        return {}
    return {f".{key}": part for key, part in vars(value).items()}


def in_words(prefix: str, key: str, place: str, within: Any, one: nn.Module | Tensor) -> str:
    """What stands where, what that leads to, and what to use."""
    kind = "layer" if isinstance(one, nn.Module) else "tensor"
    what = f"{prefix}{place} is a {type(one).__name__} with trainable parameters" if isinstance(one, nn.Module) else \
        f"{prefix}{place} is a tensor that requires a gradient"
    if within is None:
        held, use = "set past nn.Module", f"Set self.{key} = layer" if kind == "layer" else f"Make it self.{key} = nn.Parameter(tensor)"
        held = held if kind == "layer" or isinstance(one, nn.Parameter) else "no nn.Parameter"
    elif isinstance(within, dict):
        held, use = "in a plain dict", f"Make the dict an {'nn.ModuleDict' if kind == 'layer' else 'nn.ParameterDict'}"
    elif isinstance(within, list | tuple | set | frozenset) or type(within).__name__ == "deque":
        held = f"in a plain {type(within).__name__}"
        use = f"Make the {type(within).__name__} an {'nn.ModuleList' if kind == 'layer' else 'nn.ParameterList'}"
    else:
        held, use = f"in a plain object, a {type(within).__name__}", f"Make {type(within).__name__} an nn.Module"
    return f"{what}, and it is {held}, where torch does not find it: it would never learn, move to a device or be saved. {use}. " \
        "(Lists of layers belong in nn.ModuleList, dicts of them in nn.ModuleDict, tensors in nn.Parameter or nn.ParameterList.)"
