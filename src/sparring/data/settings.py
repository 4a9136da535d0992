"""What a user may set about reading data, and the few checks that every reader shares."""

import io
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sparring.errors import InputError, shown
from sparring.settings import LARGEST, SMALLEST

AUTO_SIDE = 64                # the longer side that size=auto settles on
OWN = "own"                   # the size at which they are stored, or the middle one where that differs


class DataSettings(BaseModel):
    """How images are brought to one size, one number of channels and no transparency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: str = Field(default="auto", description="Image size: auto, own (as they are stored), a side like 32, or HEIGHTxWIDTH like 48x64.")
    channels: Literal["auto", "1", "3", "4"] = Field(
        default="auto", description="Colour channels: auto, 1 (grey), 3 (RGB) or 4 (RGB and transparency).")
    alpha: Literal["white", "black"] = Field(
        default="white", description="The background for transparent pixels; channels=4 keeps the transparency instead.")

    @field_validator("size", "channels", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        """Command lines give 32 as a number or as text; both mean the same."""
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("size")
    @classmethod
    def _in_one_form(cls, value: str) -> str:
        if value.strip().lower() == OWN:
            return OWN
        size = parse_size(value)
        return "auto" if size is None else f"{size[0]}x{size[1]}"


class OpaqueSettings(DataSettings):
    """The same without transparency, for those who see images through a network that learned from photographs."""

    channels: Literal["auto", "1", "3"] = Field(
        default="auto", description="Colour channels: auto, 1 (grey) or 3 (RGB); the network that learned from photographs sees no "
        "transparency.")
    alpha: Literal["white", "black"] = Field(default="white", description="The background for transparent pixels.")


class DomainSettings(DataSettings):
    """The same, and whether training images are mirrored."""

    flip: bool = Field(default=True, description="Mirror half of the training images, at random.")


class TranslationSettings(DomainSettings):
    """The same, and how training images are varied: both halves of a pair alike."""

    jitter: int = Field(default=12, ge=0, le=100, description="Enlarge training images by this many percent, then crop them to size "
                                                              "at random; the papers' 286 to 256 pixels are 12.")
    halves: bool = Field(default=False, description="Each picture holds a pair side by side, even if it is not twice as wide as high.")


class ClipSettings(DomainSettings):
    """The same of clips, and which of them are held out."""

    strips: Literal["auto", "yes", "no"] = Field(default="auto", description="Read long pictures as strips of square frames, side by side "
                                                 "or one below the other: auto (those of four frames or more), yes or no.")
    held_out: float = Field(default=0.1, ge=0, le=0.9, description="Share of the clips that training never sees, for pictures and scores; "
                            "a folder `test` beside `train` is held out instead.")


AUTO = DataSettings()


def parse_size(text: str) -> tuple[int, int] | None:
    """`32`, `48x64` or `auto` to (height, width) in pixels or None, which it is for `own` too; InputError for anything else."""
    if text.strip().lower() in ("auto", OWN):
        return None
    match = re.fullmatch(r"([0-9]{1,9})(?:x([0-9]{1,9}))?", text.strip().lower())
    if match is None:
        raise InputError(f"size={shown(repr(text))} is not a size. Give auto, own, a side like 32, or HEIGHTxWIDTH like 48x64.")
    height, width = int(match[1]), int(match[2] or match[1])
    if not (SMALLEST <= height <= LARGEST and SMALLEST <= width <= LARGEST):
        raise InputError(f"size={shown(repr(text))} is out of bounds: each side must be {SMALLEST} to {LARGEST} pixels.")
    return height, width


def choose_size(sizes: Sequence[tuple[int, int]], settings: DataSettings) -> tuple[tuple[int, int], str]:
    """The (height, width) to bring images of these sizes to, and why, in words.

    size=auto keeps a size that all share if its sides are 4 to 64 pixels.  Otherwise the longer side becomes 64 and
    the other follows the median aspect ratio, to the nearest multiple of 4.  size=own keeps every size that all share; where sizes
    differ, the longer side becomes the median one.
    """
    first = sizes[0]
    same = all(size == first for size in sizes)
    given = f"all are {first[0]}x{first[1]}" if same else "their sizes differ"
    asked = parse_size(settings.size)
    if asked is not None:
        return asked, f"brought to this size, {given}" if not same or asked != first else f"{given}, which is kept"
    own = settings.size == OWN
    if same and min(first) >= SMALLEST and max(first) <= (LARGEST if own else AUTO_SIDE):
        return first, f"{given}, which is kept"
    side = min(LARGEST, max(SMALLEST, sorted(map(max, sizes))[len(sizes) // 2])) if own else AUTO_SIDE
    ratios = sorted(math.log(width / height) for height, width in sizes)     # logs: 2:1 and 1:2 average to 1:1
    middle = math.exp((ratios[(len(ratios) - 1) // 2] + ratios[len(ratios) // 2]) / 2)
    shorter = max(4, 4 * round(side * min(middle, 1 / middle) / 4))
    size = (shorter, side) if middle >= 1 else (side, shorter)
    other = f"size={first[0]}x{first[1]} keeps them" if same and min(first) >= SMALLEST and max(first) <= LARGEST else \
        "size=HEIGHTxWIDTH changes this"
    return size, f"{given}, and the longer side was brought to {side}; {other}"


def physical_memory() -> int | None:
    """Bytes of memory in this machine, or None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


class TooLarge(InputError):
    """Data that this machine cannot hold; `side` is that of square images which it could, or 0."""

    side = 0


def check_memory(bytes_needed: int, what: str, advice: str, side: int = 0) -> None:
    """TooLarge when the data would fill more than half of this machine's memory."""
    memory = physical_memory()
    if memory is not None and bytes_needed > memory // 2:
        error = TooLarge(f"{what}: that is {gigabytes(bytes_needed)}, more than half of this machine's "
                         f"{gigabytes(memory)} of memory. {advice}")
        error.side = side
        raise error


def check_image_memory(n: int, channels: int, size: tuple[int, int]) -> None:
    """InputError, with a size that would do, when uint8[n, channels, *size] would fill more than half of memory."""
    height, width = size
    side = math.isqrt((physical_memory() or 0) // (2 * n * channels)) // 4 * 4
    advice = f"Give a smaller size, such as size={side}." if side >= SMALLEST else "Give fewer images."
    check_memory(n * channels * height * width, f"{n:,} images of {height}x{width} in {channels} channel(s)", advice,
                 side if side >= SMALLEST else 0)


def gigabytes(n: int) -> str:
    return f"{n / 1e9:,.1f} GB"


def refuse_settings(settings: DataSettings, what: str) -> None:
    """InputError when anything was set: these settings are for images, and `what` holds none."""
    changed = [f"{name}={getattr(settings, name)}" for name in DataSettings.model_fields
               if getattr(settings, name) != getattr(AUTO, name)]
    if changed:
        raise InputError(f"{' and '.join(changed)} can only be set for images, and {what}. Leave it out.")


def open_file(path: Path) -> io.BufferedReader:
    """The file, open for reading bytes; InputError when the system refuses."""
    if not path.is_file():
        raise InputError(f"{shown(path)} is not a file that can be read. Give a regular file or a folder.")
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be read: {error.strerror}. Check that you may read it.") from None
