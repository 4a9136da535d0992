"""A system of somebody's own, from a file, a module, a `Recipe` or an installed package; and what a run keeps of it.

Code is run here for one reason only: a person named it, in a command or a call.  What a folder says of it is read, and never followed.
"""

import difflib
import hashlib
import inspect
import os
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from sparring.errors import InputError, Unnamed, did_you_mean, listed, reason, shown
from sparring.recipes import RECIPES, Origin, Recipe, find
from sparring.runs.folder import CODE, RunFolder, write_atomic
from sparring.setup.own_parts import recipe_from, run_file
from sparring.untrusted import Strange, read_file, told

GROUP = "sparring.recipes"          # of entry points, under which packages offer recipes
CODE_BYTES = 2**20                  # the largest file of a system
DIFFERENCE = 30                     # lines of one that are shown


# --------------------------------------------------------------------------------------------------- by what a person named
def named(given: Any) -> tuple[str, Recipe | None]:
    """What it is called, and the system where it is no recipe of this project.  InputError for what is neither."""
    if isinstance(given, Recipe):
        return from_recipe(given)
    if isinstance(given, ModuleType):
        return called(from_module(given, given.__name__.rpartition(".")[2]))
    if isinstance(given, Path) or is_path(str(given)):
        return called(from_file(Path(given).expanduser()))
    if str(given) in RECIPES:
        return str(given), None
    if point := next(iter(entry_points(group=GROUP, name=str(given))), None):
        return called(installed(point))
    if Path(f"{given}.py").is_file():
        raise InputError(f"there is no recipe '{shown(given)}'. If you mean your own, write ./{shown(given)}.py.")
    offered = sorted(point.name for point in entry_points(group=GROUP))
    if close := did_you_mean(str(given), offered):
        raise InputError(f"there is no recipe '{shown(given)}'.{close} Recipes of installed packages: {listed(offered)}.")
    find(str(given))                                            # says what recipes there are
    raise AssertionError


def outside(given: Any) -> Recipe | None:
    """The system that a person named for a folder; None where they named none."""
    if given is None:
        return None
    name, system = named(given)
    return system or find(name)


def is_path(word: str) -> bool:
    """Whether it names a file rather than a recipe."""
    return word.endswith(".py") or ("/" in word and os.path.exists(word))


def called(system: Recipe) -> tuple[str, Recipe]:
    """The system with its name.  InputError for the name of a recipe of this project, or for one that makes no file name."""
    assert system.origin is not None
    name, file = system.origin.name, system.origin.file
    if name in RECIPES:
        raise InputError(f"{file or 'your system'} has the name of a built-in recipe, '{name}', and its runs could not be told from "
                         f"runs of that. Give it another name, such as my_{name}.")
    if not name or told(name, 100) != name or "/" in name:
        raise InputError(f"'{shown(name)}' is no name for a system. Give its file a short name of letters and digits.")
    return name, system


