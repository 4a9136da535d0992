"""Figures of tables: closed forms, what equal rows and copies give, and who is told apart."""

import math

import numpy as np
import pytest
import torch

from sparring.metrics.row_models import area, auc, detection, f1, usefulness
from sparring.metrics.row_privacy import copies, distance, membership, nearest
from sparring.metrics.rows import associations, binned, cramer, ks, marginals, pairs, total_variation
from sparring.spaces import Table
from sparring.spaces.columns import Category, Number

SPACE = Table((Category("town", ("a", "b"), (60, 40), 2), Number("x", (1.0,), (0.0,), (1.0,), (5.0,), (), 0.0, 10.0, missing="")))


def rows(n: int, seed: int = 0, shift: float = 0.0) -> torch.Tensor:
    """Town a has small numbers and town b large ones."""
    rng = torch.Generator().manual_seed(seed)
    town = (torch.rand(n, generator=rng, dtype=torch.float64) < 0.4).double()
    return torch.stack([town, (2 + 5 * town + torch.randn(n, generator=rng, dtype=torch.float64) + shift).clamp(0, 10)], 1)


def test_distances_of_columns_are_those_of_the_textbook():
    a, b = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([3.0, 4.0, 5.0, 6.0])
    assert ks(a, b) == 0.5 and ks(a, a) == 0.0 and ks(a, a + 10) == 1.0
    assert ks(a, torch.tensor([1.0, 2.0, 3.0, math.nan])) == 0.25
    assert total_variation(torch.tensor([0.0, 0, 0, 1]), torch.tensor([0.0, 1, 1, 1]), 2) == 0.5


def test_marginals_name_the_worst_column_and_are_near_zero_for_equal_rows():
    same, other = marginals(SPACE, rows(2000), rows(2000, 1), 0), marginals(SPACE, rows(2000), rows(2000, 1, shift=1.0), 0)
    assert same.value < 0.05 and same.low <= same.value <= same.high
    assert other.value > 0.1 and other.about["worst"].startswith("x")


def test_association_is_one_for_copies_and_zero_for_independent_columns():
    assert cramer(np.array([[50.0, 0.0], [0.0, 50.0]])) == pytest.approx(1.0, abs=0.01)
    assert cramer(np.array([[25.0, 25.0], [25.0, 25.0]])) == 0.0
    assert cramer(np.array([[10.0, 5.0]])) == 0.0


def test_pairs_that_were_torn_apart_are_found():
    real, torn = rows(2000), rows(2000, 1)
    torn[:, 0] = torn[torch.randperm(2000, generator=torch.Generator().manual_seed(0)), 0]
    assert associations(binned(SPACE, real, real))[0] > 0.9
    assert pairs(SPACE, real, rows(2000, 1), 0).value < 0.05
    found = pairs(SPACE, real, torn, 0)
    assert found.value > 0.8 and found.about["worst"] == "town and x"


def test_the_area_counts_ties_half():
    assert auc(np.array([0.0, 0.0]), np.array([0.0, 1.0])) == 0.75
    assert auc(np.array([1.0]), np.array([0.0])) == 0.0
    found = area(np.arange(100.0), np.arange(100.0), 0)
    assert found.value == 0.5 and found.low < 0.5 < found.high


def test_rows_are_told_apart_by_what_differs_and_not_by_chance():
    same = detection(SPACE, rows(600), rows(600, 1), 0)
    assert same.low < 0.55 and same.high > 0.45
    assert detection(SPACE, rows(600), rows(600, 1, shift=1.5), 0).value > 0.75


def test_f1_of_the_textbook():
    truth, guess = np.array([1, 1, 1, 0, 0]), np.array([1, 1, 0, 1, 0])
    assert f1(truth, guess, [1]) == pytest.approx(2 / 3)
    assert f1(truth, guess, [0, 1]) == pytest.approx((2 / 3 + 0.5) / 2)


def test_rows_that_say_nothing_of_the_target_teach_nothing():
    real, torn = rows(600), rows(600, 1)
    torn[:, 0] = torn[torch.randperm(600, generator=torch.Generator().manual_seed(0)), 0]
    good, each = usefulness(SPACE, 0, rows(600, 1), real, 0)
    assert good.value > 0.95 and set(each) == {"tree", "boosting", "logistic", "network"}
    assert usefulness(SPACE, 0, torn, real, 0)[0].value < 0.7
    assert usefulness(SPACE, 0, torn[torn[:, 0] == 0], real, 0)[0].value == 0.0


def test_the_distance_of_rows_is_gowers():
    a = torch.tensor([[0.0, 2.0], [1.0, math.nan]], dtype=torch.float64)
    known = torch.tensor([[1.0, 2.0], [1.0, 7.0]], dtype=torch.float64)
    assert nearest(SPACE, a, known).tolist() == pytest.approx([0.5, 0.5])
    assert nearest(SPACE, known, known).tolist() == [0.0, 0.0]
    assert nearest(SPACE, a, a).tolist() == [0.0, 0.0]


def test_a_model_that_copies_is_found_by_all_three():
    train, held = rows(1500), rows(1500, 1)
    copied, fresh = train[:500], rows(500, 2)
    for made, copier in ((copied, True), (fresh, False)):
        ours, theirs = nearest(SPACE, made, train), nearest(SPACE, held[:500], train)
        near, same = distance(ours, theirs, 0), copies(ours, theirs, 0)
        assert (near.value == 0.0) == copier and near.about["baseline"] > 0
        assert same.value == (1.0 if copier else 0.0) or not copier
        attack = membership(nearest(SPACE, train[:500], made), nearest(SPACE, held[:500], made), 0)
        assert (attack.value > 0.9) == copier


def test_a_column_that_is_mostly_one_value_belongs_together_with_what_it_says():
    """Its tenths are all the same number; above it lies what tells the classes apart."""
    space = Table((Category("rich", ("no", "yes"), (90, 10), 2), Number("gain", (1.0,), (0.0,), (9.0,), (36.0,), (0.0,), 0.0, 99.0)))
    cells = torch.tensor([[0.0, 0.0]] * 92 + [[1.0, 50.0 + k] for k in range(8)], dtype=torch.float64)
    assert associations(binned(space, cells, cells))[0] > 0.9
