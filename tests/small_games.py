"""A game of any recipe, small, and its rounds: what tests of every recipe share."""

from contextlib import closing

import torch

from conftest import SOURCES
from sparring.data.source import batches
from sparring.game import play
from sparring.recipes import RECIPES
from sparring.rng import seed_round
from sparring.runs import checkpoint
from sparring.setup.autotune import in_precision

CPU = torch.device("cpu")
SMALL = {"steps": 40, "pretrain": 2, "warm": 2, "rollouts": 2, "pack": 1,
         "filters": 5, "batch": 8, "width": 8, "first_steps": 7, "blocks": 1, "cells": 0, "seen": 32}


def small(recipe, source, **more):
    """The recipe's own defaults on this data, shrunk."""
    entry = RECIPES[recipe]
    few = {name: value for name, value in SMALL.items() if name in entry.settings.model_fields}
    return entry.settings(**{**entry.defaults(SOURCES[source].space), **few, **more})


def build(recipe, source, seed=0, precision="fp32", **more):
    torch.manual_seed(seed)
    settings = small(recipe, source, **more)
    return settings, in_precision(RECIPES[recipe].game(settings, SOURCES[source].space, CPU), precision, CPU)


def rounds(game, source, settings, first, last, workers=0):
    logged = []
    with closing(batches(SOURCES[source], settings.batch, 0, game.drawn(first), workers)) as stream:
        for step in range(first, last):
            seed_round(0, CPU, step)
            terms, watched = play(game, stream, step)
            logged.append({k: v.item() for k, v in terms.items()} | {k: look().item() for k, look in watched.items()})
    return logged


def state(game):
    tensors = {}
    for name, player in game.players.items():
        for part in ("net", "average"):
            tensors |= {f"{name}/{part}/{k}": v.clone() for k, v in getattr(player, part).state_dict().items()}
        checkpoint.flatten(player.optimizer.state_dict(), tensors, name)
    checkpoint.flatten({n: m.state_dict() for n, m in game.memory.items()}, tensors, "memory")
    return tensors
