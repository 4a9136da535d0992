"""Clips as what motion is learned from: a source frame and a driving frame of the same clip, keyed by the batch."""

import hashlib
from collections.abc import Iterator
from functools import partial
from itertools import count

import torch
from torch import Tensor

from sparring.data.source import Arranged, Batch, Piece, Rows, orders
from sparring.rng import generator
from sparring.spaces import Clips


class FramePairs(Arranged):
    """Pairs of frames of clips of two frames or more, float[B, 2, C, H, W].

    `frames` uint8[N, C, H, W] are those of all clips, one clip after the other, as long as `lengths` int64[clips] says.  In an epoch every
    frame is the source frame once; the driving frame is any other frame of its clip.  With `flip`, half of the pairs are mirrored, both
    frames alike.  `held_out` are clips that training never sees.
    """

    space: Clips

    def __init__(self, frames: Tensor | Rows, lengths: Tensor, space: Clips, *, flip: bool = False, held_out: "FramePairs | None" = None,
                 names: tuple[str, ...] = (), notes: tuple[str, ...] = (), odd: tuple[str, ...] = ()) -> None:
        assert tuple(frames.shape) == (int(lengths.sum()), *space.frame.shape), (frames.shape, lengths.sum(), space)
        assert int(lengths.min()) >= 2
        self.frames, self.lengths, self.space, self.flip, self.held_out = frames, lengths, space, flip, held_out
        self.names, self.notes, self.odd = names, (*notes, *(note for note in odd if note not in notes)), odd
        self.starts = lengths.cumsum(0) - lengths

    def __len__(self) -> int:
        return self.frames.shape[0]

    @property
    def fingerprint(self) -> str:
        """sha256 of every frame, of where clips begin and of how they are varied."""
        digest = hashlib.sha256(repr((self.space, self.lengths.tolist(), self.flip)).encode())
        digest.update(self.frames.numpy().data.cast("B") if isinstance(self.frames, Tensor) else self.frames.digest())
        return digest.hexdigest()

    def clip(self, number: int) -> Tensor:
        """All frames of one clip in network units, float[T, C, H, W]."""
        first = int(self.starts[number])
        return self.space.encode(self.frames[torch.arange(first, first + int(self.lengths[number]))])

    def pieces(self, size: int, seed: int, start: int, rows: slice) -> Iterator[Piece]:
        for number, index in zip(count(start), orders(len(self), size, seed, start), strict=False):
            yield partial(self._piece, number, index, seed, rows)

    def _piece(self, number: int, index: Tensor, seed: int, rows: slice) -> list[Batch]:
        draw = torch.rand(2, len(index), generator=generator(seed, "driving", number))
        pairs = torch.stack([index, self.other(index, draw[0])], 1)[rows]
        x = self._read(pairs)
        mirrored = (draw[1] < 0.5)[rows, None, None, None, None]
        return [Batch(torch.where(mirrored, x.flip(-1), x) if self.flip else x)]

    def other(self, index: Tensor, draw: Tensor) -> Tensor:
        """For each frame, another of the same clip, evenly over those, by numbers in [0, 1)."""
        which = torch.searchsorted(self.starts, index, right=True) - 1
        first, length = self.starts[which], self.lengths[which]
        steps = 1 + (draw * (length - 1)).long().clamp(max=length - 2)       # 1 to length - 1: never back to the frame itself
        return first + (index - first + steps) % length

    def _read(self, pairs: Tensor) -> Tensor:
        """float[n, 2, C, H, W] of positions int64[n, 2]."""
        return self.space.encode(self.frames[pairs.flatten()]).unflatten(0, tuple(pairs.shape))

    def examples(self, n: int, seed: int) -> Batch:
        """At most n pairs of a clip's first frame and another one, of held-out clips where there are such: one a clip, then more."""
        clips = self.held_out or self
        rng = generator(seed, "examples")
        few = min(n, len(clips) - len(clips.lengths))
        which = torch.cat([torch.randperm(len(clips.lengths), generator=rng) for _ in range(-(-few // len(clips.lengths)))])[:few]
        first = clips.starts[which]
        return Batch(clips._read(torch.stack([first, clips.other(first, torch.rand(few, generator=rng))], 1)))
