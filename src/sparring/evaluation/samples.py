"""How good samples are: any metrics, of a run or of any two sets, each with an interval and its protocol."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from sparring import api
from sparring.api import Model, Silent
from sparring.data import NAMED
from sparring.data.source import Arranged, Finite, Source
from sparring.errors import InputError
from sparring.evaluation import translations, two_sets
from sparring.evaluation.two_sets import open_like
from sparring.metrics import cas, fid, memorization
from sparring.metrics.catalogue import METRICS, OF_FEATURES, known, lacking, measure, plain
from sparring.metrics.compared_sets import (
    chosen_rows,
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
from sparring.metrics.features import Extractor, at_once, choose, extract
from sparring.metrics.intervals import Estimate
from sparring.recipes import find as find_recipe
from sparring.runs.folder import read_json
from sparring.settings import index_of, make, whole_seed
from sparring.spaces import Images, Space, traits_of
from sparring.training.loop import Progress
from sparring.untrusted import told

SAMPLES = 10_000
NUMBERS = 2**26         # in the features of one set: half a gigabyte
COSTLY = 2048           # features: the time of a Frechet distance grows with their cube, so beyond it is left to who asks for it
LARGEST = 10_000_000    # samples
PARTS = 9               # as many samples as go through an extractor at once, that are held as floats
ROWS = 4096             # training samples that are looked through at once
HELD, BESIDE, OTHERS = "held-out samples", "training samples, each beside the others", "samples of the other set"

Watch = Callable[[str], Progress]       # what is being done -> who is told how far it is


@dataclass(frozen=True)
class Compared:
    """Two sets of equally many samples, where they are from, and how features are made of them.

    `train` is what the samples may have been copied from, where that is known and ends: `source` itself, or the run's own data when
    `source` is another set.  `draw` gives so many generated samples, at most `asked`, for what can use more than there are real ones.
    """

    source: Source
    train: Finite | None
    real: Finite
    split: str
    generated: Finite
    extractor: Extractor
    features: int
    seed: int
    watch: Watch
    draw: Callable[[int], Finite]
    asked: int
    chosen: str = ""        # of how many, in words

    def protocol(self, *, features: bool = True) -> dict[str, object]:
        """What every figure is told with."""
        made: dict[str, object] = {"extractor": self.extractor.name, "sha256": self.extractor.sha256 or None,
                                   "resize": self.extractor.resize, "features": self.features} if features else {}
        if isinstance(space := self.source.space, Images):
            made["images"] = f"{space.height}x{space.width}"       # what both sets were brought to on reading
        return made | {"real": len(self.real), "generated": len(self.generated), "split": self.split, "seed": self.seed}

    def extract(self, samples: Finite, what: str) -> torch.Tensor:
        """A part at a time, for floats take four times the memory of what is stored."""
        tell, n = steps(self.watch(f"features of {what}")), len(samples)
        found = list[torch.Tensor]()
        for part in torch.arange(n).split(PARTS * at_once(samples.space)):
            found.append(extract(self.extractor, samples.at(part).x, partial(further, tell, int(part[0]), n)))
        return torch.cat(found)


def evaluate(run: str | Path | Model | None = None, *, real: Any = None, generated: Any = None, metrics: str | Iterable[str] | None = None,
             n: int = SAMPLES, size: str = "auto", features: str = "auto", sha256: str = "", seed: int = 0, as_: str = "",
             watch: Watch = lambda what: Silent()) -> dict[str, Any]:
    """Figures for a run's samples, or for any `generated` set, against `real` data; the same call gives the same figures.

    `run` is a run folder, a model folder or a model; `real` and `generated` are whatever `fit` takes as data.  A run is held against
    its own data unless `real` says otherwise.  `metrics` are names (all that apply and train nothing when None), `n` the samples of
    each set at most, `size` that at which images are judged ("auto": that of the real ones), `features` "auto", "pixels", "grey28-v1",
    "lite1" or a file with its `sha256`.  Colour against grey is refused, unless `as_` is "grey", which makes both grey.

    Returns {"metrics": {name: {"value", "low", "high", "protocol"}}, "left_out": {name: why}, "notes": [...]}.
    InputError for wrong input, and for a metric that was asked for and cannot be had.
    """
    count, names = index_of(n), [metrics] if isinstance(metrics, str) else metrics
    if count is None or not 2 <= count <= LARGEST:
        raise InputError(f"n={n}: the number of samples should be a whole number from 2 to {LARGEST:,}.")
    if (run is None) == (generated is None):
        raise InputError("give a run, or two sets: evaluate RUN, or evaluate --real SOURCE --generated SOURCE.")
    grey = two_sets.checked(as_)
    own = None if run is None else run if isinstance(run, Model) else api.load(run)
    if own is not None and own.game.translation is not None:
        asked = None if names is None else known(names, translations.MEASURES)
        if size != "auto":
            raise InputError(f"size={size}: translations are measured at the size of training. Leave the size out.")
        if grey:
            raise InputError("--as grey is for two sets, or a run that draws samples, and this run translates. Leave it out.")
        return of_translator(own, run, real, asked, count, features, sha256, whole_seed(seed), watch)
    if run is not None and size != "auto":
        raise InputError(f"size={size}: samples of a run are judged at their own size. Leave the size out.")
    asked = None if names is None else known(names)
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
    return told_of(sets, asked, notes if model is not None else notes + about_copies(sets), why)


def of_opened(model: Model, source: Source, train: Finite | None, notes: list[str], n: int, watch: Watch) -> dict[str, Any]:
    """The same of what `of_run` gives, for who has opened it for other things too: every metric that can be had and trains nothing."""
    extractor, why = choose(source.space)
    return told_of(compared(model, source, train, None, n, extractor, 0, watch, []), None, notes, why)


def of_translator(model: Model, run: Any, real: Any, asked: list[str] | None, n: int, features: str, sha256: str, seed: int,
                  watch: Watch) -> dict[str, Any]:
    """Figures for a model that translates, on the data that it was trained on, or on others like it."""
    assert model.game.translation is not None
    config = {} if isinstance(run, Model) else config_of(run)
    reads, directory = find_recipe(model.recipe).reads, str(config.get("directory", "."))
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


def config_of(run: Any) -> dict[str, Any]:
    path = Path(run).expanduser() / "config.json"
    return read_json(path) if path.exists() else {}


def told_of(sets: Compared, asked: list[str] | None, notes: list[str], why: str) -> dict[str, Any]:
    """The figures with what is to be said of them; `why` these features."""
    found, left_out = figures(sets, asked)
    distinct = values_apart(sets.real, sets.generated)
    return {"metrics": found, "left_out": left_out, **({"distinct": distinct} if distinct else {}),
            "notes": [*notes, *fewer_values(distinct), *thin(found),
                      f"{len(sets.generated):,} samples against as many real ones{sets.chosen}; split: {sets.split}",
                      f"features: {sets.extractor.name}, {why}"]}


def thin(found: dict[str, Any]) -> list[str]:
    """What to say where samples beside the data count as far from it, since the data have hardly any thickness."""
    of = {name.split("(")[0]: figure["value"] for name, figure in found.items()}
    if of.get("precision", 1.0) >= 0.05 or of.get("recall", 0.0) <= 0.5:
        return []
    return ["precision, density and coverage count samples that are nearer to the data than these are to each other. Data on a line, for "
            "one, are so near that samples right beside them do not count: read fid, kid and swd instead"]


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

    def place() -> str:
        return where(config.get("data") or model.trained.get("data"), str(config.get("directory", ".")), run)

    def own() -> Source:
        return open_like(model.space, place(), **alpha)

    form, ranges = "", list[str]()
    if real is None:
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


def where(data: Any, directory: str, run: Any, made: str = "") -> str:
    """The name or place of a run's data, which may also be that of scenes that are `made`; InputError when it is not there."""
    for place in (data, os.path.join(directory, data)) if isinstance(data, str) else ():
        if place in NAMED or place == made or os.path.exists(place):
            return place
    whose = run if isinstance(run, str | Path) else "the model"
    if data in ("tuple", "ndarray", "Tensor"):
        raise InputError(f"{whose} was trained on data in memory, which is not kept with it. Give that data: real=..., or --real.")
    raise InputError(f"the training data of {whose} was not found{f': {told(data, 200)}' if isinstance(data, str) else ''}. Put it back, "
                     "or give it to `sparring evaluate` with --real.")


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


