"""Rows of tables keep the rules that were stated, in every row that is drawn."""

import math

import pytest
import torch

from sparring.errors import InputError, RunFailed
from sparring.latent import where
from sparring.latent.where import Asked, Drawn, parsed
from sparring.recipes.table import TableRecipeSettings, game
from sparring.spaces import Table
from sparring.spaces.columns import Category, Computed, Number

MIXTURE = ((1.0,), (50.0,), (10.0,), (50.0,))
COLUMNS = (Number("a", *MIXTURE, (), 0.0, 100.0), Number("b", *MIXTURE, (), 0.0, 100.0, missing=""),
           Category("town", ("x", "y"), (1, 1), 2), Computed("sum", (), (), (), (), (), 0.0, 10.0, missing=""))
FORMULA = "sum = a + b / (a - 50)"


def drawn(*rules, seed=0, asked=None):
    torch.manual_seed(0)
    space = Table(COLUMNS, (*rules, FORMULA))
    played = game(TableRecipeSettings(width=8, latent=4, batch=20), space, torch.device("cpu"))
    return Drawn(played, space, seed, parsed(space, asked))


def test_every_row_keeps_them_and_the_rate_is_told():
    one = drawn("a >= b", "town != y", "sum < 60")
    cells = torch.cat(list(one.cells(300)))
    a, b, town, total = cells.unbind(1)
    assert len(cells) == 300 and bool(((a >= b) | b.isnan()).all()) and bool((town == 0).all())
    assert bool(((total < 60) | total.isnan()).all()) and bool((total.isnan() == b.isnan()).all())
    assert bool(((total - (a + b / (a - 50)).round()).nan_to_num(0.0) == 0).all()) and not bool((a == 50).logical_and(~b.isnan()).any())
    assert 0 < one.rates["a >= b"] < 1 and one.rates["town != y"] < 1 and one.tried > 300
    free = drawn()
    assert len(torch.cat(list(free.cells(64)))) == 64 and set(free.rates) <= {FORMULA}


def test_rows_depend_on_the_seed_alone_and_not_on_how_many_follow():
    rules = "a >= b", "unique(a, b)"
    many = torch.cat(list(drawn(*rules, seed=3).cells(200)))
    assert torch.equal(torch.cat(list(drawn(*rules, seed=3).cells(20))).nan_to_num(-1), many[:20].nan_to_num(-1))


def test_no_two_rows_share_what_is_unique_but_for_what_is_missing():
    cells = torch.cat(list(drawn("unique b").cells(150)))
    there = cells[:, 1][~cells[:, 1].isnan()]
    assert len(there) == len(there.unique()) and len(there) < 150
    pairs = torch.cat(list(drawn("unique (a, town)").cells(120)))[:, [0, 2]]
    assert len(pairs.unique(dim=0)) == 120


def test_a_row_that_another_rule_leaves_out_takes_nothing_from_the_others():
    """What is left out is not seen: of two unique rules, a row that breaks one is no double for the other."""
    space = Table(COLUMNS, ("unique a", "unique b", FORMULA))
    row = [[1.0, 1.0, 0, 1], [2.0, 1.0, 0, 1], [2.0, 2.0, 0, 1], [3.0, math.nan, 0, math.nan], [4.0, math.nan, 0, math.nan]]
    sieve = space.kept.sieve()
    assert sieve(torch.tensor(row, dtype=torch.float64))[:, 0].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert sieve.rates == {"unique b": pytest.approx(0.8)}
    assert len(sieve(torch.tensor([[-0.0, 5.0, 0, 1], [0.0, 6.0, 0, 1]], dtype=torch.float64))) == 1


def test_more_rows_than_there_can_be_are_refused_at_once():
    with pytest.raises(InputError, match="the rule 'unique a' allows at most 101 rows"):
        list(drawn("unique a").cells(102))
    with pytest.raises(InputError, match="at most 2 rows"):
        list(drawn("unique town").cells(3))
    assert len(torch.cat(list(drawn("unique town").cells(2)))) == 2


def test_rules_that_hardly_any_row_keeps_end_with_their_rates(monkeypatch):
    monkeypatch.setattr(where, "TRIED", 100)
    with pytest.raises(RunFailed, match=r"0 of 1,024 rows were as asked for and kept the rules: 'a > 100' 0.0%"):
        list(drawn("a > 100").cells(5))
    with pytest.raises(RunFailed, match="'unique a'"):          # the last ones are too rare
        list(drawn("unique a").cells(101))


def test_rules_and_what_is_asked_for_go_together():
    one = drawn("a >= b", "unique (a, b)", asked="town=x,sum>-1000000")
    cells = torch.cat(list(one.cells(50)))
    assert bool((cells[:, 2] == 0).all()) and bool(((cells[:, 0] >= cells[:, 1]) | cells[:, 1].isnan()).all())
    assert one.where[1] == Asked(3, ">", -1e6)
