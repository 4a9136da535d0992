"""How good samples are: any metrics, of a run or of any two sets, each with an interval and its protocol."""

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sparring import api
from sparring.api import Model
from sparring.data.source import Arranged, Finite, Source
from sparring.errors import InputError
from sparring.evaluation import lines, path_length, rows, translations, two_sets
from sparring.evaluation.figures import NUMBERS, Compared, Watch, figures, steps, thin
from sparring.evaluation.places import config_of, where
from sparring.evaluation.two_sets import open_like
from sparring.metrics.catalogue import OF_A_MODEL, known, lacking, plain
from sparring.metrics.compared_sets import (
    copies,
    fewer_values,
    in_both,
    in_units_of,
    judged_on,
    labels_like,
    seen,
    some,
    stored,
    values_apart,
)
from sparring.metrics.feature_files import find
from sparring.metrics.features import Extractor, choose, extract
from sparring.metrics.intervals import Estimate
from sparring.progress import Silent
from sparring.recipes import find as find_recipe
from sparring.settings import index_of, make, whole_seed
from sparring.spaces import Images, Space, Table, Texts, traits_of

SAMPLES = 10_000
LARGEST = 10_000_000    # samples


def evaluate(run: str | Path | Model | None = None, *, real: Any = None, generated: Any = None, metrics: str | Iterable[str] | None = None,
             n: int = SAMPLES, size: str = "auto", features: str = "auto", sha256: str = "", seed: int = 0, as_: str = "",
             target: str | None = None, recipe: Any = None, watch: Watch = lambda what: Silent()) -> dict[str, Any]:
    """Figures for a run's samples, or for any `generated` set, against `real` data; the same call gives the same figures.

    `run` is a run folder, a model folder or a model; `real` and `generated` are whatever `fit` takes as data.  A run is held against
    its own data unless `real` says otherwise.  `metrics` are names (all that apply and train nothing when None), `n` the samples of
    each set at most, `size` that at which images are judged ("auto": that of the real ones), `features` "auto", "pixels", "grey28-v1",
    "lite1" or a file with its `sha256`.  Colour against grey is refused, unless `as_` is "grey", which makes both grey.
    `recipe` is the file of your own system that the run is of, as `load` takes it.

    Returns {"metrics": {name: {"value", "low", "high", "protocol"}}, "left_out": {name: why}, "notes": [...]}; of text, "temperatures"
    too, rows of a table.
    InputError for wrong input, and for a metric that was asked for and cannot be had.
    """
    count, names = index_of(n), [metrics] if isinstance(metrics, str) else metrics
    if count is None or not 2 <= count <= LARGEST:
        raise InputError(f"n={n}: the number of samples should be a whole number from 2 to {LARGEST:,}.")
    if (run is None) == (generated is None):
        raise InputError("give a run, or two sets: evaluate RUN, or evaluate --real SOURCE --generated SOURCE.")
    grey = two_sets.checked(as_)
    own = None if run is None else run if isinstance(run, Model) else api.load(run, recipe=recipe)
    if own is not None and own.game.animation is not None:
        raise InputError("a model that animates is not measured here. How far rebuilt frames are from held-out ones, l1, and copied ones, "
                         "l1_copied, stands in scores.jsonl of its run.")
    if target is not None and (own is None or not isinstance(own.space, Table)):
        raise InputError(f"--target {target}: only columns of tables are predicted, and this is no model of a table. Leave it out.")
    if own is not None and own.game.translation is not None:
        asked = None if names is None else known(names, translations.MEASURES)
        if size != "auto":
            raise InputError(f"size={size}: translations are measured at the size of training. Leave the size out.")
        if grey:
            raise InputError("--as grey is for two sets, or a run that draws samples, and this run translates. Leave it out.")
        return of_translator(own, run, real, asked, count, features, sha256, whole_seed(seed), watch)
    if own is not None and isinstance(own.space, Table | Texts):
        rows.refuse(size, grey, features, "of a table" if isinstance(own.space, Table) else "of text")
        return of_rows_or_lines(own, run, real, names, count, whole_seed(seed), target, watch)
    if run is not None and size != "auto":
        raise InputError(f"size={size}: samples of a run are judged at their own size. Leave the size out.")
    asked = None if names is None else known(names)
    lengths: dict[str, Any] = {}
    if asked is not None and path_length.NAME in asked:
        lengths, asked = path_length.figure(own, count, whole_seed(seed), watch), [name for name in asked if name not in OF_A_MODEL]
        if not asked:
            return {"metrics": lengths, "left_out": {}, "notes": path_length.notes(lengths)}
    others: Source | None = None
    if run is None:
        source, others, notes = two_sets.opened(real, generated, size, grey, count)
        model, train = None, source if isinstance(source, Finite) else None
    else:
        model, source, train, notes = of_run(run, real, own, grey)
    if features == "auto" and sha256:
        raise InputError("--sha256 belongs to a file in --features. Give the file too, or leave --sha256 out.")
    extractor, why = choose(source.space) if features == "auto" else (find(features, sha256), "as asked for")
    sets = compared(model, source, train, others, count, extractor, whole_seed(seed), watch, asked or [])
    found = told_of(sets, asked, [*notes, *path_length.notes(lengths)] if model is not None else notes + about_copies(sets), why)
    return found | {"metrics": found["metrics"] | lengths}


