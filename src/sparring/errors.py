"""Errors that are meant to be read by people: what was given, what was expected, what to do."""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager


class InputError(ValueError):
    """The user's input was wrong.  The command line prints the message and ends with exit code 2."""


class Unnamed(InputError):
    """A folder is of somebody's own system, whose code nobody has named; `file` is where it may be."""

    file = ""


class RunFailed(RuntimeError):
    """A run could not continue, through no fault of its input.  The command line ends with exit code 1."""


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` when something known is close to what was given, else nothing."""
    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(str(given).lower(), list(names), n=1, cutoff=0.6)
    return f" Did you mean '{names[close[0]]}'?" if close else ""


def reason(error: Exception) -> str:
    """What a library said, in at most 100 letters that can be shown; the kind of the error where it said nothing."""
    words = re.sub(r"<(?:\w+\.)*(\w+) object at 0x\w+>", r"\1", str(error))
    return shown(words[:100]).strip() or type(error).__name__


def shown(name: object) -> str:
    """A file name fit for a message: nothing that a terminal would obey, and not longer than 200 letters."""
    text = "".join(c if c.isprintable() else "?" for c in str(name))
    return text if len(text) <= 200 else f"{text[:100]}...{text[-97:]}"


def listed(names: Sequence[object], most: int = 10) -> str:
    """The first of these by name, and how many more there are."""
    return ", ".join(map(shown, names[:most])) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def extra(name: str) -> str:
    """The line that installs what an extra brings: into any environment that has this package, and from a clone of it."""
    return f"pip install 'sparring[{name}]' (in a clone: pip install -e '.[{name}]')"


@contextmanager
def needs(module: str, brought: str, what: str) -> Iterator[None]:
    """While a module is imported that only an extra brings: InputError, which begins with `what` needs it, when it cannot be, with the
    line that installs it."""
    try:
        yield
    except ImportError as error:
        lacks = "is not installed" if isinstance(error, ModuleNotFoundError) else f"cannot be imported ({reason(error)})"
        raise InputError(f"{what} needs {module}, which {lacks}. Get it: {extra(brought)}.") from None
