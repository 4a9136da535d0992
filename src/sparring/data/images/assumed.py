"""What is taken for granted when images are read, in words: how much of their range they use, and how much of them is cut off."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NARROW = 64             # of 256 shades: a set that uses no more is hardly what was meant; 14 bits in 16 are these
NOTICED = 0.02          # the share that must be cut off one of the images before it is told
TOP = 255
COLOURLESS = "all images are grey, though stored in colour; channels=1 reads them so, with a third of the numbers"


def sliver(low: int, high: int, *, deep: bool = False, whole: bool = True) -> list[str]:
    """That all values of a set, read as 0 to 255, lie between these two, if that is a sliver of the range; and what to do.

    `deep` are values that were stored in 16 bits, `whole` those that were stored as whole numbers.
    """
    if not 0 < high - low <= NARROW:
        return []
    said = f"values use a sliver of their range: they are {low} to {high}, of 0 to {TOP}"
    if deep and low < NARROW // 8:
        bits = min(15, max(1, round(math.log2((high + 1) * 257))))      # 16 bits were divided by 257
        return [f"{said}, as numbers of {bits} bits in 16 are. Multiply them by {1 << (16 - bits)} and save them again, or nearly all is "
                "black"]
    if whole and not deep and high == 1:
        return [f"{said}, as masks of 0 and 1 are. Multiply them by {TOP} and save them again, or all is black"]
    if whole and not deep and low == 0:
        return [f"{said}. If they are numbers of kinds (a label map), give each kind a colour; else multiply them by {TOP // high} and "
                "save them again, or nearly all is black"]
    return [f"{said}, so images hardly differ. Stretch them over the whole range, (x - x.min()) / (x.max() - x.min()), and save them again"]


def colourless(values: NDArray[np.uint8]) -> bool:
    """Whether an image, uint8[C, H, W], is grey in every pixel."""
    return len(values) < 3 or bool((values[0] == values[1]).all() and (values[0] == values[2]).all())


def cut_off(sizes: Sequence[tuple[int, int]], size: tuple[int, int], fix: str = "size=HEIGHTxWIDTH changes that") -> list[str]:
    """How much of images of these sizes, (height, width), is lost when they are scaled to cover this one, and cropped."""
    count = Counter(sizes)
    lost = {one: 1 - kept(one, size) for one in count}
    worst = max(lost.values(), default=0.0)
    if worst < NOTICED:
        return []
    mean = sum(lost[one] * n for one, n in count.items()) / len(sizes)
    some = "" if worst - mean < NOTICED else f" on average, and {worst:.0%} of the one that suffers most"
    return [f"only the middle of the images is kept: to make all {size[0]}x{size[1]}, {mean:.0%} of an image is cut off{some}; {fix}"]


def kept(one: tuple[int, int], size: tuple[int, int]) -> float:
    """The share of an image of this size that is seen in one of the other size."""
    scale = max(size[0] / one[0], size[1] / one[1])
    return min(1.0, size[0] * size[1] / (scale**2 * one[0] * one[1]))
