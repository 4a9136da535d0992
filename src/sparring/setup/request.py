"""A training request, resolved: settings checked, data opened, defaults chosen with their reasons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from sparring.data.source import Finite, Rows, Source, batches
from sparring.data.translation.sets import Domains, TwoSets
from sparring.data.video.frame_pairs import FramePairs
from sparring.errors import InputError
from sparring.game.accumulate import indivisible
from sparring.metrics.run_scores import refuse_metric
from sparring.objectives.perceptual import refuse_without_network
from sparring.recipes import Recipe, find
from sparring.settings import RunSettings, Settings, make, split
from sparring.spaces import Images, Texts

OF_CLIPS = "a model that animates has no samples whose distance from the data could be watched. Leave it out; the run's scores.jsonl has " \
    "l1 on held-out clips."
OF_LINES = "lines of text have no distance from the data that could be watched during a run. Leave it out; the run's scores.jsonl has " \
    "nats a word on held-out lines, and shares of copies."
SELDOM = 40             # rounds between check-ups of text: one takes as long as one or two of them


@dataclass(frozen=True)
class Request:
    """What the user asked for."""

    recipe: str
    data: Any
    given: Mapping[str, Any]                # settings by name, as typed
    seed: int = 0
    device: str = "auto"
    own: Mapping[str, nn.Module] | None = None
    command: str = ""
    minutes: float = 0.0                    # to train for, instead of a number of rounds; 0: rounds are given
    system: Recipe | None = None            # of somebody's own; `recipe` is what it is called

    @property
    def entry(self) -> Recipe:
        """What is to be trained.  InputError when there is no such recipe."""
        return self.system or find(self.recipe)


@dataclass(frozen=True)
class Resolved:
    """A request with everything that it left open filled in, and the data opened."""

    recipe: Recipe
    settings: Settings
    data_settings: BaseModel
    run: RunSettings                        # as asked for
    source: Source
    reasons: Mapping[str, str]              # of what the recipe chose itself, by setting
    notes: tuple[str, ...] = ()             # what to tell of networks of one's own

    @property
    def looks(self) -> RunSettings:
        """How often to look in a run of this length.  Models of text begin with likelihood alone, and what the doctor looks for comes with
        the adversary: a tenth of those rounds, or every fortieth."""
        found, play = self.run.for_steps(self.settings.steps), self.settings.steps - getattr(self.settings, "pretrain", 0)
        if not isinstance(self.source.space, Texts) or self.run.check_every or play <= 0:
            return found
        return found.model_copy(update={"check_every": min(found.check_every, max(SELDOM, play // 10))})


def resolve(request: Request) -> Resolved:
    """Check every setting, open the data, and fill in what suits it.  InputError for whatever is wrong."""
    recipe = request.entry
    dealt = split(request.given, {"recipe": recipe.settings, "data": recipe.reads.settings, "run": RunSettings})
    given = make(recipe.settings, dealt["recipe"])              # complain before reading a large data set
    data_settings, run_settings = make(recipe.reads.settings, dealt["data"]), make(RunSettings, dealt["run"])
    source = recipe.reads.open(request.data, data_settings)
    if not isinstance(source.space, recipe.reads.kinds):
        raise InputError(f"{request.recipe} cannot train on data of this kind ({type(source.space).__name__}). Give other data, such as "
                         f"--data {recipe.reads.example}, or another recipe: `sparring recipes` lists them.")
    chosen = {name: choice for name, choice in chosen_for(recipe, source, given, request.device).items() if name not in request.given}
    settings = make(recipe.settings, {**recipe.defaults(source.space), **{name: value for name, (value, _) in chosen.items()},
                                      **dealt["recipe"]})
    try:
        refuse_what_does_not_go_together(settings, run_settings, source, request.seed)
    except InputError as error:
        raise InputError(f"{error}{as_read(source)}") from None
    return Resolved(recipe, settings, data_settings, run_settings, source, {name: why for name, (_, why) in chosen.items()})


def as_read(source: Source) -> str:
    """What was left out or assumed on reading, which may be why data are refused."""
    odd = getattr(source, "odd", ())
    return f" On reading: {'; '.join(odd)}." if odd else ""


def refuse_what_does_not_go_together(settings: Settings, run: RunSettings, source: Source, seed: int) -> None:
    """InputError for settings that are each right and do not suit this data or each other."""
    if getattr(settings, "conditional", False) and not source.space.labels:
        raise InputError("conditional=true needs labels, and this data has none. Labels come from subfolders (one per class) or a "
                         "labels.csv for images, from .cls files in shards, from a column `label` in Parquet, or from an array `labels` in "
                         "an .npz.")
    refuse_without_network(getattr(settings, "perceptual", 0.0))
    batches(source, settings.batch, seed)                       # refuses fewer samples than a batch
    if isinstance(source, Finite) and isinstance(source.space, Images) and all_alike(source.values):
        raise InputError(f"all {len(source):,} images are the same, so there is nothing to learn. Give other images.")
    if run.accumulate > 1 and (why := indivisible(settings.batch, run.accumulate, settings)):
        raise InputError(f"{why}. Give another batch, or accumulate=1.")
    if isinstance(source.space, Texts):
        refuse_for_want_of_distance(run, OF_LINES)
    elif isinstance(source, FramePairs):
        refuse_for_want_of_distance(run, OF_CLIPS)
    elif isinstance(source, TwoSets | Domains):
        refuse_for_translators(run)
    elif run.keep_best != "none":
        refuse_metric(source, run.keep_best)


def refuse_for_translators(run: RunSettings) -> None:
    """InputError for settings that rest on samples drawn from noise, or on check-ups of them."""
    if run.keep_best != "none":
        raise InputError(f"keep_best={run.keep_best} is for models that sample from noise, and this one needs images. Leave it out; "
                         "the run's scores.jsonl has l1 or cycle_l1.")
    if run.doctor == "act" or run.stop_when != "never":
        what = "doctor=act" if run.doctor == "act" else f"stop_when={run.stop_when}"
        raise InputError(f"{what} needs the doctor's check-ups, which models that sample from noise have. Leave it out.")


def refuse_for_want_of_distance(run: RunSettings, why: str) -> None:
    """InputError for settings that rest on the distance of samples from the data, which this kind of model has none of."""
    given = [f"{name}={value}" for name, value, odd in (("keep_best", run.keep_best, run.keep_best != "none"),
                                                        ("stop_when", run.stop_when, run.stop_when == "converged")) if odd]
    if given:
        raise InputError(f"{' and '.join(given)}: {why}")


def all_alike(values: Tensor | Rows) -> bool:
    """Whether values in memory are one sample many times."""
    return isinstance(values, Tensor) and bool((values[1] == values[0]).all()) and bool((values == values[:1]).all())


def chosen_for(recipe: Recipe, source: Source, given: Settings, device: str) -> dict[str, tuple[Any, str]]:
    """What a recipe chooses for this data on this machine, by setting, with its reasons; `given` are the settings asked for."""
    return recipe.choices(source, given, choose_device(device) != "cpu") if recipe.choices is not None else {}


def choose_device(asked: str) -> str:
    """cuda, then mps, then cpu; InputError for a device that is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return next(name for name, yes in there.items() if yes)
    if asked not in there:
        raise InputError(f"there is no device '{asked}'. Devices: auto, cuda, mps, cpu.")
    if not there[asked]:
        raise InputError(f"this machine, or this build of torch {torch.__version__}, has no {asked}. Use --device cpu, "
                         f"or install a build for your hardware: see the README.")
    return asked
