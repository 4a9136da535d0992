"""First order motion by numbers: made clips whose motion is known, and clips of shapes and of people.

    python -m benchmarks.recipes.motion [WORD...]

Cases whose names hold one of the words are run, all without; each run stands in a folder of its own, where it goes on when it was stopped.
"""

import os
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.record import DATA, record
from sparring.api import Model, load, run
from sparring.data.builtin.moving import MOTIONS, Motion, moving, moving_motions
from sparring.data.settings import ClipSettings
from sparring.data.source import batches
from sparring.data.video.films import open_clips
from sparring.data.video.frame_pairs import FramePairs
from sparring.game import play
from sparring.game.animate import points_of
from sparring.nets.motion import KeyPoints, inverse, times
from sparring.progress import Line
from sparring.recipes import RECIPES
from sparring.rng import generator, seed_round
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.spaces import Clips, Images

RUNS = Path(os.environ.get("SPARRING_RUNS", "runs/motion"))
CLIPS = {"moving": "moving", "shapes": str(DATA / "video/moving_shapes_64_strips_png.zip"),
         "people": str(DATA / "video/weizmann_actions_64_strips_jpg.zip")}
RUN: dict[str, tuple[str, dict[str, Any]]] = {          # data, settings
    "moving": ("moving", {"steps": 6000, "size": 64}), "moving-zero": ("moving", {"steps": 6000, "size": 64, "jacobian": False}),
    "moving-alone": ("moving", {"steps": 6000, "size": 64, "adversarial": False}),
    "shapes": ("shapes", {"steps": 5000, "size": 64}), "people": ("people", {"steps": 8000, "size": 64}),
    "people-zero": ("people", {"steps": 8000, "size": 64, "jacobian": False}),
}
NEAR = 0.3              # a key point this near to the trunk's middle is on the figure
COLOURS = 6             # shades of each channel in a histogram
OTHERS = 20             # pairs of clips of one folder in which one animates the other


def trained(name: str, seed: int) -> Model:
    """The model of this run, trained as far as it is not."""
    data, given = RUN[name]
    folder = RUNS / f"{name}-{seed}"
    if not (folder / "model").exists():
        every = given["steps"] // 4
        run(prepare(Request("motion", CLIPS[data], given | {"threads": 1, "show_every": every, "score_every": every}, seed), folder),
            Line(f"{name} {seed}"))
    return load(folder)


def found_in(model: Model, source: FramePairs) -> KeyPoints:
    """The key points in all frames of a set of clips."""
    assert model.game.animation is not None
    parts = [points_of(model.game.animation, source.clip(i)) for i in range(len(source.lengths))]
    return KeyPoints(torch.cat([part.at for part in parts]),
                     None if parts[0].slope is None else torch.cat([part.slope for part in parts if part.slope is not None]))


# ------------------------------------------------------------------------------------------------------- known motion
def explained(known: Tensor, truth: Tensor, held_out: Tensor, wanted: Tensor) -> float:
    """R^2 on held-out frames of the linear regression of true places float[N, M] on key points float[N, K], over all M together."""
    def with_one(x: Tensor) -> np.ndarray:
        return torch.cat([x, torch.ones(len(x), 1)], 1).double().numpy()

    weights = np.linalg.lstsq(with_one(known), truth.double().numpy(), rcond=None)[0]
    wrong = wanted.double().numpy() - with_one(held_out) @ weights
    return float(1 - (wrong**2).sum() / ((wanted - wanted.mean(0)).double().numpy()**2).sum())


