"""Animating with a detector and a renderer that are known: absolute, relative, and the best frame to begin from."""

import pytest
import torch

from made import refused
from sparring.game import Animation
from sparring.game.animate import animate, nearest, since
from sparring.nets.motion import KeyPoints, times
from sparring.spaces import Images

FRAME = Images(1, 4, 4)


def known(slopes=True):
    """Key points that a picture's first pixels say, and pictures that show where the key points should be."""
    def points(x, live=False):
        at = x[:, 0, 0].view(-1, 2, 2)
        return KeyPoints(at, (torch.eye(2) * (1 + x[:, 0, 1, 0].view(-1, 1, 1, 1))).expand(-1, 2, -1, -1) if slopes else None)

    def render(x, source, driving, live=False):
        made = x.clone()
        made[:, 0, 0] = driving.at.flatten(1)
        if driving.slope is not None:
            made[:, 0, 2, 0] = driving.slope[:, 0, 0, 0] - 1
        return made

    return Animation(FRAME, points, render)


def picture(*at, scale=0.0):
    x = torch.zeros(1, 4, 4)
    x[0, 0], x[0, 1, 0] = torch.tensor(at), scale
    return x


CLIP = torch.stack([picture(0.0, 0.0, 0.2, 0.2), picture(0.1, 0.0, 0.3, 0.2, scale=0.5), picture(0.0, 0.3, 0.2, 0.5)])


@pytest.mark.parametrize("slopes", [True, False])
def test_absolute_motion_gives_the_key_points_of_the_clip(slopes):
    made = animate(known(slopes), picture(0.5, 0.5, 0.6, 0.6)[None], CLIP)
    assert made.shape == (1, 3, 1, 4, 4)
    assert torch.equal(made[0, :, 0, 0], CLIP[:, 0, 0])


@pytest.mark.parametrize("slopes", [True, False])
def test_relative_motion_adds_the_changes(slopes):
    own = picture(-0.5, 0.5, -0.4, 0.6, scale=0.2)
    made = animate(known(slopes), torch.stack([own, own]), CLIP, relative=True)
    torch.testing.assert_close(made[1], made[0])
    torch.testing.assert_close(made[0, :, 0, 0], own[0, 0] + CLIP[:, 0, 0] - CLIP[0, 0, 0])
    if slopes:
        torch.testing.assert_close(1 + made[0, :, 0, 2, 0], 1.2 * torch.tensor([1.0, 1.5, 1.0]))


def test_a_clip_changes_nothing_since_the_frame_it_begins_from():
    rng = torch.Generator().manual_seed(0)
    moves = KeyPoints(torch.randn(4, 3, 2, generator=rng), torch.eye(2) + 0.2 * torch.randn(4, 3, 2, 2, generator=rng))
    own = moves.rows(slice(2, 3))
    torch.testing.assert_close(since(moves, 2, own).at, moves.at)
    torch.testing.assert_close(since(moves, 2, own).slope, moves.slope, atol=1e-5, rtol=1e-4)
    still = since(moves, 1, KeyPoints(own.at, torch.eye(2).expand(1, 3, 2, 2)))
    torch.testing.assert_close(times(still.slope[1:2], moves.slope[1:2]), moves.slope[1:2], atol=1e-5, rtol=1e-4)


def test_the_best_frame_is_the_one_of_the_same_pose_wherever_it_is():
    rng = torch.Generator().manual_seed(0)
    moves = KeyPoints(torch.randn(6, 5, 2, generator=rng), None)
    for number in range(6):
        assert nearest(KeyPoints(0.3 * moves.at[number:number + 1] + 0.4, None), moves) == number


def test_what_cannot_be_animated_is_refused():
    refused("the source has shape", animate, known(), torch.zeros(1, 3, 4, 4), CLIP)
    refused("the driving clip has shape", animate, known(), CLIP[:1], CLIP[:, :, :2])
    refused("goes from 0 to 255", animate, known(), CLIP[:1], torch.linspace(0, 255, 48).view(3, 1, 4, 4))
    refused("relative motion alone", animate, known(), CLIP[:1], CLIP, best=True)


def test_progress_counts_frames():
    told = []
    animate(known(), torch.zeros(2, 1, 4, 4), CLIP.repeat(7, 1, 1, 1), watch=lambda done, total: told.append((done, total)))
    assert told == [(16, 42), (21, 42), (37, 42), (42, 42)]
