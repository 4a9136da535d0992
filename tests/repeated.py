"""Repetition: `make test` does every kind of check once, and `make attack` does the rest."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def once(rows: Iterable[tuple[Any, ...]], *kinds: Callable[..., object]) -> list[Any]:
    """Rows for `parametrize`; those that show nothing new, of any of these kinds, are left to `make attack`.

    `kinds` are functions of a row's values, such as its recipe: the first row of every recipe stays, and so does the first with every
    value of the next kind.
    """
    seen: set[tuple[int, object]] = set()
    chosen = []
    for row in rows:
        shown = {(place, kind(*row)) for place, kind in enumerate(kinds)}
        chosen.append(pytest.param(*row, marks=() if shown - seen else pytest.mark.chaos))
        seen |= shown
    return chosen
