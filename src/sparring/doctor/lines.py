"""What a check-up measures of lines of text: whether generated lines repeat themselves, and whether they stand in the training text.

Lines have no distance from each other that a check-up could afford, so these are counts.  Self-BLEU tells the same as `distinct` and takes
far longer.
"""

from dataclasses import dataclass

import torch

from sparring.data.source import Finite
from sparring.doctor.checkup import moves
from sparring.game import Game
from sparring.metrics.texts import share
from sparring.rng import generator
from sparring.spaces.texts import words

DRAWN, ENOUGH, MOST = 256, 64, 2000     # lines of a set; held-out lines, fewer of which are not one; lines that are looked up, at most
LONGEST = 4                     # words of the sequences that are counted, fewer where the lines are shorter
Line = tuple[int, ...]


@dataclass(frozen=True)
class LineStandard:
    """What real lines are like, for comparison: computed once a run, from the data and the seed."""

    n: int                          # lines drawn at each check-up
    size: int                       # words of the sequences that are counted
    repeated: float                 # of n real lines, held-out ones where there are enough
    distinct: float
    copies: float | None            # share of held-out lines that stand in the training text
    known: frozenset[Line]          # the training text
    facts: dict[str, float]         # about the data, for the first row


def standard_lines(source: Finite, seed: int) -> LineStandard:
    """Look at the data."""
    unseen, known = source.held_out, frozenset(words(source.at(torch.arange(len(source))).x))
    part = source if unseen is None or len(unseen) < ENOUGH else unseen
    real = words(part.at(torch.randperm(len(part), generator=generator(seed, "checkup lines"))[:DRAWN]).x)
    size = next((size for size in range(LONGEST, 1, -1) if sum(len(line) >= size for line in real) > len(real) / 2), 1)
    held = [] if unseen is None else words(unseen.at(torch.arange(min(len(unseen), MOST))).x)
    copies = share(held, known) if held else None
    return LineStandard(max(2, len(real)), size, repeated(real), distinct(real, size), copies, known, {"data/samples": float(len(source))})


@torch.no_grad()
def checkup_lines(game: Game, data: LineStandard, seed: int) -> dict[str, float]:
    """One row: `repeated`, the share of generated lines that come again among them, and `repeated_real`, that of as many real lines;
    `distinct`, how many different sequences of four words there are for each that was written, over the same of real lines; `copies`, the
    share that stands in the training text, and `copies_real`, that of held-out lines; and how the players move."""
    made = words(game.sample(game.prior(data.n, generator(seed, "checkup"))).cpu())
    row = moves(game.players) | {"repeated": repeated(made), "repeated_real": data.repeated,
                                 "distinct": distinct(made, data.size) / max(data.distinct, 1e-9),
                                 "copies": share(made, data.known)}
    return row if data.copies is None else row | {"copies_real": data.copies}


def repeated(lines: list[Line]) -> float:
    return 1 - len(set(lines)) / len(lines)


def distinct(lines: list[Line], size: int) -> float:
    """Different sequences of so many words, over all of them; 1 where no line has so many."""
    found = [line[k:k + size] for line in lines for k in range(len(line) - size + 1)]
    return len(set(found)) / len(found) if found else 1.0
