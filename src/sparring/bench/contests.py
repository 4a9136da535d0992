"""The contests: the trainer with its log on, and the usual loop, on the same data with the same networks and batch."""

import statistics
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from sparring.api import run
from sparring.bench import by_hand
from sparring.data.source import Finite
from sparring.progress import Silent
from sparring.runs.folder import read_lines
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.spaces import Images

CLASSIC: Mapping[str, Any] = {"batch": 64, "latent": 5, "width": 128, "depth": 1, "slope": 0, "objective": "minimax", "lr": 1e-4,
                              "beta1": 0.9, "decay": 0, "ema": 0, "compile": "off"}
DCGAN: Mapping[str, Any] = {"batch": 64, "latent": 32, "width": 64, "ema": 0, "compile": "off"}
R1: Mapping[str, Any] = {"penalty": "r1", "penalty_weight": 1.0}
STYLES: Mapping[str, Any] = {"batch": 16, "latent": 64, "width": 16, "augment": "none", "compile": "off", "precision": "fp32"}
TURNS = 16              # rounds after which every lazy penalty of stylegan has had its turn: what is timed is a multiple of them
LONG = 10_000           # rounds of the run that a contest is a part of, which is what the choice of precision is about


@dataclass(frozen=True)
class Contest:
    """Rounds a second of `ours` and of `theirs`, each a function of the threads and the number of rounds."""

    about: str
    rounds: int
    ours: Callable[[int, int], float]
    theirs: Callable[[int, int], float]


def trained(data: Callable[[], Any], settings: Mapping[str, Any], recipe: str = "gan") -> Callable[[int, int], float]:
    """Rounds a second as `sparring train` counts them, logging included, from the second logged round on.

    The first round makes the optimizer's moments, and waits for the compiler where there is one.
    """
    def rate(threads: int, rounds: int) -> float:
        given = {**settings, "steps": LONG, "threads": threads, "log_every": max(1, rounds // 10)}
        with tempfile.TemporaryDirectory() as folder:
            prepared = prepare(Request(recipe, data(), given), Path(folder) / "run")
            plan = replace(prepared.plan, show_every=0, score_every=0, save_every=0, steps=rounds)
            run(replace(prepared, plan=plan), Silent())
            rows = read_lines(prepared.folder.log)
            prepared.folder.unlock()
        return (rows[-1]["step"] - rows[1]["step"]) / (rows[-1]["time"] - rows[1]["time"])

    return rate


def noise_images() -> Finite:
    """Two thousand 32 x 32 pictures of noise: what they show does not change how long a round takes."""
    rng = torch.Generator().manual_seed(0)
    return Finite(Images(3, 32, 32), torch.randint(0, 256, (2000, 3, 32, 32), dtype=torch.uint8, generator=rng))


def curves_by_hand(threads: int, rounds: int) -> float:
    torch.set_num_threads(threads)
    return by_hand.curves(rounds)[1]


def images_by_hand(r1: float = 0.0) -> Callable[[int, int], float]:
    values = noise_images().values
    assert isinstance(values, torch.Tensor)

    def rate(threads: int, rounds: int) -> float:
        torch.set_num_threads(threads)
        return by_hand.images(values, 64, rounds, r1)

    return rate


def styles_by_hand(threads: int, rounds: int) -> float:
    values = noise_images().values
    assert isinstance(values, torch.Tensor)
    torch.set_num_threads(threads)
    return by_hand.styles(values, STYLES["width"], STYLES["latent"], STYLES["batch"], rounds)


CONTESTS: dict[str, Contest] = {
    "curves": Contest("quadratic curves, the classic settings", 1500, trained(lambda: "quadratic", CLASSIC), curves_by_hand),
    "curves-compiled": Contest("the same, each turn compiled (compile=on)", 3000,
                               trained(lambda: "quadratic", {**CLASSIC, "compile": "on"}), curves_by_hand),
    "images": Contest("32x32 DCGAN, width 64, as by default", 20, trained(noise_images, DCGAN), images_by_hand()),
    "images-fp32": Contest("32x32 DCGAN, width 64, precision=fp32", 20, trained(noise_images, {**DCGAN, "precision": "fp32"}),
                           images_by_hand()),
    "images-r1": Contest("32x32 DCGAN, width 64, R1 in every round", 12, trained(noise_images, {**DCGAN, **R1}), images_by_hand(1.0)),
    "stylegan": Contest("32x32 StyleGAN, width 16, all its parts", 10 * TURNS, trained(noise_images, STYLES, "stylegan"),
                        styles_by_hand),
}


def compete(contest: Contest, threads: int, pairs: int, tell: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Both in turn, after a warm-up of each: rates and their ratio, pair by pair, as median, least and most."""
    contest.ours(threads, max(20, contest.rounds // 10)), contest.theirs(threads, max(2, contest.rounds // 10))
    rates: list[tuple[float, float]] = []
    for pair in range(pairs):
        if pair % 2:
            ours = contest.ours(threads, contest.rounds)
            theirs = contest.theirs(threads, contest.rounds)
        else:
            theirs = contest.theirs(threads, contest.rounds)
            ours = contest.ours(threads, contest.rounds)
        rates.append((ours, theirs))
        tell(f"  pair {pair + 1} of {pairs}: {ours:,.4g} against {theirs:,.4g} rounds/s, ratio {ours / theirs:.2f}")
    return {"sparring, rounds/s": spread([ours for ours, _ in rates]), "by hand, rounds/s": spread([theirs for _, theirs in rates]),
            "ratio": spread([ours / theirs for ours, theirs in rates]), "pairs": pairs, "threads": threads}


def spread(values: list[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}
