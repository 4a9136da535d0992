"""What a run will cost, told before it starts, and how many rounds fit into a time."""

import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from sparring.errors import InputError
from sparring.game import Game, play
from sparring.progress import duration
from sparring.settings import LONGEST

PLAYING = 0.9           # of a run's time: the rest is for scores, pictures, check-ups and checkpoints
WATCHED = 5.0           # seconds that are measured to plan by; three rounds at least
GLANCED = 0.3           # and to say how long a run will take


def seconds_a_round(trial: Callable[[], Game], rounds: Callable[[], Iterator[Any]], patience: float = 0.0) -> float:
    """The mean over so many seconds of rounds, three at least, of a throw-away game, after two to warm up.

    Not the median: on a machine with other work some rounds wait for long, and a run has all of them.
    """
    game, stream, count = trial(), rounds(), 0
    with torch.random.fork_rng(devices=[]):
        for step in range(2):
            play(game, stream, step)
        began = time.perf_counter()
        while count < 3 or time.perf_counter() - began < patience:
            play(game, stream, 2)
            count += 1
    return (time.perf_counter() - began) / count


def memory_so_far(device: torch.device) -> int:
    """The most bytes that this process, or its part of a GPU, has held: after a few rounds that is what a run will hold."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def in_words(seconds: float, steps: int, device: torch.device) -> str:
    """What a run of so many rounds will take, of this many seconds each."""
    pace = f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"
    return (f"about {duration(seconds * steps / PLAYING)} at {pace} a round before the last scores, and "
            f"{memory_so_far(device) / 1e9:.1f} GB of {'GPU ' if device.type == 'cuda' else ''}memory")


def rounds_within(minutes: float, seconds: float) -> int:
    """How many rounds, of so many seconds each, fit into the minutes beside everything else that a run does."""
    return min(LONGEST, max(1, int(60 * minutes * PLAYING / seconds)))


def remembered(given: Mapping[str, Any], minutes: float, old: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The settings with the rounds that a run in its folder was planned to have for these minutes, if there is one.

    InputError for minutes that no run can have, and where rounds are asked for too.
    """
    if not minutes:
        return given
    if not 0 < minutes <= 60 * 24 * 365:
        raise InputError(f"--minutes {minutes:g} is out of range. Give a number above 0, such as --minutes 30, and at most a year.")
    if "steps" in given:
        raise InputError(f"--minutes {minutes:g} and steps={given['steps']} both say how long to train. Give one of them.")
    settings = (old or {}).get("settings")
    then = (old or {}).get("minutes")
    if isinstance(then, int | float) and then and then != minutes:
        raise InputError(f"the run in this folder was planned for {then:g} minutes, and --minutes {minutes:g} was given. Give the "
                         f"same to resume it, or another --out.")
    if then == minutes and isinstance(settings, dict) and type(settings.get("steps")) is int:
        return {**given, "steps": settings["steps"]}
    return given
