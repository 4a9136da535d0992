"""What two processes do in tests/test_crew.py: they play every recipe together, and the first compares with playing it alone."""

import json
import sys
from contextlib import closing

import torch

from conftest import CELLS, SOURCES
from sparring import checkpoint
from sparring.choices import in_precision
from sparring.crew import ALONE, Crew, joined
from sparring.data.source import batches
from sparring.game import play
from sparring.recipes import RECIPES
from sparring.rng import seed_round

CPU, ROUNDS = torch.device("cpu"), 3
MORE = [("gan", "images", {"penalty": "r1", "penalty_weight": 0.1, "penalty_every": 2}), ("gan", "images", {"augment": "diff"}),
        ("gan", "curves", {"noise": 0.3}), ("gan", "curves", {"pack": 2}), ("gan", "curves", {"discriminator_steps": 2, "spectral": True}),
        ("gan", "images", {"augment": "ada"})]


def played(recipe, source, more, crew):
    """The weights after some rounds, by name."""
    torch.manual_seed(0)
    entry = RECIPES[recipe]
    small = {"steps": 40, "batch": 8, "width": 8, "first_steps": 7, "blocks": 1, "pool": 0}
    few = {k: v for k, v in small.items() if k in entry.settings.model_fields}
    settings = entry.settings(**{**entry.defaults(SOURCES[source].space), **few, **more})
    game = in_precision(entry.game(settings, SOURCES[source].space, CPU), "fp32", CPU)
    with closing(batches(SOURCES[source], 8, 0, 0, 0, crew.rows(8))) as stream:
        for step in range(ROUNDS):
            seed_round(0, CPU, step)
            doubled = (type(b)(*map(in_default_dtype, b)) for b in stream)
            with crew.part_of(8):
                play(game, doubled, step, crew.share)
    return {name: tensor.clone() for name, tensor in checkpoint.networks(game).items()}


def in_default_dtype(part):
    return part.to(torch.get_default_dtype()) if part is not None and part.is_floating_point() else part


def compare(crew: Crew) -> dict[str, float]:
    found = {}
    for dtype in (torch.float32, torch.float64):
        torch.set_default_dtype(dtype)
        for recipe, source, more in [*((r, s, {}) for r, s in CELLS), *MORE]:
            together = played(recipe, source, more, crew)
            alone = played(recipe, source, more, ALONE)
            found |= {f"{dtype} {recipe} {source} {more} {k}": (together[k] - alone[k]).abs().max().item() for k in alone}
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined() as crew:
        found = compare(crew)
        if crew.first:
            with open(sys.argv[1], "w") as file:
                json.dump(found, file)

