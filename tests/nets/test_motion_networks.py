"""The networks of first order motion: closed forms of their geometry."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparring.nets.motion import (
    Animator,
    Detector,
    Flow,
    KeyPoints,
    coarse,
    gaussians,
    inverse,
    places,
    soft_argmax,
    sparse_motions,
    times,
    warped,
)

DOUBLE = torch.zeros((), dtype=torch.float64)


def points(n=2, count=3, seed=0, slopes=True):
    rng = torch.Generator().manual_seed(seed)
    at = torch.rand(n, count, 2, generator=rng, dtype=torch.float64) * 1.6 - 0.8
    slope = torch.eye(2, dtype=torch.float64) + 0.4 * torch.randn(n, count, 2, 2, generator=rng, dtype=torch.float64)
    return KeyPoints(at, slope if slopes else None)


@settings(max_examples=25)
@given(st.integers(2, 40), st.integers(2, 40))
def test_places_are_the_centres_of_pixels(height, width):
    at = places(height, width, DOUBLE)
    assert at.shape == (height, width, 2)
    torch.testing.assert_close(at[0, 0], torch.tensor([1 / width - 1, 1 / height - 1], dtype=torch.float64))
    torch.testing.assert_close(at, -at.flip(0, 1))


@settings(max_examples=25)
@given(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4))
def test_the_soft_argmax_of_a_gaussian_blob_is_its_centre(x, y):
    blob = gaussians(torch.tensor([[[x, y]]], dtype=torch.float64), 48, 56)
    heat = blob / blob.sum((2, 3), keepdim=True)
    torch.testing.assert_close(soft_argmax(heat)[0, 0], torch.tensor([x, y], dtype=torch.float64), atol=1e-6, rtol=0)


def test_the_inverse_of_matrices():
    a = points(5, 7).slope
    torch.testing.assert_close(inverse(a), torch.linalg.inv(a))
    torch.testing.assert_close(times(a, inverse(a)), torch.eye(2, dtype=torch.float64).expand_as(a), atol=1e-10, rtol=0)
    assert torch.isfinite(inverse(torch.zeros(1, 2, 2))).all()


def test_one_key_point_with_its_jacobians_gives_the_affine_map_between_two_images():
    """If both images come from R by affine maps, x = A r + a, the motion from one to the other is affine and found exactly (eq. 4)."""
    source, driving = points(seed=1), points(seed=2)
    found = sparse_motions(source, driving, 6, 9)
    at, (n, count) = places(6, 9, DOUBLE), source.at.shape[:2]
    torch.testing.assert_close(found[:, 0], at.expand(n, -1, -1, -1))
    for b in range(n):
        for k in range(count):
            back = (at - driving.at[b, k]) @ torch.linalg.inv(driving.slope[b, k]).T
            torch.testing.assert_close(found[b, k + 1], back @ source.slope[b, k].T + source.at[b, k])


def test_of_order_zero_everything_moves_as_the_key_point_does():
    source, driving = points(seed=1, slopes=False), points(seed=2, slopes=False)
    moved = sparse_motions(source, driving, 5, 5)[:, 1:] - places(5, 5, DOUBLE)
    torch.testing.assert_close(moved, (source.at - driving.at)[:, :, None, None].expand_as(moved))


def test_warping_by_a_known_flow_is_exact():
    x = torch.rand(2, 3, 10, 12, dtype=torch.float64)
    still = places(10, 12, x).expand(2, -1, -1, -1)
    torch.testing.assert_close(warped(x, still), x)
    torch.testing.assert_close(warped(x, still * torch.tensor([-1.0, 1.0])), x.flip(-1))
    right = warped(x, still - torch.tensor([2 * 3 / 12, 0.0], dtype=torch.float64))        # three pixels
    torch.testing.assert_close(right[..., 3:], x[..., :-3])
    flow = Flow(right.new_tensor(0) + still, torch.ones(2, 1, 10, 12, dtype=torch.float64), DOUBLE)
    torch.testing.assert_close(flow.moved(x), x)


def test_a_flow_that_is_found_coarsely_moves_larger_images_too():
    """Bilinear enlargement keeps affine flows, but at the border."""
    x = torch.rand(1, 1, 32, 32, dtype=torch.float64)
    at = places(8, 8, x)[None] + 2 * 2 / 32
    moved = Flow(at, torch.ones(1, 1, 8, 8, dtype=torch.float64), DOUBLE).moved(x)
    torch.testing.assert_close(moved[..., 3:-5, 3:-5], x[..., 5:-3, 5:-3])


@pytest.mark.parametrize("size", [(4, 4), (9, 16), (64, 64), (256, 128)])
def test_motion_is_found_at_a_half_to_a_quarter_of_the_size(size):
    height, width = coarse(*size)
    assert all(small == max(4, round(one * height / size[0])) or size == (9, 16) for small, one in zip((height, width), size, strict=True))
    assert 4 <= height <= size[0] and (height == 4 or size[0] / 4 <= height <= size[0] / 2 + 1)


def test_jacobians_are_the_identity_at_first_and_key_points_follow_a_picture():
    torch.manual_seed(0)
    found = Detector(3, 5, 8, True)(torch.rand(2, 3, 32, 24) * 2 - 1)
    assert found.at.shape == (2, 5, 2) and found.at.abs().max() < 1
    torch.testing.assert_close(found.slope, torch.eye(2).expand(2, 5, 2, 2))


@pytest.mark.parametrize(("channels", "height", "width", "slopes"), [(1, 5, 7, True), (3, 32, 32, False), (4, 33, 18, True)])
def test_what_is_rendered_has_the_size_of_the_source(channels, height, width, slopes):
    torch.manual_seed(0)
    net = Animator(channels, height, width, 4, 8, 1, slopes)
    x = torch.rand(2, channels, height, width) * 2 - 1
    made = net.render(x, net(x), net(x.flip(0)))
    assert made.shape == x.shape and made.abs().max() <= 1
    one = net.render(x[:1], net(x[:1]), net(x.flip(0)[:1]))
    torch.testing.assert_close(made[:1], one, atol=1e-4, rtol=1e-3)                        # an image is treated alike in any batch
