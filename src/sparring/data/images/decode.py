"""One image to uint8[C, H, W], whatever it was stored as.

Every image goes the same way: decode, 8 bits a channel, upright (EXIF), transparency laid on a colour or kept,
grey / RGB / RGBA, then `fit` to size.  Embedded colour profiles are not applied.
"""

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from sparring.data.images.hostile import screen
from sparring.errors import InputError, reason

DECODING = 1                  # to be raised when the same file comes out with other pixels: what was decoded before is forgotten then
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff",
                      ".ppm", ".pgm", ".pbm", ".pnm"})
PIXELS = 100_000_000          # more than any camera takes; refused before a pixel is decoded
LARGE = 32_000_000            # pixels; images beyond are decoded one at a time, since each may take a gigabyte
NOT_KNOWN = f"it is not one of {', '.join(FORMATS)}, or its first bytes are damaged"
ORIENTATION, BITS, WHITE_IS_ZERO, SAMPLE_FORMAT = 0x0112, 258, 262, 339   # EXIF and TIFF tags
UPRIGHT = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
           5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
           8: Image.Transpose.ROTATE_90}
GREY_MODES = ("1", "L", "LA", "La", "I")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}

Pixels = NDArray[np.uint8]
_one_at_a_time = threading.Lock()


class Header(NamedTuple):
    """What is known before decoding: the upright size in pixels, whether the image has no colour, and how it is stored."""

    size: tuple[int, int]       # height, width
    grey: bool
    mode: str = ""              # Pillow's word, such as RGB, L (grey), P (palette), CMYK, I;16
    form: str = ""              # such as PNG

    @property
    def deep(self) -> bool:
        """Whether a channel has more than 8 bits."""
        return self.mode == "I" or self.mode.startswith("I;16")


class Decoded(NamedTuple):
    """One image, and what was in it that the result does not show."""

    values: Pixels              # uint8[C, H, W]
    transparent: bool           # some pixel let the background through
    frames: bool                # there were further frames or pages


def header(data: bytes) -> Header:
    """Size and kind of an image without decoding it; InputError with the reason when it is not a usable image."""
    with _opened(data) as image:
        width, height = image.size
        # asking a PNG for EXIF that it does not open with, or a TIFF (already turned), would decode it
        if (image.format == "JPEG" or "exif" in image.info) and _orientation(image) >= 5:
            width, height = height, width
        return Header((height, width), _is_grey(image), image.mode, image.format or "")


def decode(data: bytes, size: tuple[int, int] | None, channels: int, alpha: str) -> Decoded:
    """An image file's bytes to uint8[channels, *size]; size=None keeps its own (height, width).

    A JPEG that is much larger is decoded at 1/2, 1/4 or 1/8, never below four times the size asked for.
    InputError with the reason when the image is damaged or not of a kind that is read.
    """
    with _opened(data) as image:
        if size is not None and image.format in ("JPEG", "MPO"):
            image.draft(None, (4 * max(size), 4 * max(size)))
        with _one_at_a_time if image.width * image.height > LARGE else nullcontext():
            image.load()
            plain, orientation = _eight_bits(image), _orientation(image)
            if orientation in UPRIGHT:
                plain = plain.transpose(UPRIGHT[orientation])
            transparent = "A" in plain.mode and plain.getchannel("A").getextrema()[0] != 255
            frames = image.format != "MPO" and bool(getattr(image, "is_animated", False))   # MPO: a phone's depth map
            return Decoded(_finished(plain, size, channels, alpha), transparent, frames)


def count_frames(data: bytes) -> int:
    """How many frames or pages an image file has, without decoding them; InputError as `header` has it."""
    with _opened(data) as image:
        return 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))


def decode_frames(data: bytes, size: tuple[int, int] | None, channels: int, alpha: str) -> Iterator[Pixels]:
    """All frames of an animated picture, each uint8[channels, *size] as `decode` gives the first one; InputError with the reason at the
    first one that is damaged."""
    with _opened(data) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            yield _finished(_eight_bits(image), size, channels, alpha)


def pace_of(data: bytes) -> float:
    """How many frames a second an animated picture has by its first one; 0 where it does not say."""
    with _opened(data) as image:
        image.load()
        shown_for = image.info.get("duration", 0)
        return 1000 / shown_for if isinstance(shown_for, int | float) and shown_for > 0 else 0.0


def finished(image: Image.Image, size: tuple[int, int] | None, channels: int, alpha: str = "white") -> Pixels:
    """A picture of Pillow's, of 8 bits a channel, as uint8[channels, *size]."""
    return _finished(_eight_bits(image), size, channels, alpha)