def from_file(path: Path) -> Recipe:
    """The system in a file, which is run.  A link is followed: the run keeps the file that it leads to."""
    if path.is_dir():
        raise InputError(f"{path} is a folder. Give the .py file of your system, or a recipe: `sparring recipes` lists them.")
    if not path.exists():
        if path.is_symlink():
            raise InputError(f"{path} is a link to {os.path.realpath(path)}, where nothing is. Give the file itself, or mend the link.")
        near = [one.name for one in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise InputError(f"there is no file {path}.{did_you_mean(path.name, near)} `sparring new {path.name}` writes a system to begin "
                         "with.")
    if path.suffix != ".py":
        notebook = " Save its cells as one." if path.suffix == ".ipynb" else ""
        raise InputError(f"{path} is no Python file: a system of your own stands in a file whose name ends with .py.{notebook}")
    origin = read(path.resolve(), path.stem)
    return recipe_from(run_file(origin), origin)


def read(path: Path, name: str) -> Origin:
    """What the file holds.  InputError when it cannot be read, or is no text."""
    try:
        data = read_file(path, CODE_BYTES)
        return Origin(name, str(path), hashlib.sha256(data).hexdigest(), data.decode())
    except Strange as error:
        raise InputError(f"{path} {error}. Give the .py file of your system.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}. Check that you may read it.") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no Python file: byte {error.start:,} is not UTF-8 text. Give the .py file of your system.") from None


def from_module(module: ModuleType, name: str) -> Recipe:
    """The system in a module that is imported already."""
    return recipe_from(module, origin_of(getattr(module, "__file__", None), name))


def from_recipe(given: Recipe) -> tuple[str, Recipe | None]:
    """A `Recipe` as it is, with the file of its game."""
    if name := next((name for name, recipe in RECIPES.items() if recipe is given), None):
        return name, None
    if given.origin is not None:
        return called(given)
    module = getattr(given.game, "__module__", "") or ""
    name = module.rpartition(".")[2] if module not in ("", "__main__") else "own"
    file = None
    with suppress(TypeError):                                   # of a callable object
        file = inspect.getsourcefile(inspect.unwrap(given.game))
    return called(given._replace(origin=origin_of(file, name)))


def installed(point: Any) -> Recipe:
    """What a package offers under the entry point: a `Recipe`, or a module."""
    try:
        given = point.load()
    except Exception as error:                                  # a stranger's code may raise anything
        raise InputError(f"the recipe '{point.name}' is offered as {point.value}, which cannot be imported: {type(error).__name__}: "
                         f"{reason(error)}. Mend or remove that package.") from None
    if isinstance(given, Recipe):
        _, system = from_recipe(given)
        if system is not None and system.origin is not None:
            return system._replace(origin=system.origin._replace(name=point.name))
    if isinstance(given, ModuleType):
        return from_module(given, point.name)
    raise InputError(f"the recipe '{point.name}' is offered as {point.value}, a {type(given).__name__}; expected a "
                     "sparring.recipes.Recipe, or a module with SUMMARY, Settings and game.")


class Offered(NamedTuple):
    """A recipe of an installed package, in words that a terminal can show."""

    name: str
    package: str                                                # its name and version
    summary: str                                                # of the package, in its metadata; "" where it has none
    reached: bool                                               # whether the name trains this one


def offered() -> list[Offered]:
    """The recipes of installed packages, by name.  Nothing is imported: code runs only where a person names it."""
    found: list[Offered] = []
    taken = set(RECIPES)
    for point in entry_points(group=GROUP):                     # of two with one name, `named` takes the first
        package, summary = told_of(point)
        found.append(Offered(shown(point.name), package, summary, point.name not in taken))
        taken.add(point.name)
    return sorted(found, key=lambda one: one.name)


def told_of(point: Any) -> tuple[str, str]:
    """The name with the version, and the summary, of the package with this entry point."""
    told_by: dict[str, str] = {}
    with suppress(Exception):                                   # of a damaged installation there may be no metadata
        told_by = {key: " ".join(str(value).split()) for key, value in point.dist.metadata.items()}
    return shown(f"{told_by.get('Name', 'without a name')} {told_by.get('Version', '')}".strip()), shown(told_by.get("Summary", ""))


def origin_of(file: str | None, name: str) -> Origin:
    """The file of code that is imported already, where it has one that can be read."""
    with suppress(InputError, OSError):
        if file is not None:
            return read(Path(file).resolve(), name)
    return Origin(name)


# ------------------------------------------------------------------------------------------------------ what a run keeps
def kept(system: Recipe | None) -> dict[str, Any]:
    """What stands of a system in config.json; nothing of the recipes of this project."""
    return {} if system is None or system.origin is None else \
        {"own_recipe": {"file": system.origin.file, "sha256": system.origin.sha256}}


def copy_of(system: Recipe | None) -> dict[str, bytes]:
    """Its code as a file of a model folder."""
    return {CODE: system.origin.text.encode()} if system is not None and system.origin is not None and system.origin.text else {}


def keep_copy(folder: RunFolder, system: Recipe | None) -> None:
    """Put its code into the run folder, for people to read."""
    for data in copy_of(system).values():
        if folder.code.is_symlink() or not folder.code.exists() or folder.code.read_bytes() != data:
            write_atomic(folder.code, data.decode())


def copy_in(path: Path, sha256: str) -> Path | None:
    """The copy with this hash in a run folder, or beside its model."""
    for one in (path / CODE, path.parent / CODE):
        with suppress(Strange, OSError):
            if hashlib.sha256(read_file(one, CODE_BYTES)).hexdigest() == sha256:
                return one
    return None


def edited(config: Mapping[str, Any], path: Path, system: Recipe | None) -> list[str]:
    """How a system differs from that of the run in this folder, in lines for people; none when it is the same."""
    if system is None or system.origin is None:
        return []
    before = own_of(config, path)["sha256"]
    if before == system.origin.sha256:
        return []
    copy, now = copy_in(path, before), system.origin
    head = f"{Path(now.file).name or now.name} changed: sha256 {before[:12]} -> {now.sha256[:12]}"
    if copy is None:
        return [f"{head} (how is not known: there is no whole copy of it in {path})"]
    lines = list(difflib.unified_diff(copy.read_text().splitlines(), now.text.splitlines(), "then", "now", lineterm="", n=1))[2:]
    more = [f"  ... and {len(lines) - DIFFERENCE:,} lines more"] if len(lines) > DIFFERENCE else []
    return [head, *(f"  {told(line, 140)}" for line in lines[:DIFFERENCE]), *more]


def own_of(config: Mapping[str, Any], path: Path) -> dict[str, str]:
    """What config.json says of somebody's own system; InputError when that is nothing, or is not of the form that is written here."""
    found = config.get("own_recipe")
    if not isinstance(found, dict) or not all(isinstance(found.get(key), str) for key in ("file", "sha256")):
        raise InputError(f"config.json in {path} is damaged: what it says of its recipe's own file cannot be understood. Put it back from "
                         "a copy, or train into a new folder.")
    return found


def refuse_other(config: Mapping[str, Any], path: Path, system: Recipe | None) -> None:
    """InputError when the system of a folder was not named by who opens it, or is not the one that was.

    Whoever opens it is told whose it is, where a copy stands, and what to type.
    """
    own_name, recipe = system.origin.name if system is not None and system.origin is not None else "", config.get("recipe")
    if config.get("own_recipe") is None:
        if system is not None and system is not RECIPES.get(str(recipe)):
            raise InputError(f"{path} is of the recipe '{told(str(recipe), 100)}', and not of {own_name or 'the one that was named'}. "
                             "Leave --recipe out.")
        return
    found = own_of(config, path)
    file, sha256 = found["file"], found["sha256"]
    copy = copy_in(path, sha256)
    called = own_name or next((name for name, one in RECIPES.items() if one is system), "")
    if called and called != recipe and system is not None and (not own_name or system.origin.sha256 != sha256):  # type: ignore[union-attr]
        raise InputError(f"{path} is of somebody's own system, '{told(str(recipe), 100)}', and not of {called}, which was named. Name its "
                         f"file{f': --recipe {copy} is a copy' if copy is not None else ''}.")
    if not own_name or system is None:
        at = file if file and is_same(file, sha256) else "" if copy is None else str(copy)
        where = f"{told(file, 300)}, sha256 {told(sha256[:12], 12)}" if file else "code that is in no file"
        read_it = f" A copy is {copy}: read it first if it is not yours." if copy is not None else " Have it first from whoever wrote it."
        error = Unnamed(f"{path} is of somebody's own system, '{told(str(recipe), 100)}' ({where}). Its code is run only if you name its "
                        f"file, since a folder may be anyone's.{read_it} Name it with --recipe {at or 'FILE.py'} (in Python "
                        f"recipe={at or 'FILE.py'!r}).")
        error.file = at or "FILE.py"
        raise error
    if lines := edited(config, path, system):
        use = f"Give the copy of what it was trained with: --recipe {copy}." if copy is not None else "Give the file as it was."
        raise InputError(f"{path} was trained with other code than this:\n  " + "\n  ".join(lines) + f"\n{use}")


def is_same(file: str, sha256: str) -> bool:
    """Whether that file is here, and as it was."""
    with suppress(Strange, OSError, ValueError):
        return os.path.isabs(file) and hashlib.sha256(read_file(Path(file), CODE_BYTES)).hexdigest() == sha256
    return False

