"""Every metric of two sets of features: what it is, which way is better, and the fewest samples that it needs."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from torch import Tensor

from sparring.errors import InputError, did_you_mean
from sparring.metrics import fid, kid, memorization, neighbours, sliced
from sparring.metrics.features import Watch
from sparring.metrics.intervals import JACKKNIFE, Estimate

Measure = Callable[[Tensor, Tensor, int], dict[str, Estimate]]     # (real, generated, seed)


@dataclass(frozen=True)
class Metric:
    """`least(F)` is the fewest samples a set for F features; `family` computes this metric, and perhaps others with it."""

    meaning: str
    better: str                         # lower or higher
    least: Callable[[int], int]
    family: Measure | None = None       # None: it needs more than two sets of features


METRICS = {
    "fid": Metric("Frechet distance at this number of samples", "lower", fid.least, fid.measure),
    "fid_infinity": Metric("Frechet distance without its bias: for infinitely many samples", "lower", fid.least, fid.measure),
    "kid": Metric("kernel distance, unbiased: 0 for equal distributions", "lower", lambda features: kid.LEAST, kid.measure),
    "precision": Metric("share of samples that lie among the data", "higher", lambda features: neighbours.LEAST, neighbours.measure),
    "recall": Metric("share of the data that lie among the samples", "higher", lambda features: neighbours.LEAST,
                     neighbours.measure),
    "density": Metric("density of the data around samples: 1 for equal distributions", "higher",
                      lambda features: neighbours.LEAST, neighbours.measure),
    "coverage": Metric("share of the data with a sample near", "higher", lambda features: neighbours.LEAST, neighbours.measure),
    "swd": Metric("sliced Wasserstein distance", "lower", lambda features: 3, sliced.measure),
    "memorization": Metric("share of samples as near to the training data as the nearest 5 % of other real data", "lower",
                           lambda features: memorization.LEAST),
    "cas": Metric("accuracy on real data of a classifier trained on samples", "higher", lambda features: 2),
    "path_length": Metric("how far samples change with a small step of a style, or of a latent", "lower", lambda features: 2),
}
OF_A_MODEL = ("path_length",)           # they need no data, and are only had when they are asked for
OF_FEATURES = tuple(name for name, metric in METRICS.items() if metric.family is not None)


def known(names: Iterable[str], of: Collection[str] = METRICS.keys()) -> list[str]:
    """The names as they are, each once; InputError for one that is none of these metrics."""
    found = list(dict.fromkeys(names))
    for name in found:
        if name == "perceptual" and name not in of:
            raise InputError("perceptual compares pictures pair by pair, which models of pix2pix have. Leave it out here.")
        if name not in of:
            raise InputError(f"there is no metric '{name}'.{did_you_mean(name, of)} Metrics: {', '.join(of)}.")
    return found


def lacking(name: str, n: int, features: int) -> str | None:
    """Why a metric cannot be had of n samples a set with so many features, with the smallest number that works; None if it can."""
    least = METRICS[name].least(features)
    if n >= least:
        return None
    why = f", one more than it has features ({features:,})" if METRICS[name].least is fid.least else ""
    return f"{name} needs at least {least:,} samples a set{why}, and there are {n:,}"


def measure(names: Iterable[str], real: Tensor, fake: Tensor, seed: int, watch: Watch = lambda done, total: None) -> dict[str, Estimate]:
    """These metrics, by name, of float[N, F] and float[N, F]; those that share their work are computed together.

    InputError when there are too few samples for one.
    """
    wanted, found = known(names), dict[str, Estimate]()
    for name in wanted:
        if (why := lacking(name, min(len(real), len(fake)), real.shape[1])) is not None:
            raise InputError(f"{why}. Give more samples, or leave {name} out.")
    for done, name in enumerate(wanted, 1):
        family = METRICS[name].family
        if name not in found and family is not None:
            found |= family(real, fake, seed)
        watch(done, len(wanted))
    return {name: found[name] for name in wanted if name in found}


def plain(estimate: Estimate, protocol: dict[str, object]) -> dict[str, object]:
    """What goes into JSON."""
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high,
            "protocol": {**protocol, "interval": JACKKNIFE, **estimate.about}}
