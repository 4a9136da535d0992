"""The columns of a table with mixed kinds: what their cells are, how networks see them, and how they are written.

A cell is a number: of a category its position among the values, of a number or a date the number, NaN where it is missing.  Networks see
a column as a place out of several, a one-hot, and at most one number in [-1, 1] beside it:

- a category has a place for each of its most frequent values; the rest share one, and the number says which of them it is;
- a number has a place for each mode of its mixture (mode-specific normalization; Xu et al., 2019, section 4.2), one for each value that
  many rows have, and one for what is missing; the number says where in the mode the value lies;
- a constant has neither.
"""

import math
from dataclasses import asdict, dataclass, field
from dataclasses import fields as dataclass_fields
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import torch
from torch import Tensor

EPOCH = datetime(1970, 1, 1)
UNITS = {"day": 86_400.0, "hour": 3600.0, "minute": 60.0, "second": 1.0, "millisecond": 0.001}      # of dates and times, in seconds


class Codes(NamedTuple):
    """Cells as networks see them, before places become a one-hot."""

    place: Tensor           # int64[N]
    number: Tensor          # float64[N] in [-1, 1]; 0 where the place says all


@dataclass(frozen=True)
class Category:
    """Names, or numbers of which there are few; as they are written, from the most frequent to the rarest."""

    name: str
    values: tuple[str, ...]
    counts: tuple[int, ...]         # of training rows with each
    own: int                        # so many have a place of their own
    numbers: bool = False           # whether all that is not missing is a number
    missing: tuple[str, ...] = ()   # which of the values say that a cell is missing
    dtype: str = ""                 # of a data frame; "" for text
    levels: tuple[str, ...] = field(default=(), repr=False)     # of a categorical column of a data frame: its categories, in their order
    ordered: bool = False           # whether that order means something

    @property
    def places(self) -> int:
        return self.own + (len(self.values) > self.own)

    @property
    def scalars(self) -> int:
        return int(len(self.values) > self.own)

    @property
    def frequency(self) -> tuple[int, ...]:
        """How many training rows have each place."""
        rest = sum(self.counts[self.own:])
        return self.counts[:self.own] + ((rest,) if self.scalars else ())

    def compact(self, cells: Tensor) -> Codes:
        at = cells.long()
        rare = len(self.values) - self.own
        number = torch.where(at >= self.own, 2 * (at - self.own + 0.5) / max(1, rare) - 1, 0.0)
        return Codes(at.clamp(max=self.own), number.double())

    def cells(self, place: Tensor, number: Tensor) -> Tensor:
        rare = len(self.values) - self.own
        which = ((number.double() + 1) / 2 * rare).floor().clamp(0, max(0, rare - 1))
        return torch.where(place >= self.own, self.own + which, place.double()) if rare else place.double()

    def write(self, cells: Tensor) -> list[str]:
        return [self.values[at] for at in cells.long().tolist()]


