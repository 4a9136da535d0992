"""What an experiment says: claims with their source, what came out here, and whether that agrees.

A claim has three states: it holds, it does not hold, or the run was too short to show it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

HOLDS, FAILS, SHORT, SHOWN = "holds", "does not hold", "too short to show", "shown"
PRONOUNCED = 3                      # digits of a figure in a sentence


class Row(NamedTuple):
    """One claim: `ours relation reference` should hold.  Without a reference it is only shown, and `holds` is None.

    `holds` is None too where this run is too short to show the claim, and `short` then says why.
    """

    name: str
    ours: float
    reference: float | None
    relation: str                       # "=", "<=" or ">="; "" without a reference
    source: str
    holds: bool | None
    unit: str                           # of `ours` and the reference, or what is counted: "nats", "modes of 8", "distance from (0, 0)"
    short: str = ""

    @property
    def state(self) -> str:
        """HOLDS, FAILS, SHORT, or SHOWN where nothing is claimed."""
        if self.short:
            return SHORT
        return SHOWN if self.holds is None else HOLDS if self.holds else FAILS


def equals(name: str, ours: float, reference: float, source: str, unit: str, *, relative: float) -> Row:
    """Equal to a relative error."""
    return Row(name, ours, reference, "=", source, abs(ours - reference) <= relative * abs(reference), unit)


def at_most(name: str, ours: float, reference: float, source: str, unit: str) -> Row:
    return Row(name, ours, reference, "<=", source, ours <= reference, unit)


def at_least(name: str, ours: float, reference: float, source: str, unit: str) -> Row:
    return Row(name, ours, reference, ">=", source, ours >= reference, unit)


def shown(name: str, ours: float, unit: str, source: str = "this run") -> Row:
    """A number that nothing is claimed of."""
    return Row(name, ours, None, "", source, None, unit)


def unless_short(row: Row, why: str) -> Row:
    """The claim without a verdict when there is a reason why this run cannot show it; an empty reason leaves it as it is."""
    return row._replace(holds=None, short=why) if why and row.holds is not None else row


def on_its_way(row: Row, limit: float, quick: bool) -> Row:
    """In a quick run, a claim that does not hold yet is only too short while the figure keeps to this easier limit."""
    kept = row.ours <= limit if row.relation == "<=" else row.ours >= limit
    return unless_short(row, f"a quick run does not get that far, and is only asked for {row.relation} {limit:g}") \
        if quick and row.holds is False and kept else row


# ------------------------------------------------------------------------------------------------------- headlines
def by_name(rows: Sequence[Row]) -> dict[str, Row]:
    """The rows of one finding, for a headline that is made from them."""
    return {row.name: row for row in rows}


def beginning(rows: Sequence[Row], *starts: str) -> list[Row]:
    """The rows whose names begin with one of these."""
    return [row for row in rows if row.name.startswith(starts)]


def figure(value: float) -> str:
    """A figure in a sentence: 0.00226, 37.3, 70,700, 2.6e-06."""
    if math.isfinite(value) and abs(value) >= 999.5:                # :g would turn to powers of ten
        digits = PRONOUNCED - 1 - math.floor(math.log10(abs(value)))
        return f"{round(value, digits):,.0f}"
    return f"{value:.{PRONOUNCED}g}"


def percent(share: float) -> str:
    """A share in a sentence, with a decimal below one per cent: 37 %, 0.6 %."""
    return f"{100 * share:.0f} %" if share == 0 or abs(share) >= 0.01 else f"{100 * share:.1g} %"


def times(ratio: float, more: str = "grows", less: str = "falls") -> str:
    """What a ratio of last over first, or of one over another, says: "grows 18.1-fold", "falls 70,700-fold"."""
    if not ratio > 0:                                           # 0, or not a number
        return f"changes by a factor of {figure(ratio)}"
    if 1 / 1.05 < ratio < 1.05:
        return f"stays about the same ({figure(ratio)} times)"
    return f"{more} {figure(ratio)}-fold" if ratio >= 1 else f"{less} {figure(1 / ratio)}-fold"


class Picture(NamedTuple):
    path: Path
    caption: str


@dataclass(frozen=True)
class Finding:
    """What an experiment found, and the pictures it drew."""

    rows: Sequence[Row]
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Setting:
    """How an experiment is run: into which folder, in full or quickly, on which images, and whom to tell how far it is."""

    out: Path
    quick: bool = False
    data: str | None = None             # a path to real images, as for `train --data`, where an experiment can use them
    tell: Callable[[str], None] = lambda message: None


class Experiment(NamedTuple):
    """A small program that reproduces one claim end to end."""

    claim: str                          # one sentence: what is checked
    source: str                         # where it is made
    run: Callable[[Setting], Finding]
    headline: Callable[[Sequence[Row]], str]        # what came out, in words and figures, from nothing but the rows


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """The mean and its standard error; NaN for the error of a single value."""
    n = len(values)
    mean = math.fsum(values) / n
    if n < 2:
        return mean, math.nan
    return mean, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1) / n)
