"""Every system by name.  A recipe is data: its settings, what suits which data, and how to build its game.

Recipes use networks, objectives and the engine; they know neither each other nor the training loop.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import BaseModel

from sparring.data import open_source
from sparring.data.settings import ClipSettings, DataSettings, DomainSettings, OpaqueSettings, TranslationSettings
from sparring.data.source import Source
from sparring.data.tables.mixed import TableSettings, open_rows, open_table
from sparring.data.text.lines import TextSettings, open_text
from sparring.data.translation.opening import open_domains, open_pairs, open_unpaired
from sparring.data.video.films import open_clips
from sparring.errors import InputError, did_you_mean
from sparring.game import Game
from sparring.game.schedules import decays
from sparring.objectives.gan_networks import NETWORKS
from sparring.recipes import (
    cyclegan,
    gan,
    images,
    motion,
    pix2pix,
    projected,
    r3gan,
    relgan,
    seqgan,
    stargan,
    stylegan,
    table,
    tvae,
    vae,
    wgan,
)
from sparring.settings import Settings
from sparring.spaces import Clips, Curves, Images, Space, Table, Texts, TwoDomains, Vectors


class Reader(NamedTuple):
    """The data of a recipe: how to open it, the settings for that, and a built-in example."""

    open: Callable[[Any, Any], Source] = open_source
    settings: type[BaseModel] = DataSettings
    example: str = "quadratic"
    kinds: tuple[type, ...] = (Curves, Vectors, Images)     # of space


def nothing(settings: Any, more: int) -> list[str]:
    """Of a recipe whose rounds are the same in runs of any length."""
    return []


class Origin(NamedTuple):
    """Where the code of a system stands that is not of this project: what a run keeps of it."""

    name: str
    file: str = ""                                  # "" of a Recipe whose code is in no file
    sha256: str = ""
    text: str = ""


class Recipe(NamedTuple):
    """One system."""

    summary: str
    settings: type[Settings]
    defaults: Callable[[Space], dict[str, Any]]     # what suits this kind of data
    game: Callable[..., Game]                       # (settings, space, device, own networks) -> game
    laid_out: Callable[[Any, int], list[str]]       # (settings, more rounds) -> what goes by the length of a run, told to people
    networks: tuple[str, ...] = ()                  # names under which users may give their own
    reads: Reader = Reader()
    choices: Callable[[Source, Settings, bool], dict[str, tuple[Any, str]]] | None = None   # by setting: what suits this very data, and why
    matters: tuple[str, ...] = ()                   # the settings to look at first
    origin: Origin | None = None                    # None of the recipes of this project


RECIPES: dict[str, Recipe] = {
    "gan": Recipe(gan.SUMMARY, gan.GanSettings, gan.defaults, gan.game, gan.laid_out, NETWORKS, matters=gan.MATTERS),
    "images": Recipe(images.SUMMARY, images.ImagesSettings, images.defaults, images.game, gan.laid_out, NETWORKS,
                     Reader(example="digits", kinds=(Images,)), images.choices, images.MATTERS),
    "projected": Recipe(projected.SUMMARY, projected.ProjectedSettings, projected.defaults, projected.game, decays, ("generator",),
                        Reader(settings=OpaqueSettings, example="digits", kinds=(Images,)), projected.choices, projected.MATTERS),
    "stylegan": Recipe(stylegan.SUMMARY, stylegan.StyleganSettings, stylegan.defaults, stylegan.game, stylegan.laid_out,
                       reads=Reader(example="digits", kinds=(Images,)), choices=stylegan.choices, matters=stylegan.MATTERS),
    "wgan": Recipe(wgan.SUMMARY_CLIP, wgan.WganSettings, wgan.defaults, wgan.clipped, nothing, NETWORKS,
                   matters=wgan.MATTERS_CLIP),
    "wgan-gp": Recipe(wgan.SUMMARY_PENALTY, wgan.WganGpSettings, wgan.defaults_penalty, wgan.penalized, decays, NETWORKS,
                      matters=wgan.MATTERS_PENALTY),
    "r3gan": Recipe(r3gan.SUMMARY, r3gan.R3ganSettings, r3gan.defaults, r3gan.game, r3gan.laid_out, NETWORKS,
                    matters=r3gan.MATTERS),
    "vae": Recipe(vae.SUMMARY, vae.VaeSettings, vae.defaults, vae.game, vae.laid_out, vae.NETWORKS, matters=vae.MATTERS),
    "table": Recipe(table.SUMMARY, table.TableRecipeSettings, table.defaults, table.game, decays, choices=table.choices,
                    reads=Reader(open_table, TableSettings, "people", (Table,)), matters=table.MATTERS),
    "tvae": Recipe(tvae.SUMMARY, tvae.TvaeSettings, tvae.defaults, tvae.game, decays,
                   reads=Reader(open_rows, TableSettings, "people", (Table,)), choices=tvae.choices, matters=tvae.MATTERS),
    "seqgan": Recipe(seqgan.SUMMARY, seqgan.SeqganSettings, seqgan.defaults, seqgan.game, nothing,
                     reads=Reader(open_text, TextSettings, "sentences", (Texts,)), matters=seqgan.MATTERS),
    "relgan": Recipe(relgan.SUMMARY, relgan.RelganSettings, relgan.defaults, relgan.game, relgan.laid_out,
                     reads=Reader(open_text, TextSettings, "sentences", (Texts,)), matters=relgan.MATTERS),
    "pix2pix": Recipe(pix2pix.SUMMARY, pix2pix.Pix2pixSettings, pix2pix.defaults, pix2pix.game, decays,
                      reads=Reader(open_pairs, TranslationSettings, "shapes", (TwoDomains,)), matters=pix2pix.MATTERS),
    "cyclegan": Recipe(cyclegan.SUMMARY, cyclegan.CycleganSettings, cyclegan.defaults, cyclegan.game, decays,
                       reads=Reader(open_unpaired, TranslationSettings, "shapes", (TwoDomains,)), matters=cyclegan.MATTERS),
    "stargan": Recipe(stargan.SUMMARY, stargan.StarganSettings, stargan.defaults, stargan.game, decays,
                      reads=Reader(open_domains, DomainSettings, "tints", (Images,)), matters=stargan.MATTERS),
    "motion": Recipe(motion.SUMMARY, motion.MotionSettings, motion.defaults, motion.game, decays,
                     reads=Reader(open_clips, ClipSettings, "moving", (Clips,)), choices=motion.choices, matters=motion.MATTERS),
}


def find(name: str) -> Recipe:
    """The recipe of this name; InputError when there is none."""
    if name not in RECIPES:
        raise InputError(f"there is no recipe '{name}'.{did_you_mean(name, RECIPES)} Recipes: {', '.join(RECIPES)}.")
    return RECIPES[name]