@dataclass(frozen=True)
class Number:
    """Numbers, or dates and times, which are numbers of units since 1970 (of times, since midnight)."""

    name: str
    weights: tuple[float, ...]      # of the modes of a Gaussian mixture
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    scales: tuple[float, ...]       # in network units a value is (value - mean) / scale
    spikes: tuple[float, ...]       # values with a place of their own
    low: float
    high: float
    decimals: tuple[int, int] = (0, 0)      # the fewest and the most that are written
    digits: int = 0                 # where numbers are written with an exponent, how many digits they have
    missing: str | None = None      # how a missing one is written; None where none is
    mark: str = "."                 # before decimals
    group: str = ""                 # between thousands
    form: str = ""                  # of dates and times, as strftime takes it
    unit: str = ""
    dtype: str = ""
    before: str = field(default="", repr=False)     # what stands before and after every number, such as $ and %
    after: str = field(default="", repr=False)
    whole: bool = False             # whether all are whole numbers, though decimals are written

    @property
    def places(self) -> int:
        return len(self.means) + len(self.spikes) + (self.missing is not None)

    @property
    def scalars(self) -> int:
        return int(bool(self.means))

    def compact(self, cells: Tensor) -> Codes:
        """The most probable mode of each value.  The paper draws one by its probability; with the most probable one, the same value is
        always seen alike."""
        gone = cells.isnan()
        x = torch.where(gone, self.low, cells.double()).clamp(self.low, self.high)
        place, number = torch.zeros(len(x), dtype=torch.int64), torch.zeros(len(x), dtype=torch.float64)
        if self.means:
            mean, deviation = x.new_tensor(self.means), x.new_tensor(self.deviations)
            likely = x.new_tensor(self.weights).log() - deviation.log() - ((x[:, None] - mean) / deviation).square() / 2
            place = likely.argmax(1)
            number = ((x - mean[place]) / x.new_tensor(self.scales)[place]).clamp(-1, 1)
        for k, spike in enumerate(self.spikes, len(self.means)):
            place, number = torch.where(x == spike, k, place), torch.where(x == spike, 0.0, number)
        place = torch.where(gone, self.places - 1, place)
        return Codes(place, torch.where(gone, 0.0, number))

    def cells(self, place: Tensor, number: Tensor) -> Tensor:
        """Rounded as the data are, and within their bounds."""
        mean, scale = (number.new_tensor([*first, *rest, *[0.0] * (self.missing is not None)], dtype=torch.float64)
                       for first, rest in ((self.means, self.spikes), (self.scales, [0.0] * len(self.spikes))))
        x = self.rounded(mean[place] + scale[place] * number.double()).clamp(self.low, self.high)
        return torch.where(place == self.places - 1, math.nan, x) if self.missing is not None else x

    def rounded(self, x: Tensor) -> Tensor:
        """To the decimals of the data; where these have an exponent, to what float32 tells apart in the widest mode."""
        if self.whole:
            return x.round()
        return x.round(decimals=-math.floor(math.log10(1e-6 * max(self.scales, default=1.0))) if self.digits else self.decimals[1])

    def write(self, cells: Tensor) -> list[str]:
        if self.plain and not cells.isnan().any():                          # most columns, and much faster than one by one
            form = f"%.{self.decimals[1]}f"
            below = form % -0.0
            return [text if text != below else below[1:] for text in (form % x for x in cells.tolist())]
        return [(self.missing or "") if math.isnan(x) else self.written(x) for x in cells.tolist()]

    @property
    def plain(self) -> bool:
        """Whether every number is written alike, with as many decimals and nothing beside them."""
        return not (self.form or self.digits or self.group or self.before or self.after) and self.mark == "." and \
            self.decimals[0] == self.decimals[1]

    def read(self, text: str) -> float:
        """The number that a text says, as the data write it or with a decimal point; ValueError for other text."""
        if self.form:
            start = EPOCH if "Y" in self.form or "y" in self.form else datetime(1900, 1, 1)
            return round((parsed_moment(text.strip(), self.form) - start).total_seconds() / UNITS[self.unit])
        plain = text.strip()
        minus = "-" * (bool(self.before) and plain.startswith("-"))
        plain = minus + plain[len(minus):].removeprefix(self.before).removesuffix(self.after)
        plain = plain.replace(self.group, "") if self.group else plain
        number = float(plain if "." in plain and self.mark == "," and "," not in plain else plain.replace(self.mark, "."))
        if not math.isfinite(number) or "_" in text:
            raise ValueError(text)
        return number

    def written(self, x: float) -> str:
        if self.form:
            return self.dated(x)
        text = self.bare(x)
        minus = "-" * (bool(self.before) and text.startswith("-"))         # stands before a sign of money
        return f"{minus}{self.before}{text[len(minus):]}{self.after}"

    def bare(self, x: float) -> str:
        """A number without what stands before and after it."""
        if self.digits:
            return f"{x:.{self.digits}g}".replace(".", self.mark)
        least, most = self.decimals
        text = f"{x + 0.0:{',' if self.group else ''}.{most}f}"
        whole, _, rest = text.partition(".")
        rest = rest[:least] + rest[least:].rstrip("0")
        whole = whole.replace(",", self.group) if self.group else whole
        if whole == "-0" and not rest.strip("0"):
            whole = "0"
        return whole + (self.mark + rest if rest else "")

    def dated(self, x: float) -> str:
        moment = EPOCH + timedelta(seconds=round(x) * UNITS[self.unit])
        text = written_moment(moment, self.form)
        return text[:-3] if self.form.endswith("%f") and self.unit == "millisecond" else text


@dataclass(frozen=True)
class Computed(Number):
    """Numbers that a rule computes from other columns (`sparring.spaces.rules`).  Networks see nothing of them."""

    @property
    def places(self) -> int:
        return 0

    @property
    def scalars(self) -> int:
        return 0

    def compact(self, cells: Tensor) -> Codes:
        return Codes(torch.zeros(len(cells), dtype=torch.int64), torch.zeros(len(cells), dtype=torch.float64))

    def cells(self, place: Tensor, number: Tensor) -> Tensor:
        return torch.full((place.shape[0],), math.nan, dtype=torch.float64)

    def rounded(self, x: Tensor) -> Tensor:
        """To the decimals of the data; to their digits where they have an exponent."""
        if not self.digits:
            return x.round(decimals=self.decimals[1])
        unit = self.unit_of(x)
        return torch.where(unit.isfinite(), (x / unit).round() * unit, x)

    def unit_of(self, x: Tensor) -> Tensor:
        """What the last digit that is written counts."""
        return 10.0 ** (x.abs().clamp(min=1e-290).log10().floor() + 1 - self.digits) if self.digits else \
            torch.full_like(x, 10.0 ** -self.decimals[1])


@dataclass(frozen=True)
class Later(Number):
    """Numbers that are never less than those of another column, the base, as a rule says.  The modes, and cells here, are those of the
    difference, from `least` to `most`; `low` and `high` are those of the numbers themselves."""

    base: str = ""
    least: float = 0.0
    most: float = 0.0

    @property
    def difference(self) -> Number:
        fields = {one.name: getattr(self, one.name) for one in dataclass_fields(Number)}
        return Number(**fields | {"low": self.least, "high": self.most})

    def compact(self, cells: Tensor) -> Codes:
        return self.difference.compact(cells)

    def cells(self, place: Tensor, number: Tensor) -> Tensor:
        return self.difference.cells(place, number)


