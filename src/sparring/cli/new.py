"""The command `new`: a small system in a file of one's own, which trains at once.  Nothing here imports torch before it is needed."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from sparring.cli.answer import finish
from sparring.cli.options import Json
from sparring.errors import InputError, shown

START = Path(__file__).with_name("starting_system.py")          # what it writes


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write, such as mine.py.")],
    as_json: Json = False,
) -> None:
    """Write a small GAN into a file of your own, to train as it is and to change."""
    finish(lambda: write(file), as_json, "new")


def write(file: Path) -> dict[str, Any]:
    """Write it.  InputError for a file that is there already, or that would be no system's."""
    from sparring.recipes import RECIPES

    if file.suffix != ".py":
        raise InputError(f"{shown(file)} is no name for a system: give a file whose name ends with .py, such as {shown(file.stem)}.py.")
    if file.stem in RECIPES:
        raise InputError(f"{shown(file)} has the name of a built-in recipe, '{file.stem}'. Give another, such as my_{file.stem}.py.")
    try:
        with file.open("x") as out:                             # also not through a link
            out.write(START.read_text())
    except FileExistsError:
        raise InputError(f"{shown(file)} is there already, and nothing is written over it. Give another name.") from None
    except OSError as error:
        raise InputError(f"{shown(file)} cannot be written: {error.strerror or error}. Give a file in a folder that is there.") from None
    named = shlex.quote(str(file) if "/" in str(file) else f"./{file}")
    return {"file": str(file), "text": f"{file}: a GAN in one file, with a comment at each part. Train it as it is:\n"
                                       f"  sparring train {named} --data digits --steps 2000\n"
                                       f"What it takes: sparring show {named}. How to change it: docs/own-system.md"}
