"""Images of two domains, or of many, in batches that vary from epoch to epoch: a crop and a mirror image, keyed by the batch."""

import hashlib
from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import NamedTuple

import torch
from torch import Tensor

from sparring.data.source import Arranged, Batch, Finite, Pair, Piece, orders
from sparring.rng import generator
from sparring.spaces import Images, TwoDomains


class Variation(NamedTuple):
    """To which size images are cropped at random, and whether half of them are mirrored."""

    height: int
    width: int
    flip: bool = False

    def draw(self, n: int, have: tuple[int, int], rng: torch.Generator) -> Tensor:
        """For n images of a size (height, width): top, left and mirrored or not, int64[n, 3]."""
        room = torch.tensor([have[0] - self.height + 1, have[1] - self.width + 1, 2 if self.flip else 1])
        return (torch.rand(n, 3, generator=rng) * room).long()

    def centre(self, n: int, have: tuple[int, int]) -> Tensor:
        """The same for images that are looked at: the middle, not mirrored."""
        return torch.tensor([(have[0] - self.height) // 2, (have[1] - self.width) // 2, 0]).expand(n, 3)

    def apply(self, values: Tensor, places: Tensor) -> Tensor:
        """uint8[B, C, H + room, W + room] to uint8[B, C, H, W]."""
        cut = [one[:, top:top + self.height, left:left + self.width] for one, (top, left, _) in zip(values, places.tolist(), strict=True)]
        return torch.stack([one.flip(-1) if flipped else one for one, flipped in zip(cut, places[:, 2].tolist(), strict=True)])


def side(images: Finite) -> tuple[int, int]:
    assert isinstance(images.space, Images)
    return images.space.height, images.space.width


class TwoSets(Arranged):
    """Two sets of images, each at least as large as the space says; when aligned, a[i] and b[i] show the same thing.

    Aligned images are cropped and mirrored alike; others are shuffled, cropped and mirrored each on their own.
    `held_out` sets are of the space's size.
    """

    space: TwoDomains

    def __init__(self, a: Finite, b: Finite, space: TwoDomains, *, flip: bool = False,
                 held_out: tuple[Finite, Finite] | None = None, notes: tuple[str, ...] = (), odd: tuple[str, ...] = ()) -> None:
        assert not space.aligned or (len(a) == len(b) and side(a) == side(b))
        self.a, self.b, self.space, self.held_out = a, b, space, held_out
        self.notes, self.odd = (*notes, *(note for note in odd if note not in notes)), odd
        self.variation = Variation(space.a.height, space.a.width, flip)

    def __len__(self) -> int:
        return min(len(self.a), len(self.b))

    @property
    def fingerprint(self) -> str:
        parts = [self.a.fingerprint, self.b.fingerprint, repr((self.space, self.variation))]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def pieces(self, size: int, seed: int, start: int, rows: slice) -> Iterator[Piece]:
        others = self.space.aligned
        first = orders(len(self.a), size, seed, start)
        second = orders(len(self.b), size, seed, start, "epoch" if others else "epoch of b")
        for number, i, j in zip(count(start), first, second, strict=False):
            yield partial(self._piece, number, i, j, seed, rows)

    def _piece(self, number: int, i: Tensor, j: Tensor, seed: int, rows: slice) -> list[Pair]:
        places = self.variation.draw(len(i), side(self.a), generator(seed, "vary", number))
        others = places if self.space.aligned else self.variation.draw(len(j), side(self.b), generator(seed, "vary b", number))
        return [Pair(self._cut(self.a, i[rows], places[rows]), self._cut(self.b, j[rows], others[rows]))]

    def _cut(self, images: Finite, index: Tensor, places: Tensor) -> Tensor:
        return self.space.encode(self.variation.apply(images.values[index], places))

    def examples(self, n: int, seed: int) -> Pair:
        """At most n of each; of aligned ones, the same of both."""
        a, b = self.held_out or (self.a, self.b)
        i = torch.randperm(len(a), generator=generator(seed, "examples"))[:n]
        j = i if self.space.aligned else torch.randperm(len(b), generator=generator(seed, "examples of b"))[:n]
        return Pair(*(self._cut(images, index, self.variation.centre(len(index), side(images)))
                      for images, index in ((a, i), (b, j))))

    def parted(self) -> "TwoSets":
        """The same images without knowing which belong together."""
        space = TwoDomains(self.space.a, self.space.b, self.space.names, aligned=False)
        return TwoSets(self.a, self.b, space, flip=self.variation.flip, held_out=self.held_out, notes=self.notes, odd=self.odd)


class Domains(Arranged):
    """Images of several domains, their labels, cropped and mirrored at random; `held_out` ones are of the space's size."""

    space: Images

    def __init__(self, images: Finite, space: Images, *, flip: bool = False, held_out: Finite | None = None,
                 notes: tuple[str, ...] = (), odd: tuple[str, ...] = ()) -> None:
        assert images.labels is not None
        self.images, self.space, self.held_out = images, space, held_out
        self.notes, self.odd = (*notes, *(note for note in odd if note not in notes)), odd
        self.labels = images.labels
        self.variation = Variation(space.height, space.width, flip)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"{self.images.fingerprint}\n{(self.space, self.variation)!r}".encode()).hexdigest()

    def pieces(self, size: int, seed: int, start: int, rows: slice) -> Iterator[Piece]:
        for number, index in zip(count(start), orders(len(self), size, seed, start), strict=False):
            yield partial(self._piece, number, index, seed, rows)

    def _piece(self, number: int, index: Tensor, seed: int, rows: slice) -> list[Batch]:
        places = self.variation.draw(len(index), side(self.images), generator(seed, "vary", number))
        values = self.variation.apply(self.images.values[index[rows]], places[rows])
        return [Batch(self.space.encode(values), self.labels[index[rows]])]

    def examples(self, n: int, seed: int) -> Batch:
        """At most n, each domain as often as it occurs."""
        images = self.held_out or self.images
        index = torch.randperm(len(images), generator=generator(seed, "examples"))[:n]
        values = self.variation.apply(images.values[index], self.variation.centre(len(index), side(images)))
        assert images.labels is not None
        return Batch(self.space.encode(values), images.labels[index])
