"""What an experiment says: claims with their source, what came out here, and whether that agrees."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Row(NamedTuple):
    """One claim: `ours relation reference` should hold.  Without a reference it is only shown, and `holds` is None."""

    name: str
    ours: float
    reference: float | None
    relation: str                       # "=", "<=" or ">="; "" without a reference
    source: str
    holds: bool | None


def equals(name: str, ours: float, reference: float, source: str, *, relative: float) -> Row:
    """Equal to a relative error."""
    return Row(name, ours, reference, "=", source, abs(ours - reference) <= relative * abs(reference))


def at_most(name: str, ours: float, reference: float, source: str) -> Row:
    return Row(name, ours, reference, "<=", source, ours <= reference)


def at_least(name: str, ours: float, reference: float, source: str) -> Row:
    return Row(name, ours, reference, ">=", source, ours >= reference)


def shown(name: str, ours: float, source: str = "this run") -> Row:
    """A number that nothing is claimed of."""
    return Row(name, ours, None, "", source, None)


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

    claim: str                          # one sentence
    source: str                         # where it is made
    run: Callable[[Setting], Finding]


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """The mean and its standard error; NaN for the error of a single value."""
    n = len(values)
    mean = math.fsum(values) / n
    if n < 2:
        return mean, math.nan
    return mean, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1) / n)
