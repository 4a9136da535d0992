"""Pictures of a table's columns in a report."""

from PIL import Image

from sparring import api
from sparring.report import neighbours
from sparring.report.columns import columns_of
from sparring.setup.prepare import prepare
from sparring.setup.request import Request

TINY = {"steps": 3, "batch": 20, "width": 8, "threads": 1, "compile": "off", "precision": "fp32", "show_every": 10**9, "score_every": 10**9,
        "check_every": 10**9}


def test_columns_are_drawn_beside_held_out_rows_and_so_are_pairs(tmp_path):
    api.run(prepare(Request("table", "people", TINY), tmp_path / "run"), api.Silent())
    at = neighbours.open_run(tmp_path / "run")
    marginals, pairs = columns_of(at, tmp_path)
    assert "held-out rows" in marginals[1] and "belong together" in pairs[1]
    for path, _ in (marginals, pairs):
        with Image.open(path) as picture:
            assert min(picture.size) > 50


def test_one_column_has_no_pairs(tmp_path):
    (tmp_path / "one.csv").write_text("town\n" + "a\nb\nb\n" * 40)
    api.run(prepare(Request("table", str(tmp_path / "one.csv"), TINY | {"held_out": 0.0}), tmp_path / "run"), api.Silent())
    (marginals, said), = columns_of(neighbours.open_run(tmp_path / "run"), tmp_path)
    assert marginals.exists() and "training rows" in said


def test_what_is_no_table_has_no_columns(tmp_path):
    api.run(prepare(Request("gan", "ring", TINY | {"steps": 2}), tmp_path / "run"), api.Silent())
    assert columns_of(neighbours.open_run(tmp_path / "run"), tmp_path) == []
