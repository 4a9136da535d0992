"""How much of a machine's arithmetic a round of images uses."""

import time
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from sparring.bench.contests import DCGAN, noise_images, spread
from sparring.data.source import batches
from sparring.game import Game, play
from sparring.recipes import RECIPES
from sparring.rng import seed_round
from sparring.setup.autotune import in_precision
from sparring.setup.build import build

CPU = torch.device("cpu")
SIZES = (1024, 2048, 3072)


def peak(dtype: torch.dtype, seconds: float = 2.0) -> dict[str, float]:
    """Billions of operations a second of the square matrix product that is fastest, 2 n^3 of them for n x n."""
    best: dict[str, float] = {"median": 0.0}
    for n in SIZES:
        a, b = torch.randn(n, n).to(dtype), torch.randn(n, n).to(dtype)
        out = torch.empty(n, n, dtype=dtype)
        torch.mm(a, b, out=out)
        rates: list[float] = []
        end = time.perf_counter() + seconds / len(SIZES)
        while time.perf_counter() < end or len(rates) < 3:
            began = time.perf_counter()
            torch.mm(a, b, out=out)
            rates.append(2 * n**3 / (time.perf_counter() - began) / 1e9)
        best = max(best, spread(rates), key=lambda found: found["median"])
    return best


def game_of_images(precision: str) -> tuple[Game, Iterator[Any]]:
    """The DCGAN of the contests, and its batches."""
    source, recipe = noise_images(), RECIPES["gan"]
    given = {name: value for name, value in DCGAN.items() if name in recipe.settings.model_fields}
    settings = recipe.settings(**{**recipe.defaults(source.space), **given, "steps": 10_000})
    return in_precision(build(recipe, settings, source.space, CPU, 0), precision, CPU), batches(source, settings.batch, 0)


def arithmetic(precision: str, threads: int, pairs: int, rounds: int = 15) -> dict[str, Any]:
    """Operations of a round's products and convolutions, forward and backward, as counted by torch, and the share of the peak that they
    are done at; peak and rounds measured in turn."""
    torch.set_num_threads(threads)
    game, stream = game_of_images(precision)
    play(game, stream, 0)
    with FlopCounterMode(display=False) as counter:
        play(game, stream, 1)
    flops = counter.get_total_flops()
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    peaks, rates = [], []
    for _ in range(pairs):
        peaks.append(peak(dtype)["median"])
        began = time.perf_counter()
        for step in range(rounds):
            seed_round(0, CPU, step)
            play(game, stream, step)
        rates.append(flops * rounds / (time.perf_counter() - began) / 1e9)
    return {"billions of operations a round": flops / 1e9, "peak of a matrix product, billions/s": spread(peaks),
            "reached, billions/s": spread(rates), "share of the peak": spread([a / b for a, b in zip(rates, peaks, strict=True)]),
            "threads": threads, "precision": precision}
