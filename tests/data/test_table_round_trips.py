"""Cells come back as they went in, whatever they say: through the kinds that are found, network units, and the model's own file."""

import json
import math
import string
from datetime import date, timedelta

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparring.data.tables.mixed import TableSettings, open_table
from sparring.errors import InputError
from sparring.spaces import Table, from_json, to_json
from sparring.spaces.columns import Category, Constant, Number, from_plain, to_plain

MIXTURE = ((0.4, 0.6), (10.0, 1000.0), (5.0, 300.0), (40.0, 2000.0))
LETTERS = string.ascii_letters + " äß€é,;\"'|=+@"


def back(source) -> list[list[str]]:
    return source.space.write(source.space.decode(source.values[torch.arange(len(source))]))


def rows_of(cells: list[str], **columns: str):
    """A table of one column beside another that is always there."""
    return open_table([{"x": cell, "there": "ab"[k % 2]} for k, cell in enumerate(cells)], TableSettings(held_out=0, columns=columns))


@settings(max_examples=30)
@given(st.lists(st.text(LETTERS, min_size=0, max_size=8), min_size=2, max_size=40))
def test_categories_come_back(cells):
    source = rows_of(cells, x="category")
    assert [row[0] for row in back(source)] == cells


@settings(max_examples=15)
@given(st.lists(st.integers(-10**6, 10**6), min_size=25, max_size=40, unique=True), st.integers(0, 3), st.booleans())
def test_numbers_come_back_with_their_decimals(numbers, decimals, missing):
    cells = [f"{n / 10**decimals:.{decimals}f}" for n in numbers] + ["NA"] * (2 * missing)
    source = rows_of(cells, x="number")
    assert [row[0] for row in back(source)] == cells
    assert source.values[torch.arange(len(source))].abs().max() <= 1


@settings(max_examples=10)
@given(st.lists(st.integers(0, 20_000), min_size=25, max_size=40, unique=True), st.sampled_from(["%Y-%m-%d", "%d.%m.%Y"]))
def test_dates_come_back(days, form):
    cells = [(date(1970, 1, 1) + timedelta(day)).strftime(form) for day in days]
    source = rows_of(cells, x=f"date:{form}")
    assert [row[0] for row in back(source)] == cells


@given(st.lists(st.integers(0, 999), min_size=1, max_size=40))
def test_the_rare_values_of_a_category_come_back(codes):
    column = Category("x", tuple(f"v{k}" for k in range(1000)), (1,) * 1000, 255)
    space = Table((column,))
    cells = torch.tensor(codes, dtype=torch.float64)[:, None]
    assert torch.equal(space.decode(space.encode(cells)), cells)


@given(st.lists(st.one_of(st.just(math.nan), st.integers(-20, 2500).map(float)), min_size=1, max_size=20))
def test_numbers_beyond_the_bounds_end_at_them(numbers):
    space = Table((Number("x", *MIXTURE, (0.0,), 0.0, 2400.0, missing=""),))
    cells = torch.tensor(numbers, dtype=torch.float64)[:, None]
    again = space.decode(space.encode(cells))
    assert torch.equal(again.nan_to_num(-1), cells.clamp(0, 2400).nan_to_num(-1))
    assert torch.equal(space.encode(again), space.encode(cells))


@given(st.floats(-1e9, 1e9, allow_nan=False), st.integers(0, 5), st.sampled_from([(".", ""), (",", ""), (".", ","), (",", ".")]))
def test_a_written_number_says_the_number(x, decimals, way):
    column = Number("x", (), (), (), (), (0.0,), -1e9, 1e9, (0, decimals), mark=way[0], group=way[1])
    assert column.read(column.written(x)) == pytest.approx(round(x, decimals), abs=10.0**-decimals)
    assert column.written(-0.0) == "0"


@given(st.lists(st.one_of(st.just(math.nan), st.just(-0.0), st.floats(-1e9, 1e9, allow_nan=False)), min_size=1, max_size=20),
       st.integers(0, 4))
