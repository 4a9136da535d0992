"""The parts of a system that stands in a file or a module: found by their names, checked, and made into a `Recipe`."""

import ast
import functools
import inspect
import json
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any

import torch
from pydantic import BaseModel

from sparring.errors import InputError, did_you_mean, listed, reason
from sparring.game import Game
from sparring.recipes import RECIPES, Origin, Reader, Recipe
from sparring.settings import RunSettings, Settings
from sparring.setup.paper import Mixed
from sparring.spaces import Space

SHAPE = "game(settings, space, device, own=None)"
MOST = 10                           # settings that are shown first
PARTS = "A system of your own has SUMMARY, a class of settings, and " + SHAPE + "; `sparring new mine.py` writes one to begin with."


# ---------------------------------------------------------------------------------------------------------- running a file
def run_file(origin: Origin) -> ModuleType:
    """The module that the file makes.  InputError with its own error and line when it cannot be run, or changes more than itself."""
    name = f"own_{origin.name}_{origin.sha256[:12]}"
    module = ModuleType(name)
    module.__file__ = origin.file
    before, sys.modules[name] = world(), module                 # annotations of settings are looked up there
    numbers = torch.random.get_rng_state()
    try:
        exec(compile(origin.text.encode(), origin.file, "exec", dont_inherit=True), vars(module))
    except SyntaxError as error:
        del sys.modules[name]
        raise InputError(f"{origin.file}, line {error.lineno}: {error.msg}. Python cannot read the file; mend that line.") from None
    except (Exception, SystemExit) as error:                    # a stranger's code may raise anything
        del sys.modules[name]
        raise InputError(f"{place(error, origin.file)}: {said(error)}. The file was run to find your system, and stopped there.") from None
    after = world()
    if changed := sorted(what for what, value in before.items() if after.get(what) != value):
        torch.set_default_dtype(before["torch's default dtype"])
        torch.random.set_rng_state(numbers)
        raise InputError(f"running {origin.file} changes {listed(changed, 3)}. A run would then depend on whether the file was run before. "
                         "Change nothing outside of the file; hand what is yours to your own networks and losses.")
    return module


def world() -> dict[str, Any]:
    """What a file might change when it is run, and what would then hold for every other run too."""
    found: dict[str, Any] = {"the seed of torch's random numbers (every round is seeded by --seed)": torch.initial_seed(),
                             "torch's default dtype": torch.get_default_dtype(),
                             "torch's default device": str(torch.get_default_device()),
                             "whether torch takes gradients": torch.is_grad_enabled(), "the table RECIPES": list(RECIPES)}
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "sparring":
            found |= {f"{name}.{key}": id(value) for key, value in vars(module).items() if not key.startswith("__")}
    return found


def said(error: BaseException) -> str:
    """Its kind and what it says, in few words."""
    if isinstance(error, SystemExit):
        return "it ends Python (sys.exit, or a parser of arguments); put that under `if __name__ == '__main__':`"
    return f"{type(error).__name__}: {reason(error).rstrip('.')}" if isinstance(error, Exception) else type(error).__name__


