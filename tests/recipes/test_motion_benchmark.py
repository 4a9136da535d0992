"""What the benchmark of motion measures, in closed form and at toy size."""

import pytest
import torch
from benchmarks.recipes import motion

from sparring.data.builtin.moving import motions, moving, rotation
from sparring.data.settings import ClipSettings
from sparring.nets.motion import KeyPoints, inverse, times
from sparring.rng import generator
from untrained import untrained


def test_places_that_depend_linearly_on_key_points_are_explained_and_others_are_not():
    rng = torch.Generator().manual_seed(0)
    known, weights = torch.randn(80, 6, generator=rng), torch.randn(6, 4, generator=rng)
    held_out = torch.randn(40, 6, generator=rng)
    assert motion.explained(known, known @ weights + 1, held_out, held_out @ weights + 1) == pytest.approx(1)
    assert motion.explained(known, torch.randn(80, 4, generator=rng), held_out, torch.randn(40, 4, generator=rng)) < 0.1


def test_jacobians_that_turn_and_grow_as_the_figure_does_have_no_error():
    """Whatever the maps from the reference frame are."""
    truth = motions(8, 6, generator(0, "test"))
    at = truth.parts.flatten(0, 1)
    figure = (truth.scale[..., None, None] * rotation(truth.angle)).flatten(0, 1)[:, None]
    own = torch.eye(2) + 0.2 * torch.randn(4, 2, 2, generator=torch.Generator().manual_seed(0))
    found = motion.affine_errors(KeyPoints(at, times(figure, own)), truth)
    assert found["rotation error, degrees"] < 1e-3 and found["scale error"] < 1e-4
    assert found["rotation error of standing still"] > 5 and found["scale error of standing still"] > 0.05
    still = motion.affine_errors(KeyPoints(at, (own @ inverse(own)).expand(48, -1, -1, -1)), truth)
    assert still["rotation error, degrees"] == pytest.approx(still["rotation error of standing still"], rel=1e-4)


def test_colours_and_correlations():
    clip = torch.rand(3, 3, 8, 8) * 2 - 1
    assert float((motion.histogram(clip) - motion.histogram(clip.flip(-1))).abs().sum()) == 0
    assert float((motion.histogram(clip * 0 + 1) - motion.histogram(clip * 0 - 1)).abs().sum()) == 2
    moves = torch.randn(9, 5, 2)
    assert motion.followed(moves, 3 * moves + 1) == pytest.approx(1)
    assert motion.followed(moves, -moves) == pytest.approx(-1)


def test_every_figure_is_had_of_a_small_model():
    source = moving(ClipSettings(size="16"), train=4, held_out=4)
    model = untrained("motion", source.space)
    source.held_out.names = ("a/1", "a/2", "b/1", "b/2")
    assert motion.found_in(model, source.held_out).at.shape == (4 * 16, 10, 2)
    assert motion.rebuilt(model, source.held_out)["l1 left"] > 0
    assert set(motion.others(model, source.held_out)) > {"correlation of key points"}
    assert motion.memory(2)["growth"] >= 0 and motion.speed(2)["frames a second"] > 0
    assert all(name in motion.RUN for name in ("moving", "shapes", "people"))
