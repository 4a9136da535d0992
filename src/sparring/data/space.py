"""What one sample of a data set is: plain values that a model carries with it, so it can be used without the data."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from sparring.errors import InputError


@dataclass(frozen=True)
class Curves:
    """A curve y(x) read at fixed points: float[B, len(x)], in the data's own units."""

    x: tuple[float, ...]
    labels: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.x),)

    def encode(self, values: Tensor) -> Tensor:
        return values

    def decode(self, x: Tensor) -> Tensor:
        return x


@dataclass(frozen=True)
class Vectors:
    """Vectors of numbers, float[B, D]; networks see (value - shift) / scale, column by column."""

    shift: tuple[float, ...]
    scale: tuple[float, ...]
    labels: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.shift),)

    def encode(self, values: Tensor) -> Tensor:
        """User units to network units."""
        return (values - values.new_tensor(self.shift)) / values.new_tensor(self.scale)

    def decode(self, x: Tensor) -> Tensor:
        """Network units to user units."""
        return x * x.new_tensor(self.scale) + x.new_tensor(self.shift)


@dataclass(frozen=True)
class Images:
    """Images, float[B, C, H, W] in [-1, 1]; C is 1 (grey), 3 (RGB) or 4 (RGB and alpha)."""

    channels: int
    height: int
    width: int
    labels: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.channels, self.height, self.width)

    def encode(self, values: Tensor) -> Tensor:
        """uint8[B, C, H, W] to float in [-1, 1]."""
        return values.float().div_(127.5).sub_(1.0)

    def decode(self, x: Tensor) -> Tensor:
        return x.clamp(-1.0, 1.0)


Space = Curves | Vectors | Images
KINDS: dict[str, type[Curves] | type[Vectors] | type[Images]] = {
    "curves": Curves, "vectors": Vectors, "images": Images,
}


def to_json(space: Space) -> dict[str, Any]:
    """Plain values for config.json."""
    kind = next(name for name, cls in KINDS.items() if type(space) is cls)
    return {"kind": kind, **asdict(space)}


def from_json(plain: dict[str, Any]) -> Space:
    """The space that `to_json` wrote; InputError when the values are not of that form."""
    fields = dict(plain)
    kind = fields.pop("kind", None)
    if kind not in KINDS:
        raise InputError(f"the model's data kind is {kind!r}; expected one of {', '.join(KINDS)}.")
    try:
        space: Space = KINDS[kind](**{name: _value(name, value) for name, value in fields.items()})
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"the model's data description does not fit kind '{kind}': {error}.") from None
    whole = not isinstance(space, Vectors) or len(space.scale) == len(space.shift)
    if not whole or min(space.shape) < 1 or math.prod(space.shape) > 1 << 28:
        raise InputError(f"the model's data description has an impossible shape {space.shape}.")
    return space


def _value(name: str, plain: Any) -> Any:
    """One field of a space from JSON: a tuple of names, a tuple of numbers, or a whole number."""
    if name in ("x", "shift", "scale", "labels"):
        kind: Any = str if name == "labels" else float | int
        if not isinstance(plain, list | tuple) or not all(isinstance(item, kind) for item in plain):
            raise TypeError(f"{name} should be a list of {'names' if kind is str else 'numbers'}")
        return tuple(plain) if kind is str else tuple(map(float, plain))
    if type(plain) is not int:
        raise TypeError(f"{name} should be a whole number")
    return plain


def to_uint8(x: Tensor) -> Tensor:
    """Images float[B, C, H, W] in [-1, 1] to uint8, rounded; values outside are clipped."""
    return x.clamp(-1.0, 1.0).add(1.0).mul(127.5).round().to(torch.uint8)
