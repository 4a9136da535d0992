"""Augmentation: exact where it is closed form, differentiable twice, fair to both kinds of samples, and never in what is sampled."""

import math

import pytest
import torch

import sparring
from conftest import small_images
from sparring.errors import InputError
from sparring.objectives import penalties
from sparring.objectives.augment import Adaptive, _mirrored, _moves, _scales, _turns, ada, colour, diff, geometry, recolour, warp

SQUARE = torch.arange(2 * 3 * 6 * 6, dtype=torch.float64).view(2, 3, 6, 6)


@pytest.mark.parametrize(("inverse", "expected"), [
    (_moves(torch.zeros(2, 2)), SQUARE),
    (_scales(-torch.ones(2), torch.ones(2)), SQUARE.flip(3)),
    (_turns(torch.full((2,), math.pi / 2)), SQUARE.rot90(-1, (2, 3))),
    (_turns(torch.full((2,), math.pi)), SQUARE.rot90(2, (2, 3))),
], ids=["nothing", "flip", "quarter turn", "half turn"])
def test_moves_on_whole_pixels_are_exact(inverse, expected):
    torch.testing.assert_close(warp(SQUARE, inverse), expected, rtol=0, atol=1e-4)


def test_a_shift_moves_to_the_right_and_down_and_mirrors_at_the_edge():
    moved = warp(SQUARE, _moves(torch.tensor([[2.0, 1.0]] * 2)))
    torch.testing.assert_close(moved[:, :, 1:, 2:], SQUARE[:, :, :-1, :-2])
    torch.testing.assert_close(moved[:, :, 1:, :2], SQUARE[:, :, :-1, [2, 1]])


def test_half_a_pixel_is_the_mean_of_two():
    moved = warp(SQUARE, _moves(torch.tensor([[-0.5, 0.0]] * 2)))
    torch.testing.assert_close(moved[..., :-1], (SQUARE[..., :-1] + SQUARE[..., 1:]) / 2)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_mirrored_places_lie_on_the_line(n):
    place = _mirrored(torch.linspace(-40, 40, 333), n)
    assert place.min() >= 0 and place.max() <= n - 1


def test_colours_of_one_kind_at_a_time():
    torch.manual_seed(0)
    grey = torch.rand(4, 3, 1, 1).mean(1, keepdim=True).expand(4, 3, 2, 2)
    for matrix in (colour(4, 0.0, torch.device("cpu")), colour(4, 1.0, torch.device("cpu"))):
        seen = recolour(grey, matrix)
        torch.testing.assert_close(seen, seen.mean(1, keepdim=True).expand_as(seen), atol=1e-5, rtol=0)     # grey stays grey
    assert torch.allclose(colour(4, 0.0, torch.device("cpu"))[:, :, :3], torch.eye(3), atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_shapes_and_alpha(channels):
    x = torch.rand(5, channels, 7, 9) * 2 - 1
    for change in (diff, lambda x: ada(x, 0.8)):
        assert change(x).shape == x.shape
    assert torch.equal(ada(x, 0.0), x)
    assert torch.equal(recolour(x, colour(5, 1.0, x.device))[:, 3:], x[:, 3:])


@pytest.mark.parametrize("change", [diff, lambda x: ada(x, 1.0)], ids=["diff", "ada"])
def test_slopes_pass_through_twice_and_are_right(change):
    torch.manual_seed(0)
    x = torch.rand(2, 3, 4, 4, dtype=torch.float64) * 2 - 1
    weights = torch.randn(48, dtype=torch.float64)

    def critic(at):
        torch.manual_seed(1)
        return (change(at).double().flatten(1).tanh() * weights).sum(1)

    assert torch.autograd.gradcheck(critic, x.requires_grad_(), eps=1e-6, atol=1e-3)
    weights.requires_grad_()
    penalty = penalties.r1(critic, x)
    assert penalty > 0
    assert torch.autograd.grad(penalty, weights)[0].abs().sum() > 0


def test_p_is_how_often_something_happens():
    torch.manual_seed(0)
    maps = geometry(4000, 8, 8, 0.3, torch.device("cpu"))
    untouched = (maps - torch.eye(2, 3)).abs().amax((1, 2)) < 1e-6
    # flips happen with half of p, quarter turns with three quarters; shifts of less than half a pixel are none
    expected = 0.85 * (1 - 0.3 * 0.75) * (1 - 0.3 * 0.75) * 0.7 * 0.7 * 0.7 * 0.7
    assert untouched.float().mean().item() == pytest.approx(expected, abs=0.05)


def test_strength_rises_while_d_is_sure_and_falls_while_it_is_not():
    strength = Adaptive(images=1000)
    for _ in range(8):
        strength.observe(torch.ones(10))
    assert strength.p == pytest.approx(0.08)
    for _ in range(4):
        strength.observe(torch.tensor([1.0, -1.0] * 5))
    assert strength.p == pytest.approx(0.04)
    strength.observe(torch.ones(10))
    other = Adaptive(images=1000)
    other.load_state_dict(strength.state_dict())
    assert other.state_dict() == strength.state_dict()
    for _ in range(1000):
        strength.observe(torch.ones(10))
    assert strength.p == 1.0


def test_generated_samples_are_not_augmented():
    """Bars on the left half only: under strong augmentation of everything that D sees, samples still have them on the left."""
    data = torch.full((256, 1, 8, 8), -1.0)
    data[:, :, :, :3] = torch.rand(256, 1, 1, 3, generator=torch.Generator().manual_seed(0)) * 0.4 + 0.6
    model = sparring.fit("gan", data=((data + 1) * 127.5).to(torch.uint8), steps=250, batch=32, width=8, latent=4, threads=1,
                         augment="diff", penalty="r1", penalty_weight=0.1)
    made = model.sample(64)
    left, right = made[..., :3].mean((1, 2, 3)), made[..., 5:].mean((1, 2, 3))
    assert (left > right + 0.5).float().mean() > 0.95


@pytest.mark.parametrize(("recipe", "given", "message"), [
    ("gan", {"data": "ring", "augment": "ada"}, "this data is not images"),
    ("gan", {"data": small_images(40, labelled=False), "augment": "diff", "pack": 2}, "pack=2 joins images"),
    ("gan", {"data": small_images(40), "augment": "ada", "objective": "relativistic"}, "whose discriminator gives a probability"),
    ("r3gan", {"data": "ring", "augment": "diff"}, "this data is not images"),
])
def test_where_it_means_nothing_it_is_refused(recipe, given, message):
    with pytest.raises(InputError, match=message):
        sparring.fit(recipe, steps=1, batch=8, width=8, threads=1, **given)