def further(tell: Callable[[int, int], None], before: int, n: int, done: int, total: int) -> None:
    """Tell how far a part of the whole has come."""
    tell(before + done, n)


def steps(progress: Progress) -> Callable[[int, int], None]:
    return lambda done, total: progress.update(done, total, {})


# ------------------------------------------------------------------------------------------------------- the figures
def figures(sets: Compared, asked: list[str] | None) -> tuple[dict[str, Any], dict[str, str]]:
    """Every metric that was asked for, or every one that can be had and trains nothing; and why the others are left out."""
    left_out = {name: why for name in asked or METRICS if (why := hindrance(name, sets, chosen=asked is not None)) is not None}
    if asked is not None and left_out:
        raise InputError("; ".join(left_out.values()) + ". Give what is lacking, or leave the metric out.")
    found: dict[str, Any] = {}
    wanted = [name for name in asked or METRICS if name not in left_out]
    plain_ones = [name for name in wanted if name in OF_FEATURES]
    if plain_ones or "memorization" in wanted:
        fake, real = sets.extract(sets.generated, "generated samples"), sets.extract(sets.real, "real samples")
    if plain_ones:
        estimates = measure(plain_ones, real, fake, sets.seed, steps(sets.watch("metrics")))
        found = {name: plain(estimate, sets.protocol()) for name, estimate in estimates.items()}
    if "memorization" in wanted:
        found["memorization"] = copied(sets, real, fake)
    if "cas" in wanted:
        found["cas"] = read_by_a_classifier(sets)
    return {name if name == "cas" else sets.extractor.named(name): found[name] for name in wanted}, left_out