def affine_errors(found: KeyPoints, truth: Motion) -> dict[str, float]:
    """Medians over frames of how far the Jacobians' rotation and scale since a clip's first frame are from the figure's, in degrees and
    as a share; by the mean Jacobian of the key points near the trunk, of clips that turn, and of clips that grow."""
    assert found.slope is not None
    n, frames = truth.angle.shape
    at, slope = (part.unflatten(0, (n, frames)) for part in found)
    near = ((at - truth.parts[:, :, :1]).norm(dim=-1).mean(1) < NEAR).float()                  # [n, K]
    nearest = torch.nn.functional.one_hot((at - truth.parts[:, :, :1]).norm(dim=-1).mean(1).argmin(1), at.shape[2]).float()
    share = torch.where(near.sum(1, keepdim=True) > 0, near, nearest)
    share = share / share.sum(1, keepdim=True)
    since = (times(slope, inverse(slope[:, :1])) * share[:, None, :, None, None]).sum(2)       # [n, T, 2, 2]
    angle = torch.atan2(since[..., 1, 0] - since[..., 0, 1], since[..., 0, 0] + since[..., 1, 1])
    scale = torch.linalg.det(since).abs().sqrt()
    turned, grown = truth.angle - truth.angle[:, :1], truth.scale / truth.scale[:, :1]
    turning, growing = (truth.kind == MOTIONS.index(name) for name in ("turns", "grows"))
    return {"rotation error, degrees": float((angle - turned)[turning].rad2deg().abs().median()),
            "rotation error of standing still": float(turned[turning].rad2deg().abs().median()),
            "scale error": float((scale / grown - 1)[growing].abs().median()),
            "scale error of standing still": float((1 / grown - 1)[growing].abs().median())}


def rebuilt(model: Model, source: FramePairs) -> dict[str, float]:
    """L1 of all frames of clips rebuilt from their first one, and of that itself; images are in [-1, 1]."""
    made, copied = list[Tensor](), list[Tensor]()
    for i in range(len(source.lengths)):
        clip = source.clip(i)
        made.append((model.animate(clip[0], clip[1:]) - clip[1:]).abs().mean((1, 2, 3)))
        copied.append((clip[:1] - clip[1:]).abs().mean((1, 2, 3)))
    ours, theirs = float(torch.cat(made).mean()), float(torch.cat(copied).mean())
    return {"l1": ours, "l1 of copying": theirs, "l1 left": ours / theirs}


def known_motion(name: str, seed: int) -> dict[str, Any]:
    source, model = moving(ClipSettings(size="64")), trained(name, seed)
    assert source.held_out is not None
    train, rest = found_in(model, source), found_in(model, source.held_out)
    truths = [moving_motions(len(part.lengths), held) for part, held in ((source, False), (source.held_out, True))]
    places = [truth.parts.flatten(0, 1).flatten(1) for truth in truths]
    return {"r2": explained(train.at.flatten(1), places[0], rest.at.flatten(1), places[1]), **rebuilt(model, source.held_out),
            **({} if rest.slope is None else affine_errors(rest, truths[1]))}


# -------------------------------------------------------------------------------------------------------- real clips
def histogram(clip: Tensor) -> Tensor:
    """The shares of colours in frames float[T, 3, H, W] in [-1, 1]."""
    shade = ((clip + 1) / 2 * COLOURS).long().clamp(0, COLOURS - 1)
    cell = (shade[:, 0] * COLOURS + shade[:, 1]) * COLOURS + shade[:, 2]
    return torch.bincount(cell.flatten(), minlength=COLOURS**3).double() / cell.numel()


def followed(moves: Tensor, made: Tensor) -> float:
    """The correlation of two sets of key points float[T, K, 2] over time, each without its mean over the frames."""
    a, b = ((part - part.mean(0)).flatten().double() for part in (moves, made))
    return float((a * b).sum() / (a.norm() * b.norm()).clamp_min(1e-12))


def others(model: Model, source: FramePairs) -> dict[str, float]:
    """The first frame of one held-out clip animated by another of the same folder, relatively: how far its colours are from the source's
    and from the driving clip's, and how its key points follow."""
    assert model.game.animation is not None
    folders = [name.rpartition("/")[0] for name in source.names]
    pairs = [(i, j) for i, j in permutations(range(len(folders)), 2) if folders[i] == folders[j]]
    chosen = [pairs[k] for k in torch.randperm(len(pairs), generator=generator(0, "others"))[:OTHERS].tolist()]
    kept, taken, follow = list[float](), list[float](), list[float]()
    for i, j in chosen:
        picture, driving = source.clip(i)[:1], source.clip(j)
        made = model.animate(picture[0], driving, relative=True, find_best_frame=True)
        kept.append(float((histogram(made) - histogram(picture)).abs().sum()))
        taken.append(float((histogram(made) - histogram(driving)).abs().sum()))
        follow.append(followed(points_of(model.game.animation, driving).at, points_of(model.game.animation, made).at))
    return {"colours' distance from the source": sum(kept) / len(kept), "colours' distance from the driving clip": sum(taken) / len(taken),
            "colours kept: the first over the second": sum(kept) / sum(taken), "correlation of key points": sum(follow) / len(follow)}


