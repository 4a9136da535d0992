"""The figures of two sets: features of both, the metrics of these, and what needs more than features."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from sparring.data.source import Finite, Source
from sparring.errors import InputError
from sparring.metrics import cas, fid, memorization
from sparring.metrics.catalogue import METRICS, OF_A_MODEL, OF_FEATURES, lacking, measure, plain
from sparring.metrics.compared_sets import chosen_rows, some
from sparring.metrics.features import Extractor, at_once, extract
from sparring.spaces import Images
from sparring.training.plan import Progress

NUMBERS = 2**26         # in the features of one set: half a gigabyte
COSTLY = 2048           # features: the time of a Frechet distance grows with their cube, so beyond it is left to who asks for it
PARTS = 9               # as many samples as go through an extractor at once, that are held as floats
ROWS = 4096             # training samples that are looked through at once
OF_SETS = tuple(name for name in METRICS if name not in OF_A_MODEL)
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


def figures(sets: Compared, asked: list[str] | None) -> tuple[dict[str, Any], dict[str, str]]:
    """Every metric that was asked for, or every one that can be had and trains nothing; and why the others are left out."""
    left_out = {name: why for name in asked or OF_SETS if (why := hindrance(name, sets, chosen=asked is not None)) is not None}
    if asked is not None and left_out:
        raise InputError("; ".join(left_out.values()) + ". Give what is lacking, or leave the metric out.")
    found: dict[str, Any] = {}
    wanted = [name for name in asked or OF_SETS if name not in left_out]
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


def thin(found: dict[str, Any]) -> list[str]:
    """What to say where samples beside the data count as far from it, since the data have hardly any thickness."""
    of = {name.split("(")[0]: figure["value"] for name, figure in found.items()}
    if of.get("precision", 1.0) >= 0.05 or of.get("recall", 0.0) <= 0.5:
        return []
    return ["precision, density and coverage count samples that are nearer to the data than these are to each other. Data on a line, for "
            "one, are so near that samples right beside them do not count: read fid, kid and swd instead"]


def further(tell: Callable[[int, int], None], before: int, n: int, done: int, total: int) -> None:
    """Tell how far a part of the whole has come."""
    tell(before + done, n)


def steps(progress: Progress) -> Callable[[int, int], None]:
    return lambda done, total: progress.update(done, total, {})
