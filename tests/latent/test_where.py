"""What rows of tables are asked to be, and rows that are so."""

import math
import sys

import pytest
import torch

from sparring.data.tables.frames import to_frame
from sparring.errors import InputError, RunFailed
from sparring.latent import where
from sparring.latent.where import Asked, Drawn, condition_of, parsed
from sparring.recipes.table import TableRecipeSettings, game
from sparring.spaces import Table
from sparring.spaces.columns import Category, Constant, Number

MIXTURE = ((1.0,), (50.0,), (10.0,), (50.0,))
SPACE = Table((Category("income", ("<=50K", ">50K"), (75, 25), 2), Number("age", *MIXTURE, (), 0.0, 100.0, missing=""),
               Category("a,b", ("x, y", "z", ""), (5, 4, 1), 3, missing=("",)), Constant("same", "s"),
               Number("day", *MIXTURE, (), 0.0, 100.0, form="%Y-%m-%d", unit="day")))


def tiny(space=SPACE):
    torch.manual_seed(0)
    return game(TableRecipeSettings(width=8, latent=4, batch=20), space, torch.device("cpu"))


def test_words_are_read_with_signs_and_commas_in_names_and_values():
    assert parsed(SPACE, "income=>50K,age>=30") == (Asked(0, "=", 1.0), Asked(1, ">=", 30.0))
    assert parsed(SPACE, "income=<=50K") == (Asked(0, "=", 0.0),)
    assert parsed(SPACE, "a,b=x, y,age<30.0") == (Asked(2, "=", 0.0), Asked(1, "<", 30.0))
    assert parsed(SPACE, 'income=">50K"') == parsed(SPACE, {"income": ">50K"}) == (Asked(0, "=", 1.0),)
    assert parsed(SPACE, "income!=>50K,same=s") == (Asked(0, "!=", 1.0), Asked(3, "=", 0.0))
    assert parsed(SPACE, "day>=1970-01-31") == (Asked(4, ">=", 30.0),)
    assert parsed(SPACE, {"a,b": None}) == (Asked(2, "=", 2.0),)
    missing, = parsed(SPACE, "age=")
    assert math.isnan(missing.value)


@pytest.mark.parametrize(("words", "said"), [
    ("incom=>50K", "no column 'incom'. Did you mean 'income'?"), ("income=50K", "the data have no such value. Did you mean"),
    ("income>3", "holds names, which have no order"), ("age=old", "expected a number"), ("age>200", "rows have 0 to 100 there"),
    ("day=soon", "expected a date such as 1970-01-01"), ("same=t", "every row of the data says s"), ("age", "expected NAME=VALUE")])
def test_what_cannot_be_asked_for_is_told_with_what_can(words, said):
    with pytest.raises(InputError) as told:
        parsed(SPACE, words)
    assert said in str(told.value)


def test_rows_are_as_asked_and_depend_on_the_seed_alone():
    drawn = Drawn(tiny(), SPACE, 3, parsed(SPACE, "income=>50K,age>=40"))
    cells = torch.cat(list(drawn.cells(70)))
    assert cells.shape == (70, 5) and drawn.tried >= 70
    assert bool((cells[:, 0] == 1).all()) and bool((cells[:, 1] >= 40).all())
    fewer = torch.cat(list(Drawn(tiny(), SPACE, 3, parsed(SPACE, "income=>50K,age>=40")).cells(10)))
    assert torch.equal(cells[:10].nan_to_num(-1), fewer.nan_to_num(-1))


def test_the_rarest_value_becomes_the_condition():
    """Of two columns with two and three places, which are counted through."""
    assert condition_of(SPACE, parsed(SPACE, "income=>50K,a,b=z")) == 1
    assert condition_of(SPACE, parsed(SPACE, "income=>50K,a,b=")) == 4
    assert condition_of(SPACE, parsed(SPACE, "age>30")) is None


