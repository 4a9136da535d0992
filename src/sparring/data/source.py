"""Where samples come from, and endless, seekable batches of them.

A source is `Finite` (values in memory), knows how to `draw` fresh samples, or arranges its batches itself.  Batch number i is a function of
(seed, i) alone: whoever knows the step knows the data.
"""

import hashlib
import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from sparring.errors import InputError
from sparring.rng import generator
from sparring.spaces import Images, Space, Table, TwoDomains, Vectors, traits_of

EVERY = slice(None)
READERS = min(4, max(2, (os.cpu_count() or 1) // 4))   # threads that read batches ahead from where they are stored
BLOCK = 64   # batches of an endless source that are drawn together: one generator and one draw for all of them


class Batch(NamedTuple):
    """Samples in network units, and their labels when the data has any."""

    x: Tensor                       # float[B, *space.shape]
    labels: Tensor | None = None    # int64[B], or float[B, K] where a sample has several labels or measured ones


class Pair(NamedTuple):
    """Images of two domains in network units; of aligned ones, a[i] and b[i] show the same thing."""

    a: Tensor                       # float[B, C, H, W]
    b: Tensor


@runtime_checkable
class Endless(Protocol):
    """A distribution that can be drawn from for ever."""

    @property
    def space(self) -> Space: ...

    @property
    def fingerprint(self) -> str: ...

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """n fresh samples in user units, float[n, *space.shape]."""
        ...


class Rows(Protocol):
    """Values that are read when they are asked for."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    def __getitem__(self, rows: Tensor) -> Tensor:
        """The values at these positions; on any thread."""
        ...

    def ahead(self, workers: int) -> AbstractContextManager[Callable[[Tensor], Tensor]]:
        """The same for several threads at once, as long as the context lasts."""
        ...

    def digest(self) -> bytes:
        """What tells these values from others."""
        ...


@runtime_checkable
class Conditioned(Rows, Protocol):
    """Rows that are drawn by conditions: what is asked of the generator, and rows that fulfil it."""

    def chosen(self, size: int, seed: int, start: int) -> Iterator[tuple[Tensor, Tensor | None]]:
        """The positions of batches start, start + 1, ... and their conditions, int64[size]; a function of (seed, number) alone."""
        ...


class Finite:
    """A data set that ends, in memory or read when it is needed.

    `values` are in storage units: uint8 for images, network units (float32) for everything else.
    `held_out` is a part that training never sees, for scores; `notes` say what was done on reading
    (skipped files and why, resizing, alpha) and are shown to the user once.  Those of them that tell what was left out or assumed,
    `odd`, are shown even where nobody watches.
    """

    def __init__(self, space: Space, values: Tensor | Rows, labels: Tensor | None = None, *,
                 held_out: "Finite | None" = None, notes: tuple[str, ...] = (), odd: tuple[str, ...] = ()) -> None:
        assert tuple(values.shape[1:]) == space.shape, (values.shape, space)
        dtype = torch.int64 if traits_of(space) is None else torch.float32
        assert labels is None or (len(labels) == values.shape[0] and labels.dtype == dtype)
        self.space, self.labels = counted(space, labels), labels
        self.values: Tensor | Rows = values.contiguous() if isinstance(values, Tensor) else values
        self.held_out, self.odd = held_out, odd
        self.notes = (*notes, *(note for note in odd if note not in notes))

    def __len__(self) -> int:
        return self.values.shape[0]

    @property
    def fingerprint(self) -> str:
        """sha256 of every value and label."""
        digest = hashlib.sha256(repr((self.space, tuple(self.values.shape))).encode())
        digest.update(b"" if (traits := traits_of(self.space)) is None else repr(traits).encode())
        digest.update(self.values.numpy().data.cast("B") if isinstance(self.values, Tensor) else self.values.digest())
        if self.labels is not None:
            digest.update(self.labels.numpy().data.cast("B"))
        return digest.hexdigest()

    def at(self, index: Tensor, read: Callable[[Tensor], Tensor] | None = None) -> Batch:
        """The samples at these positions, in network units; `read` is another way to get at the values."""
        values = self.values[index] if read is None else read(index)
        x = self.space.encode(values) if values.dtype == torch.uint8 else values
        return Batch(x, None if self.labels is None else self.labels[index])


def counted(space: Space, labels: Tensor | None) -> Space:
    """The space with the share of each class among these labels; as it is where there are none, or several a sample."""
    if labels is None or labels.is_floating_point() or not len(labels) or not isinstance(space, Vectors | Images):
        return space
    if int(labels.min()) < 0 or int(labels.max()) >= len(space.labels):    # of a file that is damaged, which is found later
        return space
    share = torch.bincount(labels, minlength=len(space.labels)).double() / len(labels)
    return replace(space, shares=tuple(share.tolist()))


Piece = Callable[[], list[Any]]         # makes the next few batches, whenever it is called and on whatever thread


class Arranged(ABC):
    """A data set that arranges its batches itself: several sets at once, or images that vary from epoch to epoch."""

    space: Space
    notes: tuple[str, ...]
    odd: tuple[str, ...] = ()

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """What tells this data from other data, and from the same arranged otherwise."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def pieces(self, size: int, seed: int, start: int, rows: slice) -> Iterator[Piece]:
        """What makes batches start, start + 1, ...; batch number i is a function of (seed, i) alone."""

    @abstractmethod
    def examples(self, n: int, seed: int) -> Any:
        """At most n samples as they are, of those that training never sees where there are any: the same for the same seed."""


Source = Finite | Endless | Arranged


def batches(source: Source, size: int, seed: int, start: int = 0, workers: int = 0,
            rows: slice = EVERY) -> Generator[Any]:
    """Batches start, start + 1, ... of the source, for ever; `workers` threads make them ahead, in the same order.

    `rows` are those of each batch that are wanted, for one of several processes that share it.
    A finite source is shuffled anew in every epoch and every sample is seen once an epoch.
    InputError when it holds fewer samples than one batch.
    """
    if isinstance(source, Finite | Arranged):
        if len(source) == 1:
            raise InputError("the data has only 1 sample. Give more data.")
        if len(source) < size:
            raise InputError(f"the data has {len(source)} samples, fewer than one batch of {size}. "
                             f"Give more data, or a smaller batch: batch={max(1, len(source) // 2)}.")
        if isinstance(source, Arranged):
            pieces = source.pieces(size, seed, start, rows)
        elif isinstance(source.values, Conditioned):
            pieces = _asked(source.values, size, seed, start, rows)
        elif workers and not isinstance(source.values, Tensor):
            return _read_ahead(source, source.values, size, seed, start, workers, rows)
        else:
            pieces = _shuffled(source, size, seed, start, rows)
    else:
        pieces = _fresh(source, size, seed, start, rows)
    return _ahead(pieces, workers) if workers else (batch for piece in pieces for batch in piece())


def workers_for(source: Source) -> int:
    """How many threads should make batches ahead, when nobody says: none for what costs nothing."""
    return READERS if isinstance(source, Finite) and not isinstance(source.values, Tensor | Conditioned) else 0


def _read_ahead(source: Finite, values: Rows, size: int, seed: int, start: int, workers: int, rows: slice) -> Generator[Batch]:
    with values.ahead(workers) as read, closing(_ahead(_shuffled(source, size, seed, start, rows, read), workers)) as stream:
        yield from stream


def _ahead(pieces: Iterator[Piece], workers: int) -> Generator[Batch]:
    """The pieces' batches in their order, made by threads before they are asked for."""
    with ThreadPoolExecutor(workers, thread_name_prefix="sparring-data") as pool:
        waiting = deque(pool.submit(piece) for piece in islice(pieces, 2 * workers))
        try:
            while True:
                yield from waiting.popleft().result()
                waiting.append(pool.submit(next(pieces)))
        finally:
            pool.shutdown(cancel_futures=True)


def _fresh(source: Endless, size: int, seed: int, start: int, rows: slice) -> Iterator[Piece]:
    def piece(block: int, offset: int) -> list[Batch]:
        values = source.space.encode(source.draw(size * BLOCK, generator(seed, "data", block)))
        return [Batch(x[rows]) for x in values.view(BLOCK, size, *values.shape[1:]).unbind()[offset:]]

    block, offset = divmod(start, BLOCK)
    while True:
        yield partial(piece, block, offset)
        block, offset = block + 1, 0


def _shuffled(source: Finite, size: int, seed: int, start: int, rows: slice,
              read: Callable[[Tensor], Tensor] | None = None) -> Iterator[Piece]:
    for index in orders(len(source), size, seed, start):
        yield partial(lambda chosen: [source.at(chosen, read)], index[rows])


def _asked(values: Conditioned, size: int, seed: int, start: int, rows: slice) -> Iterator[Piece]:
    def piece(index: Tensor, conditions: Tensor | None) -> list[Batch]:
        return [Batch(values[index[rows]], None if conditions is None else conditions[rows])]

    for index, conditions in values.chosen(size, seed, start):
        yield partial(piece, index, conditions)


def orders(n: int, size: int, seed: int, start: int, stream: str = "epoch") -> Iterator[Tensor]:
    """Which of n samples batches start, start + 1, ... hold, int64[size] each: shuffled anew in every epoch."""
    epoch, offset = divmod(start * size, n)
    order = torch.randperm(n, generator=generator(seed, stream, epoch))
    while True:
        index = order[offset:offset + size]
        offset += size
        if offset >= n:                                  # the rest of this batch opens the next epoch
            epoch, offset = epoch + 1, offset - n
            order = torch.randperm(n, generator=generator(seed, stream, epoch))
            index = torch.cat([index, order[:offset]])
        yield index


def blank(space: Space, n: int, device: torch.device, labelled: bool) -> Any:
    """A batch of zeros such as a source of this space gives, to try a loss on."""
    if isinstance(space, TwoDomains):
        return Pair(*(torch.zeros(n, *half.shape, device=device) for half in (space.a, space.b)))
    labelled = labelled or isinstance(space, Table)             # by conditions
    return Batch(torch.zeros(n, *space.shape, device=device), torch.zeros(n, dtype=torch.int64, device=device) if labelled else None)
