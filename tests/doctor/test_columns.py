"""The doctor names columns of tables."""

import torch

from sparring.doctor import diagnose
from sparring.doctor.columns import of_columns
from sparring.spaces import Table
from sparring.spaces.columns import Category, Constant, Number

MIXTURE = (0.5, 0.5), (20.0, 60.0), (5.0, 8.0), (15.0, 30.0)
SPACE = Table((Category("town", ("a", "b", "c"), (60, 30, 10), 3), Number("age", *MIXTURE, (40.0,), 0.0, 90.0, missing=""),
               Constant("same", "x")))


def rows(town, age):
    """100 rows: towns by these numbers, ages one after the other."""
    towns = torch.repeat_interleave(torch.arange(3), torch.tensor(town))
    ages = torch.tensor(age, dtype=torch.float64).repeat(100)[:100]
    return SPACE.encode(torch.stack([towns.double(), ages, 0 * ages], 1))


REAL = rows((60, 30, 10), (18.0, 22.0, 40.0, 55.0, 65.0))


def test_rows_as_the_data_are_well():
    assert of_columns(SPACE, REAL, rows((50, 40, 10), (17.0, 24.0, 40.0, 50.0, 66.0))) == {}


def test_a_value_that_vanished_is_named_with_its_share():
    found = of_columns(SPACE, REAL, rows((98, 2, 0), (18.0, 22.0, 40.0, 55.0, 65.0)))
    assert {key: round(value, 6) for key, value in found.items()} == {"lost/town": 0.4}


def test_a_mode_of_a_number_that_vanished_is_named_and_one_value_for_all_is_still():
    assert set(of_columns(SPACE, REAL, rows((60, 30, 10), (18.0, 22.0, 40.0)))) == {"lost/age"}
    assert set(of_columns(SPACE, REAL, rows((60, 30, 10), (40.0,)))) == {"lost/age", "still/age"}
    assert set(of_columns(SPACE, REAL, rows((60, 30, 10), (float("nan"),)))) == {"lost/age", "still/age"}


def test_a_number_that_hardly_moves_in_the_data_may_stand_still():
    real = rows((60, 30, 10), (40.0,) * 19 + (60.0,))
    assert of_columns(SPACE, real, rows((60, 30, 10), (40.0,))) == {}


def test_the_verdict_names_the_columns():
    well = {"distance": 0.1, "floor": 0.1, "missing": 0.0, "support": 1.0, "spread": 1.0, "copied": 1.0}
    health = [{"step": 100 * k, **well, "lost/town": 0.4, "still/age": 0.001} for k in range(1, 11)]
    found = diagnose([], health, {"recipe": "table", "settings": {"steps": 1000, "pack": 10, "lr": 2e-4}, "steps": 1000})
    assert found.verdict == "failing"
    by_name = {one.name: one for one in found.findings}
    assert by_name["mode_collapse"].evidence["lost/town"] == 0.4
    assert "Values of these columns are lost" in by_name["mode_collapse"].explanation
    assert by_name["column_still"].evidence == {"still/age": 0.001} and "pack=20" in str(by_name["column_still"].actions)