def test_the_generator_is_given_that_condition(monkeypatch):
    played, seen = tiny(), []
    average = played.players["generator"].average
    forward = average.forward
    monkeypatch.setattr(average, "forward", lambda z, condition: seen.append(condition) or forward(z, condition))
    Drawn(played, SPACE, 0, parsed(SPACE, "income=>50K")).chunk(0)
    assert seen[0].shape == (1024, 5) and bool((seen[0].argmax(1) == 1).all())


def test_what_hardly_any_row_is_ends_with_how_many_were_drawn(monkeypatch):
    monkeypatch.setattr(where, "TRIED", 100)
    never = (Asked(1, ">", 1000.0),)
    with pytest.raises(RunFailed, match="0 of 1,024 rows were as asked for"):
        list(Drawn(tiny(), SPACE, 0, never).cells(5))


def test_missing_cells_fit_no_range():
    cells = torch.tensor([[0, math.nan, 0, 0, 0], [0, 5, 0, 0, 0]], dtype=torch.float64)
    assert Asked(1, "<", 9.0).holds(cells).tolist() == [False, True]
    assert Asked(1, "!=", 9.0).holds(cells).tolist() == [True, True]
    assert Asked(1, "=", math.nan).holds(cells).tolist() == [True, False]


def test_rows_have_python_values_without_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    cells = torch.tensor([[1, 30, 2, 0, 31], [0, math.nan, 1, 0, 0]], dtype=torch.float64)
    assert to_frame(SPACE, cells) == [{"income": ">50K", "age": 30, "a,b": None, "same": "s", "day": "1970-02-01"},
                                      {"income": "<=50K", "age": None, "a,b": "z", "same": "s", "day": "1970-01-01"}]


def test_rows_are_a_data_frame_with_the_types_of_the_one_that_was_learned_from():
    pd = pytest.importorskip("pandas", reason="needs the extra table")
    from sparring.data.tables.mixed import TableSettings, open_table

    frame = pd.DataFrame({"n": range(100, 400, 3), "town": pd.Categorical(["a", "b"] * 50), "flag": [True, False] * 50,
                          "x": [k / 4 for k in range(100)], "day": pd.date_range("2024-01-01", periods=100)})
    source = open_table(frame, TableSettings(held_out=0, columns={"n": "integer"}))
    again = to_frame(source.space, source.space.decode(source.values[torch.arange(100)]))
    assert again.dtypes.astype(str).to_dict() == frame.dtypes.astype(str).to_dict()
    assert (again["n"] == frame["n"]).all() and (again["x"] == frame["x"]).all() and (again["flag"] == frame["flag"]).all()


def test_nothing_asked_for_is_every_row_and_two_signs_are_one():
    assert parsed(SPACE, "") == () and parsed(SPACE, "income==>50K") == parsed(SPACE, "income=>50K")


@pytest.mark.parametrize("words", ["age>40,age<30", "income=>50K,income=<=50K", "income=>50K,income!=>50K", "age=30,age>30", "age=,age>3"])
def test_what_no_row_can_be_is_refused_at_once(words):
    with pytest.raises(InputError, match="no row can be all that is asked of"):
        parsed(SPACE, words)


@pytest.mark.parametrize("words", ["age>=30,age<=30", "age>30,age<31", "income!=>50K", "age!=30,age>=30", "age!=", "age="])
def test_what_a_row_can_be_is_not(words):
    assert parsed(SPACE, words)


def test_a_range_of_numbers_that_are_a_category():
    space = Table((Category("years", ("10", "9", "13.5", "?"), (5, 4, 2, 1), 4, numbers=True, missing=("?",)),))
    wish, = parsed(space, "years>=10")
    assert wish.holds(torch.arange(4, dtype=torch.float64)[:, None]).tolist() == [True, False, True, False]
    assert parsed(space, "years<13,years>9") and parsed(space, "years=9")
    for words, said in (("years>99", "the data have no such number"), ("years>x", "expected a number"), ("years<10,years>9", "no row can")):
        with pytest.raises(InputError, match=said):
            parsed(space, words)
