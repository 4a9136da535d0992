"""Images that stay where they are, encoded, and are decoded when a batch needs them: by position, so that any order is possible."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import PIL
import torch
from torch import Tensor

from sparring.data.cache import Samples, identity, key
from sparring.data.images.assumed import cut_off, sliver
from sparring.data.images.decode import DECODING, Header, decode, header, quiet
from sparring.data.images.decoder_processes import Decoders, Pixels, Shape, Undecodable, decode_here
from sparring.data.settings import DataSettings, choose_size
from sparring.errors import InputError, RunFailed, shown

LOOKED_AT = 500                         # images, evenly over the data, whose headers decide size and channels
DECODED = 50                            # of them that are decoded, to see their values


class Pack(Protocol):
    """Encoded images in files."""

    files: list[Path]

    def __len__(self) -> int: ...

    def read(self, rows: Sequence[int]) -> list[bytes]:
        """The images at these positions; on any thread.  RunFailed when a file cannot be read any more."""
        ...

    def unusable(self, row: int, why: str) -> str:
        """What to say of an image that cannot be used: where it lies, why, and what to do."""
        ...

    def identify(self, digest: "hashlib._Hash") -> None:
        """Feed it what tells these files from others."""
        ...


class Stored:
    """Images by position, decoded when they are asked for: what a `Finite` holds in place of a tensor.

    Each is decoded once as long as there is room for it in the user's cache; what comes from there has the same bits.
    """

    dtype = torch.uint8

    def __init__(self, pack: Pack, shape: Shape, alpha: str) -> None:
        self.pack, self.alpha = pack, alpha
        self.shape: tuple[int, ...] = (len(pack), *shape)
        self.sample: Shape = shape
        digest = hashlib.sha256(repr(self.shape).encode())
        try:
            pack.identify(digest)
            files = list(map(identity, pack.files))
        except OSError as error:
            raise InputError(f"{shown(error.filename)} cannot be read: {error.strerror or error}. Check that it is still there.") from None
        self._digest = digest.digest()
        self.samples = Samples(key(self._digest, files, alpha, DECODING, PIL.__version__), len(pack), math.prod(shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Tensor) -> Tensor:
        """uint8[n, C, H, W].  RunFailed, with the file and what to do, for an image that cannot be read."""
        with quiet():
            return self._fetch(partial(decode_here, shape=self.sample, alpha=self.alpha), rows)

    @contextmanager
    def ahead(self, workers: int) -> Iterator[Callable[[Tensor], Tensor]]:
        """A way to get images on several threads at once, decoded by as many processes."""
        try:
            decoders = Decoders(workers, self.sample, self.alpha)
        except OSError:                                         # no more processes are to be had
            yield self.__getitem__
            return
        try:
            yield partial(self._fetch, decoders)
        finally:
            decoders.close()

    def _fetch(self, decoded: Callable[[Sequence[bytes]], Pixels], rows: Tensor) -> Tensor:
        at = rows.reshape(-1).tolist()
        out = np.empty((len(at), *self.sample), np.uint8)
        missing = [place for place, row in enumerate(at) if not self.samples.get(row, out[place].data)]
        if missing:
            try:
                out[missing] = decoded(self.pack.read([at[place] for place in missing]))
            except Undecodable as error:
                raise RunFailed(self.pack.unusable(at[missing[error.place]], str(error))) from None
            for place in missing:
                self.samples.put(at[place], out[place].data)
        return torch.from_numpy(out)

    def digest(self) -> bytes:
        return self._digest


class Seen(NamedTuple):
    """What is to be told of an image that was decoded to look at it."""

    low: int                    # the least of its values, but for transparency
    high: int
    frames: bool
    transparent: bool


def looked_at(pack: Pack, rows: Sequence[int], settings: DataSettings) -> tuple[Shape, str, list[str]]:
    """What shape to bring the images to, and why, from the headers of these; and what is odd about them, of which a few are decoded."""
    found, seen, stride = list[Header](), list[Seen](), -(-len(rows) // DECODED)
    with quiet():
        for place, (row, data) in enumerate(zip(rows, pack.read(rows), strict=True)):
            try:
                found.append(header(data))
            except InputError as error:
                raise InputError(pack.unusable(row, str(error))) from None
            with suppress(InputError):                          # a damaged one is told when a batch asks for it
                if place % stride == 0:
                    one = decode(data, None, 4, settings.alpha)
                    seen.append(Seen(int(one.values[:3].min()), int(one.values[:3].max()), one.frames, one.transparent))
    size, why = choose_size([h.size for h in found], settings)
    if len(rows) < len(pack):
        why += f", as {len(rows)} of them tell"
    channels = int(settings.channels) if settings.channels != "auto" else 1 if all(h.grey for h in found) else 3
    odd = [*cut_off([h.size for h in found], size), *oddities(seen, all(h.deep for h in found), channels, settings)]
    return (channels, *size), why, odd


def oddities(seen: Sequence[Seen], deep: bool, channels: int, settings: DataSettings) -> list[str]:
    """What to say of the values, further frames and transparency of some images."""
    if not seen:
        return []
    said, frames = sliver(min(one.low for one in seen), max(one.high for one in seen), deep=deep), sum(one.frames for one in seen)
    if frames:
        said.append(f"{frames} of {len(seen)} images that were looked into have several frames or pages; the first is used")
    if channels != 4 and (clear := sum(one.transparent for one in seen)):
        said.append(f"{clear} of {len(seen)} images that were looked into have transparency, laid on {settings.alpha}; "
                    f"alpha={'black' if settings.alpha == 'white' else 'white'} changes that, channels=4 keeps it")
    return said
