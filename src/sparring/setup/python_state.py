"""What networks keep in Python attributes, which no checkpoint holds: by name, as digests that can be compared."""

import hashlib
import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sparring.game import Game

USUAL = {*vars(nn.Module()), "training"}        # what every module has; parameters and buffers are in checkpoints
DEEP, MANY = 4, 100_000                         # containers in containers, and parts of one, that are looked at


def kept_in_python(game: Game) -> dict[str, bytes]:
    """A digest of every attribute of every network that is neither a module nor saved, by player and place, as in
    `generator.block.calls`."""
    return {f"{player}.{place}": hashlib.sha256(b"\0".join(parts(value, DEEP))).digest()
            for player, one in game.players.items() for place, value in attributes(one.net)}


def attributes(net: nn.Module) -> Iterator[tuple[str, Any]]:
    for name, module in net.named_modules():
        held = {key: value for key, value in vars(module).items() if key not in USUAL}
        held |= {key: module._buffers[key] for key in module._non_persistent_buffers_set}
        for key, value in held.items():
            yield f"{name}.{key}".removeprefix("."), value


def parts(value: Any, depth: int) -> Iterator[bytes]:
    """Bytes that tell a value from others; none of what cannot be told by its value."""
    match value:
        case None | bool() | int() | float() | complex() | str() | bytes():
            yield repr(value).encode()
        case Tensor():
            yield repr((value.dtype, value.shape)).encode()
            yield value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        case np.ndarray() if value.dtype != object:
            yield repr((value.dtype, value.shape)).encode() + value.tobytes()
        case np.generic():
            yield repr(value).encode()
        case torch.Generator():
            yield value.get_state().numpy().tobytes()
        case random.Random():
            yield repr(value.getstate()).encode()
        case np.random.Generator():
            yield from parts(value.bit_generator.state, depth)
        case np.random.RandomState():
            yield from parts(value.get_state(), depth)
        case nn.Module():
            return
        case _ if depth and len(within := inside(value)) <= MANY:
            for key, part in within.items():
                yield repr(key).encode()
                yield from parts(part, depth - 1)


def inside(value: Any) -> Mapping[Any, Any]:
    """The parts of a container, or the attributes of an object, by what tells them apart."""
    if isinstance(value, dict):
        return {str(key): part for key, part in value.items()}
    if isinstance(value, set | frozenset):
        return {"set": sorted(map(repr, value))}
    if isinstance(value, list | tuple) or type(value).__name__ == "deque":
        return dict(enumerate(value))
    return vars(value) if hasattr(value, "__dict__") and not callable(value) else {}
