"""Errors that are meant to be read by people: what was given, what was expected, what to do."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """The user's input was wrong.  The command line prints the message and ends with exit code 2."""


class RunFailed(RuntimeError):
    """A run could not go on, through no fault of its input.  The command line ends with exit code 1."""


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` when something known is close to what was given, else nothing."""
    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(str(given).lower(), list(names), n=1, cutoff=0.6)
    return f" Did you mean '{names[close[0]]}'?" if close else ""
