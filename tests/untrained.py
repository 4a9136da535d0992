"""Models as they are before training, for what does not depend on how good they are."""

import torch

import sparring
from sparring.recipes import RECIPES
from sparring.settings import make
from sparring.setup.build import build
from sparring.spaces import Space


def untrained(name: str, space: Space, data: str | None = None, **given: object) -> sparring.Model:
    """A small model of this recipe; `data` is what it says that it learned from."""
    recipe = RECIPES[name]
    few = {name: value for name, value in {"batch": 8, "width": 4, "blocks": 1}.items() if name in recipe.settings.model_fields}
    settings = make(recipe.settings, recipe.defaults(space) | few | given)
    game = build(recipe, settings, space, torch.device("cpu"), 0)
    return sparring.Model(name, settings, space, game, trained={"data": data} if data else None)
