"""The film on the page about motion: held-out made clips rebuilt from their first frame, and other figures moved by them.

    python -m benchmarks.recipes.motion_film                # after `python -m benchmarks.recipes.motion "moving, seed 0"`
"""

import numpy as np
import torch

from benchmarks.recipes.motion import RUNS
from benchmarks.record import ROOT
from sparring.api import load
from sparring.data.builtin.moving import MOTIONS, moving, moving_motions
from sparring.data.settings import ClipSettings
from sparring.pictures.animations import beside
from sparring.pictures.films import write_film
from sparring.spaces import to_uint8

SHOWN, SIDE, PACE = ("turns", "waves"), 64, 8.0
OUT = ROOT / "docs" / "pictures" / "motion-moving.webp"

if __name__ == "__main__":
    torch.set_num_threads(1)
    model, clips = load(RUNS / "moving-0"), moving(ClipSettings(size="64")).held_out
    assert clips is not None and model.game.animation is not None
    kinds, rows = moving_motions(len(clips.lengths), True).kind.tolist(), list[torch.Tensor]()
    for name in SHOWN:
        first = kinds.index(MOTIONS.index(name))
        clip, other = clips.clip(first), clips.clip(first + 1)[0]
        rebuilt = beside(model.game.animation, clip[0], clip, model.animate(clip[0], clip), SIDE)
        moved = beside(model.game.animation, other, clip, model.animate(other, clip, relative=True, find_best_frame=True), SIDE)
        rows.append(torch.cat([rebuilt, moved], 3))
    frames = to_uint8(torch.cat(rows, 2)).permute(0, 2, 3, 1).numpy()
    print(write_film(np.ascontiguousarray(frames), OUT, PACE))
