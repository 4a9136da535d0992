"""Sources with a known truth, and batches that can be found again from their number."""

import math
from itertools import islice

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import SOURCES, alike, small_images, small_table
from sparring.data.builtin.digits import digits
from sparring.data.builtin.synthetic import Quadratic, gaussian, grid, mixture, ring
from sparring.data.source import batches
from sparring.errors import InputError
from sparring.rng import key
from sparring.spaces import Curves, Images, Vectors, from_json, to_json, to_uint8


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(sorted(SOURCES)), st.integers(0, 200), st.integers(0, 5))
def test_batches_can_be_entered_anywhere(name, start, seed):
    from_the_start = list(islice(batches(SOURCES[name], 7, seed), start + 2))[start:]
    entered = list(islice(batches(SOURCES[name], 7, seed, start), 2))
    for a, b in zip(from_the_start, entered, strict=True):
        assert alike(a, b)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 40), st.integers(0, 3))
def test_every_sample_is_seen_once_an_epoch(size, seed):
    source = small_table(40)
    rows = torch.cat([b.x for b in islice(batches(source, size, seed), 40)])      # `size` epochs of 40
    for epoch in rows.split(40):
        assert torch.equal(epoch.sort(0).values, source.values.sort(0).values)


def test_epochs_and_seeds_shuffle_differently():
    source = small_table(64)
    first, second = islice(batches(source, 64, 0), 2)
    other = next(batches(source, 64, 1))
    assert not torch.equal(first.x, second.x)
    assert not torch.equal(first.x, other.x)


def test_fewer_samples_than_a_batch_is_refused_with_the_way_out():
    with pytest.raises(InputError, match=r"40 samples, fewer than one batch of 64.*batch=20"):
        batches(small_images(40), 64, 0)


def test_keys_do_not_collide():
    keys = {key(seed, stream, i) for seed in range(10) for stream in ("data", "round") for i in range(500)}
    assert len(keys) == 10 * 2 * 500


def test_quadratic_curves_are_what_they_should_be():
    family = Quadratic()
    curves = family.draw(2000, torch.Generator().manual_seed(0))
    x = torch.tensor(family.space.x)
    a = curves[:, -1] / 2 + 0.5                                   # y(1) = 2a - 1
    assert curves.shape == (2000, 15)
    assert torch.allclose(curves, a[:, None] * x**2 + a[:, None] - 1, atol=1e-5)
    assert 1.0 <= a.min() < 1.01
    assert 1.99 < a.max() <= 2.0


@pytest.mark.parametrize("source", [gaussian(), mixture()])
def test_densities_integrate_to_one_and_agree_with_their_samples(source):
    x = torch.linspace(-8, 8, 20001, dtype=torch.float64)[:, None]
    p = source.pdf(x)
    assert p.sum().item() * 16 / 20000 == pytest.approx(1, abs=1e-6)
    samples = source.draw(200_000, torch.Generator().manual_seed(0))
    mean = (p * x[:, 0]).sum().item() * 16 / 20000
    assert samples.mean().item() == pytest.approx(mean, abs=0.02)
    standardized = source.space.encode(samples)
    assert standardized.mean().item() == pytest.approx(0, abs=0.02)
    assert standardized.std().item() == pytest.approx(1, abs=0.02)


def test_ring_has_eight_different_modes_of_deviation_one_hundredth():
    source = ring()
    assert torch.pdist(torch.tensor(source.means)).min().item() == pytest.approx(2 * math.sin(math.pi / 8))
    samples = source.draw(40_000, torch.Generator().manual_seed(0))
    distance, nearest = torch.cdist(samples, torch.tensor(source.means)).min(1)
    assert len(nearest.unique()) == 8
    assert (distance <= 0.03).float().mean().item() == pytest.approx(1 - math.exp(-4.5), abs=3e-3)


def test_grid_has_twenty_five():
    assert len(set(grid().means)) == 25


def test_digits_are_whole_and_split_without_overlap():
    train = digits()
    assert len(train) == 1437
    assert len(train.held_out) == 360
    assert train.values.dtype == torch.uint8
    assert train.held_out.labels.bincount().min() >= 34
    seen = {row.numpy().tobytes() for row in train.values}
    assert sum(row.numpy().tobytes() in seen for row in train.held_out.values) == 0


@pytest.mark.parametrize("space", [Curves((0.0, 1.0)), Vectors((1.0,), (2.0,), ("a", "b")), Images(3, 8, 10, ("x",))])
def test_spaces_survive_json(space):
    assert from_json(to_json(space)) == space


@pytest.mark.parametrize("wrong", [{}, {"kind": "sounds"}, {"kind": "images", "channels": 3}, {"kind": "curves", "x": [], "y": 1},
                                   {"kind": "images", "channels": 3, "height": 1 << 20, "width": 1 << 20}])
def test_spaces_that_make_no_sense_are_refused(wrong):
    with pytest.raises(InputError):
        from_json(wrong)


def test_image_units():
    space = Images(1, 2, 2)
    values = torch.tensor([[[[0, 255], [128, 1]]]], dtype=torch.uint8)
    x = space.encode(values)
    assert x.min() == -1
    assert x.max() == 1
    assert torch.equal(to_uint8(x), values)


def test_fingerprints_follow_the_values():
    a, b = small_images(), small_images()
    assert a.fingerprint == b.fingerprint
    b.values[3, 0, 0, 0] += 1
    assert a.fingerprint != b.fingerprint
    assert Quadratic().fingerprint != Quadratic(points=16).fingerprint
