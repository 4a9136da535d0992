"""Precision, recall and sharpness against cases that can be counted by hand."""

import pytest
import torch

from sparring.metrics.neighbours import precision_recall, reaches
from sparring.metrics.sharpness import sharpness
from sparring.rng import generator


def cloud(n, at=0.0, seed=0):
    return torch.randn(n, 5, generator=generator(seed, "cloud")) + at


@pytest.mark.parametrize("n", [4, 50, 600])
def test_identical_sets_are_precise_and_complete(n):
    assert precision_recall(cloud(n), cloud(n).flip(0)) == (1.0, 1.0)


def test_disjoint_sets_are_neither():
    assert precision_recall(cloud(40), cloud(40, at=100.0, seed=1)) == (0.0, 0.0)


def test_half_of_the_modes_is_full_precision_and_half_recall():
    both = torch.cat([cloud(30), cloud(30, at=100.0, seed=1)])
    assert precision_recall(both, both[:30]) == (1.0, 0.5)
    assert precision_recall(both[:30], both) == (0.5, 1.0)          # the roles exchange


def test_distances_are_to_the_kth_other_point():
    line = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    near, far = reaches(line.double(), torch.zeros(4, dtype=torch.int64), 1, (1, 3))
    assert near.whole.tolist() == [1, 1, 4, 16]                     # squared
    assert far.whole.tolist() == [49, 36, 16, 49]
    # the balls of k = 1 around 0, 1, 3 and 7 cover [-1, 5] and [3, 11]
    assert precision_recall(line, torch.tensor([[-1.0], [11.0], [-1.1], [11.1]]), k=1)[0] == 0.5


def test_rotating_both_changes_nothing_and_images_are_flattened():
    real, fake = cloud(100), cloud(100, at=1.0, seed=2)
    turn = torch.linalg.qr(cloud(5, seed=3)).Q
    assert precision_recall(real @ turn, fake @ turn) == pytest.approx(precision_recall(real, fake), abs=0.011)
    assert precision_recall(real.view(100, 1, 5, 1), fake.view(100, 1, 5, 1)) == precision_recall(real, fake)


def test_too_few_members_are_refused():
    with pytest.raises(ValueError, match="more than k=3 members; got 3 and 9"):
        precision_recall(cloud(3), cloud(9))


def test_sharpness_of_known_images():
    y, x = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    checks = 1 - 2 * ((x + y) % 2)                              # its Laplacian is -8 times itself
    images = torch.stack([torch.ones(8, 8), 3 * x - 2 * y, x.square() + y, checks, checks / 2])[:, None]
    assert sharpness(images).tolist() == pytest.approx([0, 0, 0, 64, 16])
    assert sharpness(images[3:4].expand(1, 3, 8, 8)).tolist() == [64]
    blurred = torch.nn.functional.avg_pool2d(cloud(320).view(1, 1, 40, 40), 3, 1)
    assert sharpness(blurred) < sharpness(cloud(320).view(1, 1, 40, 40)) / 10
