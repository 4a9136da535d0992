"""Schedules: functions of the step, so that nothing about them needs saving."""

from collections.abc import Callable
from typing import Any

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


# ------------------------------------------------------------------------------------------------ told to people
def falls(setting: str, what: str, over: Callable[[int], Schedule], steps: int, more: int) -> str:
    """That a setting is laid out over the length of a run, and where it would be if the run were longer; `over(n)` is the schedule of n
    rounds."""
    return (f"{setting} lets {what} fall to {over(steps)(steps):.3g} at round {steps:,}; in a run of {more:,} rounds it would "
            f"still be {over(more)(steps):.3g} by then")


def decays(c: Any, more: int) -> list[str]:
    """The same of `decay`, in settings that have one; nothing when it is 0."""
    return [falls(f"decay={c.decay}", "the learning rate", lambda n: linear_decay(c.lr, n, c.decay), c.steps, more)] if c.decay else []