def test_a_column_is_written_as_its_numbers_are_one_by_one(numbers, decimals):
    column = Number("x", *MIXTURE, (), -1e9, 1e9, (decimals, decimals), missing="NA")
    cells = torch.tensor(numbers, dtype=torch.float64)
    one_by_one = ["NA" if math.isnan(x) else column.written(x) for x in numbers]
    assert column.write(cells) == one_by_one
    assert column.write(cells[~cells.isnan()]) == [text for text in one_by_one if text != "NA"]


def test_each_mode_has_its_numbers():
    column = Number("x", *MIXTURE, (0.0,), 0.0, 3000.0, missing="?")
    place, number = column.compact(torch.tensor([0.0, 10.0, 1000.0, math.nan, 20.0], dtype=torch.float64))
    assert place.tolist() == [2, 0, 1, 3, 0] and number.tolist() == [0, 0, 0, 0, 0.25]
    seen = Table((column,)).encode(torch.tensor([[math.nan], [20.0]], dtype=torch.float64))
    assert seen.tolist() == [[0, 0, 0, 1, 0], [1, 0, 0, 0, 0.25]]


COLUMNS = (Category("town", ("a", "b", "c"), (5, 3, 0), 2, missing=("c",)), Number("x", *MIXTURE, (0.0,), 0.0, 2400.0, (1, 2), missing="?"),
           Number("day", *MIXTURE, (), 0.0, 2400.0, form="%Y-%m-%d", unit="day"), Constant("same", "z"))


def test_a_table_comes_back_from_its_file():
    space = Table(COLUMNS)
    assert from_json(json.loads(json.dumps(to_json(space)))) == space
    assert all(from_plain(to_plain(one)) == one for one in COLUMNS)


BROKEN = [("kind", "tensor"), ("values", ["a", "a", "b"]), ("values", [1, 2, 3]), ("counts", [1, 2]), ("own", 9), ("own", 0), ("own", True),
          ("counts", [-1, 2, 3]), ("extra", 1), ("name", 3), ("missing", "x")]
BROKEN_NUMBERS = [("scales", [1.0]), ("scales", [0.0, 1.0]), ("low", 1e9), ("decimals", [3, 1]), ("decimals", [0, 99]),
                  ("means", [math.inf, 0.0]), ("form", "%Q" * 99), ("missing", 3), ("deviations", [-1.0, 1.0]),
                  ("digits", 99), ("low", "1")]


@pytest.mark.parametrize(("at", "name", "value"), [*((0, *one) for one in BROKEN), *((1, *one) for one in BROKEN_NUMBERS)])
def test_a_strangers_table_is_checked(at, name, value):
    plain = to_json(Table(COLUMNS))
    plain["columns"][at][name] = value
    with pytest.raises(InputError):
        from_json(plain)


def test_a_strangers_table_of_other_form_is_refused():
    for columns in (None, 3, [], [3], [{}], [to_plain(COLUMNS[3])], [to_plain(COLUMNS[0])] * 2):
        with pytest.raises(InputError):
            from_json({"kind": "table", "columns": columns})
    far = to_plain(COLUMNS[2]) | {"high": 1e12}
    with pytest.raises(InputError):
        from_json({"kind": "table", "columns": [far]})


def test_whole_numbers_that_are_written_with_decimals_stay_whole():
    """As pandas writes whole numbers beside missing cells."""
    source = open_table([{"x": "" if k % 7 == 0 else f"{k % 45}.0", "y": k % 30 + 0.5} for k in range(200)], TableSettings(held_out=0))
    x = source.space.columns[0]
    assert isinstance(x, Number) and x.whole and from_plain(to_plain(x)) == x
    assert x.write(x.rounded(torch.tensor([3.4, 7.6, -0.2]))) == ["3.0", "8.0", "0.0"]
    assert not source.space.columns[1].whole and any("whole number" in note for note in source.notes)
