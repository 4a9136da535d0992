"""Processes that decode images ahead of training: Python decodes one image at a time, and training needs it too.

A process is given encoded images through a pipe and gives their pixels back through another.  It imports no torch, starts in half a
second, knows no files, and ends when its pipe does, so none outlives its parent.
"""

import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import IO

import numpy as np
from numpy.typing import NDArray

from sparring.data.images.decode import decode, quiet
from sparring.errors import InputError, RunFailed

Pixels = NDArray[np.uint8]
Shape = tuple[int, int, int]
START = "import sys; sys.path.insert(0, {!r}); from sparring.data.images.decoder_processes import serve; serve({!r}, {!r})"
NUMBER = struct.Struct("<q")                        # of images in a request; of the first bad one in an answer, or ALL_GOOD
ALL_GOOD = -1


class Undecodable(Exception):
    """One of the images that were given cannot be used: its place among them, and why."""

    def __init__(self, place: int, why: str) -> None:
        super().__init__(why)
        self.place = place


def decode_here(images: Sequence[bytes], shape: Shape, alpha: str) -> Pixels:
    """Encoded images to uint8[n, C, H, W], in this process.  Undecodable for the first that cannot be."""
    out = np.empty((len(images), *shape), np.uint8)
    for place, data in enumerate(images):
        try:
            out[place] = decode(data, shape[1:], shape[0], alpha).values
        except InputError as error:
            raise Undecodable(place, str(error)) from None
    return out


class Decoders:
    """`decode_here` in a few other processes.  On any thread; close it when done."""

    def __init__(self, count: int, shape: Shape, alpha: str) -> None:
        """OSError when the system starts no process."""
        self.shape, self.alpha = shape, alpha
        self._all: list[subprocess.Popen[bytes]] = []
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        code = START.format(str(Path(__file__).parents[3]), shape, alpha)
        try:
            for _ in range(count):
                # a session of its own: Ctrl-C in a terminal is for the run, which still needs its batches then
                process = subprocess.Popen([sys.executable, "-P", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                           start_new_session=True)
                self._all.append(process)
                self._idle.put(process)
        except OSError:
            self.close()
            raise

    def __call__(self, images: Sequence[bytes]) -> Pixels:
        process = self._idle.get()
        try:
            assert process.stdin is not None and process.stdout is not None
            lengths = np.array([len(data) for data in images], np.int64)
            process.stdin.write(b"".join((NUMBER.pack(len(images)), lengths.tobytes(), *images)))
            process.stdin.flush()
            bad, = NUMBER.unpack(exactly(process.stdout, NUMBER.size))
            if bad != ALL_GOOD:
                length, = NUMBER.unpack(exactly(process.stdout, NUMBER.size))
                raise Undecodable(bad, exactly(process.stdout, length).decode())
            pixels = exactly(process.stdout, len(images) * int(np.prod(self.shape)))
            return np.frombuffer(pixels, np.uint8).reshape(len(images), *self.shape)
        except (OSError, EOFError, ValueError):                 # ValueError: closed under our hands
            raise RunFailed("a process that decodes images ended unexpectedly, perhaps for lack of memory. Run the same command again: it "
                            "continues from the last checkpoint.") from None
        finally:
            self._idle.put(process)

    def close(self) -> None:
        for process in self._all:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):                     # it has ended, and something was left to be sent
                        pipe.close()
        for process in self._all:
            process.kill()                                      # it holds nothing, and may be in the middle of a large image
            process.wait()
        self._all = []


def exactly(pipe: IO[bytes], n: int) -> bytes:
    data = pipe.read(n)
    if len(data) != n:
        raise EOFError
    return data


def serve(shape: Shape, alpha: str) -> None:
    """What such a process does, until nobody asks any more."""
    asked, answer = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)                                               # whatever a library prints must not be taken for pixels
    with suppress(EOFError, BrokenPipeError), quiet():
        while True:
            count, = NUMBER.unpack(exactly(asked, NUMBER.size))
            lengths = np.frombuffer(exactly(asked, 8 * count), np.int64).tolist()
            try:
                pixels = decode_here([exactly(asked, length) for length in lengths], shape, alpha)
                answer.write(NUMBER.pack(ALL_GOOD) + pixels.tobytes())
            except Undecodable as error:
                why = str(error).encode()
                answer.write(NUMBER.pack(error.place) + NUMBER.pack(len(why)) + why)
            answer.flush()
    os._exit(0)                                                 # without flushing into a pipe that nobody reads
