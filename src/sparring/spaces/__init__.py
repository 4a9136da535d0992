"""What one sample of a data set is: plain values that a model carries with it, so it can be used without the data."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from sparring.errors import InputError, shown
from sparring.settings import LARGEST
from sparring.spaces import columns as cols
from sparring.spaces.kept import Kept
from sparring.spaces.names import class_names as class_names
from sparring.spaces.names import number_order as number_order
from sparring.spaces.texts import Texts as Texts
from sparring.spaces.texts import from_plain as texts_from
from sparring.spaces.texts import sound

GOLDEN = (5**0.5 - 1) / 2
FLOAT32_MAX = torch.finfo(torch.float32).max
WIDEST = 100_000        # numbers in a row of a table, as networks see it


@dataclass(frozen=True)
class Traits:
    """Several labels at once, or measured ones: each sample has a number for each; networks see (value - shift) / scale.

    `examples` are rows of the data, in its own units, which samples are asked for when nobody says which; `shares` say how much of the
    data each stands for (models of before have none).
    """

    names: tuple[str, ...]
    shift: tuple[float, ...]
    scale: tuple[float, ...]
    examples: tuple[tuple[float, ...], ...]
    shares: tuple[float, ...] = field(default=(), repr=False, compare=False)

    def encode(self, values: Tensor) -> Tensor:
        """float[B, K] in the data's own units to network units."""
        return (values - values.new_tensor(self.shift)) / values.new_tensor(self.scale)

    def table(self) -> Tensor:
        """The examples, float32[M, K], in network units."""
        return self.encode(torch.tensor(self.examples, dtype=torch.float64)).float()

    def in_words(self) -> tuple[str, ...]:
        """The examples, such as `age=45 smiling=1`."""
        rows = (" ".join(f"{name}={value:.6g}" for name, value in zip(self.names, row, strict=True)) for row in self.examples)
        return class_names(rows)


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
    traits: Traits | None = field(default=None, repr=False)    # then `labels` are the names of its examples
    shares: tuple[float, ...] = field(default=(), repr=False, compare=False)    # of each class in the data; () where nobody counted
    columns: tuple[str, ...] = field(default=(), repr=False, compare=False)     # what each number is called, where a table says so

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.shift),)

    def encode(self, values: Tensor) -> Tensor:
        """User units to network units, float32[B, D], computed in the precision that they come in."""
        return ((values - values.new_tensor(self.shift)) / values.new_tensor(self.scale)).float()

    def decode(self, x: Tensor) -> Tensor:
        """Network units to user units, float64[B, D]: beside a large mean, float32 would round differences away."""
        wide = x.double()
        return wide * wide.new_tensor(self.scale) + wide.new_tensor(self.shift)


@dataclass(frozen=True)
class Images:
    """Images, float[B, C, H, W] in [-1, 1]; C is 1 (grey), 3 (RGB) or 4 (RGB and alpha)."""

    channels: int
    height: int
    width: int
    labels: tuple[str, ...] = ()
    traits: Traits | None = field(default=None, repr=False)    # then `labels` are the names of its examples
    shares: tuple[float, ...] = field(default=(), repr=False, compare=False)    # of each class in the data; () where nobody counted

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.channels, self.height, self.width)

    def encode(self, values: Tensor) -> Tensor:
        """uint8[B, C, H, W] to float in [-1, 1]."""
        return values.float().div_(127.5).sub_(1.0)

    def decode(self, x: Tensor) -> Tensor:
        return x.clamp(-1.0, 1.0)


@dataclass(frozen=True)
class TwoDomains:
    """Images of two domains, of one size: when `aligned`, pairs that show the same thing, and otherwise two sets."""

    a: Images
    b: Images
    names: tuple[str, ...] = ("A", "B")
    aligned: bool = True

    @property
    def shape(self) -> tuple[int, int, int]:
        """That of a pair laid upon each other."""
        return (self.a.channels + self.b.channels, self.a.height, self.a.width)

    @property
    def labels(self) -> tuple[str, ...]:
        return ()

    def encode(self, values: Tensor) -> Tensor:
        return self.a.encode(values)

    def decode(self, x: Tensor) -> Tensor:
        return self.a.decode(x)