@dataclass(frozen=True)
class Constant:
    """The same in every row."""

    name: str
    value: str
    dtype: str = ""
    places: int = 0
    scalars: int = 0

    def compact(self, cells: Tensor) -> Codes:
        return Codes(torch.zeros(len(cells), dtype=torch.int64), torch.zeros(len(cells), dtype=torch.float64))

    def cells(self, place: Tensor, number: Tensor) -> Tensor:
        return torch.zeros(place.shape[0], dtype=torch.float64)

    def write(self, cells: Tensor) -> list[str]:
        return [self.value] * len(cells)


def written_moment(moment: datetime, form: str) -> str:
    """As strftime does, which knows `%-d`, a day without a zero before it, on some systems only."""
    for letter, number in (("d", moment.day), ("m", moment.month), ("H", moment.hour), ("I", moment.hour % 12 or 12)):
        form = form.replace(f"%-{letter}", str(number))
    return moment.strftime(form)


def parsed_moment(text: str, form: str) -> datetime:
    """As strptime does, which takes numbers without zeros for `%d` too.  ValueError for other text."""
    return datetime.strptime(text, form.replace("%-", "%"))


Column = Category | Number | Constant
KINDS: dict[str, type[Category] | type[Number] | type[Constant]] = {
    "category": Category, "number": Number, "computed": Computed, "later": Later, "constant": Constant}
LISTS = {"values": str, "missing": str, "levels": str, "counts": int, "weights": float, "means": float, "deviations": float,
         "scales": float, "spikes": float, "decimals": int}
PLAIN: dict[str, tuple[type, ...]] = {
    "name": (str,), "value": (str,), "dtype": (str,), "mark": (str,), "group": (str,), "form": (str,), "unit": (str,),
    "before": (str,), "after": (str,),
    "own": (int,), "digits": (int,), "places": (int,), "scalars": (int,), "numbers": (bool,), "low": (float, int), "high": (float, int),
    "whole": (bool,), "ordered": (bool,),
    "base": (str,), "least": (float, int), "most": (float, int)}


def to_plain(column: Column) -> dict[str, Any]:
    kind = next(name for name, cls in KINDS.items() if type(column) is cls)
    return {"kind": kind, **asdict(column)}


def from_plain(plain: Any) -> Column:
    """The column that `to_plain` wrote; TypeError or ValueError for values of another form, which anyone may have written."""
    fields = dict(plain) if isinstance(plain, dict) else {}
    kind = fields.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise TypeError("each column should be a category, a number or a constant")
    column = KINDS[kind](**{name: _value(kind, name, value) for name, value in fields.items()})
    if not sound(column):
        raise ValueError(f"the column {column.name!r} does not fit together")
    return column


def _value(kind: str, name: str, plain: Any) -> Any:
    if name == "missing" and issubclass(KINDS[kind], Number):
        if plain is not None and type(plain) is not str:
            raise TypeError("missing should be text")
        return plain
    if name in LISTS:
        of: tuple[type, ...] = (float, int) if LISTS[name] is float else (LISTS[name],)
        if not isinstance(plain, list | tuple) or not all(type(item) in of for item in plain):
            raise TypeError(f"{name} should be a list")
        return tuple(map(LISTS[name], plain))
    if name not in PLAIN or type(plain) not in PLAIN[name]:
        raise TypeError(f"{name} is not of the form that is written here")
    return float(plain) if float in PLAIN[name] else plain


def sound(column: Column) -> bool:
    """Whether its parts fit together, and stay within what computing with them takes."""
    match column:
        case Category(_, values, counts, own):
            return len(values) == len(counts) > 0 and len(set(values)) == len(values) and 1 <= own <= len(values) and \
                all(0 <= count < 2**53 for count in counts)
        case Number():
            lists = column.weights, column.means, column.deviations, column.scales
            bounds = (column.low, column.high, *((column.least, column.most) if isinstance(column, Later) else ()))
            finite = all(math.isfinite(x) and abs(x) < 1e300 for some in (*lists, column.spikes, bounds) for x in some)
            dated = not column.form or (column.unit in UNITS and len(column.form) < 100 and _datable(column))
            ordered = column.low <= column.high and bounds[-2] <= bounds[-1]
            return finite and dated and len({len(some) for some in lists}) == 1 and ordered and \
                (column.places > 0 or isinstance(column, Computed)) and \
                all(x > 0 for some in (column.weights, column.deviations, column.scales) for x in some) and len(column.decimals) == 2 and \
                0 <= column.decimals[0] <= column.decimals[1] <= 20 and 0 <= column.digits <= 20
        case Constant():
            return column.places == column.scalars == 0


def _datable(column: Number) -> bool:
    try:
        return bool(column.dated(column.low)) and bool(column.dated(column.high))
    except (ValueError, OverflowError):
        return False
