"""Columns of numbers that look like names of kinds: few whole numbers, among measurements."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sparring.errors import listed

KINDS = 20              # different whole numbers at most
SAYS_SO = ("label", "labels", "class", "classes", "target", "targets", "y", "species", "category")
EACH = 4                # samples at least of each, on average


def more(kinds: set[float] | None, values: NDArray[np.float64]) -> set[float] | None:
    """The whole numbers that a column takes, with these; None once they are others or many."""
    if kinds is None:
        return None
    found = set(np.unique(values[:1000]).tolist()) | kinds                  # most columns are settled by their first numbers
    if len(found) > KINDS or not all(value == round(value) for value in found):
        return None
    found |= set(np.unique(values).tolist())
    return found if len(found) <= KINDS and all(value == round(value) for value in found) else None


def like_classes(names: Sequence[str], kinds: Sequence[int | None], n: int, constant: Sequence[bool] | NDArray[np.bool_],
                 fix: str) -> list[str]:
    """What to say of columns that are called as classes are, or have few whole numbers, more than two, beside others that are measured;
    `fix` is what to do with one."""
    called = [name for name in names if name.lower() in SAYS_SO]
    found = [name for name, count in zip(names, kinds, strict=True) if count is not None and 2 < count <= n // EACH and name not in called]
    measured = any(count is None and not same for count, same in zip(kinds, constant, strict=True))
    said = list[str]()
    if called:
        said.append(f"taken for measurements, though called as classes are: {listed(called, 5)}. If they stand for classes, {fix}")
    if found and measured:
        said.append(f"taken for measurements, though they are few whole numbers: {listed(found, 5)}. If they stand for classes, {fix}")
    return said
