"""The command `data` for lines of text: how they are split, how long they are, which words there are, and what is odd."""

from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sparring.data.images.findings import sentence
from sparring.data.opening import existing
from sparring.data.source import Finite
from sparring.data.text.files import only_text
from sparring.data.text.lines import TextSettings, open_text
from sparring.errors import listed
from sparring.nets.text import alive
from sparring.rng import generator
from sparring.spaces import Texts
from sparring.spaces.texts import END, FIRST, MISSING, UNKNOWN

MADE = "sentences"
SHOWN, FREQUENT, LENGTHS = 5, 10, 3     # lines, words and lengths that are shown
MANY, RARE = 0.05, 0.5                  # share of unknown words, and of words that come once, from which they are told


def lines_in(source: str) -> Finite | None:
    """The lines of a .txt file, or of a folder of nothing else, as a run would read them with none held out; None for other data."""
    if source != MADE and not (Path(source).expanduser().exists() and only_text(existing(source))):
        return None
    return open_text(source, TextSettings(held_out=0))


def described(name: str, source: Finite, seed: int) -> dict[str, Any]:
    """The table and the findings; `usable` by the recipes for text."""
    space, x = source.space, source.values
    assert isinstance(space, Texts) and isinstance(x, Tensor)
    count = torch.bincount(x.flatten(), minlength=space.tokens)
    lengths = (alive(x).bool() & (x != END)).sum(1)
    unknown, copies = int(count[UNKNOWN]), len(x) - len(x.unique(dim=0))
    words, unit = int(lengths.sum()), space.unit
    usual = Counter(lengths.tolist()).most_common(LENGTHS)
    some = space.write(x[torch.randperm(len(x), generator=generator(seed, "contact sheet"))[:SHOWN]])
    rows = [("lines", f"{len(x):,}"), (f"{unit}s", f"{words:,}"),
            ("length", f"{int(lengths.min()):,} to {int(lengths.max()):,} {unit}s, {int(lengths.median()):,} in the middle; most often "
             + ", ".join(f"{length} ({n / len(x):.0%})" for length, n in usual)),
            ("most frequent", " ".join(space.vocabulary[:FREQUENT])), ("copies", f"{copies:,} lines" if copies else "none")]
    notes = [note for note in source.notes if note not in source.odd and "held out" not in note]
    said = [*map(sentence, source.odd), *findings(space, count, words)]
    lines = [name, *(f"{what:<17}{value}" for what, value in rows), *notes, "", *([f"- {line}" for line in said] or ["No problems found."]),
             "", *(f"  {line}" for line in some), "", f"To learn from it: sparring train seqgan --data {name}"]
    return {"source": name, "kind": "text", "lines": len(x), "unit": unit, "words": words, "vocabulary": len(space.vocabulary),
            "unknown": unknown, "longest": int(lengths.max()), "exact_duplicates": copies, "examples": some, "notes": notes,
            "findings": said, "usable": True, "pictures": [], "text": "\n".join(lines)}


def findings(space: Texts, count: Tensor, words: int) -> list[str]:
    """What of the words makes training hard."""
    said, share, unit = list[str](), int(count[UNKNOWN]) / max(1, words), space.unit
    once = [space.vocabulary[k] for k in (count[FIRST:] == 1).nonzero()[:, 0].tolist()]
    if share > MANY:
        said.append(f"{share:.0%} of the {unit}s are unknown. Give a larger vocabulary=, or unit=character.")
    if len(once) > RARE * len(space.vocabulary):
        said.append(f"{len(once):,} of {len(space.vocabulary):,} {unit}s come once ({listed(once, 3)}), of which little can be learned. "
                    "A smaller vocabulary= leaves them out.")
    if any(MISSING in word for word in space.vocabulary):
        said.append(f"There are letters {MISSING}, which stand for letters that were lost when the text was saved. Get it again.")
    return said
