"""Thin-plate-spline warps, and the losses of key points under them."""

import pytest
import torch

from sparring.nets.motion import KeyPoints, applied, inverse, places, times
from sparring.objectives.pyramid import pyramid
from sparring.objectives.thin_plate import Warp, equivariance, random_warp

LIKE = torch.zeros(3, 1, 20, 24, dtype=torch.float64)


def warp(seed=0, bend=1.0):
    torch.manual_seed(seed)
    made = random_warp(LIKE)
    return made._replace(bend=made.bend * bend)


def some(n=3, count=5, seed=3):
    rng = torch.Generator().manual_seed(seed)
    return (torch.rand(n, count, 2, generator=rng, dtype=torch.float64) * 1.6 - 0.8,
            torch.eye(2, dtype=torch.float64) + 0.3 * torch.randn(n, count, 2, 2, generator=rng, dtype=torch.float64))


def test_a_warp_of_zeros_changes_nothing():
    still = Warp(torch.zeros(3, 2, 3, dtype=torch.float64), torch.zeros(3, 25, 2, dtype=torch.float64), places(5, 5, LIKE).reshape(-1, 2))
    at, slope = some()
    torch.testing.assert_close(still.points(at), at)
    torch.testing.assert_close(still.slope(at), torch.eye(2, dtype=torch.float64).expand_as(slope))
    x = torch.rand_like(LIKE)
    torch.testing.assert_close(still.image(x), x)


def test_slopes_are_those_of_the_points():
    it, (at, _) = warp(), some()
    for b in range(len(at)):
        for k in range(at.shape[1]):
            def moved(z, b=b):
                return Warp(it.affine[b:b + 1], it.bend[b:b + 1], it.control).points(z[None, None])[0, 0]
            torch.testing.assert_close(it.slope(at)[b, k], torch.autograd.functional.jacobian(moved, at[b, k]))


def test_a_warped_image_shows_what_the_image_has_at_the_warped_places():
    it = warp()
    ramp = places(20, 24, LIKE).permute(2, 0, 1).expand(3, -1, -1, -1)
    shown, wanted = it.image(ramp), it.points(places(20, 24, LIKE).reshape(1, -1, 2).expand(3, -1, -1))
    wanted = wanted.transpose(1, 2).unflatten(2, (20, 24))
    inside = ((wanted[:, 0].abs() < 1 - 1 / 24) & (wanted[:, 1].abs() < 1 - 1 / 20))[:, None].expand_as(shown)
    torch.testing.assert_close(shown[inside], wanted[inside])
    assert inside.float().mean() > 0.4


def test_equivariance_is_zero_for_a_perfect_detector_and_not_for_another():
    it, (at, slope) = warp(), some()
    found = KeyPoints(it.points(at), times(it.slope(at), slope))
    perfect = equivariance(it, found, KeyPoints(at, slope))
    assert all(float(term) < 1e-12 for term in perfect.values())
    assert set(perfect) == {"points", "jacobians"}
    moved = equivariance(it, found._replace(at=found.at + 0.1), KeyPoints(at, slope))
    assert float(moved["points"]) == pytest.approx(0.1)
    blind = equivariance(it, KeyPoints(at, slope), KeyPoints(at, slope))
    assert min(map(float, blind.values())) > 0.01
    assert set(equivariance(it, KeyPoints(at, None), KeyPoints(at, None))) == {"points"}


def test_an_affine_warp_is_recovered_exactly_from_one_key_point():
    it, (at, slope) = warp(bend=0.0), some(count=1)
    found = KeyPoints(it.points(at), times(it.slope(at), slope))
    back = times(found.slope, inverse(slope))                       # eq. 5
    torch.testing.assert_close(back[:, 0], torch.eye(2, dtype=torch.float64) + it.affine[:, :, :2])
    z, _ = some(seed=9)
    torch.testing.assert_close(found.at + applied(back, z - at), it.points(z))


def test_warps_follow_from_torchs_generator_and_are_moderate():
    assert all(torch.equal(a, b) for a, b in zip(warp(1), warp(1), strict=True))
    assert not torch.equal(warp(1).affine, warp(2).affine)
    torch.manual_seed(0)
    many = random_warp(torch.zeros(500, 1, 4, 4))
    z = places(8, 8, many.affine).reshape(1, -1, 2).expand(500, -1, -1)
    away = (many.points(z) - z).norm(dim=-1)
    assert 0.05 < float(away.mean()) < 0.4
    assert float((torch.linalg.det(many.slope(z)) > 0).double().mean()) > 0.99


def test_the_pyramid_of_equal_images_is_zero_and_of_a_shade_its_difference():
    x = torch.rand(2, 3, 32, 32) * 2 - 1
    assert float(pyramid(x, x)) == 0
    assert float(pyramid(x, x + 0.25)) == pytest.approx(0.25, rel=1e-5)
    assert float(pyramid(x[..., :5, :5], x[..., :5, :5] + 0.25)) == pytest.approx(0.25, rel=1e-5)
