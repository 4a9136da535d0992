"""Rounds of one process, of all, and of all without exchange, in turns:

    torchrun ... -m benchmarks.game.parallel.pace OUT.json BATCH PRECISION TIMES ROUNDS
"""

import json
import sys
import time
from contextlib import closing
from typing import Any

import torch

from sparring.data.source import Finite, batches
from sparring.game import Game, play
from sparring.game.processes import ALONE, ProcessGroup, joined
from sparring.recipes import RECIPES
from sparring.rng import seed_round
from sparring.setup.autotune import in_precision
from sparring.spaces import Images

CPU = torch.device("cpu")
SOURCE = Finite(Images(3, 32, 32), torch.randint(0, 256, (2000, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)))


def dcgan(batch: int, precision: str) -> Game:
    torch.manual_seed(0)
    recipe = RECIPES["gan"]
    settings = recipe.settings(**recipe.defaults(SOURCE.space) | {"batch": batch, "width": 64, "latent": 32, "ema": 0, "steps": 10_000})
    return in_precision(recipe.game(settings, SOURCE.space, CPU), precision, CPU)


def pace(game: Game, batch: int, group: ProcessGroup, rounds: int) -> dict[str, float]:
    """Seconds a round, of this process's processor and on the clock, and which share of them went into averaging."""
    with closing(batches(SOURCE, batch, 0, rows=group.rows(batch))) as stream:
        for step in range(rounds + 1):
            if step == 1:                                       # the first one warms up
                group.wait()
                group.seconds, began, worked = 0.0, time.perf_counter(), time.process_time()
            seed_round(0, CPU, step)
            with group.part_of(batch):
                play(game, stream, step, group.share)
        seconds = time.perf_counter() - began
        return {"seconds": seconds / rounds, "worked": (time.process_time() - worked) / rounds, "averaging": group.seconds / seconds}


def compare(group: ProcessGroup, batch: int, precision: str, pairs: int, rounds: int) -> list[dict[str, Any]]:
    """While the first process plays alone, the others wait; apart, each plays its part of the batch, and exchanges nothing."""
    games, found, part = [dcgan(batch, precision) for _ in range(3)], [], batch // group.world_size
    for _ in range(pairs):
        one = pace(games[0], batch, ALONE, rounds) if group.first else {}
        group.wait()
        apart = group.means(pace(games[1], part, ALONE, rounds))
        group.wait()
        found.append({"alone": one, "apart": apart, "together": pace(games[2], batch, group, rounds)})
    parameters = sum(p.numel() for player in games[0].players.values() for p in player.parameters)
    return [{"parameters": parameters, **row} for row in found]


if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined() as group:
        found = compare(group, int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
        if group.first:
            with open(sys.argv[1], "w") as file:
                json.dump(found, file)