@dataclass(frozen=True)
class Clips:
    """Moving pictures: a sample is two frames of one clip, float[B, 2, C, H, W] in [-1, 1]."""

    frame: Images

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (2, *self.frame.shape)

    @property
    def labels(self) -> tuple[str, ...]:
        return ()

    def encode(self, values: Tensor) -> Tensor:
        return self.frame.encode(values)

    def decode(self, x: Tensor) -> Tensor:
        return self.frame.decode(x)


@dataclass(frozen=True)
class Table:
    """Rows of columns of several kinds.  User units are cells, float64[B, K], a number each as `sparring.spaces.columns` says; networks see
    float32[B, P + S]: the one-hots of all columns, then all numbers beside them.
    """

    columns: tuple[cols.Column, ...]
    rules: tuple[str, ...] = ()             # between columns, as they were stated, that every row keeps
    delimiter: str = field(default=",", repr=False)         # of the file that was read

    @cached_property
    def kept(self) -> Kept:
        return Kept(self.columns, self.rules)

    @property
    def shape(self) -> tuple[int, ...]:
        return (sum(self.blocks) + sum(one.scalars for one in self.columns),)

    @property
    def labels(self) -> tuple[str, ...]:
        return ()

    @property
    def blocks(self) -> tuple[int, ...]:
        """The places of each column that has any."""
        return tuple(one.places for one in self.columns if one.places)

    @property
    def conditions(self) -> tuple[int, ...]:
        """Which of the blocks are categories, which samples can be asked for."""
        return tuple(k for k, one in enumerate(one for one in self.columns if one.places) if isinstance(one, cols.Category))

    @property
    def condition_shares(self) -> tuple[float, ...]:
        """How often each place of these blocks is asked for when samples are drawn: each column alike, its places as in the data."""
        counts = [one.frequency for one in self.columns if isinstance(one, cols.Category)]
        return tuple(count / max(1, sum(some)) / len(counts) for some in counts for count in some)

    def compact(self, columns: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Cells float64[B] of each column to places, int32[B, blocks], and numbers, float32[B, S]: what `encode` gives, in less memory."""
        n, places, numbers = len(columns[0]), list[Tensor](), list[Tensor]()
        for one, cells in zip(self.columns, self.kept.learned(columns), strict=True):
            place, number = one.compact(cells)
            places += [place.int()] if one.places else []
            numbers += [number.float()] if one.scalars else []
        return (torch.stack(places, 1) if places else torch.zeros(n, 0, dtype=torch.int32),
                torch.stack(numbers, 1) if numbers else torch.zeros(n, 0))

    def spread(self, places: Tensor, numbers: Tensor) -> Tensor:
        """Places and numbers to network units, float32[B, P + S]."""
        blocks = torch.tensor(self.blocks)
        hot = torch.zeros(len(places), int(blocks.sum()))
        hot.scatter_(1, places.long() + (blocks.cumsum(0) - blocks), 1.0)
        return torch.cat([hot, numbers], 1)

    def encode(self, values: Tensor) -> Tensor:
        return self.spread(*self.compact(values.double().unbind(1)))

    def decode(self, x: Tensor) -> Tensor:
        """Network units to cells; of each block, the largest number says which place is meant."""
        hot, numbers = x.split([sum(self.blocks), self.shape[0] - sum(self.blocks)], 1)
        blocks, left = iter(hot.split(list(self.blocks), 1)), iter(numbers.unbind(1))
        nothing, nowhere = torch.zeros(x.shape[0]), torch.zeros(x.shape[0], dtype=torch.int64)
        found = [one.cells(next(blocks).argmax(1) if one.places else nowhere, next(left) if one.scalars else nothing)
                 for one in self.columns]
        return torch.stack(self.kept.settled(found), 1)

    def write(self, cells: Tensor) -> list[list[str]]:
        """Rows as the data spell them."""
        return [list(row) for row in zip(*(one.write(x) for one, x in zip(self.columns, cells.unbind(1), strict=True)), strict=True)]


Space = Curves | Vectors | Images | TwoDomains | Clips | Table | Texts


def traits_of(space: Space) -> Traits | None:
    """What the labels of such data mean, where they are not classes."""
    return space.traits if isinstance(space, Vectors | Images) else None


def shares_of(space: Space) -> Tensor:
    """The share of each class in the data, or of each example where a sample has several labels: float64[classes].  They are even where
    nobody counted, as in models that were made before shares were kept."""
    traits = traits_of(space)
    counted = space.shares if traits is None and isinstance(space, Vectors | Images) else traits.shares if traits is not None else ()
    return torch.tensor(counted, dtype=torch.float64) if counted else torch.ones(len(space.labels), dtype=torch.float64) / len(space.labels)


def in_shares(space: Space, n: int) -> Tensor:
    """n classes, int64[n], that are mixed as in the data, in any first part of them as in the whole; zeros where there are no classes.

    Multiples of the golden ratio fill [0, 1) evenly, so that each class comes as often as its share, to within about one.
    """
    return mixed(tuple(shares_of(space).tolist()), len(space.labels), n) if space.labels else torch.zeros(n, dtype=torch.int64)


def mixed(shares: tuple[float, ...], count: int, n: int) -> Tensor:
    """n of so many kinds in these shares, or in equal ones where there are none given: int64[n]."""
    upper = (torch.tensor(shares, dtype=torch.float64) if shares else torch.ones(count, dtype=torch.float64)).cumsum(0)
    at = (torch.arange(1, n + 1, dtype=torch.float64) * GOLDEN).frac() * upper[-1]
    return torch.searchsorted(upper, at, right=True).clamp(max=len(upper) - 1)


KINDS: dict[str, type[Curves] | type[Vectors] | type[Images] | type[TwoDomains] | type[Clips] | type[Table] | type[Texts]] = {
    "curves": Curves, "vectors": Vectors, "images": Images, "two domains": TwoDomains, "clips": Clips, "table": Table, "texts": Texts,
}


def to_json(space: Space) -> dict[str, Any]:
    """Plain values for config.json; InputError for a space that `from_json` would not take back."""
    check(space)
    kind = next(name for name, cls in KINDS.items() if type(space) is cls)
    if isinstance(space, Table):
        stated: dict[str, Any] = {"rules": [*space.rules]} if space.rules else {}
        stated |= {"delimiter": space.delimiter} if space.delimiter != "," else {}
        return {"kind": kind, "columns": [cols.to_plain(one) for one in space.columns], **stated}
    return {"kind": kind, **asdict(space)}


def from_json(plain: Any) -> Space:
    """The space that `to_json` wrote; InputError when the values are not of that form."""
    fields = dict(plain) if isinstance(plain, dict) else {}
    kind = fields.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise InputError(f"the model's data kind is {shown(kind)!r}; expected one of {', '.join(KINDS)}.")
    try:
        space: Space = texts_from(fields) if kind == "texts" else \
            KINDS[kind](**{name: _value(kind, name, value) for name, value in fields.items()})
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"the model's data description does not fit kind '{kind}': {shown(error)}.") from None
    check(space)
    return space


def check(space: Space) -> None:
    """InputError unless data can be like this: a size that images may have, numbers that 32 bits hold, every class once."""
    match space:
        case Images(channels, height, width):
            possible = channels in (1, 3, 4) and 2 <= height <= LARGEST and 2 <= width <= LARGEST
        case Curves(x):
            possible = len(x) > 0 and all(map(_held, x))
        case Vectors(shift, scale):
            possible = len(shift) == len(scale) > 0 and len(space.columns) in (0, len(shift)) and all(map(_held, shift)) and \
                all(_held(s) and s != 0 for s in scale)
        case TwoDomains(a, b, names):
            check(a)
            check(b)
            possible = a.shape[1:] == b.shape[1:] and len(set(names)) == 2 and not a.labels and not b.labels
        case Clips(frame):
            check(frame)
            possible = not frame.labels
        case Table(columns):
            possible = len({one.name for one in columns}) == len(columns) > 0 and all(map(cols.sound, columns)) and \
                0 < space.shape[0] <= WIDEST and space.kept.sound
        case Texts():
            possible = sound(space)
    traits = traits_of(space)
    if traits is not None and not _sound(traits, len(space.labels)):
        raise InputError("the data's labels do not fit together: each needs a name, a shift, a scale other than zero, and a number in "
                         "every example.")
    if (counted := getattr(space, "shares", ())) and not _are_shares(counted, len(space.labels)):
        raise InputError("the shares of the data's classes do not fit: expected one a class, none below 0 and not all 0.")
    if not possible:
        raise InputError(f"the data have an impossible shape, shift or scale ({type(space).__name__}, shape {shown(space.shape)}): images "
                         f"have 1, 3 or 4 channels and sides of 2 to {LARGEST}, and everything else at least one number, all finite.")
    if len(set(space.labels)) < len(space.labels):
        raise InputError("the data name a class twice. Give each class one name.")


def _sound(traits: Traits, labels: int) -> bool:
    count = len(traits.names)
    return 0 < count == len(traits.shift) == len(traits.scale) == len(set(traits.names)) and 0 < labels == len(traits.examples) and \
        all(map(_held, traits.shift)) and all(_held(s) and s != 0 for s in traits.scale) and \
        all(len(row) == count and all(map(_held, row)) for row in traits.examples) and \
        (not traits.shares or _are_shares(traits.shares, len(traits.examples)))


def _are_shares(counted: tuple[float, ...], count: int) -> bool:
    return len(counted) == count and all(_held(share) and share >= 0 for share in counted) and sum(counted) > 0


def _held(number: float) -> bool:
    return abs(number) <= FLOAT32_MAX                           # False for NaN too


def _value(kind: str, name: str, plain: Any) -> Any:
    """One field of a space of this kind from JSON: a tuple of names, a tuple of numbers, a whole number, or columns of a table."""
    if kind == "table" and name == "columns":
        if not isinstance(plain, list | tuple):
            raise TypeError("columns should be a list")
        return tuple(map(cols.from_plain, plain))
    if name in ("x", "shift", "scale", "labels", "names", "shares", "columns", "rules"):
        kinds: Any = (str,) if name in ("labels", "names", "columns", "rules") else (float, int)
        if not isinstance(plain, list | tuple) or not all(type(item) in kinds for item in plain):
            raise TypeError(f"{name} should be a list of {'numbers' if kinds == (float, int) else 'names'}")
        return tuple(plain) if kinds == (str,) else tuple(map(float, plain))
    if name == "traits":
        return None if plain is None else _traits(plain)
    if name in ("a", "b", "frame"):
        space = from_json({**plain, "kind": "images"} if isinstance(plain, dict) else plain)
        assert isinstance(space, Images)
        return space
    if name == "delimiter":
        if plain not in (",", ";", "\t", "|"):
            raise TypeError("delimiter should be a comma, a semicolon, a tab or a vertical bar")
        return plain
    if name == "aligned":
        if type(plain) is not bool:
            raise TypeError("aligned should be true or false")
        return plain
    if type(plain) is not int:
        raise TypeError(f"{name} should be a whole number")
    return plain


def _traits(plain: Any) -> Traits:
    """Several labels from JSON."""
    if not isinstance(plain, dict) or not isinstance(plain.get("examples"), list | tuple):
        raise TypeError("traits should be names, shifts, scales and examples")
    rest = {name: _value("", {"names": "names"}.get(name, "shift"), value) for name, value in plain.items() if name != "examples"}
    return Traits(**rest, examples=tuple(_value("", "shift", row) for row in plain["examples"]))


def to_uint8(x: Tensor) -> Tensor:
    """Images float[B, C, H, W] in [-1, 1] to uint8, rounded; values outside are clipped."""
    return x.clamp(-1.0, 1.0).add(1.0).mul(127.5).round().to(torch.uint8)


def digits(shift: float, scale: float) -> int:
    """So many digits of numbers with this mean and deviation that values which float32 tells apart in network units stay apart: nine of
    a deviation, and those of what is large beside it."""
    return min(17, 9 + max(0, math.ceil(math.log10(max(1.0, abs(shift / scale))))))
