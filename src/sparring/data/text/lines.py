"""Lines of text as a source: what a word is, which words there are, and how long lines may be."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field

from sparring.data.builtin.sentences import sentences
from sparring.data.settings import check_memory
from sparring.data.source import Finite
from sparring.data.tables.mixed_text import from_python, is_frame
from sparring.data.text.files import KINDS, cells_in, lines_at
from sparring.errors import InputError, listed, shown
from sparring.rng import generator
from sparring.spaces import check
from sparring.spaces.texts import LETTER, LETTERS, LONGEST, MOST, UNKNOWN, Texts, split

SHORT, USUAL, SHARE = 64, 256, 0.98     # tokens of a line: kept whatever they are, settled on at most, and the share of lines that fit
LEAST = 2                               # lines that are held out, where any are


class TextSettings(BaseModel):
    """How lines are split, and how many are held out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: Literal["auto", "character", "word"] = Field(
        default="auto", description="What a line is split into; auto: characters where most letters are Chinese, Japanese or Korean, else "
        "words, which are what stands between spaces.")
    vocabulary: int = Field(default=5000, ge=1, le=MOST, description="The most frequent words, or characters, that are kept; all others "
                            "count as one unknown word, which is never drawn.")
    length: int = Field(default=0, ge=0, le=LONGEST, description="The longest line, in words or characters; longer ones are left out. 0: "
                        f"the longest that there is, up to {SHORT}; beyond, so that 98 % of the lines fit, {USUAL} at most.")
    column: str = Field(default="", description="The column of a table that holds the text, a line in each cell; needed where there are "
                        "several.")
    held_out: float = Field(default=0.1, ge=0, le=0.9, description="Share of the lines that training never sees, to score by.")


def open_text(data: Any, settings: TextSettings) -> Finite:
    """Lines of text: the path of a .txt file, of a folder of them or of a table, a data frame, a list of lines, or "sentences", which are
    made up.

    InputError for what is none, and where fewer than two lines are left.
    """
    if isinstance(data, Finite) and isinstance(data.space, Texts):
        if settings != TextSettings():
            raise InputError("a source in memory is used as it is. Leave unit, vocabulary, length, column and held_out out.")
        return data
    lines, what = lines_from(data, settings.column)
    kept = [line for line in lines if line.strip()]
    if len(kept) < 2:
        raise InputError(f"{what} has {['no line', 'one line'][len(kept)]} with text in it, of which nothing can be learned. Give "
                         f"{KINDS}.")
    unit, why = (unit_of(kept), "as found") if settings.unit == "auto" else (settings.unit, "as asked for")
    words = [split(line, unit) for line in kept]
    length = length_of(words, settings.length, what, unit)
    short = [one for one in words if len(one) <= length]
    if len(short) < 2:
        raise InputError(f"{what}: {len(short)} of {len(words):,} lines have at most length={length} {unit}s. Give a larger length.")
    return source_of(short, length, unit, settings, [
        *([f"{len(lines) - len(kept):,} empty lines were left out"] if len(kept) < len(lines) else []),
        *([f"{len(words) - len(short):,} of {len(words):,} lines are longer than {length} {unit}s, up to {max(map(len, words)):,}, and "
           "were left out; length= changes this"] if len(short) < len(words) else [])], f"split into {unit}s ({why})")


def read_as(space: Texts, data: Any, column: str = "") -> Finite:
    """Other lines in the words of a model, none held out; those that are longer than its lines are left out.  InputError where hardly any
    are left."""
    if isinstance(data, Finite) and data.space == space:
        return data
    lines, what = lines_from(data, column)
    found = [split(line, space.unit) for line in lines if line.strip()]
    short = [one for one in found if len(one) <= space.length]
    if len(short) < 2:
        raise InputError(f"{what}: {len(short)} of {len(found):,} lines have at most {space.length} {space.unit}s, the length of this "
                         "model's lines. Give others.")
    values = space.read(short)
    unknown = int((values == UNKNOWN).sum())
    odd = [f"{len(found) - len(short):,} of {len(found):,} lines are longer than this model's, {space.length} {space.unit}s, and were left "
           "out"] * (len(short) < len(found))
    odd += [f"{unknown:,} of {sum(map(len, short)):,} {space.unit}s are not in the model's vocabulary"] * bool(unknown)
    return Finite(space, values, notes=tuple(odd), odd=tuple(odd))


def lines_from(data: Any, column: str = "") -> tuple[list[str], str]:
    if isinstance(data, str | Path) and data != "sentences":
        return lines_at(data, column)
    if is_frame(data):
        return cells_in(from_python(data), column)
    if isinstance(data, str):
        return sentences(), "sentences"
    if isinstance(data, list | tuple) and data and all(isinstance(line, str) for line in data):
        return list(data), f"the list of {len(data):,} lines"
    raise InputError(f"the data is {shown(type(data).__name__)}; expected lines of text. Give {KINDS}, or a list of strings.")


def unit_of(lines: Sequence[str]) -> str:
    """Characters where most letters are of a script that has no spaces between words."""
    text = "".join(lines[:1000])
    letters = sum(map(str.isalpha, text))
    return "character" if 2 * len(LETTER.findall(text)) > max(1, letters) else "word"


def length_of(words: Sequence[Sequence[str]], asked: int, what: str, unit: str) -> int:
    """The longest line, as asked for, or one that nearly all lines fit into.  InputError where hardly any would."""
    if asked:
        return asked
    sizes = sorted(map(len, words))
    length = sizes[-1] if sizes[-1] <= SHORT else min(USUAL, sizes[int(SHARE * (len(sizes) - 1))])
    if sizes[len(sizes) // 2] > length:
        raise InputError(f"{what}: half of the lines are longer than {length} {unit}s, the longest has {sizes[-1]:,}. A line is one "
                         f"sample: put each sentence or verse on a line of its own, or give length=, at most {LONGEST}.")
    return length


def source_of(words: list[list[str]], length: int, unit: str, settings: TextSettings, odd: list[str], said: str) -> Finite:
    """The tokens of these lines, a share of them held out; the vocabulary is that of the others."""
    n = len(words)
    check_memory(4 * n * length, f"{n:,} lines of {length} {unit}s", "Give fewer lines, or a smaller length.")
    order = torch.randperm(n, generator=generator(0, "held out lines")).tolist()
    out = round(settings.held_out * n)
    out = out if LEAST <= out <= n - 2 else 0
    apart, learned = ([words[k] for k in sorted(part)] for part in (order[:out], order[out:]))
    count = Counter(word for one in learned for word in one)
    ranked = sorted((word for word in count if len(word) <= LETTERS), key=lambda word: (-count[word], word))
    space = Texts(tuple(ranked[:settings.vocabulary]), length, unit)
    check(space)
    values = space.read(learned)
    unknown, every = int((values == UNKNOWN).sum()), count.total()
    copies = n - len({tuple(one) for one in words})
    notes = [said, f"longest line: {length} {unit}s", f"vocabulary: {len(space.vocabulary):,} of {len(count):,} different {unit}s" +
             (f"; all others are unknown, {unknown:,} of {every:,} ({unknown / every:.2%})" if unknown else ""),
             f"{out:,} lines are held out from training" if out else "no lines are held out from training"]
    odd = [*odd, *([f"{copies:,} lines are copies of others; some may stand in both parts"] if copies else [])]
    long = [word for word in count if len(word) > LETTERS]
    odd += [f"these {unit}s are too long to be kept: {listed(long, 3)}"] if long else []
    return Finite(space, values, notes=tuple(notes), odd=tuple(odd), held_out=Finite(space, space.read(apart)) if out else None)
