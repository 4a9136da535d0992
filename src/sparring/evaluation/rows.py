"""Figures for models of tables: marginals, pairs, detection, usefulness for a target, and privacy; each with interval and protocol."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from sparring.api import Model
from sparring.data.source import Finite, Source
from sparring.errors import InputError, did_you_mean, shown
from sparring.evaluation.translations import Measure
from sparring.latent.where import Drawn, in_words
from sparring.metrics import row_models, row_privacy
from sparring.metrics import rows as between
from sparring.metrics.catalogue import known, plain
from sparring.metrics.intervals import Estimate
from sparring.recipes import find
from sparring.rng import generator
from sparring.settings import make
from sparring.spaces import Table
from sparring.spaces.columns import Category
from sparring.training.plan import Progress

LEAST = 20              # rows of a set, fewer of which say nothing
KNOWN = 50_000          # training rows that distances are taken to, at most
NEAR = 2_000            # rows whose distances are taken
MEASURES: dict[str, Measure] = {
    "marginals": Measure("lower", "mean distance between the distributions of a column: KS of numbers, total variation of categories"),
    "pairs": Measure("lower", "mean difference between the associations (Cramer's V) of two columns"),
    "detection": Measure("lower", "AUC of a classifier that tells generated rows from real ones; 0.5 where it cannot"),
    "usefulness": Measure("higher", "F1 on held-out real rows of four classifiers that learned from generated rows"),
    "distance": Measure("higher", "5th percentile of the distance to the nearest training row (Gower's, 0 to 1)"),
    "copies": Measure("lower", "share of generated rows that are exact copies of training rows"),
    "membership": Measure("lower", "AUC of an attack that tells which rows were learned from; 0.5 where it cannot"),
}
PRIVACY = ("distance", "copies", "membership")
NO_PROMISE = "these figures of privacy are measurements, and no guarantee such as differential privacy"


def refuse(size: str, grey: bool, features: str, kind: str = "of a table") -> None:
    """InputError for what is for images."""
    given = [f"size={size}"] * (size != "auto") + ["--as grey"] * grey + [f"--features {features}"] * (features != "auto")
    if given:
        raise InputError(f"{' and '.join(given)} is for images, and this is a model {kind}. Leave it out.")


def own_data(model: Model, config: Mapping[str, Any], place: Callable[[], Any], real: Any) -> tuple[Source, list[str]]:
    """The rows that a model of a table is held against, and what is odd about them.  InputError for rows of other columns."""
    reads = (model.system or find(model.recipe)).reads
    source = reads.open(place() if real is None else real, make(reads.settings, config.get("data_settings") or {}))
    assert isinstance(source, Finite)
    if source.space != model.space:
        raise InputError("these rows are not those that the model was trained on: their columns, values or bounds differ. Give the data of "
                         "its training.")
    return source, [f"the run's data: {note}" for note in source.odd]


def figures(model: Model, source: Source, train: Finite | None, notes: list[str], asked: list[str] | None, n: int, seed: int,
            target: str | None, watch: Callable[[str], Progress]) -> dict[str, Any]:
    """Figures of at most n generated rows against as many held-out ones, where some are held out.

    InputError for a metric that was asked for and cannot be had, and for a target that there is not or that is one value.
    """
    space, left_out = model.space, dict[str, str]()
    assert isinstance(space, Table) and isinstance(source, Finite)
    at = target_of(space, target)
    wanted = known(asked, MEASURES) if asked is not None else [name for name in MEASURES if name != "usefulness" or at is not None]
    if "usefulness" in wanted and at is None:
        raise InputError("usefulness needs a column to predict. Give it: --target COLUMN.")
    held = source.held_out
    real, split = cells_of(held or source, space, n, seed), "held out from training" if held else "training rows: none are held out"
    learned = cells_of(source, space, KNOWN, seed)
    if held is None or train is None:
        why = "no rows are held out" if held is None else "the rows that were learned from are not here"
        left_out = {name: f"{name} needs training rows and others, and {why}" for name in PRIVACY if name in wanted}
        if asked and left_out:
            raise InputError(f"{next(iter(left_out.values()))}. Train with held_out=0.2, or leave the metric out.")
    if len(real) < LEAST:
        raise InputError(f"{len(real)} real rows are too few to be compared with: at least {LEAST} are needed. Give more.")
    line, made = watch("drawing"), list[Tensor]()
    count = max(min(n, len(real)), min(n, len(learned)) if at is not None else 0)
    drawn = Drawn(model.game, space, seed)
    for part in drawn.cells(count):
        made.append(part)
        line.update(sum(map(len, made)), count, {})
    rows = torch.cat(made)
    found = compute(space, real, rows, learned, at, [name for name in wanted if name not in left_out], seed, watch)
    notes = [*notes, f"rows were drawn until they kept the rules{in_words(drawn.rates, '; rows as drawn did: ')}"] if drawn.rates else notes
    protocol: dict[str, object] = {"real": len(real), "generated": len(rows), "split": split, "seed": seed}
    return {"metrics": {name: plain(one, protocol) for name, one in found.items()}, "left_out": left_out,
            "notes": [*notes, f"{min(len(rows), len(real)):,} generated rows against {len(real):,} real ones; split: {split}",
                      *([NO_PROMISE] if any(name in found for name in PRIVACY) else [])]}


def compute(space: Table, real: Tensor, made: Tensor, learned: Tensor, target: int | None, wanted: list[str], seed: int,
            watch: Callable[[str], Progress]) -> dict[str, Estimate]:
    """Each figure by name; sets are equally large where that matters."""
    few, found = made[:len(real)], dict[str, Estimate]()
    near = real[:NEAR], few[:NEAR], learned[:NEAR]
    for name in wanted:
        line = watch(name)

        def tell(done: int, total: int, line: Progress = line) -> None:
            line.update(done, total, {})

        match name:
            case "marginals":
                found[name] = between.marginals(space, real, few, seed)
            case "pairs":
                found[name] = between.pairs(space, real, few, seed)
            case "detection":
                found[name] = row_models.detection(space, real[:len(few)], few, seed)
            case "usefulness":
                assert target is not None
                found[name] = useful(space, target, made, learned, real, seed)
            case "distance" | "copies":
                if name not in found:
                    ours, theirs = (row_privacy.nearest(space, x, learned, tell) for x in (near[1], near[0]))
                    both = {"distance": row_privacy.distance(ours, theirs, seed), "copies": row_privacy.copies(ours, theirs, seed)}
                    found |= {one: figure for one, figure in both.items() if one in wanted}
            case "membership":
                mine, others = (row_privacy.nearest(space, x, made, tell) for x in (near[2], near[0]))
                found[name] = row_privacy.membership(mine, others, seed)
        tell(1, 1)
    return {name: found[name] for name in wanted}


def useful(space: Table, target: int, made: Tensor, learned: Tensor, real: Tensor, seed: int) -> Estimate:
    """F1 of classifiers that learned from generated rows, with the same of those that learned from as many real ones."""
    estimate, each = row_models.usefulness(space, target, made, real, seed)
    on_real, each_real = row_models.usefulness(space, target, learned[:len(made)], real, seed)
    return estimate._replace(about=estimate.about | {
        "target": space.columns[target].name, "classifiers": each, "trained_on_real": on_real.value, "classifiers_on_real": each_real})


def cells_of(source: Finite, space: Table, n: int, seed: int) -> Tensor:
    """At most n of its rows, at random: float64[N, K]."""
    chosen = torch.randperm(len(source), generator=generator(seed, "real rows"))[:n]
    return torch.cat([space.decode(source.values[part]) for part in chosen.split(5000)])


def target_of(space: Table, target: str | None) -> int | None:
    """The place of the column to predict.  InputError where there is none, or nothing to predict."""
    if target is None:
        return None
    names = [one.name for one in space.columns]
    if target not in names:
        raise InputError(f"--target {shown(target)}: the model has no such column.{did_you_mean(target, names)} Columns: "
                         f"{', '.join(map(shown, names))}.")
    column = space.columns[names.index(target)]
    if not isinstance(column, Category):
        what = "is the same in every row" if column.places == 0 else "holds numbers, and classes are predicted"
        raise InputError(f"--target {shown(target)}: the column {what}. Give a column of categories, such as "
                         f"{next((one.name for one in space.columns if isinstance(one, Category)), 'yes or no')}.")
    return names.index(target)