def of_opened(model: Model, source: Source, train: Finite | None, notes: list[str], n: int, watch: Watch) -> dict[str, Any]:
    """The same of what `of_run` gives, for who has opened it for other things too: every metric that can be had and trains nothing."""
    extractor, why = choose(source.space)
    return told_of(compared(model, source, train, None, n, extractor, 0, watch, []), None, notes, why)


def of_rows_or_lines(model: Model, run: Any, real: Any, names: Iterable[str] | None, n: int, seed: int, target: str | None,
                     watch: Watch) -> dict[str, Any]:
    """Figures for a model of a table or of text, on the data that it was trained on, or on others."""
    if isinstance(model.space, Table):
        return rows.figures(*of_run(run, real, model), None if names is None else known(names, rows.MEASURES), n, seed, target, watch)
    config = {} if isinstance(run, Model) else config_of(run)
    data = lines.own_data(model, config, partial(place_of, model, config, run, find_recipe(model.recipe).reads.example), real)
    return lines.figures(model, data, names, n, seed, watch)


def of_translator(model: Model, run: Any, real: Any, asked: list[str] | None, n: int, features: str, sha256: str, seed: int,
                  watch: Watch) -> dict[str, Any]:
    """Figures for a model that translates, on the data that it was trained on, or on others like it."""
    assert model.game.translation is not None
    config = {} if isinstance(run, Model) else config_of(run)
    reads, directory = (model.system or find_recipe(model.recipe)).reads, str(config.get("directory", "."))
    size = {"size": "x".join(map(str, model.space.shape[1:]))}
    given = real is not None
    if real is None:
        data = config.get("data") or model.trained.get("data")
        real = [where(one, directory, run) for one in data] if isinstance(data, list) else where(data, directory, run, reads.example)
    source = reads.open(real, make(reads.settings, {**(config.get("data_settings") or {}), **size}))
    if source.space != model.space or not isinstance(source, Arranged):
        raise InputError(f"this model translates other images than these. Give data like that which {run} was trained on.")
    widest = max(model.game.translation.gives, key=channels)        # what suits grey images would not see the colours of the others
    extractor, why = choose(widest) if features == "auto" else (find(features, sha256), "as asked for")
    found, left_out = translations.figures(model.game.translation, source, extractor, n, asked, seed, steps(watch("translations")))
    held_out = getattr(source, "held_out", None) is not None
    if given:
        split = "test images of the data that were given" if held_out else "the data that were given"
    else:
        split = "held out from training" if held_out else "training images: none are held out"
    began_with = config.get("fingerprint") or model.trained.get("fingerprint")
    changed = not given and began_with not in (None, source.fingerprint)
    protocol: dict[str, object] = {"split": split, "seed": seed, "images": size["size"]}
    return {"metrics": {name: plain(one, protocol) for name, one in found.items()}, "left_out": left_out,
            "notes": [*(["the data changed since the run began, so that the split may be another"] if changed else []),
                      *without_untouched(found), f"split: {split}; at most {min(n, translations.MOST):,} images a domain",
                      *([f"features of kid: {extractor.name}, {why}"] if any(name.startswith("kid") for name in found) else [])]}


def channels(space: Space) -> int:
    return space.channels if isinstance(space, Images) else 0


def without_untouched(found: dict[str, Estimate]) -> list[str]:
    """Of KID without the figure that it is read beside, why it has none."""
    alone = [name for name, one in found.items() if name.startswith("kid") and "baseline" not in one.about]
    return [f"{' and '.join(alone)}: without that of the images as they came, which have other channels"] if alone else []


def told_of(sets: Compared, asked: list[str] | None, notes: list[str], why: str) -> dict[str, Any]:
    """The figures with what is to be said of them; `why` these features."""
    found, left_out = figures(sets, asked)
    distinct = values_apart(sets.real, sets.generated)
    return {"metrics": found, "left_out": left_out, **({"distinct": distinct} if distinct else {}),
            "notes": [*notes, *fewer_values(distinct), *thin(found),
                      f"{len(sets.generated):,} samples against as many real ones{sets.chosen}; split: {sets.split}",
                      f"features: {sets.extractor.name}, {why}"]}


# ------------------------------------------------------------------------------------------------------ the two sets
def about_copies(sets: Compared) -> list[str]:
    """What is odd about two sets of files, in which the same sample may stand more than once."""
    said, part = [], judged_on(sets.source)[0]
    if isinstance(part, Finite) and (same := in_both(part, sets.generated)):
        said.append(f"{same:,} of the generated samples are exact copies of real ones, so the figures look better than they are (kid of "
                    "a set with itself is below 0)")
    if twice := copies(sets.generated):
        said.append(f"{twice:,} of the {len(sets.generated):,} generated samples are copies of another of them")
    return said


