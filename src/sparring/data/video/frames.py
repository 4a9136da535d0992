"""The frames of one clip: of an animated picture, a strip, pictures in a folder, or a film."""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sparring.data.images.decode import PIXELS, Pixels, count_frames, decode, decode_frames, finished, header, pace_of, reformat
from sparring.errors import InputError, needs, reason

FILMS = {".mp4": "mov", ".m4v": "mov", ".mov": "mov", ".webm": "matroska", ".mkv": "matroska", ".avi": "avi"}
STRIP = 4                       # square frames or more in a long picture make it a strip, where nobody says
MOST = 1_000_000                # frames of one clip

Read = Callable[[tuple[int, int] | None, int, str], Iterator[Pixels]]       # (size, channels, alpha) -> frames


class Clip(NamedTuple):
    """A clip that is not decoded yet."""

    name: str
    size: tuple[int, int]       # of a frame: height, width
    most: int                   # frames, at most
    grey: bool
    read: Read                  # InputError, at the frame that is damaged
    pace: float = 0.0           # frames a second; 0 where nobody says


def animated(name: str, data: bytes) -> Clip | None:
    """An animated picture; None for one of a single frame, or that is no image of several."""
    count, found = count_frames(data), header(data)
    if count < 2:
        return None
    refuse_endless(count)
    return Clip(name, found.size, count, found.grey, lambda size, channels, alpha: decode_frames(data, size, channels, alpha),
                pace_of(data))


def squares(size: tuple[int, int], strips: str) -> int:
    """How many square frames a long picture of this height and width holds; 1 when it is taken for one picture."""
    longer, shorter = max(size), min(size)
    count = longer // shorter if longer % shorter == 0 else 1
    return count if count >= {"auto": STRIP, "yes": 2, "no": MOST}[strips] else 1


def strip(name: str, data: bytes, count: int) -> Clip:
    """Square frames side by side, or one below the other."""
    found = header(data)
    side = min(found.size)

    def read(size: tuple[int, int] | None, channels: int, alpha: str) -> Iterator[Pixels]:
        whole = decode(data, None, channels, alpha).values
        for at in range(0, count * side, side):
            frame = whole[:, :, at:at + side] if found.size[1] > found.size[0] else whole[:, at:at + side]
            yield frame if size is None else reformat(frame[None], size, channels, alpha)[0]

    return Clip(name, (side, side), count, found.grey, read)


def pictures(name: str, each: Sequence[Callable[[], bytes]]) -> Clip:
    """Pictures of one size, in order; InputError when their sizes differ."""
    found = [header(read()) for read in each]
    sizes = {one.size for one in found}
    if len(sizes) > 1:
        a, b = sorted(sizes)[:2]
        raise InputError(f"its frames differ in size ({a[0]}x{a[1]} and {b[0]}x{b[1]}, height x width). Bring them to one size, or put "
                         "every clip into a folder of its own")

    def read(size: tuple[int, int] | None, channels: int, alpha: str) -> Iterator[Pixels]:
        return (decode(one(), size, channels, alpha).values for one in each)

    return Clip(name, found[0].size, len(each), all(one.grey for one in found), read)


def film(name: str, place: Path | bytes, suffix: str) -> Clip:
    """A film, through PyAV; InputError without that, and for what is no film."""
    with opened(place, suffix) as (container, stream):
        height, width = stream.codec_context.height, stream.codec_context.width
        if not height or not width or height * width > PIXELS:
            raise InputError(f"its frames would be {height} pixels high and {width} wide")
        count = stream.frames or sum(packet.size > 0 for packet in container.demux(stream))
        refuse_endless(count)
        pace = float(stream.average_rate or 0)
    if count < 2:
        raise InputError(f"it has {count or 'no'} frame{'' if count == 1 else 's'}, and a clip needs two")

    def read(size: tuple[int, int] | None, channels: int, alpha: str) -> Iterator[Pixels]:
        with opened(place, suffix) as (container, stream):
            for number, frame in enumerate(container.decode(stream)):
                if number < count:
                    image = frame.to_image()
                    yield finished(image.rotate(frame.rotation, expand=True) if frame.rotation else image, size, channels, alpha)

    turned = next(read(None, 3, "white"))                       # a phone's films are stored on their side, and say so
    return Clip(name, (turned.shape[1], turned.shape[2]), count, False, read, pace)


@contextmanager
def opened(place: Path | bytes, suffix: str) -> Iterator[tuple[Any, Any]]:
    """A film's container and its first video stream; whatever goes wrong with it becomes an InputError that says why.

    The kind of container follows from the name: left to guess, the library would also open lists of addresses of other files.
    """
    with needs("av", "video", f"reading {suffix} films"):
        import av
    av.logging.set_level(av.logging.PANIC)
    try:
        with io.BytesIO(place) if isinstance(place, bytes) else place.open("rb") as file, \
                av.open(file, format=FILMS[suffix], metadata_errors="replace") as container:
            if not container.streams.video:
                raise InputError("it holds no pictures")
            yield container, container.streams.video[0]
    except InputError:
        raise
    except Exception as error:                                  # damaged bytes make decoders raise nearly everything there is
        raise InputError(f"it is damaged, cut short, or no {suffix} film ({getattr(error, 'strerror', None) or reason(error)})") from None


def refuse_endless(count: int) -> None:
    if count > MOST:
        raise InputError(f"it has {count:,} frames, more than {MOST:,}; cut it into clips")
