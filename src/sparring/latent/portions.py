"""How many samples are made at once."""

import math

from sparring.settings import Settings
from sparring.spaces import Images, Space

CHUNK = 64      # samples made at once, so that a million need no more memory than a few, and each is made in one company
NUMBERS = 2**24 # in one of a network's maps, over all the samples that are made at once


def at_once(space: Space, settings: Settings) -> int:
    """How many samples go through the networks together: CHUNK, or a half, a quarter, ... of it where large maps would crowd memory."""
    maps = max(space.channels, getattr(settings, "width", 1)) if isinstance(space, Images) else 1
    size, few = maps * math.prod(space.shape[-2:]), CHUNK
    while few > 1 and few * size > NUMBERS:
        few //= 2
    return few