def hindrance(name: str, sets: Compared, *, chosen: bool) -> str | None:
    """Why this metric cannot be had of these sets, or should not unless it is `chosen`; None when nothing is in the way."""
    n, data = len(sets.generated), sets.source
    if (why := lacking(name, n, sets.features)) is not None:
        return why
    if METRICS[name].least is fid.least and sets.features > COSTLY and not chosen:
        return f"{name} takes minutes with {sets.features:,} features; ask for it with --metrics {name}"
    if name == "memorization" and not isinstance(data, Finite):
        return "memorization needs training data, and this data is generated and never repeated"
    if name == "memorization" and sets.train is None:
        return "memorization needs the data that the run was trained on, which was not found"
    if name != "cas":
        return None
    if not chosen:
        return "cas trains two classifiers; ask for it with --metrics cas"
    least = min(cas.fewest(sets.generated), cas.fewest(sets.real))
    if sets.generated.labels is None or not sets.source.space.labels:
        return "cas needs samples that were made for a class, and real data with the same classes"
    if least < cas.LEAST:
        return f"cas needs at least {cas.LEAST} samples of every one of at least two classes in each set, and the smallest has {least}"
    return None


def copied(sets: Compared, real: torch.Tensor, fake: torch.Tensor) -> dict[str, object]:
    """Memorization: distances to every training sample, whose features are made a part at a time."""
    assert sets.train is not None
    source, line = sets.train, sets.watch("nearest training samples")
    beside = OTHERS if source is not sets.source else HELD if source.held_out is not None else BESIDE
    own = chosen_rows(source, len(real), sets.seed, "real") if beside == BESIDE else torch.full((len(real),), -1)
    both, at = torch.cat([fake, real]), torch.cat([torch.full((len(fake),), -1), own])
    nearest = torch.full((len(both),), torch.inf)
    part = max(1, min(ROWS, NUMBERS // sets.features, PARTS * at_once(source.space)))
    for start in range(0, len(source), part):
        rows = torch.arange(start, min(len(source), start + part))
        train = extract(sets.extractor, source.at(rows).x, partial(further, steps(line), start, len(source)))
        nearest = torch.minimum(nearest, memorization.nearest(both, train, at - start))
    estimate = memorization.measure(nearest[:len(fake)], nearest[len(fake):], sets.seed)
    return plain(estimate, sets.protocol() | {"train": len(source), "compared_with": beside})


def read_by_a_classifier(sets: Compared) -> dict[str, object]:
    """Classification accuracy score, beside that of the same classifier trained on as many real samples where some are held out.

    What it learns from may be more than the real samples that it is tested on.
    """
    source = sets.source
    held = isinstance(source, Finite) and source.held_out is not None
    made = sets.draw(sets.asked) if sets.asked > len(sets.generated) else sets.generated
    known_ones = some(source, len(made), sets.seed, "known") if held else None
    estimate = cas.measure(made, sets.real, known_ones, sets.seed, steps(sets.watch("classifier")))
    return plain(estimate, sets.protocol(features=False) | {"generated": len(made)})
