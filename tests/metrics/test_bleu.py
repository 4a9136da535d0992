"""BLEU of lines: cases that were computed by hand, each line against the others, and what does not depend on order."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparring.metrics.bleu import bleu, self_bleu
from sparring.metrics.intervals import resampled
from sparring.metrics.texts import known_grams

LINES = st.lists(st.lists(st.integers(2, 5), min_size=1, max_size=7).map(tuple), min_size=2, max_size=7)


def test_a_line_that_is_a_reference_has_one():
    assert bleu([(2, 3, 4, 5, 6)], [(9, 9), (2, 3, 4, 5, 6)])[:, 0] == pytest.approx(1.0)


def test_by_hand():
    """p_1 = 3/4 (the second 2 is clipped), p_2 = 1/3, p_3 = .1/2, p_4 = .1/1, p_5 = .1/1; the nearest reference is as long."""
    line, reference = (2, 3, 2, 6), (2, 3, 5, 6)
    logs = np.cumsum(np.log([3 / 4, 1 / 3, 0.1 / 2, 0.1, 0.1]))
    assert bleu([line], [reference])[:, 0] == pytest.approx([math.exp(logs[n - 1] / n) for n in (2, 3, 4, 5)])


def test_a_short_line_pays_for_it_and_one_without_a_common_word_has_nothing():
    assert bleu([(2, 3)], [(2, 3, 4)])[0, 0] == pytest.approx(math.exp(1 - 3 / 2))
    assert bleu([(2, 3)], [(2, 3, 4), (9,)])[0, 0] == pytest.approx(1.0)              # of two as near, the shorter counts
    assert bleu([(7, 8)], [(2, 3)])[:, 0] == pytest.approx(0.0)


def test_counts_are_clipped_to_the_reference_that_has_most():
    assert bleu([(2, 2, 2)], [(2, 9, 9), (2, 2, 9)])[0, 0] == pytest.approx(math.sqrt(2 / 3 * 1 / 2))


def test_self_bleu_is_one_where_all_are_alike():
    assert self_bleu([(2, 3, 4, 5, 6)] * 3) == pytest.approx(np.ones((4, 3)))
    assert self_bleu([(2, 3), (4, 5), (6, 7)]) == pytest.approx(np.zeros((4, 3)))


@given(LINES)
def test_self_bleu_is_bleu_against_the_others(lines):
    each = [bleu([line], lines[:k] + lines[k + 1:])[:, 0] for k, line in enumerate(lines)]
    assert self_bleu(lines) == pytest.approx(np.stack(each, 1))
    assert bleu(lines, lines[::-1]) == pytest.approx(bleu(lines, lines + lines[:1]))
    assert (bleu(lines, lines) <= 1 + 1e-12).all()


@given(LINES, LINES)
def test_known_grams_are_those_that_a_set_of_them_has(made, train):
    def padded(lines):
        return torch.tensor([[*line, *[0] * (9 - len(line))] for line in lines])

    def grams(line):
        return [line[k:k + 4] for k in range(len(line) - 3)]

    known = {gram for line in train for gram in grams(line)}
    common, there = known_grams(padded(made), padded(train))
    assert common.tolist() == [sum(gram in known for gram in grams(line)) for line in made]
    assert there.tolist() == [len(grams(line)) for line in made]


def test_the_bootstrap_of_a_mean_has_the_width_of_the_textbook():
    x = torch.randn(400, generator=torch.Generator().manual_seed(0)).double()
    found = resampled(x, torch.ones_like(x), 0)
    assert found.value == pytest.approx(float(x.mean()))
    assert found.high - found.low == pytest.approx(2 * 1.96 * float(x.std()) / 20, rel=0.15)
