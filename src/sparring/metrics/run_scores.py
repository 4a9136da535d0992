"""How good the generator is, by what is known about the data."""

import math

import torch
from torch import Tensor

from sparring.data.builtin.synthetic import Mixture, Quadratic
from sparring.data.source import Arranged, Finite, Source
from sparring.data.video.frame_pairs import FramePairs
from sparring.errors import InputError
from sparring.game import Game
from sparring.metrics import animated, classes, density, mixtures_2d, modes, quadratic, texts, translated
from sparring.metrics.catalogue import METRICS, lacking, measure
from sparring.metrics.compared_sets import judged_on, labels_like, seen, some, stored
from sparring.metrics.features import Extractor, choose, extract
from sparring.metrics.sliced import sliced_wasserstein
from sparring.rng import generator
from sparring.spaces import Images, Texts, in_shares

SAMPLES, NUMBERS = 4000, 2**25      # at most so many samples, and so many numbers in all: 128 MiB
FEW = 500                           # samples where features are slow: a quarter of a minute of them, and as much of the data


def score(game: Game, source: Source, seed: int, metric: str = "none", learned: int = SAMPLES) -> dict[str, float]:
    """Scores of the averaged generator, by name; the draws depend on the seed alone, so scores can be compared over steps.
    `metric` is one of METRICS that is scored too, against data that is held out where there is such.  `learned`: how many samples a run
    learns from between two scores; scores of images are of no more, so that they take a small part of its time."""
    if game.translation is not None:
        return translated.score(game.translation, source, seed) if isinstance(source, Arranged) else {}
    if game.animation is not None:
        return animated.score(game.animation, source, seed) if isinstance(source, FramePairs) else {}
    most = at_most(source, learned)
    return usual(game, source, seed, most) | ({} if metric == "none" else scored(game, source, seed, metric, most))


def at_most(source: Source, learned: int) -> int:
    """Of how many samples scores are, at most.  Images are dear to draw: in a short run, scores of many would outlast the training."""
    return min(SAMPLES, max(FEW, learned)) if isinstance(source.space, Images) else SAMPLES


def usual(game: Game, source: Source, seed: int, most: int) -> dict[str, float]:
    """What is scored whether it is asked for or not."""
    match source:
        case Quadratic():
            return quadratic.score(draw(game, source, SAMPLES, seed)[0], source)
        case Mixture() if source.space.shape == (1,):
            return density.score(game, source, seed)
        case Mixture():
            return modes.score(draw(game, source, 2500, seed)[0], source) | mixtures_2d.score(game, source, seed)
        case Finite() if isinstance(source.space, Texts):
            return texts.score(game, source, seed)
        case Finite():
            return against_data(game, source, seed, most)
    return {}


def scored(game: Game, source: Source, seed: int, metric: str, most: int) -> dict[str, float]:
    """One of METRICS, under the name that it has with its features."""
    extractor, part = choose(source.space)[0], judged_on(source)[0]
    n = enough(source, part, extractor, metric, most)[0]
    made = stored(source.space, draw(game, source, n, seed)[0], None)
    real, fake = (extract(extractor, seen(x)) for x in (some(part, n, seed, "real"), made))
    return {extractor.named(metric): measure([metric], real, fake, seed)[metric].value}


def refuse_metric(source: Source, metric: str) -> None:
    """InputError when such data is too little for the metric."""
    extractor, part = choose(source.space)[0], judged_on(source)[0]
    n, features = enough(source, part, extractor, metric) if metric != "none" else (0, 0)
    if metric != "none" and (why := lacking(metric, n, features)) is not None:
        raise InputError(f"keep_best={metric} cannot be computed: {why} in the scores of a run. Give keep_best=kid, or another metric.")


def enough(source: Source, part: Source, extractor: Extractor, metric: str, most: int = SAMPLES) -> tuple[int, int]:
    """How many samples a metric of METRICS is computed of in a run's scores, and how many features each has."""
    features = extract(extractor, seen(some(part, 2, 0, "real"))).shape[1]
    most = min(SAMPLES, max(FEW if extractor.slow else most, 2 * METRICS[metric].least(features)))
    return affordable(source, min(most, len(part)) if isinstance(part, Finite) else most), features


@torch.no_grad()
def draw(game: Game, source: Source, n: int, seed: int, *, live: bool = False) -> tuple[Tensor, Tensor]:
    """n samples in user units, on the CPU, and the labels they were asked for (0 where there are none): those of as many samples of the
    data, so that classes are mixed as they are there."""
    latents = game.prior(n, generator(seed, "score"))
    labels = labels_like(source, n, seed)
    labels = in_shares(source.space, n) if labels is None else labels
    few = max(1, min(500, 2**20 // math.prod(source.space.shape)))  # at once: the networks' own maps are many times larger
    parts = [game.sample(z, y, live=live).cpu() for z, y in zip(latents.split(few), labels.split(few), strict=True)]
    return source.space.decode(torch.cat(parts)), labels


def against_data(game: Game, source: Finite, seed: int, most: int = SAMPLES) -> dict[str, float]:
    """Generated samples beside a data set, held out from training where there is such a part.

    `swd`: sliced Wasserstein distance in network units, and `swd_floor`, the same between two halves of the data.
    For labelled images of at most 1,024 numbers: `svc_accuracy`, on real images, of a classifier trained on generated ones
    (conditional), and `smallest_class`, `largest_class`, shares of samples by a classifier trained on real ones.
    """
    real = source.held_out or source
    some = torch.randperm(len(real), generator=generator(seed, "real"))[:affordable(source, SAMPLES)]
    x, y = real.at(some)
    made, labels = draw(game, source, affordable(source, most), seed)
    made = source.space.encode(made) if not isinstance(source.space, Images) else made
    half = min(len(x) // 2, len(made))
    result = {"swd": sliced_wasserstein(made[:half], x[:half], seed),
              "swd_floor": sliced_wasserstein(x[half:2 * half], x[:half], seed)} if half else {}
    if y is not None and readable(source, y):
        taken = SAMPLES if made[0].numel() <= 256 else 2000     # a support vector machine takes the square of that
        made, labels, x, y = made[:taken], labels[:taken], x[:taken], y[:taken]
        known = source.at(torch.randperm(len(source), generator=generator(seed, "known"))[:taken])
        if game.classes:
            result["svc_accuracy"] = classes.svc_accuracy(made, labels, x, y)
            result["svc_accuracy_real"] = classes.svc_accuracy(known.x, checked(known.labels), x, y)
        shares = classes.shares(known.x, checked(known.labels), made, len(source.space.labels))
        result |= {"smallest_class": min(shares), "largest_class": max(shares)}
    return result


def affordable(source: Source, n: int) -> int:
    """n, or fewer where samples are so large that n of them would crowd the memory."""
    return max(2, min(n, NUMBERS // math.prod(source.space.shape)))


def readable(source: Finite, labels: Tensor) -> bool:
    """Whether these are small images of at least two classes, with enough of them for a classifier to mean anything."""
    count = len(source.space.labels)
    return isinstance(source.space, Images) and source.space.traits is None and math.prod(source.space.shape) <= 1024 and \
        2 <= count <= len(labels) / 5 and len(labels.unique()) == count


def checked(labels: Tensor | None) -> Tensor:
    assert labels is not None
    return labels
