"""Made clips whose motion is known: a figure of a trunk, a head and two arms that moves, turns, grows, or waves.

Every clip has a figure and colours of its own, and one kind of motion.  Where each part is, and how far the figure is turned and
stretched, is known at every frame.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from sparring.data.settings import ClipSettings, parse_size
from sparring.data.video.frame_pairs import FramePairs
from sparring.rng import generator
from sparring.spaces import Clips, Images

MOTIONS = ("moves", "turns", "grows", "waves")
PARTS = ("trunk", "head", "left hand", "right hand")
TRAIN, HELD_OUT, FRAMES, SIDE = 160, 32, 16, 64
THICK, THIN = 0.13, 0.075               # half the width of a trunk and of an arm, as shares of half a side
HIP, NECK, SHOULDER = 0.4, -0.2, -0.15  # heights at scale 1 in an upright figure, whose middle is 0
BASE = torch.tensor([[0.25, 0.3, 0.35], [0.15, 0.2, 0.2], [0.9, 0.75, 0.2], [0.9, 0.35, 0.4], [0.3, 0.75, 0.9]])
SPREAD = torch.tensor([0.15, 0.15, 0.25, 0.25, 0.25])[:, None]


class Motion(NamedTuple):
    """What is known of n clips of T frames; places are x and y in [-1, 1]."""

    kind: Tensor        # int64[n]: which of MOTIONS
    angle: Tensor       # float[n, T]: how far the figure is turned, in radians, from x towards y
    scale: Tensor       # float[n, T]
    joints: Tensor      # float[n, T, 6, 2]: hip, neck, the middle of the head, shoulder and hands
    head: Tensor        # float[n]: its radius at scale 1
    colours: Tensor     # float[n, 5, 3], 0 to 1: the background above and below, the trunk, the head and the arms

    @property
    def parts(self) -> Tensor:
        """The middle of each of PARTS, float[n, T, 4, 2]."""
        hip, neck, head, _, left, right = self.joints.unbind(2)
        return torch.stack([(hip + neck) / 2, head, left, right], 2)


def motions(n: int, frames: int, rng: torch.Generator) -> Motion:
    """Random figures, a quarter of them for each of MOTIONS."""
    def between(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, 1, generator=rng)

    kind, time = torch.arange(n) % len(MOTIONS), torch.arange(frames) / frames
    first, second = ((2 * math.pi * (time * between(0.7, 1.3) + between(0, 1))).sin() for _ in range(2))

    def only(name: str, swing: Tensor, reach: float) -> Tensor:
        return torch.where(kind[:, None] == MOTIONS.index(name), reach * swing, torch.zeros(()))

    centre = torch.stack([between(-0.15, 0.15) + only("moves", first, 0.35), between(-0.05, 0.15) + only("moves", second, 0.25)], -1)
    angle, scale = between(-0.2, 0.2) + only("turns", first, 0.8), between(1.05, 1.3) + only("grows", first, 0.35)
    head, arm = between(0.15, 0.19), between(0.36, 0.42)
    raised = [between(-0.4, 0.4) + only("waves", swing, 1.0) for swing in (first, second)]
    shape = skeleton(head, arm, raised)
    joints = centre[:, :, None] + scale[..., None, None] * (rotation(angle)[:, :, None] * shape[..., None, :]).sum(-1)
    colours = (BASE + SPREAD * (2 * torch.rand(n, 5, 3, generator=rng) - 1)).clamp(0, 1)
    return Motion(kind, angle, scale, joints, head[:, 0], colours)


def rotation(angle: Tensor) -> Tensor:
    """Matrices float[..., 2, 2] of angles float[...]."""
    c, s = angle.cos(), angle.sin()
    return torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)


def skeleton(head: Tensor, arm: Tensor, raised: list[Tensor]) -> Tensor:
    """The joints of upright figures, float[n, T, 6, 2]; arms, as long as float[n, 1] says, point to the sides and by float[n, T] down."""
    def at(x: Tensor, y: Tensor) -> Tensor:
        return torch.stack([x.expand_as(raised[0]), y.expand_as(raised[0])], -1)

    zero = torch.zeros_like(raised[0])
    hands = [at(side * arm * angle.cos(), SHOULDER + arm * angle.sin()) for side, angle in zip((-1, 1), raised, strict=True)]
    return torch.stack([at(zero, zero + HIP), at(zero, zero + NECK), at(zero, NECK - 0.08 - head), at(zero, zero + SHOULDER), *hands], 2)


def drawn(motion: Motion, height: int, width: int) -> Tensor:
    """The clips, uint8[n, T, 3, height, width]: smooth at the edges, arms in front of the trunk, and the head in front of all."""
    y, x = ((torch.arange(n) * 2 + 1) / n - 1 for n in (height, width))
    y, scale = y[:, None], motion.scale[:, :, None, None]
    hip, neck, head, shoulder, left, right = (joint[:, :, :, None, None] for joint in motion.joints.unbind(2))
    shades = motion.colours[:, None, :, :, None, None]
    picture = torch.lerp(shades[:, :, 0], shades[:, :, 1], (y + 1) / 2).expand(-1, motion.scale.shape[1], -1, height, width)
    shapes = [(to_segment(x, y, hip, neck) - THICK * scale, 2), (to_segment(x, y, shoulder, left) - THIN * scale, 4),
              (to_segment(x, y, shoulder, right) - THIN * scale, 4),
              (torch.hypot(x - head[:, :, 0], y - head[:, :, 1]) - motion.head.view(-1, 1, 1, 1) * scale, 3)]
    for away, shade in shapes:
        cover = (0.5 - away * min(height, width) / 2).clamp_(0, 1)[:, :, None]      # a pixel is 2 / side wide
        picture = torch.lerp(picture, shades[:, :, shade], cover)
    return (picture * 255).round().to(torch.uint8)


def to_segment(x: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The distance of places from segments from a to b, float[n, T, 2, 1, 1]: float[n, T, H, W]."""
    (across, down), from_x, from_y = (b - a).unbind(2), x - a[:, :, 0], y - a[:, :, 1]
    along = ((from_x * across + from_y * down) / (across.square() + down.square())).clamp_(0, 1)
    return torch.hypot(from_x - along * across, from_y - along * down)


def moving_motions(count: int, held_out: bool) -> Motion:
    """What is known of the first so many training clips of `moving`, or of those that are held out."""
    return motions(count, FRAMES, generator(0, "moving held out" if held_out else "moving"))


def moving(settings: ClipSettings, train: int = TRAIN, held_out: int = HELD_OUT) -> FramePairs:
    """The built-in set: 160 clips of 16 frames, a quarter of them for each of MOTIONS, and 32 held out."""
    height, width = parse_size(settings.size) or (SIDE, SIDE)
    space = Clips(Images(3, height, width))

    def clips(count: int, rest: bool) -> tuple[Tensor, Tensor]:
        motion = moving_motions(count, rest)
        parts = [drawn(Motion(*(part[i:i + 20] for part in motion)), height, width) for i in range(0, count, 20)]
        return torch.cat(parts).flatten(0, 1), torch.full((count,), FRAMES)

    rest = FramePairs(*clips(held_out, True), space)
    return FramePairs(*clips(train, False), space, flip=settings.flip, held_out=rest,
                      notes=(f"{train} made clips of {FRAMES} frames of {height}x{width}; {held_out} more are held out for pictures and "
                             "scores",))
