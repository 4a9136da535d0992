"""How good translations are: of pairs against the truth; of sets by what a domain looks like, and by what comes back; of many domains by
a classifier that knows them."""

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from sparring.data.pretrained import JUDGING, pretrained
from sparring.data.source import Arranged
from sparring.data.translation.sets import Domains, TwoSets
from sparring.errors import InputError
from sparring.game import Translation
from sparring.metrics.catalogue import METRICS, lacking, measure
from sparring.metrics.domains import error, train_classifier
from sparring.metrics.features import BETTER, Extractor, Watch, extract
from sparring.metrics.intervals import MANY, Estimate, around, share
from sparring.metrics.translated import FEW, l1, outline, psnr, run, ssim
from sparring.objectives import perceptual

ROUNDS = 1500           # of the classifier of domains
MOST = 1000             # images a domain


class Measure(NamedTuple):
    """Which way is better, and what it is."""

    better: str
    meaning: str


MEASURES: dict[str, Measure] = {
    "l1": Measure("lower", "mean absolute difference from the truth, of images in [-1, 1]"),
    "psnr": Measure("higher", "peak signal-to-noise ratio, dB, an image (at most 100)"),
    "ssim": Measure("higher", "structural similarity, an image"),
    "perceptual": Measure("lower", "distance from the truth to a network that learned from photographs, an image, in [0, 4]; no model is "
                                   "trained with that network"),
    "kid": Measure(METRICS["kid"].better, METRICS["kid"].meaning),
    "content": Measure("higher", "share of translations whose outline is nearest to that of their source"),
    "cycle_l1": Measure("lower", "mean absolute difference between images and their translation there and back; 0 for a model that changes "
                                 "nothing"),
    "domain_error": Measure("lower", "share of translations that a classifier trained on real images assigns to another domain"),
}
OF_PAIRS = ("l1", "psnr", "ssim", "perceptual")
COSTLY = ("domain_error",)
INTERVAL = "95 %, of the mean over images"


def figures(translation: Translation, source: Arranged, extractor: Extractor, n: int, asked: list[str] | None, seed: int,
            watch: Watch) -> tuple[dict[str, Estimate], dict[str, str]]:
    """The measures that were asked for, or all that apply and train nothing, by name and domain; and why one of these is left out.

    Of at most n images a domain, or MOST where that is fewer, held out where some are.  InputError for a measure that was asked for and
    cannot be had.
    """
    n, wanted = min(n, MOST), asked or [name for name in MEASURES if name not in COSTLY]
    assert isinstance(source, TwoSets | Domains)
    why = not_of_two(translation, source, extractor, n, asked, seed) if isinstance(source, TwoSets) else not_of_many(wanted)
    if lacking_ones := dict.fromkeys(why[name] for name in asked or () if name in why):     # before anything is translated
        raise InputError("; ".join(lacking_ones) + ". Leave it out.")
    wanted = [name for name in wanted if name not in why]
    if isinstance(source, TwoSets):
        told = () if asked else ("kid", "perceptual") if source.space.aligned else ("kid",)
        return of_two(translation, source, extractor, n, wanted, seed, watch), {name: why[name] for name in told if name in why}
    return of_many(translation, source, n, wanted, seed, watch), {name: why[name] for name in COSTLY if name in why}


def not_of_two(translation: Translation, source: TwoSets, extractor: Extractor, n: int, asked: list[str] | None,
               seed: int) -> dict[str, str]:
    """The measures that these two sets do not allow, or that would mislead unless they were asked for, each with its reason."""
    why = {"domain_error": "domain_error is for labelled domains, as stargan has them"}
    aligned, back = source.space.aligned, len(translation.names) > 1
    why |= {} if back else {"cycle_l1": "cycle_l1 needs a model that translates both ways"}
    why |= {"content": "content is for sets without pairs"} | unseen() if aligned else {name: f"{name} needs pairs" for name in OF_PAIRS}
    if less := lacking("kid", min(map(len, source.examples(n, seed))), 1):
        why["kid"] = less
    elif aligned and not asked and extractor.name == "pixels":
        why["kid"] = f"kid of pixels favours what is blurred, as l1 does; for pairs ask for it with --metrics kid. {BETTER}"
    return why


def unseen() -> dict[str, str]:
    """Why there is no perceptual distance, where its network is not there."""
    try:
        pretrained(JUDGING)
    except InputError as error:
        return {"perceptual": f"perceptual: {error}"}
    return {}


