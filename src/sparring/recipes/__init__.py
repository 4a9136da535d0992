"""Every system by name.  A recipe is data: its settings, what suits which data, and how to build its game."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sparring.data.space import Space
from sparring.errors import InputError, did_you_mean
from sparring.game import Game
from sparring.recipes import gan, r3gan, vae, wgan
from sparring.settings import Settings


class Recipe(NamedTuple):
    """One system."""

    summary: str
    settings: type[Settings]
    defaults: Callable[[Space], dict[str, Any]]     # what suits this kind of data
    game: Callable[..., Game]                       # (settings, space, device, own networks) -> game
    networks: tuple[str, ...]                       # names under which users may give their own


RECIPES: dict[str, Recipe] = {
    "gan": Recipe(gan.SUMMARY, gan.GanSettings, gan.defaults, gan.game, gan.NETWORKS),
    "wgan": Recipe(wgan.SUMMARY_CLIP, wgan.WganSettings, wgan.defaults, wgan.clipped, wgan.NETWORKS),
    "wgan-gp": Recipe(wgan.SUMMARY_PENALTY, wgan.WganGpSettings, wgan.defaults_penalty, wgan.penalized, wgan.NETWORKS),
    "r3gan": Recipe(r3gan.SUMMARY, r3gan.R3ganSettings, r3gan.defaults, r3gan.game, r3gan.NETWORKS),
    "vae": Recipe(vae.SUMMARY, vae.VaeSettings, vae.defaults, vae.game, vae.NETWORKS),
}


def find(name: str) -> Recipe:
    """The recipe of this name; InputError when there is none."""
    if name not in RECIPES:
        raise InputError(f"there is no recipe '{name}'.{did_you_mean(name, RECIPES)} Recipes: {', '.join(RECIPES)}.")
    return RECIPES[name]
