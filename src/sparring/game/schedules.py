"""Schedules: functions of the step, so that nothing about them needs saving."""

from collections.abc import Callable

Schedule = Callable[[int], float]


def constant(value: float) -> Schedule:
    return lambda step: value


def geometric(first: float, last: float, steps: int) -> Schedule:
    """From `first` to `last` over `steps` rounds, each round by the same factor."""

    def at(step: int) -> float:
        return first * (last / first) ** (min(step, steps) / steps)

    return at


def linear_decay(value: float, steps: int, last: float) -> Schedule:
    """`value` at first, then a straight line to zero over the last `last` (a fraction) of `steps` rounds."""
    start = steps * (1.0 - last)
    span = max(steps - start, 1.0)

    def at(step: int) -> float:
        return value * min(1.0, max(0.0, (steps - step) / span))

    return at
