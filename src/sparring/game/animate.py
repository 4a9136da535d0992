"""One picture, or several, animated by the frames of a clip: with the clip's key points, or with their changes since one of its frames."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sparring.errors import InputError
from sparring.game import Animation
from sparring.nets.motion import Animator, KeyPoints, inverse, times
from sparring.spaces import Images

FEW = 16                # frames that are made at once
RANGE = 1.5             # what images may reach, as for translation


def animation(frame: Images, net: nn.Module, average: nn.Module, device: torch.device) -> Animation:
    """How the networks are used, as they play or averaged: no layer of theirs is another in evaluation mode."""
    @torch.no_grad()
    def points(x: Tensor, live: bool = False) -> KeyPoints:
        found: KeyPoints = (net if live else average)(x.to(device))
        return found

    @torch.no_grad()
    def render(x: Tensor, source: KeyPoints, driving: KeyPoints, live: bool = False) -> Tensor:
        chosen = net if live else average
        assert isinstance(chosen, Animator)
        return chosen.render(x.to(device), source, driving)

    return Animation(frame, points, render)


def animate(animation: Animation, source: Tensor, driving: Tensor, relative: bool = False, best: bool = False,
            watch: Callable[[int, int], None] = lambda done, total: None) -> Tensor:
    """Pictures float[S, C, H, W] moved as in the frames float[T, C, H, W]: float[S, T, C, H, W], all in [-1, 1].

    Absolute motion gives pictures the key points of the frames, whose figure has to be of the same build; `relative` motion adds the
    changes since the first frame to the pictures' own (Siarohin et al., 2019, eqs. 14 and 15), or since the frame that is nearest to the
    picture in its pose, when it is the `best` to begin from.  InputError for images that are not such as the model was trained on.
    """
    refuse(animation, "the source", source)
    refuse(animation, "the driving clip", driving)
    if best and not relative:
        raise InputError("the best frame to begin from matters for relative motion alone. Ask for relative motion too, or leave it out.")
    moves, made = points_of(animation, driving), list[Tensor]()
    for number, picture in enumerate(source):
        own = points_of(animation, picture[None])
        begin = nearest(own, moves) if best else 0
        wanted = since(moves, begin, own) if relative else moves
        for i in range(0, len(driving), FEW):
            goal = wanted.rows(slice(i, i + FEW))
            n = len(goal.at)
            same = KeyPoints(own.at.expand(n, -1, -1), None if own.slope is None else own.slope.expand(n, -1, -1, -1))
            made.append(animation.render(picture.expand(n, -1, -1, -1), same, goal).float().cpu())
            watch(number * len(driving) + i + n, len(source) * len(driving))
    return torch.cat(made).clamp(-1, 1).unflatten(0, (len(source), len(driving)))


def refuse(animation: Animation, what: str, images: Tensor) -> None:
    frame = animation.frame
    if images.ndim != 4 or tuple(images.shape[1:]) != frame.shape or not images.is_floating_point() or not len(images):
        raise InputError(f"{what} has shape {tuple(images.shape)} and type {images.dtype}: expected float[n, {frame.channels}, "
                         f"{frame.height}, {frame.width}] in [-1, 1], the size of training. For files use sparring animate.")
    if not (low := float(images.min())) >= -RANGE or not float(images.max()) <= RANGE:
        raise InputError(f"{what} must be in [-1, 1], and goes from {low:.3g} to {float(images.max()):.3g}. Scale it: x / 127.5 - 1 for 0 "
                         "to 255, 2 * x - 1 for 0 to 1.")


def points_of(animation: Animation, images: Tensor) -> KeyPoints:
    """The key points of images of any number."""
    found = [animation.points(part) for part in images.split(FEW)]
    slopes = [one.slope for one in found if one.slope is not None]
    return KeyPoints(torch.cat([one.at for one in found]), torch.cat(slopes) if slopes else None)


def since(moves: KeyPoints, begin: int, own: KeyPoints) -> KeyPoints:
    """A picture's key points, with what those of a clip changed since one of its frames (Siarohin et al., 2019, eqs. 14 and 15)."""
    at = own.at + moves.at - moves.at[begin]
    if moves.slope is None or own.slope is None:
        return KeyPoints(at, None)
    return KeyPoints(at, times(times(moves.slope, inverse(moves.slope[begin])), own.slope))


def nearest(own: KeyPoints, moves: KeyPoints) -> int:
    """The frame whose key points lie to each other most as the picture's do, wherever and however large they are."""
    def posed(at: Tensor) -> Tensor:
        centred = at - at.mean(1, keepdim=True)
        return centred / centred.square().sum((1, 2), keepdim=True).sqrt().clamp_min(1e-6)

    return int((posed(moves.at) - posed(own.at)).square().sum((1, 2)).argmin())
