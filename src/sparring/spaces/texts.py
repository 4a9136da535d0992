"""Lines of text as whole numbers: a vocabulary, and the length that every line is brought to."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

END, UNKNOWN, FIRST = 0, 1, 2       # tokens: the end of a line, a word that is not in the vocabulary, the first word that is
UNITS = ("character", "word")
LONGEST, MOST, LETTERS, IN_ALL = 1024, 100_000, 100, 1_000_000    # tokens of a line; words; letters of a word, and of all words, at most
MISSING = "\ufffd"                  # how an unknown word is written
# Scripts that are written without spaces between words: Han, kana and Hangul, with their punctuation.
DENSE = "\u2e80-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
BESIDE = re.compile(rf"(?<=[{DENSE}]) | (?=[{DENSE}])")
LETTER = re.compile(rf"[{DENSE}]")


@dataclass(frozen=True)
class Texts:
    """Lines of text, int32[B, length]: the tokens of each line, then END.  User units and network units are the same."""

    vocabulary: tuple[str, ...] = field(repr=False)     # of word k the token is k + FIRST; the most frequent come first
    length: int
    unit: str                                           # one of UNITS

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.length,)

    @property
    def labels(self) -> tuple[str, ...]:
        return ()

    @property
    def tokens(self) -> int:
        """How many different tokens there are."""
        return len(self.vocabulary) + FIRST

    def encode(self, values: Tensor) -> Tensor:
        return values

    def decode(self, x: Tensor) -> Tensor:
        return x

    def read(self, lines: Sequence[Sequence[str]]) -> Tensor:
        """Lines that are split into words, none longer than `length`: int32[N, length]."""
        place = {word: k for k, word in enumerate(self.vocabulary, FIRST)}
        found = np.full((len(lines), self.length), END, dtype=np.int32)
        for row, words in zip(found, lines, strict=True):
            row[:len(words)] = [place.get(word, UNKNOWN) for word in words]
        return torch.from_numpy(found)

    def write(self, x: Tensor) -> list[str]:
        """Tokens, int[B, length], as lines, up to the first END of each."""
        return [joined([self.spelled(token) for token in ended(row)], self.unit) for row in x.tolist()]

    def spelled(self, token: int) -> str:
        return self.vocabulary[token - FIRST] if token >= FIRST else MISSING


def ended(row: list[int]) -> list[int]:
    return row[:row.index(END)] if END in row else row


def words(x: Tensor) -> list[tuple[int, ...]]:
    """The tokens of each line, int[N, L], up to its END."""
    return [tuple(ended(row)) for row in x.tolist()]


def plain(line: str) -> str:
    """One spelling of each letter (Unicode's NFC), and one space where there is any white space, but none beside letters of scripts that
    have none between words."""
    return BESIDE.sub("", " ".join(unicodedata.normalize("NFC", line).split()))


def split(line: str, unit: str) -> list[str]:
    """The words or the characters of a line."""
    return list(plain(line)) if unit == "character" else unicodedata.normalize("NFC", line).split()


def joined(words: Sequence[str], unit: str) -> str:
    """The line of these words, or characters."""
    return ("" if unit == "character" else " ").join(words)


def from_plain(fields: dict[str, Any]) -> Texts:
    """The space of what stands in a config.json; TypeError for values of another form."""
    vocabulary, length, unit = (fields.pop(name, None) for name in ("vocabulary", "length", "unit"))
    if fields:
        raise TypeError(f"texts have no {next(iter(fields))}")
    if not isinstance(vocabulary, list | tuple) or not all(type(word) is str for word in vocabulary):
        raise TypeError("vocabulary should be a list of words")
    if type(length) is not int or type(unit) is not str:
        raise TypeError("length should be a whole number, and unit a word")
    return Texts(tuple(vocabulary), length, unit)


def sound(space: Texts) -> bool:
    """Whether lines can be like this: every word once, none empty or very long, and no line too long to be held."""
    return 0 < len(space.vocabulary) <= MOST and len(set(space.vocabulary)) == len(space.vocabulary) and space.unit in UNITS and \
        1 <= space.length <= LONGEST and sum(map(len, space.vocabulary)) <= IN_ALL and \
        all(0 < len(word) <= LETTERS and fits(word, space.unit) for word in space.vocabulary)


def fits(word: str, unit: str) -> bool:
    """Whether this is one character, or a word without white space."""
    return word == " " or (len(word) == 1 and not word.isspace()) if unit == "character" else word.split() == [word]
