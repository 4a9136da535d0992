"""Metrics on real images: what two halves of the data give (the floor), what each sees of spoilt images, and how long they take.

Set SPARRING_DATA to the folder that holds mnist/ and fashion-mnist/.
"""

import time
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from benchmarks.record import DATA, record
from sparring.data import open_source
from sparring.data.source import Finite
from sparring.metrics import cas, fid, kid, neighbours, sliced
from sparring.metrics.catalogue import OF_FEATURES, measure
from sparring.metrics.compared_sets import seen, some
from sparring.metrics.features import extract, own
from sparring.metrics.intervals import GROUPS, quantile
from sparring.rng import generator

SETS = ("fashion-mnist", "mnist")
N, SEED, TRIALS = 5000, 0, 200


def opened(name: str) -> Finite:
    source = open_source(DATA / name)
    assert isinstance(source, Finite) and source.held_out is not None
    return source


def scored(real: Tensor, fake: Tensor) -> dict[str, Any]:
    """Every metric as "value (low to high)"."""
    x, y = extract(own(), real), extract(own(), fake)
    return {name: f"{e.value:.4f} ({e.low:.4f} to {e.high:.4f})" for name, e in measure(OF_FEATURES, x, y, SEED).items()}


def halves(name: str) -> dict[str, Any]:
    """Two halves of 10,000 training images."""
    both = seen(some(opened(name), 2 * N, SEED, "halves"))
    return scored(both[:N], both[N:])


def noisy(x: Tensor, deviation: float) -> Tensor:
    return (x + deviation * torch.randn(x.shape, generator=generator(SEED, "noise"))).clamp(-1, 1)


def central(x: Tensor, y: Tensor) -> Tensor:
    """Of every class the images nearest to its mean image: what a generator that shuns the unusual would make."""
    kept = []
    for k in range(10):
        own_class = x[y == k]
        order = (own_class - own_class.mean(0)).flatten(1).norm(dim=1).argsort()
        kept.append(own_class[order[:N // 10]])
    return torch.cat(kept)


def spoilt(name: str, how: str) -> dict[str, Any]:
    """Training images, made worse in one way, against test images."""
    source = opened(name)
    real, pool = seen(some(source.held_out, N, SEED, "real")), some(source, 6 * N, SEED, "generated")
    x, y = seen(pool), pool.labels
    assert y is not None
    few = x[:N]
    ways = {"as they are": lambda: few, "blurred, 3x3 mean": lambda: avg_pool2d(few, 3, 1, 1),
            "noise of 2.5 % of the range": lambda: noisy(few, 0.05), "noise of 10 %": lambda: noisy(few, 0.2),
            "two pixels to the right": lambda: torch.roll(few, 2, 3), "one class missing": lambda: x[y != 9][:N],
            "only the most usual sixth": lambda: central(x, y), "500 images, ten times each": lambda: few[:N // 10].repeat(10, 1, 1, 1),
            "test images themselves": lambda: real}
    return scored(real, ways[how]())


WAYS = ("as they are", "blurred, 3x3 mean", "noise of 2.5 % of the range", "noise of 10 %", "two pixels to the right", "one class missing",
        "only the most usual sixth", "500 images, ten times each", "test images themselves")


def timed() -> dict[str, Any]:
    """Processor seconds on one thread, with intervals: the machine may be busy."""
    torch.set_num_threads(1)
    x, y = (torch.randn(10_000, 64, generator=generator(SEED, "clouds", i)) for i in range(2))
    found: dict[str, Any] = {}
    for what, family in (("fid and fid_infinity", fid.measure), ("kid", kid.measure),
                         ("precision, recall, density and coverage", neighbours.measure), ("swd", sliced.measure)):
        began = time.process_time()
        estimates = family(x, y, SEED)
        found[f"{what}, s"] = time.process_time() - began
        found |= {name: e.value for name, e in estimates.items()}
    began = time.process_time()
    extract(own(), torch.rand(10_000, 1, 28, 28, generator=generator(SEED, "images")) * 2 - 1)
    return found | {"features of 10,000 images of 28x28, s": time.process_time() - began,
                    "coverage expected": neighbours.expected_coverage(10_000, 10_000)}


def held(shift: float, scale: float) -> dict[str, Any]:
    """How often intervals hold the truth on Gaussians, and how wide they are beside how much the figure really varies."""
    torch.set_num_threads(1)
    found = [measure(OF_FEATURES, torch.randn(300, 8, generator=generator(i, "real")),
                     shift + scale * torch.randn(300, 8, generator=generator(i, "fake")), i) for i in range(TRIALS)]
    known = {"fid_infinity": 8 * (shift**2 + (scale - 1)**2)}
    if (shift, scale) == (0.0, 1.0):
        known |= {"kid": 0.0, "density": 1.0, "coverage": neighbours.expected_coverage(300, 300)}
    said: dict[str, Any] = {}
    for name in OF_FEATURES:
        estimates = [f[name] for f in found]
        values = torch.tensor([e.value for e in estimates])
        truth = known.get(name, float(values.mean()))
        width = sum(e.high - e.low for e in estimates) / TRIALS / 2 / quantile(GROUPS - 1)
        inside = sum(e.low <= truth <= e.high for e in estimates) / TRIALS
        said[name] = f"{inside:.2f} held; {width / float(values.std()):.1f} times as wide"
    return said


def read_real(name: str) -> dict[str, Any]:
    """What `cas` can reach: its classifier trained on the 60,000 real images."""
    torch.set_num_threads(1)
    source, began = opened(name), time.process_time()
    assert source.held_out is not None
    e = cas.measure(source, source.held_out, None, SEED)
    return {"cas": f"{e.value:.4f} ({e.low:.4f} to {e.high:.4f})", "processor seconds": time.process_time() - began}


if __name__ == "__main__":
    cases = [(f"{name}, two halves", lambda name=name: halves(name)) for name in SETS]
    cases += [(f"{name}, {how}", lambda name=name, how=how: spoilt(name, how)) for name in SETS for how in WAYS]
    record("metrics", f"features grey28-v1 (64), {N:,} images a set, seed {SEED}; value (95 % interval). 'two halves': of 10,000 training "
           "images, the floor of every metric. The others: training images, spoilt in one way, against test images. 'time': two sets of "
           f"10,000 x 64 normal numbers, processor seconds on one thread with intervals. 'intervals': {TRIALS} pairs of sets of 300 x 8 "
           "normal numbers: the share of intervals that hold the truth (in closed form, or the mean over all pairs), and their mean width "
           "beside that which the figure's deviation over the pairs would give.",
           {"halves": "fid_infinity and kid hold 0, density holds 1, coverage holds 0.969"}, [("time", timed), *cases,
            *((f"{name}, cas of real images", lambda name=name: read_real(name)) for name in SETS),
            ("intervals, equal Gaussians", lambda: held(0.0, 1.0)), ("intervals, other Gaussians", lambda: held(0.3, 1.2))])
