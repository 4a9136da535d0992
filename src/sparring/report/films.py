"""Films for the report of a model that animates: a held-out clip rebuilt from its first frame, and another picture moved by that clip.

They are animated WebP pictures inside the page, which a browser plays without a network.
"""

from pathlib import Path

import numpy as np
from torch import Tensor

from sparring import api
from sparring.data.video.frame_pairs import FramePairs
from sparring.evaluation.places import config_of
from sparring.evaluation.samples import place_of
from sparring.pictures.animations import beside
from sparring.pictures.films import write_film
from sparring.recipes import find
from sparring.settings import make
from sparring.spaces import Clips, to_uint8

FRAMES, LEAST, PACE = 32, 128, 12.0     # frames at most; pixels of a frame's shorter side; frames a second
CAPTIONS = ("A clip that training did not see: its first frame, the clip, and the clip as rebuilt from that frame. A key point has the "
            "same colour in both.",
            "The first frame of another clip, moved by what changes in the same clip since its first frame.")


def films_of(run: Path, model: api.Model, drawn: Path) -> list[tuple[Path, str]]:
    """Two films and what each shows, written into the folder `drawn`.  InputError where the data cannot be read any more."""
    assert model.game.animation is not None
    clips = clips_of(run, model)
    liveliest = max(range(min(FRAMES, len(clips.lengths))), key=lambda k: moving(clips.clip(k)))
    clip, other = some(clips.clip(liveliest)), clips.clip((liveliest + 1) % len(clips.lengths))[0]
    found = list[tuple[Path, str]]()
    for name, picture, caption in zip(("rebuilt", "moved"), (clip[0], other), CAPTIONS, strict=True):
        made = model.animate(picture, clip, relative=name == "moved")
        frames = to_uint8(beside(model.game.animation, picture, clip, made, LEAST)).permute(0, 2, 3, 1).numpy()
        found.append((write_film(np.ascontiguousarray(frames), drawn / f"{name}.webp", PACE), caption))
    return found


def clips_of(run: Path, model: api.Model) -> FramePairs:
    """The clips that the run held out; where it held out none, those that it learned from."""
    assert isinstance(model.space, Clips)
    reads, config = (model.system or find(model.recipe)).reads, config_of(run)
    size = f"{model.space.frame.height}x{model.space.frame.width}"
    given = {**(config.get("data_settings") or {}), "size": size, "channels": str(model.space.frame.channels)}
    source = reads.open(place_of(model, config, run, reads.example), make(reads.settings, given))
    assert isinstance(source, FramePairs)
    return source.held_out or source


def some(clip: Tensor) -> Tensor:
    """At most FRAMES of a clip's frames, from its beginning on."""
    return clip[:FRAMES]


def moving(clip: Tensor) -> float:
    """How much changes in the beginning of a clip."""
    return float(some(clip).diff(dim=0).abs().mean()) if len(clip) > 1 else 0.0
