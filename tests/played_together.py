"""What processes do in tests/game/test_processes.py and benchmarks/game/processes.py: they play every recipe together, and
compare with playing alone."""

import json
import sys
from contextlib import closing, suppress

import torch
from pydantic import ValidationError

from conftest import CELLS, SOURCES
from sparring.data.source import batches
from sparring.errors import InputError
from sparring.game import play
from sparring.game.processes import ALONE, ProcessGroup, joined
from sparring.recipes import RECIPES
from sparring.rng import seed_round
from sparring.runs import checkpoint
from sparring.setup.autotune import in_precision

CPU, ROUNDS = torch.device("cpu"), 3
ADAPTED = 9             # rounds after which adaptive augmentation has changed its strength twice
MORE = [("images", {"penalty": "r1", "penalty_weight": 0.1, "penalty_every": 2}), ("images", {"penalty": "r1+r2", "penalty_every": 2}),
        ("images", {"augment": "diff"}), ("images", {"augment": "ada"}), ("images", {"augment": "ada", "penalty": "r1"}),
        ("images", {"pack": 2, "conditional": False}), ("curves", {"pack": 2}), ("curves", {"pack": 2, "noise": 0.3}),
        ("curves", {"noise": 0.3}), ("curves", {"discriminator_steps": 2, "spectral": True}), ("curves", {"critic_steps": 2}),
        ("images", {"penalty": "dragan"}), ("curves", {"penalty": "one_sided", "objective": "wasserstein"}),
        ("curves", {"penalty": "gradient", "penalty_every": 2, "pack": 2}), ("images", {"objective": "relativistic", "clip": 0.05}),
        ("images", {"objective": "hinge", "spectral": True}), ("density", {"objective": "least_squares", "decay": 0.5}),
        ("images", {"ema": 0.0}), ("images", {"conditional": False}), ("images", {"path_every": 1, "penalty_every": 1}),
        ("lines", {"soft": True}), ("lines", {"anchor": 0.1})]


def cells():
    """Every recipe on every kind of data that it takes, and with every setting of MORE that it has."""
    for recipe, entry in RECIPES.items():
        if recipe == "images":                                  # the game of `gan`
            continue
        own = [source for which, source in CELLS if which == recipe]
        for source, more in [*((source, {}) for source in own), *((source, more) for source, more in MORE if source in own)]:
            if more.keys() <= entry.settings.model_fields.keys():
                with suppress(InputError, ValidationError):
                    build(recipe, source, more)
                    yield recipe, source, more


def build(recipe, source, more):
    torch.manual_seed(0)
    entry = RECIPES[recipe]
    small = {"steps": 40, "pretrain": 1, "warm": 0, "rollouts": 2, "pack": 1,
             "filters": 5, "batch": 8, "width": 8, "first_steps": 7, "blocks": 1, "pool": 0}
    few = {k: v for k, v in small.items() if k in entry.settings.model_fields}
    settings = entry.settings(**{**entry.defaults(SOURCES[source].space), **few, **more})
    game = in_precision(entry.game(settings, SOURCES[source].space, CPU), "fp32", CPU)
    for part in game.memory.values():
        if hasattr(part, "p"):
            part.p = 0.9                                        # adaptive augmentation begins with none, and may not have begun by the end
    return game


def played(recipe, source, more, group, seen=iter):
    """The weights after some rounds, by name; `seen` may change the batches."""
    game = build(recipe, source, more)
    with closing(batches(SOURCES[source], 8, 0, 0, 0, group.rows(8))) as drawn:
        stream = seen(drawn)
        for step in range(ADAPTED if more.get("augment") == "ada" else ROUNDS):
            seed_round(0, CPU, step)
            doubled = (type(b)(*map(in_default_dtype, b)) for b in stream)
            with group.part_of(8):
                play(game, doubled, step, group.share)
    for part in game.memory.values():
        assert getattr(part, "p", 1) > 0, "adaptive augmentation never began"
    return {name: tensor.clone() for name, tensor in checkpoint.networks(game).items()}


def in_default_dtype(part):
    return part.to(torch.get_default_dtype()) if part is not None and part.is_floating_point() else part


def few():
    """Of these, the first of every recipe, of every kind of data, and of every setting."""
    seen = set()
    for recipe, source, more in cells():
        shown = {("recipe", recipe), ("source", source), ("more", str(more))}
        if shown - seen:
            yield recipe, source, more
        seen |= shown


def compare(group: ProcessGroup, chosen=cells) -> dict[str, list[float]]:
    """For each of the cells in both precisions, and every tensor of its weights: the largest difference, and how many exceed 1e-6, of how
    many; over the largest number in it, where that is above one.

    Together first; what is played alone is then shared out.
    """
    together, found, chosen = {}, {}, list(chosen())
    for alone in (False, True):
        for dtype in (torch.float32, torch.float64):
            torch.set_default_dtype(dtype)
            for i, cell in enumerate(chosen):
                if not alone:
                    together[dtype, i] = played(*cell, group)
                elif i % group.world_size == group.rank:
                    for name, tensor in played(*cell, ALONE).items():
                        off = (together[dtype, i][name] - tensor).abs() / max(1.0, tensor.abs().max().item())
                        found[f"{dtype} {' '.join(map(str, cell))} {name}"] = [off.max().item(), (off > 1e-6).sum().item(), off.numel()]
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined() as group, open(f"{sys.argv[1]}/found-{group.rank}.json", "w") as file:
        json.dump(compare(group), file)
