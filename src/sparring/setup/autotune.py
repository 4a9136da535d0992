"""Chosen by measurement: threads, precision and compilation, on throw-away copies of the game."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from sparring.errors import RunFailed
from sparring.game import Game, play
from sparring.game.compiled import in_one
from sparring.game.precision import in_bfloat16
from sparring.rng import seed_round

SMALL = 100_000         # parameters of all players: below, a round is overhead, which bf16 adds to
SHORT = 200             # rounds: a shorter run does not repay the measurement
LONG = 60.0             # seconds that a run must be expected to take before compiling is tried, which takes some itself
REPAYS = 2.0            # times the seconds of compiling that it must save
ALIKE = 0.98            # the least cosine between every player's gradient in fp32 and in bf16, unless it is
LITTLE = 0.2            # of the distance, 1 - cosine, to the gradient that another batch and other latents would have given
SLOWLY = "this processor computes bf16 slowly"
WINS = 0.9              # of the other's time, in every measurement: on a noisy machine a smaller win may be none

Trial = Callable[[], Game]
Rounds = Callable[[], Iterator[Any]]


def in_precision(game: Game, precision: str, device: torch.device) -> Game:
    """The same players, their losses computed in fp32 or with the networks' passes in bf16."""
    if precision == "fp32":
        return game
    return replace(game, turns={name: replace(turn, loss=in_bfloat16(turn.loss, device)) for name, turn in game.turns.items()})


def threads(trial: Trial, rounds: Rounds, device: torch.device) -> int:
    """One thread or all of them, whichever plays a few rounds faster."""
    most = torch.get_num_threads()
    if device.type != "cpu" or most == 1:
        return most
    game, stream = trial(), rounds()
    seconds: dict[int, list[float]] = {1: [], most: []}
    with torch.random.fork_rng(devices=[]):
        for count in (1, most) * 3:
            torch.set_num_threads(count)
            seconds[count].append(pace(game, stream))
    # More threads must win clearly and every time: on a busy machine they can be many times slower than one.
    return most if max(seconds[most]) < WINS * min(seconds[1]) else 1


def slow_in_bf16(device: torch.device) -> bool:
    """Whether it is a processor without instructions for bf16."""
    return device.type == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported()


def precision(trial: Trial, rounds: Rounds, device: torch.device, steps: int) -> tuple[str, str]:
    """("bf16" or "fp32", why): bf16 where it is clearly faster and the first gradients are as good as the same."""
    if steps < SHORT:
        return "fp32", "the run is too short to measure"
    game = trial()
    if sum(p.numel() for player in game.players.values() for p in player.parameters) < SMALL:
        return "fp32", "the networks are small"
    if slow_in_bf16(device):
        return "fp32", SLOWLY
    try:
        low = in_precision(trial(), "bf16", device)
        full, rounded = (first_gradients(g, rounds(), device) for g in (game, low))
        alike = agreement(full, rounded)
        good = alike >= ALIKE or drowned(full, rounded, first_gradients(trial(), rounds(), device, later=1))    # NaN is neither
    except RuntimeError as error:                               # an operation of a user's network that bf16 does not have
        return "fp32", f"bf16 fails: {str(error).splitlines()[0][:100]}"
    if not good:
        return "fp32", f"gradients in bf16 differ, cosine {alike:.3f}"
    seconds: dict[str, list[float]] = {"fp32": [], "bf16": []}
    with torch.random.fork_rng(devices=[]):
        for _ in range(3):
            for name, one in (("fp32", game), ("bf16", low)):
                seconds[name].append(pace(one, rounds()))
    gain = min(seconds["fp32"]) / max(seconds["bf16"])
    if gain < 1 / WINS:
        return "fp32", "bf16 is not clearly faster here"
    return "bf16", f"{gain:.1f} times as fast as fp32 here, cosine of the first gradients {alike:.4f}"


def compiling(trial: Trial, rounds: Rounds, device: torch.device, steps: int) -> tuple[str, str]:
    """("on" or "off", why): on where the planned rounds repay the compilation, with what the measurement itself took."""
    if steps < SHORT:
        return "off", "the run is too short to measure"
    game = trial()
    if device.type == "cpu" and sum(p.numel() for player in game.players.values() for p in player.parameters) >= SMALL:
        return "off", "on a CPU only small networks gain from it"
    try:
        with torch.random.fork_rng(devices=[]):
            return repaid(game, trial, rounds, steps)
    except (RunFailed, RuntimeError) as error:                  # training will meet it too, and say where
        return "off", f"a trial round failed: {str(error).splitlines()[0][:100]}"


def repaid(game: Game, trial: Trial, rounds: Rounds, steps: int) -> tuple[str, str]:
    """Whether so many rounds of this game repay compiling another one like it."""
    eager = min(pace(game, rounds()) for _ in range(2))
    if eager * steps < LONG:
        return "off", f"it does not pay in about {eager * steps:.0f} s of training"
    complaints: list[str] = []
    began = time.perf_counter()
    game, stream = in_one(trial(), complaints.append), rounds()
    for step in range(3):
        play(game, stream, step)
    seconds = time.perf_counter() - began
    if complaints:
        return "off", complaints[0].removeprefix("compile: ")
    fast = max(pace(game, stream) for _ in range(2))
    if (eager - fast) * steps < REPAYS * seconds:
        return "off", f"{eager / fast:.1f} times as fast, which does not repay {seconds:.0f} s of compiling"
    return "on", f"{eager / fast:.1f} times as fast, after {seconds:.0f} s of compiling"


def pace(game: Game, stream: Iterator[Any]) -> float:
    """Seconds a round, after one to warm up."""
    play(game, stream, 0)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < 0.06 or count < 2:
        play(game, stream, 0)
        count += 1
    return (time.perf_counter() - start) / count


def first_gradients(game: Game, stream: Iterator[Any], device: torch.device, later: int = 0) -> list[Tensor]:
    """Each player's gradient in the first round, flat; `later` batches later and with other latents."""
    for _ in range(later):
        next(stream)
    with torch.random.fork_rng(devices=[]):
        seed_round(0, device, later)
        play(game, stream, 0)
    return [torch.cat([p.grad.flatten().double() for p in player.parameters if p.grad is not None]) for player in game.players.values()]


def cosines(first: list[Tensor], second: list[Tensor]) -> list[float]:
    """Between gradients of the same player; 1 where neither has any."""
    return [torch.nn.functional.cosine_similarity(a, b, 0).item() if a.any() or b.any() else 1.0
            for a, b in zip(first, second, strict=True)]


def agreement(first: list[Tensor], second: list[Tensor]) -> float:
    """The least cosine between gradients of the same player."""
    return min(cosines(first, second))


def drowned(full: list[Tensor], rounded: list[Tensor], other: list[Tensor]) -> bool:
    """Whether every player's rounding is small beside what chance does to the same gradient in each round."""
    return all(1 - a <= LITTLE * (1 - b) for a, b in zip(cosines(full, rounded), cosines(full, other), strict=True))
