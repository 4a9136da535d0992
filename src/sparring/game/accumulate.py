"""A batch in parts, one after the other, where it does not fit into memory at once: the gradients add up to those of the whole."""

from dataclasses import replace
from functools import partial, reduce
from typing import Any

import torch
from torch import Tensor

from sparring.game import Game, Report, Turn, Watched
from sparring.game.players import looked


def in_parts(game: Game, parts: int) -> Game:
    """The same game, each turn's loss the mean over so many equal parts of its batch, whose size they divide.

    What depends on a whole batch depends on a part instead: the statistics of BatchNorm, as in several processes without exchange, and
    the pairs of a pack.  Each part draws its own noise, so a seed gives other bits than it gives in one part.
    """
    return replace(game, turns={name: replace(turn, loss=partial(mean_of_parts, turn, parts)) for name, turn in game.turns.items()})


def mean_of_parts(turn: Turn, parts: int, batch: Any, step: int) -> Report:
    """The turn's report over the parts, with its gradient: the graph of a part is let go before the next one's is made."""
    sums: list[Tensor | None] = [None] * len(turn.player.parameters)
    terms: dict[str, Tensor] = {}
    seen: dict[str, Tensor] = {}
    for i in range(parts):
        report = turn.loss(part_of(batch, parts, i), step)
        if not report.minimize:
            return report
        shares = {name: term / parts for name, term in report.minimize.items()}
        slopes = torch.autograd.grad(reduce(torch.add, shares.values()), turn.player.parameters, allow_unused=True)
        sums = [old if new is None else new if old is None else old + new for old, new in zip(sums, slopes, strict=True)]
        terms = added(terms, {name: term.detach() for name, term in shares.items()})
        seen = added(seen, {name: looked(look).detach() / parts for name, look in report.watch.items()})
    watched: Watched = {name: partial(torch.clone, value) for name, value in seen.items()}
    return Report(terms, watched, sums)


def part_of(batch: Any, parts: int, i: int) -> Any:
    """The i-th part of each of the batch's tensors: batches are named tuples of them, or of None."""
    return type(batch)(*(None if whole is None else whole.chunk(parts)[i] for whole in batch))


def added(first: dict[str, Tensor], second: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: first[name] + value if name in first else value for name, value in second.items()}


def indivisible(batch: int, parts: int, settings: object) -> str | None:
    """Why a batch with these settings cannot be taken in so many parts; None when it can."""
    pack = getattr(settings, "pack", 1)
    if batch % (parts * pack):
        return f"accumulate={parts} does not divide batch={batch} into equal parts" + (f" of whole packs of {pack}" if pack > 1 else "")
    penalty, ahead = getattr(settings, "penalty", ""), getattr(settings, "unroll", 0)
    whole = f"penalty={penalty}" if penalty in ("consensus", "dragan") else f"unroll={ahead}" if ahead else ""
    return f"{whole} needs the whole batch at once, and accumulate={parts} splits it" if whole else None