def of_run(run: str | Path | Model, real: Any, model: Model | None = None,
           grey: bool = False) -> tuple[Model, Source, Finite | None, list[str]]:
    """A model, the data that it is held against, that which it was trained on where that ends and is here, and what is odd about it.

    Images are read at the model's size, and made `grey` if that is asked for.  `model` is that of the run, if it has been loaded already.
    """
    model = model or (run if isinstance(run, Model) else api.load(run))
    config = {} if isinstance(run, Model) else config_of(run)
    looks = config.get("data_settings")
    alpha = {"alpha": looks["alpha"]} if isinstance(looks, dict) and "alpha" in looks else {}

    reader = (model.system or find_recipe(model.recipe)).reads
    place = partial(place_of, model, config, run, reader.example if isinstance(model.space, Table) else "")

    def own() -> Source:
        return open_like(model.space, place(), **alpha)

    form, ranges = "", list[str]()
    if isinstance(model.space, Table):
        source, said = rows.own_data(model, config, place, real)
    elif real is None:
        source = own()
        said = [f"the run's data: {note}" for note in source.odd] if isinstance(source, Finite) else []
    else:
        with suppress(InputError):              # it may have been moved
            form, ranges = two_sets.one_range(real, place())
        source, said = two_sets.held_against(model.space, real, grey, form, **alpha)
    said = [*said, *ranges]
    trained_on = config.get("fingerprint") or model.trained.get("fingerprint")
    is_own = trained_on == source.fingerprint                   # before it is made grey: that of what was read
    source = two_sets.greyed(source) if grey else source
    if is_own or (real is None and trained_on is None):
        return model, source, source if isinstance(source, Finite) else None, said
    train = None
    with suppress(InputError):                  # it may have been moved, deleted or changed: only memorization asks for it
        train = None if real is None else own()
    learned = train if isinstance(train, Finite) and train.fingerprint == trained_on else None
    learned = two_sets.finite_grey(learned) if grey and learned is not None else learned
    return model, source, learned, ["this is not the data that the run was trained on", *said]


def place_of(model: Model, config: dict[str, Any], run: Any, made: str) -> str:
    """Where the data of a run's training are, which may also be those that are `made`."""
    return where(config.get("data") or model.trained.get("data"), str(config.get("directory", ".")), run, made)


def compared(model: Model | None, source: Source, train: Finite | None, others: Source | None, n: int, extractor: Extractor, seed: int,
             watch: Watch, asked: list[str]) -> Compared:
    """Both sets, equally large; InputError, before anything is drawn, when a metric that was asked for needs larger ones."""
    part, split = judged_on(source)
    if model is None and isinstance(source, Finite) and source.held_out is None:
        split = "all of the real set: nothing is held out"
    if model is not None and isinstance(source, Finite) and source is not train:
        split = "another set than the run's" + ("" if source.held_out is None else ": the part that is held out of it")
    width = extract(extractor, seen(some(part, 2, seed, "real"))).shape[1]
    asked_for, n = n, min(n, len(part) if isinstance(part, Finite) else n, max(2, NUMBERS // width))
    if too_few := [why for name in asked if (why := lacking(name, n, width)) is not None]:
        raise InputError(f"{'; '.join(too_few)}. Give more samples, or leave the metric out.")

    def draw(count: int) -> Finite:
        made = fresh(model, source, count, seed, watch) if others is None else others
        made = two_sets.greyed(made) if two_sets.colour(made) and two_sets.pictures(source) and not two_sets.colour(source) else made
        return in_units_of(source.space, made, count, seed, "generated")

    made = draw(n)
    if len(made) < 2 or n < 2:
        raise InputError(f"a set of {min(len(made), n)} sample cannot be compared with anything. Give at least 2.")
    return Compared(source, train, some(part, len(made), seed, "real"), split, made, extractor, width, seed, watch, draw, asked_for,
                    of_how_many(part, others, len(made), asked_for, width))


def of_how_many(part: Source, others: Source | None, n: int, asked: int, width: int) -> str:
    """What to add to the number of samples where there are more, in words: because the sets differ in size, or features are many."""
    there = [len(one) for one in (part, others) if isinstance(one, Finite)]
    if n == NUMBERS // width < min([asked, *there]):
        return f" (no more, since each has {width:,} features; a smaller --size, or --features, allows more)"
    if len(there) == 2 and max(there) > n < asked:
        return f", chosen at random of {there[0]:,} real and {there[1]:,} generated ones"
    return ""


def fresh(model: Model | None, like: Source, n: int, seed: int, watch: Watch) -> Finite:
    """So many samples of a model, of the classes that as many samples of the data are of; of its training data, where these have none."""
    assert model is not None
    which = labels_like(like, n, seed) if model.labels and same_labels(model.space, like.space) else None
    which = model.labels_for(n, shares="data") if which is None else which
    drawn = model.sample_at(which, seed=seed, watch=steps(watch("samples")))
    return stored(model.space, drawn, which if model.labels and model.traits is None else None)


def same_labels(a: Space, b: Space) -> bool:
    return (a.labels, traits_of(a)) == (b.labels, traits_of(b))
