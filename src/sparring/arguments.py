"""Whole numbers as users give them: int, NumPy's, a tensor's."""

import operator
from typing import Any

from sparring.errors import InputError


def index_of(value: Any) -> int | None:
    """A whole number of any kind (int, NumPy's, a tensor's) as an int; None for anything else."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def whole_count(n: Any, name: str = "n", what: str = "samples") -> int:
    count = index_of(n)
    if count is None or count < 1:
        raise InputError(f"{name}={n}: the number of {what} should be a whole number, at least 1.")
    return count


def whole_seed(seed: Any) -> int:
    number = index_of(seed)
    if number is None:
        raise InputError(f"seed={seed!r}: the seed should be a whole number.")
    return number