def place(error: BaseException, file: str) -> str:
    """`FILE, line N` of the last line of the file that an error came through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f"{file}, line {lines[-1]}" if lines else file


# ------------------------------------------------------------------------------------------------------------ its parts
def recipe_from(module: ModuleType, origin: Origin) -> Recipe:
    """The system in a module.  InputError, with what to write, for what is missing or cannot be used."""
    where = origin.file or origin.name
    summary, game = getattr(module, "SUMMARY", None), getattr(module, "game", None)
    if not callable(game):
        near = did_you_mean("game", [name for name, value in vars(module).items() if inspect.isfunction(value)])
        raise InputError(f"{where} has no function `game`.{near} {PARTS}")
    if not isinstance(summary, str) or not summary.strip():
        raise InputError(f"{where} has no SUMMARY. Give one line about your system, such as SUMMARY = \"an InfoGAN (Chen et al., 2016)\".")
    if not takes_four(game):
        raise InputError(f"{where}: game{inspect.signature(game)} should be {SHAPE}: it is called with these four.")
    reads = getattr(module, "READS", Reader())
    if not isinstance(reads, Reader):
        raise InputError(f"{where}: READS is a {type(reads).__name__}; expected a sparring.recipes.Reader, such as "
                         "Reader(example=\"digits\", kinds=(Images,)).")
    settings = settings_in(module, where)
    refuse_settings(settings, reads.settings, where)
    own = [name for name in settings.model_fields if name not in Settings.model_fields]
    matters = tuple(getattr(module, "MATTERS", ("steps", "batch", *own[:MOST - 2])))
    known = [*settings.model_fields, *reads.settings.model_fields, *RunSettings.model_fields]
    if strange := [name for name in matters if name not in known]:
        raise InputError(f"{where}: MATTERS names '{strange[0]}', which is no setting.{did_you_mean(str(strange[0]), known)}")
    functions = {name: function_in(module, name, where) for name in ("defaults", "choices", "laid_out")}
    return Recipe(summary.strip(), settings, functions["defaults"] or no_defaults, building(game, where),
                  functions["laid_out"] or follows_length(where, origin.text), (), reads, functions["choices"], matters, origin)


def settings_in(module: ModuleType, where: str) -> type[Settings]:
    """The class of settings that the module defines; those that every system has where it defines none."""
    classes = [value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__]
    found = [one for one in classes if issubclass(one, Settings)]
    leaves = [one for one in found if not any(other is not one and issubclass(other, one) for other in found)]
    named = [one for one in found if one.__name__ == "Settings"]
    if wrong := [one.__name__ for one in classes if one.__name__.endswith("Settings") and not issubclass(one, Settings)]:
        raise InputError(f"{where}: class {wrong[0]} is no sparring.settings.Settings. Write class {wrong[0]}(Settings), with "
                         "`from sparring.settings import Settings`.")
    if len(named or leaves) > 1:
        raise InputError(f"{where} has several classes of settings ({listed([one.__name__ for one in leaves])}). Call the one that `game` "
                         "takes Settings.")
    return (named or leaves or [Settings])[0]


def refuse_settings(settings: type[Settings], data: type[BaseModel], where: str) -> None:
    """InputError for settings that a command cannot give, or a config.json cannot hold."""
    try:
        values = settings()
    except Exception as error:
        lacking = [name for name, field in settings.model_fields.items() if field.is_required()]
        why = f"{' and '.join(lacking)} {'have' if len(lacking) > 1 else 'has'} no default" if lacking else reason(error)
        raise InputError(f"{where}: {settings.__name__} cannot be made from its defaults: {why}. Write such as latent: int = Field(8, "
                         "ge=1, le=512, description=\"numbers in the random vector\").") from None
    for name, field in settings.model_fields.items():
        if owner := next((of for of, cls in (("every run", RunSettings), ("the data", data)) if name in cls.model_fields), None):
            raise InputError(f"{where}: the setting '{name}' of {settings.__name__} is one of {owner} already. Call yours otherwise.")
        if not field.description:
            raise InputError(f"{where}: the setting '{name}' has no description, which `sparring show` prints. Write {name}: ... = "
                             f"Field({field.default!r}, description=\"what it is\").")
    try:
        json.dumps(values.model_dump())
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: a default in {settings.__name__} does not go into config.json ({reason(error)}). Settings are numbers, "
                         "text, true and false, and lists of these.") from None


def takes_four(game: Callable[..., Any]) -> bool:
    """Whether it can be called with four arguments, as far as it says what it takes."""
    try:
        inspect.signature(game).bind(0, 1, 2, 3)
    except TypeError:
        return False
    except ValueError:
        pass
    return True


def function_in(module: ModuleType, name: str, where: str) -> Callable[..., Any] | None:
    found = getattr(module, name, None)
    if found is not None and not callable(found):
        raise InputError(f"{where}: {name} is a {type(found).__name__}; expected a function.")
    return found


def no_defaults(space: Space) -> dict[str, Any]:
    """What suits data of a kind, of a system that does not say."""
    return {}


def building(game: Callable[..., Any], where: str) -> Callable[..., Game]:
    """The function that builds the game, whose own errors are told with their line.  InputError for what is no game."""
    @functools.wraps(game)
    def built(*given: Any) -> Game:
        try:
            found = game(*given)
        except (InputError, torch.OutOfMemoryError, Mixed):
            raise
        except Exception as error:                              # a stranger's code may raise anything
            raise InputError(f"{place(error, where)}: {said(error)}. This was while `game` built the system for data of shape "
                             f"{tuple(given[1].shape)}.") from None
        if not isinstance(found, Game):
            raise InputError(f"{where}: game returned a {type(found).__name__}; expected a sparring.game.Game(players, turns, model, ...). "
                             "See docs/own-system.md.")
        return found

    return built


def follows_length(where: str, text: str) -> Callable[[Any, int], list[str]]:
    """What goes by the length of a run, of a system that does not say: something may, if its code looks at `steps`."""
    looks = True
    with suppress(SyntaxError, ValueError):
        looks = any(isinstance(node, ast.Attribute) and node.attr == "steps" for node in ast.walk(ast.parse(text)))

    def laid_out(settings: Any, more: int) -> list[str]:
        return [f"{where} looks at `steps`, so something in it may follow the length of a run"] if looks else []

    return laid_out
