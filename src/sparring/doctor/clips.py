"""What a check-up measures of a model that animates: where its key points are, whether they move, and whether rebuilding a frame is any
better than copying the first one of its clip.

Such a model has no samples that could be held against the data, so nothing else is said of it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from sparring.data.video.frame_pairs import FramePairs
from sparring.doctor.checkup import moves
from sparring.game import Game
from sparring.rng import generator

CLIPS, FRAMES = 8, 5            # clips that are looked at, and frames of each, evenly over it
BORDER = 0.95                   # of the way from the middle of a frame to its edge


@dataclass(frozen=True)
class ClipStandard:
    """Frames of real clips, held-out ones where there are such: chosen once a run, by the seed."""

    frames: Tensor                  # float[clips, FRAMES, C, H, W] in network units
    facts: dict[str, float]         # about the data, for the first row


def standard_clips(source: FramePairs, seed: int) -> ClipStandard:
    """Look at the data."""
    part = source.held_out if source.held_out is not None else source
    chosen = torch.randperm(len(part.lengths), generator=generator(seed, "checkup clips"))[:CLIPS].tolist()
    clips = [part.clip(k) for k in chosen]
    even = [clip[torch.linspace(0, len(clip) - 1, FRAMES).round().long()] for clip in clips]
    return ClipStandard(torch.stack(even), {"data/clips": float(len(source.lengths)), "data/samples": float(len(source))})


@torch.no_grad()
def checkup_clips(game: Game, data: ClipStandard) -> dict[str, float]:
    """One row: `points_apart`, the root mean square distance of key points from their mean, where a frame reaches from -1 to 1;
    `points_move`, how far the key point that moves most is from its mean over a clip, root mean square; `points_outside`, the share of
    key points at the border; `rebuilt`, L1 of frames rebuilt from the first of their clip, over that of the first frame itself; and how
    the players move."""
    animation = game.animation
    assert animation is not None
    n, frames = data.frames.shape[:2]
    points = animation.points(data.frames.flatten(0, 1))
    at = points.at.cpu().unflatten(0, (n, frames))                                              # [clips, frames, points, 2]
    first = torch.arange(n).repeat_interleave(frames - 1) * frames
    rest = (torch.arange(n)[:, None] * frames + torch.arange(1, frames)).flatten()
    source, driving = data.frames.flatten(0, 1)[first], data.frames.flatten(0, 1)[rest]
    made = animation.render(source, points.rows(first), points.rows(rest)).float().cpu()
    copied = float((source - driving).abs().mean())
    return moves(game.players) | {
        "points_apart": float((at - at.mean(2, keepdim=True)).square().sum(-1).mean().sqrt()),
        "points_move": float((at - at.mean(1, keepdim=True)).square().sum(-1).mean(1).sqrt().amax(1).mean()),
        "points_outside": float((at.abs().amax(-1) > BORDER).double().mean()),
        "rebuilt": float((made - driving).abs().mean()) / max(copied, 1e-6)}
