"""A look at clips before training on them: how long each is, how much moves, where a film is cut, and which are there twice.

    copy            a clip with the same frames as one before it, or whose first, middle and last frames, reduced to 16x16, are nearly
                    the same (`sparring.data.images.check`)
    still           no pixel differs by more than STILL of 255, averaged over a frame, between any two frames that follow each other
    cut             one frame to the next changes by more than CUT of 255, and by SUDDEN times as much as is usual in the clip
"""

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparring.data.images.check import CORRELATION, DIFFERENCE, digest_of, thumb_of
from sparring.data.images.decode import count_frames, header, quiet
from sparring.data.settings import ClipSettings
from sparring.data.video.films import clip_files, open_clips
from sparring.data.video.frame_pairs import FramePairs
from sparring.data.video.frames import FILMS, squares
from sparring.errors import InputError

LOOKED = 20                     # files whose beginnings tell whether pictures are clips
STILL, CUT, SUDDEN = 0.25, 25.0, 8.0


class Look(NamedTuple):
    """What is seen of each clip of a set, in their order."""

    change: Tensor              # float64[clips]: mean change from frame to frame, of 255
    still: list[int]
    cuts: list[tuple[int, int]]             # clip, and the frame that follows the cut
    copies: list[tuple[int, int]]           # a clip, and the one before it that it is like


def clips_at(source: str) -> FramePairs | None:
    """The clips that are there, as a run of `motion` would read them with none held out; None for all else, such as a folder of
    photographs.  InputError for clips that no run would take."""
    settings = ClipSettings(held_out=0.0)
    if source == "moving":
        return open_clips(source, settings)
    path = Path(source).expanduser()
    return open_clips(str(path), settings) if looks_like_clips(path) else None


def looks_like_clips(path: Path) -> bool:
    """Whether a film is among these files, or most of the first of them are animated pictures or strips of frames."""
    if path.suffix.lower() in FILMS:
        return path.is_file()
    if not (path.is_dir() or (path.is_file() and path.suffix.lower() in (".zip", ".gif", ".apng", ".webp"))):
        return False
    with clip_files(path) as files, quiet():
        if any(Path(name).suffix.lower() in FILMS for name in files.names):
            return True
        moving, still = 0, 0
        for i in range(min(LOOKED, len(files.names))):
            try:
                data = files.read(i, None)
                clip = count_frames(data) > 1 or squares(header(data).size, "auto") > 1
            except InputError:
                continue
            moving, still = moving + clip, still + (not clip)
    return moving > still


def look_at_clips(source: FramePairs) -> Look:
    """Every frame of every clip, one clip at a time."""
    change, still, cuts, thumbs = list[float](), list[int](), list[tuple[int, int]](), list[np.ndarray]()
    first, copies = dict[bytes, int](), list[tuple[int, int]]()
    for k, (start, length) in enumerate(zip(source.starts.tolist(), source.lengths.tolist(), strict=True)):
        frames = source.frames[torch.arange(start, start + length)]
        steps = torch.stack([(b.float() - a.float()).abs().mean() for a, b in pairwise(frames)])
        change.append(float(steps.mean()))
        if float(steps.max()) <= STILL:
            still.append(k)
        usual = max(float(steps.median()), STILL)
        cuts += [(k, int(at) + 1) for at in (steps > max(CUT, SUDDEN * usual)).nonzero()[:, 0]]
        if (before := first.setdefault(digest_of(frames.numpy()), k)) != k:
            copies.append((k, before))
        thumbs.append(np.stack([thumb_of(frames[at].numpy()[:3]) for at in (0, length // 2, length - 1)]))
    known = {k for k, _ in copies}
    near = [(k, before) for k, before in nearly_alike(np.stack(thumbs)) if k not in known and before not in known]
    return Look(torch.tensor(change, dtype=torch.float64), still, cuts, copies + near)


def nearly_alike(thumbs: np.ndarray) -> list[tuple[int, int]]:
    """Each clip whose three small frames are those of one before it, nearly, with the first such."""
    x = torch.from_numpy(thumbs).flatten(1).double() / 255
    found = list[tuple[int, int]]()
    for k in range(1, len(x)):
        near = ((x[:k] - x[k]).square().mean(1).sqrt() <= DIFFERENCE).nonzero()[:, 0].tolist()
        for before in near:
            a, b = (part - part.mean() for part in (x[before], x[k]))
            if float(a @ b) >= CORRELATION * float(a.norm() * b.norm()):
                found.append((k, before))
                break
    return found