def reformat(values: Pixels, size: tuple[int, int], channels: int, alpha: str) -> Pixels:
    """Images that are already decoded, uint8[N, C, H, W], to uint8[N, channels, *size], as `decode` would do it."""
    n, have, height, width = values.shape
    if (have, height, width) == (channels, *size):
        return values
    out = np.empty((n, channels, *size), np.uint8)
    for target, one in zip(out, values, strict=True):
        pixels = one[0] if have == 1 else np.ascontiguousarray(one.transpose(1, 2, 0))
        target[:] = _finished(Image.fromarray(pixels), size, channels, alpha)
    return out


def fit(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scale to cover (height, width) and crop the centre: antialiased Lanczos to shrink, bicubic to enlarge."""
    height, width = size
    scale = max(width / image.width, height / image.height)
    if scale == 1:                                       # nothing to resample: crop on whole pixels
        left, top = (image.width - width) // 2, (image.height - height) // 2
        return image.crop((left, top, left + width, top + height))
    across, down = min(image.width, width / scale), min(image.height, height / scale)
    left_edge, top_edge = (image.width - across) / 2, (image.height - down) / 2
    box = (left_edge, top_edge, min(image.width, left_edge + across), min(image.height, top_edge + down))
    method = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
    return image.resize((width, height), method, box=box)


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings from Pillow: what it warns of is either refused here (size) or does no harm (odd metadata).

    Filters belong to the whole process, so this goes around the threads that decode, not inside them.
    """
    with warnings.catch_warnings():
        for category in (UserWarning, Image.DecompressionBombWarning):
            warnings.simplefilter("ignore", category)
        yield


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """The image, not decoded yet; whatever goes wrong with it becomes an InputError that says why."""
    if not data:
        raise InputError("the file is empty")
    screen(data)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > PIXELS:
                raise Image.DecompressionBombError
            if min(image.size) < 2:
                raise InputError(f"it is {image.height}x{image.width} pixels, and each side must have at least two")
            yield image
    except InputError:
        raise
    except UnidentifiedImageError:
        raise InputError(NOT_KNOWN) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(f"it has more than {PIXELS // 10**6} million pixels") from None
    except Exception as error:      # damaged bytes make decoders raise nearly everything there is
        raise InputError(f"it is damaged ({reason(error)})") from None


def _orientation(image: Image.Image) -> int:
    """1 to 8 (EXIF 2.3, tag 0x0112); metadata that cannot be read turns nothing."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:               # as in `_opened`; the pixels are still good
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _is_grey(image: Image.Image) -> bool:
    if image.mode == "P" and image.palette is not None:
        order, entries = image.palette.rawmode or image.palette.mode, bytes(image.palette.palette)
        step = {"RGB": 3, "BGR": 3, "RGBA": 4, "RGBX": 4, "BGRX": 4}.get(order)
        return step is not None and entries[0::step] == entries[1::step] == entries[2::step]
    return image.mode in GREY_MODES or image.mode.startswith("I;16")


def _eight_bits(image: Image.Image) -> Image.Image:
    """The same picture as L, LA, RGB or RGBA."""
    if image.mode == "F":
        raise InputError("it holds floating-point numbers, and their range is unknown; save it with 8 or 16 bits")
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _from_deep_grey(image)
    grey = image.mode in GREY_MODES
    mode = ("LA" if grey else "RGBA") if image.has_transparency_data else "L" if grey else "RGB"
    return image if image.mode == mode else image.convert(mode)      # convert() would copy what needs no change


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """16-bit grey by its declared range: 0 to 65535 becomes 0 to 255, rounded, never clipped."""
    tags: Any = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    bits = tags.get(BITS, (16,))[0]
    if bits > 16 or tags.get(SAMPLE_FORMAT, (1,))[0] != 1:
        raise InputError(f"it holds {bits}-bit signed or long integers, whose range no file declares; "
                         f"save it with 8 or 16 bits")
    top = (1 << bits) - 1
    deep = np.asarray(image)
    if deep.min() < 0 or deep.max() > top:
        raise InputError(f"it holds grey values outside 0 to {top}")
    shades = ((np.arange(top + 1) * 255 + top // 2) // top).astype(np.uint8)
    if tags.get(WHITE_IS_ZERO, 1) == 0:
        shades = 255 - shades
    result = Image.fromarray(shades[deep])
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        result.putalpha(Image.fromarray(np.where(deep == clear, np.uint8(0), np.uint8(255))))
    return result


def _finished(image: Image.Image, size: tuple[int, int] | None, channels: int, alpha: str) -> Pixels:
    """L, LA, RGB or RGBA to uint8[channels, *size]."""
    if "A" in image.mode and channels != 4:
        laid = Image.new(image.mode.removesuffix("A"), image.size, alpha)
        laid.paste(image, mask=image)                # its own alpha is the mask: no copies of either
        image = laid
    if image.mode != MODES[channels]:
        image = image.convert(MODES[channels])
    if size is not None and image.size != (size[1], size[0]):
        image = fit(image, size)
    values = np.asarray(image)
    return values[None] if channels == 1 else values.transpose(2, 0, 1)
