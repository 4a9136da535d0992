"""From a config.json, which may be a stranger's, back to the game that it describes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from sparring.data.settings import check_memory
from sparring.errors import InputError
from sparring.game import Game
from sparring.recipes import Recipe, find
from sparring.runs import checkpoint
from sparring.runs.folder import remade
from sparring.settings import Settings
from sparring.setup.build import build
from sparring.setup.own import refuse_other
from sparring.spaces import Space, from_json
from sparring.untrusted import number, told

T = TypeVar("T")


def rebuild(config: dict[str, Any], path: Path, device: str, own: dict[str, nn.Module], read: Callable[[Game], T],
            *, every_network: bool = False, system: Recipe | None = None) -> tuple[Settings, Space, Game, T]:
    """The game of a config.json with fresh weights, and what was read for it; InputError when that is not of the expected form.

    `read` is given the game on paper (no weights, no memory) first: what a stranger's config asks for is held against the
    tensors that are there before memory is taken.  Sampling does not need a discriminator of one's own; a checkpoint
    holds `every_network`.  Of somebody's own `system` nothing is run that was not named.
    """
    refuse_other(config, path, system)
    try:
        recipe, settings, space = described(config, system)
        needed = config.get("own_networks") or (config.get("trained") or {}).get("own_networks") or {}
        lacking = set(needed) - set(own) - (set() if every_network else {"discriminator"})
        with torch.device("meta"):
            paper = recipe.game(settings, space, torch.device("meta"), None)
        size = sum(t.numel() * t.element_size() for t in checkpoint.networks(paper).values())
        check_memory(3 * size, "its networks, while they are read", "Use a machine with more memory.")
    except (InputError, KeyError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError) as error:
        why = str(error) if isinstance(error, InputError) else repr(error)
        raise InputError(f"{path / checkpoint.CONFIG} does not describe a model: {told(why)} Get it again from where it came, or "
                         f"train again.") from None
    if lacking:
        raise InputError(f"{path} was trained with your own networks; give them again: "
                         f"sparring.load(path, {', '.join(f'{name}=...' for name in needed)}).")
    if not own:
        found = read(paper)
    game = build(recipe, settings, space, torch.device(device), 0, own)
    if own:
        found = read(game)
    return settings, space, game, found


def described(config: dict[str, Any], system: Recipe | None = None) -> tuple[Recipe, Settings, Space]:
    """Recipe, settings and space of a config.json; InputError unless these, and whatever else a model takes from it, are of
    the form that is written here."""
    wrong = [name for name, kind in (("recipe", str), ("settings", dict), ("space", dict)) if not isinstance(config.get(name), kind)]
    wrong += [name for name in ("scores", "trained", "own_networks") if not isinstance(config.get(name) or {}, dict)]
    if not wrong:
        wrong += [] if all(map(number, (config.get("scores") or {}).values())) else ["scores"]
        wrong += [] if isinstance((config.get("trained") or {}).get("own_networks") or {}, dict) else ["trained"]
    if wrong:
        raise InputError(f"its {' and '.join(wrong)} cannot be understood.")
    recipe = system or find(config["recipe"][:100])
    needed = (config.get("own_networks") or {}) | ((config.get("trained") or {}).get("own_networks") or {})
    if unknown := sorted(needed.keys() - set(recipe.networks)):
        raise InputError(f"there is no network '{unknown[0]}' in {config['recipe']}.")
    return recipe, remade(recipe.settings, config["settings"]), from_json(config["space"])


@contextmanager
def fix_told(fix: str) -> Iterator[None]:
    """Add what to do to the message of whatever is found damaged."""
    try:
        yield
    except checkpoint.Damaged as error:
        raise checkpoint.Damaged(f"{error} {fix}") from None
