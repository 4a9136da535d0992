"""The two sets that are compared: which samples of a source, how many, and in which units."""

import hashlib
from typing import Any

import torch
from torch import Tensor

from sparring.data.source import Arranged, Finite, Source
from sparring.errors import InputError
from sparring.rng import generator
from sparring.spaces import Clips, Curves, Images, Space, Table, Texts, TwoDomains, Vectors, to_uint8, traits_of


def judged_on(source: Source) -> tuple[Source, str]:
    """The part of a source that samples are held against, and which that is: what was held out from training, where something was."""
    if isinstance(source, Arranged):
        raise InputError("this data has several domains, and a metric compares two sets. Give the images of one domain with --real and a "
                         "folder of translations into it with --generated.")
    if not isinstance(source, Finite):
        return source, "drawn afresh"
    return (source, "the training data: nothing is held out") if source.held_out is None else (source.held_out, "held out from training")


def some(source: Source, n: int, seed: int, stream: str) -> Finite:
    """At most n samples, at random and each once, in random order; the same for the same seed and stream."""
    if not isinstance(source, Finite):
        assert not isinstance(source, Arranged), "judged_on refuses what arranges its batches itself"
        return stored(source.space, source.draw(n, generator(seed, stream)), None)
    index = chosen_rows(source, n, seed, stream)
    return Finite(source.space, source.values[index], None if source.labels is None else source.labels[index])


def chosen_rows(source: Finite, n: int, seed: int, stream: str) -> Tensor:
    """Which samples these are: int64[n]."""
    return torch.randperm(len(source), generator=generator(seed, stream))[:n]


def labels_like(source: Source, n: int, seed: int, stream: str = "labels") -> Tensor | None:
    """The labels of n samples of the part that is judged on, at random and each once before any comes again: what generated samples are
    asked to be, so that both sets mix the classes alike.  None where samples have no labels."""
    part = judged_on(source)[0]
    if not isinstance(part, Finite) or part.labels is None:
        return None
    return part.labels[chosen_rows(part, len(part), seed, stream)[torch.arange(n) % len(part)]]


def stored(space: Space, samples: Tensor, labels: Tensor | None) -> Finite:
    """Samples in user units as a data set keeps them: images rounded to 8 bits, as they are in any file of them."""
    if isinstance(space, Images):
        return Finite(space, samples if samples.dtype == torch.uint8 else to_uint8(samples), labels)
    return Finite(space, space.encode(samples.double()).float(), labels)


def in_units_of(space: Space, source: Source, n: int, seed: int, stream: str) -> Finite:
    """At most n samples of another source as samples of this space, with its classes where they have the same names; InputError
    when they are of another kind or shape."""
    if isinstance(source.space, Images) != isinstance(space, Images) or source.space.shape != space.shape:
        raise InputError(f"the generated samples are {kind(source.space)}, and the real ones {kind(space)}. Give sets of the same kind and "
                         f"shape.")
    found = some(source, n, seed, stream)
    same = source.space.labels == space.labels and traits_of(source.space) == traits_of(space)
    labels = found.labels if same else None
    if isinstance(space, Images) or source.space == space:
        return Finite(space, found.values, labels)
    return stored(space, source.space.decode(seen(found)), labels)


def in_both(a: Finite, b: Finite) -> int:
    """How many samples of the second set are in the first one too, to the last bit."""
    mine = prints(b)
    return sum(mine.count(one) for one in set(prints(a)) & set(mine))


def copies(a: Finite) -> int:
    """How many samples are copies of another."""
    return len(a) - len(set(prints(a)))


def values_apart(real: Finite, generated: Finite) -> list[dict[str, Any]]:
    """Of each column of numbers, the share of values that are different from all others, in both sets; nothing for images."""
    if isinstance(real.space, Images):
        return []
    a, b = seen(real), seen(generated)
    named = real.space.columns if isinstance(real.space, Vectors) else ()
    return [{"column": named[k] if named else k, "real": len(a[:, k].unique()) / len(a), "generated": len(b[:, k].unique()) / len(b)}
            for k in range(a.shape[1])]


def fewer_values(distinct: list[dict[str, Any]], factor: float = 2.0) -> list[str]:
    """What is to be said of columns in which one set has far fewer different values than the other, a sentence each."""
    return [f"column {one['column']}: {one['generated']:.1%} of its generated values are distinct, and {one['real']:.1%} of the real ones"
            for one in distinct if max(one["real"], one["generated"]) > factor * min(one["real"], one["generated"])]


def prints(source: Finite) -> list[bytes]:
    """What tells each sample from others."""
    return [hashlib.blake2b(row.numpy().tobytes(), digest_size=16).digest()
            for part in torch.arange(len(source)).split(1000) for row in source.values[part]]


def kind(space: Space) -> str:
    match space:
        case Images(channels, height, width):
            return f"images of {height}x{width} with {channels} channel(s)"
        case Curves() | Vectors():
            return f"vectors of {space.shape[0]} numbers"
        case TwoDomains():
            return "images of two domains"
        case Clips():
            return "clips"
        case Table(columns):
            return f"rows of {len(columns)} columns"
        case Texts():
            return f"lines of at most {space.length} {space.unit}s"


def seen(source: Finite) -> Tensor:
    """Every sample in network units, float[N, *shape]."""
    return source.at(torch.arange(len(source))).x
