"""`sparring.check`: the rehearsal of a system, without training it."""

import warnings
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import torch

from sparring.data.source import Finite, Source
from sparring.errors import InputError
from sparring.game import Game
from sparring.recipes import Recipe, find
from sparring.runs import checkpoint
from sparring.settings import Settings, make
from sparring.setup.build import check_networks, fresh
from sparring.setup.own import named
from sparring.setup.own_parts import building, no_defaults
from sparring.setup.rehearsal import elsewhere, look_over, played, refuse_same_draws, rehearse
from sparring.setup.resumable import CPU, FEW, in_short, nothing_changed, refuse_unsaved, savable
from sparring.spaces import Curves, Images, Space, Vectors, traits_of

MANY = 64               # made-up samples, of which batches are drawn


def check(game: Any, space: Any, settings: Settings | None = None) -> None:
    """Try a system as every system of one's own is tried before its first round; InputError for the first thing that is wrong.

    `game` is the path of a file, a module, a `Recipe`, a function (settings, space, device, own) -> Game, or a `Game` that is built.
    `space` is what it should learn from: data as `fit` takes them, or a space of curves, vectors or images, for which noise is made up.
    `settings` are those of the system; its defaults for this data when left out.

    What is tried, on the CPU and on copies: two games that are built alike have the same names and shapes; every loss returns a `Report`
    of finite terms, moves no rival, gathers no gradients for one and seeds nothing; a game that is saved and restored plays on like one
    that was not; samples have the data's shape, are drawn in evaluation mode, and follow from the latents and from `model` alone.  What
    would stop on a GPU is warned of.  A `Game` that is built is played for two rounds and put back; what needs a second
    one to compare with is left out.
    """
    if isinstance(game, Game):
        return check_built(game, source_of(space, None))
    recipe = recipe_of(game, settings)
    source = source_of(space, recipe)
    given = settings or make(recipe.settings, recipe.defaults(source.space))
    few = min(given.batch, FEW * getattr(given, "pack", 1))

    def made(device: torch.device, batch: int) -> Game:
        return fresh(recipe, given.model_copy(update={"batch": batch}), source.space, device, 0, None)

    check_networks(made(CPU, few), source.space, lambda: None, few)
    rehearse(made, source, CPU, given.batch, few)
    refuse_unsaved(made, source, CPU, given.batch, few)
    if note := elsewhere(made, source, few):
        warnings.warn(note, stacklevel=2)


def check_built(game: Game, source: Source) -> None:
    """The same of a game that is there, which is afterwards as it was."""
    with savable():
        before = checkpoint.contents(game, 0, {})
    learned = {id(p): p.requires_grad for player in game.players.values() for p in player.parameters}
    with nothing_changed():
        try:
            refuse_same_draws(*(played(in_short(game), source, CPU, FEW, seed) for seed in (0, 1)))
            look_over(game, source.space)
        finally:
            checkpoint.restore(before, game, advice="")
            for player in game.players.values():
                for p in player.parameters:
                    p.requires_grad_(learned[id(p)])
                    p.grad = None


def recipe_of(game: Any, settings: Settings | None) -> Recipe:
    """What is to be tried, as a recipe."""
    if isinstance(game, str | Path | ModuleType | Recipe):
        name, system = named(game)
        return system or find(name)
    if not callable(game):
        raise InputError(f"check was given a {type(game).__name__}; expected a Game, a function that builds one, a file, a module or a "
                         "Recipe.")
    if settings is None:
        raise InputError("a function that builds a game needs its settings: sparring.check(game, space, MySettings()).")
    return Recipe("", type(settings), no_defaults, building(game, getattr(game, "__name__", "game")), lambda c, more: [])


def source_of(space: Any, recipe: Recipe | None) -> Source:
    """The data to try it on; made-up noise where only its space is given."""
    if not isinstance(space, get_args(Space)):
        reads = (recipe or find("gan")).reads
        return space if isinstance(space, Source) else reads.open(space, reads.settings())
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(MANY) % len(space.labels) if space.labels and traits_of(space) is None else None
    match space:
        case Images():
            return Finite(space, torch.randint(0, 256, (MANY, *space.shape), dtype=torch.uint8, generator=rng), labels)
        case Vectors() | Curves() if traits_of(space) is None:
            return Finite(space, torch.randn(MANY, *space.shape, generator=rng), labels)
    raise InputError(f"no data can be made up for a {type(space).__name__} of this kind. Give the data instead of its space.")
