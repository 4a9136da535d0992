"""How a command ends: what it prints, for people or as JSON, and its exit code.  Nothing here imports torch."""

import json
import math
import os
import shlex
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import typer

from sparring.errors import InputError, RunFailed, Unnamed
from sparring.terminal import columns, fold


def finish(action: Callable[[], dict[str, Any]], as_json: bool, command: str) -> None:
    """Do it and print what it returned: its `text` for people, the rest as JSON; `code` is how to end.  Errors end with theirs."""
    try:
        result = action()
    except Unnamed as error:
        line = shlex.join(["sparring", *sys.argv[1:], "--recipe", error.file])
        fail(InputError(f"{error}\n  {line}"), 2, as_json, command)
    except InputError as error:
        fail(error, 2, as_json, command)
    except RunFailed as error:
        fail(error, 1, as_json, command)
    except KeyboardInterrupt:
        fail(RunFailed("stopped at once, without saving."), 1, as_json, command)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        fail(RunFailed(f"{where}{error.strerror or error}. Make room, or mend the permissions."), 1, as_json, command)
    except (MemoryError, RuntimeError) as error:
        torchs = ("out of memory", "allocate memory", "enough memory")          # its own ways to say so
        if not isinstance(error, MemoryError) and not any(words in str(error) for words in torchs):
            raise
        fail(RunFailed("this machine ran out of memory. Try a smaller batch, size or width."), 1, as_json, command)
    if not result:                                              # another process speaks for this one
        return
    text, code = result.pop("text", ""), result.pop("code", 0)
    say(as_one_line({"command": command, **result}) if as_json else text)
    if code:
        raise typer.Exit(code)


def reading(*places: object) -> None:
    """Tell on standard error what is read, before it is, and before torch is imported, which alone takes a second or more."""
    there = [str(place) for place in places if place is not None and os.path.exists(str(place))]
    if there:
        say(f"reading {' and '.join(there)}", err=True)


def fail(error: Exception, code: int, as_json: bool, command: str) -> NoReturn:
    if as_json:
        say(as_one_line({"command": command, "error": str(error), "exit_code": code}))
    say(f"{'Error' if code == 2 else 'Failed'}: {error}", err=True)
    raise typer.Exit(code)


def say(text: str, err: bool = False) -> None:
    """Print a text, whatever bytes the file names in it were made of and whatever letters the terminal has, whose lines end between
    words; where nobody reads them, in a file or a pipe, lines are as long as they are."""
    stream = sys.stderr if err else sys.stdout
    letters = stream.encoding or "utf-8"
    text = "".join(c if c.isprintable() or c in "\n\t" or "\ud800" <= c <= "\udfff" else repr(c)[1:-1] for c in text)
    if stream.isatty():
        text = fold(text, columns(stream))
    typer.echo(text.encode(letters, errors="backslashreplace").decode(letters), err=err)


def as_one_line(value: Any) -> str:
    """JSON that every reader takes: a number that is not finite becomes null."""

    def plain(part: Any) -> Any:
        if isinstance(part, dict):
            return {str(name): plain(item) for name, item in part.items()}
        if isinstance(part, list | tuple):
            return [plain(item) for item in part]
        return None if isinstance(part, float) and not math.isfinite(part) else part

    return json.dumps(plain(value), default=str)