def not_of_many(wanted: list[str]) -> dict[str, str]:
    """The measures that labelled domains do not allow, or that train something and were not asked for, each with its reason."""
    why = {name: f"{name} is not for labelled domains" for name in (*OF_PAIRS, "kid", "content")}
    if "domain_error" not in wanted:
        why["domain_error"] = "domain_error trains a classifier, for minutes; ask for it with --metrics domain_error"
    return why


def of_two(translation: Translation, source: TwoSets, extractor: Extractor, n: int, wanted: list[str], seed: int,
           watch: Watch) -> dict[str, Estimate]:
    """Both ways, where the model goes both."""
    examples, everyone, found = source.examples(n, seed), source.space.names, dict[str, Estimate]()
    back = len(translation.names) > 1

    @cache
    def seen(half: int) -> Tensor:
        return extract(extractor, examples[half], watch)

    for to, name in enumerate(translation.names):
        half, ending = everyone.index(name), f" to {name}" if back else ""
        x, truth = examples[1 - half], examples[half]
        made = run(translation, x, to, watch)
        for measure_of, title in ((l1, "l1"), (psnr, "psnr"), (ssim, "ssim")):
            if title in wanted:
                found[title + ending] = mean([measure_of(a[None], b[None]) for a, b in zip(made, truth, strict=True)])
        if "perceptual" in wanted:
            found[f"perceptual({JUDGING.name}){ending}"] = seen_apart(made, truth)
        if "kid" in wanted:
            untouched = seen(1 - half) if x.shape[1] == truth.shape[1] else None
            found[extractor.named("kid") + ending] = distance(extract(extractor, made, watch), seen(half), untouched, seed)
        if "content" in wanted:
            same = (outline(made) @ outline(x).T).argmax(1) == torch.arange(len(x))
            found["content" + ending] = share(float(same.double().mean()), 0.0, MANY, len(x), interval=INTERVAL)
        if "cycle_l1" in wanted:
            again = run(translation, made, 1 - to, watch)
            found["cycle_l1" + ending] = mean([l1(a[None], b[None]) for a, b in zip(again, x, strict=True)])
    return found


def of_many(translation: Translation, source: Domains, n: int, wanted: list[str], seed: int, watch: Watch) -> dict[str, Estimate]:
    """Into every domain, images of the others."""
    examples, found = source.examples(n, seed), dict[str, Estimate]()
    assert examples.labels is not None
    net = train_classifier(source, ROUNDS, seed, watch=watch) if "domain_error" in wanted else None
    for to, name in enumerate(translation.names):
        others = examples.labels != to
        x, homes = examples.x[others], examples.labels[others]
        if not len(x):
            continue
        made = run(translation, x, to, watch)
        if net is not None:
            own = examples.labels == to         # a mean over all domains would depend on how many images each has
            about = {"baseline": error(net, examples.x[own], examples.labels[own]), "compared_with": f"real images of {name}"} \
                if own.any() else {}
            found[f"domain_error {name}"] = share(error(net, made, torch.full((len(x),), to)), 0.0, MANY, len(x), **about,
                                                  interval=INTERVAL)
        if "cycle_l1" in wanted:
            again = torch.cat([translation.run(one[None], int(home)).cpu() for one, home in zip(made, homes, strict=True)])
            found[f"cycle_l1 {name}"] = mean([l1(a[None], b[None]) for a, b in zip(again, x, strict=True)])
    return found


@torch.no_grad()
def seen_apart(made: Tensor, truth: Tensor) -> Estimate:
    """The mean perceptual distance, as in `objectives/perceptual.py`."""
    parts = [perceptual.distance(pretrained(JUDGING), a, b) for a, b in zip(made.split(FEW), truth.split(FEW), strict=True)]
    estimate = mean(torch.cat(parts).tolist())
    return estimate._replace(about={**estimate.about, "extractor": JUDGING.name, "sha256": JUDGING.sha256})


def distance(made: Tensor, real: Tensor, untouched: Tensor | None, seed: int) -> Estimate:
    """KID of translations to the domain, by their features float[N, F], beside that of the images as they came, if any."""
    n = min(len(made), len(real))
    estimate = measure(["kid"], real[:n], made[:n], seed)["kid"]
    if untouched is None:
        return estimate
    before = measure(["kid"], real[:n], untouched[:n], seed)["kid"].value
    return estimate._replace(about={**estimate.about, "baseline": before, "compared_with": "the images as they came"})


def mean(values: list[float]) -> Estimate:
    """Their mean, with Student's interval."""
    middle, n = sum(values) / len(values), len(values)
    spread = sum((value - middle) ** 2 for value in values) / max(1, n - 1)
    return around(middle, math.sqrt(spread / n), max(2, n), interval=INTERVAL)