def real_clips(name: str, seed: int) -> dict[str, Any]:
    source = open_clips(CLIPS[RUN[name][0]], ClipSettings(size="64"))
    model = trained(name, seed)
    assert source.held_out is not None
    return rebuilt(model, source.held_out) | others(model, source.held_out)


# -------------------------------------------------------------------------------------------------- speed and memory
def speed(frames: int = 200) -> dict[str, Any]:
    """Frames a second of an untrained model at 64 pixels on one core: what it has learned takes no time."""
    torch.set_num_threads(1)
    recipe, space = RECIPES["motion"], Clips(Images(3, 64, 64))
    torch.manual_seed(0)
    settings = recipe.settings(**recipe.defaults(space))
    model = Model("motion", settings, space, recipe.game(settings, space, torch.device("cpu")))
    clip = torch.rand(frames, 3, 64, 64) * 2 - 1
    model.animate(clip[0], clip[:16])
    began = time.perf_counter()
    model.animate(clip[0], clip, relative=True)
    return {"frames a second": frames / (time.perf_counter() - began)}


def memory(rounds: int = 400) -> dict[str, Any]:
    """The largest memory of this process after a tenth of the rounds, and after all, in MiB."""
    source, recipe, cpu = moving(ClipSettings(size="64"), train=20, held_out=4), RECIPES["motion"], torch.device("cpu")
    game, stream = recipe.game(recipe.settings(**recipe.defaults(source.space)), source.space, cpu), batches(source, 8, 0)
    found = list[float]()
    for step in range(rounds):
        seed_round(0, cpu, step)
        play(game, stream, step)
        if step + 1 in (max(1, rounds // 10), rounds):
            found.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return {"after a tenth": found[0], "after all": found[-1], "growth": found[-1] - found[0]}


CASES: dict[str, Callable[[], dict[str, Any]]] = {
    "speed": speed, "memory": memory,
    **{f"moving, seed {seed}": partial(known_motion, "moving", seed) for seed in (0, 1, 2)},
    **{f"moving without jacobians, seed {seed}": partial(known_motion, "moving-zero", seed) for seed in (0, 1, 2)},
    "moving without a discriminator, seed 0": partial(known_motion, "moving-alone", 0),
    **{f"shapes, seed {seed}": partial(real_clips, "shapes", seed) for seed in (0, 1, 2)},
    **{f"people, seed {seed}": partial(real_clips, "people", seed) for seed in (0, 1, 2)},
    "people without jacobians, seed 0": partial(real_clips, "people-zero", 0),
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    asked = [word for word in sys.argv[1:] if not word.startswith("-")]
    record("motion", "Recipe `motion` at 64 pixels, default settings apart from the rounds, in RUN of this file; one thread. r2: linear "
           "regression of the middles of trunk, head and hands on the key points, fitted on the training clips, on held-out ones. Rotation "
           "and scale: medians over frames since a clip's first, by the mean Jacobian of key points near the trunk. l1: every frame of the "
           "held-out clips from the first, absolute motion, images in [-1, 1]. Colours and correlation: up to 20 pairs of held-out clips "
           "of one folder, relative motion from the best frame; histograms of 6x6x6 colours; key points are found anew in the result.",
           {"moving": "r2 >= 0.98; rotation <= 5 degrees; scale <= 0.1; l1 left <= 1/3, and less than without jacobians",
            "shapes, people": "l1 left <= 1/2; colours kept <= 1/3; correlation of key points >= 0.8",
            "speed": "25 frames a second on one core", "memory": "no growth"},
           [(name, case) for name, case in CASES.items() if not asked or any(word in name for word in asked)])
