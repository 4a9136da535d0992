"""Quatrains: whether a poem has their form and rhymes, verses that stand in others, an n-gram model to compare with, and how far two poems
differ."""

import importlib
import importlib.util
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import cache

from benchmarks.record import DATA

HAN = "[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]"
INNER, LAST = "，。？！；、", "。？！"
FORM = re.compile("|".join(f"(?:{HAN}{{{n}}}[{INNER}]{HAN}{{{n}}}[{LAST}]){{2}}" for n in (5, 7)))
BREAK = re.compile(f"[{INNER}]")
LEAST = 0.1                 # the smallest discount, for what was never seen
END = ""                    # what a poem ends with, and begins after


def poems(most: int | None = None) -> list[str]:
    """Tang quatrains of five characters a line, each once, without spaces."""
    lines = (DATA / "text" / "shi.txt").read_text(encoding="utf-8").splitlines()
    return list(dict.fromkeys("".join(line.split()) for line in lines))[:most]


def formed(poem: str) -> bool:
    """Whether these are four lines of five characters, or of seven, with a mark after each and a full one after the second and fourth."""
    return FORM.fullmatch(poem) is not None


def verses(lines: Iterable[str]) -> list[str]:
    return [verse for line in lines for verse in BREAK.split(line) if verse]


def finals() -> bool:
    """Whether the table of finals is here: the package pypinyin, which is not needed for anything else."""
    return importlib.util.find_spec("pypinyin") is not None


@cache
def final(character: str) -> frozenset[str]:
    """The finals of all readings of a character in modern Mandarin, by pypinyin's table.  Sounds have changed since the Tang, so not all
    lines that rhymed then share a final now, and a few do that did not rhyme."""
    pypinyin = importlib.import_module("pypinyin")
    return frozenset(pypinyin.pinyin(character, style=pypinyin.Style.FINALS, heteronym=True, strict=False)[0])


def rhymed(poem: str) -> bool:
    """Whether the last characters of verses 2 and 4 can be read with the same final."""
    lines = verses([poem])
    return len(lines) == 4 and bool(final(lines[1][-1]) & final(lines[3][-1]))


def distance(a: Sequence[object], b: Sequence[object]) -> int:
    """How many characters must be put in, taken out or changed (Levenshtein, 1966)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


class Grams:
    """An n-gram model with interpolated Kneser-Ney smoothing (Kneser and Ney, 1995; Chen and Goodman, 1999), one discount an order.

    `words` are all that there may be, with END.
    """

    def __init__(self, lines: Iterable[Sequence[str]], words: Iterable[str], order: int = 3) -> None:
        self.order, self.words = order, {*words, END}
        counts: list[dict[tuple[str, ...], Counter[str]]] = [defaultdict(Counter) for _ in range(order)]
        for line in lines:
            whole = [*[END] * (order - 1), *line, END]
            for k in range(order - 1, len(whole)):
                counts[-1][tuple(whole[k - order + 1:k])][whole[k]] += 1
        for n in range(order - 1, 0, -1):                       # after how many different words, not how often
            for before, after in counts[n].items():
                for word in after:
                    counts[n - 1][before[1:]][word] += 1
        self.counts, self.discounts = counts, []
        for table in counts:
            ones, twos = (sum(count == k for after in table.values() for count in after.values()) for k in (1, 2))
            self.discounts.append(min(1.0, max(LEAST, ones / max(1, ones + 2 * twos))))

    def p(self, before: tuple[str, ...], word: str) -> float:
        """p(word | the words before it)."""
        lower = self.p(before[1:], word) if before else 1 / len(self.words)
        after = self.counts[len(before)].get(before)
        if not after:
            return lower
        total, discount = after.total(), self.discounts[len(before)]
        return max(after[word] - discount, 0) / total + discount * len(after) / total * lower

    def nats(self, lines: Sequence[Sequence[str]]) -> float:
        """Nats a word, END counted."""
        found = words = 0.0
        for line in lines:
            whole = [*[END] * (self.order - 1), *line, END]
            for k in range(self.order - 1, len(whole)):
                found -= math.log(self.p(tuple(whole[k - self.order + 1:k]), whole[k]))
                words += 1
        return found / words
