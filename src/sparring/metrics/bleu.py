"""BLEU of single lines (Papineni et al., 2002), smoothed (Chen and Cherry, 2014, method 1), also of each line against the others."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Line = tuple[int, ...]
Floats = NDArray[np.float64]
ORDERS = (2, 3, 4, 5)       # the longest n-grams that a figure looks at
EPSILON = 0.1               # what stands for no n-gram in common: p_n = EPSILON / (n-grams of the line)


def bleu(lines: Sequence[Line], references: Sequence[Line]) -> Floats:
    """BLEU-2 to BLEU-5 of each line against all references: float64[4, N], in [0, 1].

    BLEU-n is exp of the mean of log p_1, ..., log p_n, times the brevity penalty (Papineni et al., 2002, section 2.3).  p_k is the share
    of the line's k-grams that some reference has, each at most as often as in the reference that has it most often.  Where k-grams are
    long and none is in common, p_k is EPSILON over their number (or over one, where the line is shorter than k); a line without a common
    word has 0.
    """
    return scores(lines, references, apart=False)


def self_bleu(lines: Sequence[Line]) -> Floats:
    """BLEU-2 to BLEU-5 of each line against all the others: float64[4, N] (Zhu et al., 2018, section 3).  1 where all are the same."""
    return scores(lines, lines, apart=True)


def scores(lines: Sequence[Line], references: Sequence[Line], apart: bool) -> Floats:
    """The same; `apart`: line i is reference i, and is held against the others."""
    logs, found, shared = np.zeros(len(lines)), list[Floats](), np.zeros(len(lines), dtype=np.bool_)
    for n in range(1, max(ORDERS) + 1):
        common, there = clipped(lines, references, n, apart)
        shared = common > 0 if n == 1 else shared
        logs += np.log(np.where(common > 0, common, EPSILON) / np.maximum(there, 1))
        if n in ORDERS:
            found.append(np.where(shared, np.exp(logs / n), 0.0))
    return np.stack(found) * brevity(lines, references, apart)


def clipped(lines: Sequence[Line], references: Sequence[Line], n: int, apart: bool) -> tuple[Floats, Floats]:
    """Of each line, how many of its n-grams stand in references too, each counted as often as there at most; and how many it has."""
    most: dict[Line, list[int]] = {}            # how often the reference has it that has it most often; how many have it so; the next most
    for line in references:
        for gram, count in grams(line, n).items():
            known = most.setdefault(gram, [0, 0, 0])
            if count > known[0]:
                known[:] = count, 1, known[0]
            elif count == known[0]:
                known[1] += 1
            elif count > known[2]:
                known[2] = count
    none, common, there = [0, 0, 0], np.zeros(len(lines)), np.zeros(len(lines))
    for k, line in enumerate(lines):
        for gram, count in grams(line, n).items():
            top, many, second = most.get(gram, none)
            common[k] += min(count, second if apart and count == top and many == 1 else top)
        there[k] = max(0, len(line) - n + 1)
    return common, there


def grams(line: Line, n: int) -> Counter[Line]:
    return Counter(zip(*(line[k:] for k in range(n)), strict=False))


def brevity(lines: Sequence[Line], references: Sequence[Line], apart: bool) -> Floats:
    """1, or exp(1 - r / c) for a line of c words where the reference nearest in length, the shorter one of two, has r > c."""
    lengths = Counter(map(len, references))
    found = np.ones(len(lines))
    for k, line in enumerate(lines):
        own = len(line)
        others = [r for r, count in lengths.items() if count > (apart and r == own)]
        nearest = min(others, key=lambda r: (abs(r - own), r), default=own)
        if own < nearest:
            found[k] = np.exp(1 - nearest / own) if own else 0.0
    return found
