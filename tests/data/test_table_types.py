"""What a table is written in comes back: signs of money, offsets from UTC, the delimiter, and the types of Parquet and of frames."""

import csv

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparring.data.tables.column_kinds import around, without
from sparring.data.tables.frames import to_arrow, to_frame
from sparring.data.tables.mixed import TableSettings, open_table
from sparring.spaces import from_json, to_json

ALL = TableSettings(held_out=0)


def again(source):
    """The rows as they are written, in their order."""
    space = from_json(to_json(source.space))
    return space.write(space.decode(source.values[torch.arange(len(source))]))


@pytest.mark.parametrize(("form", "sign"), [("${:,.2f}", "$..."), ("{:.1f}%", "...%"), ("{:.0f} €", "... €"), ("£{:.2f}", "£...")])
def test_amounts_are_numbers_and_come_back_with_their_sign(form, sign):
    cells = [form.format(1234.5 + 37 * k) for k in range(40)]
    source = open_table([{"x": cell} for cell in cells], ALL)
    assert f"each is written {sign}" in source.notes[0]
    assert [row[0] for row in again(source)] == cells
    assert source.space.columns[0].read(cells[3]) == pytest.approx(float(form.format(1345.5).translate({ord(c): None for c in "$,%€£ "})))


def test_amounts_in_several_ways_are_named_with_the_cure():
    signs = ["$-" if k % 3 else "$" for k in range(600)]
    rows = [{"x": f"{sign}{1 + k / 7:.3f}", "few": f"{sign}{k % 25 + 1}.50", "y": k % 2} for k, sign in enumerate(signs)]
    source = open_table(rows, ALL)
    assert "write these amounts in one way" in source.odd[0]
    assert "write them in one way, and they are learned as numbers" in source.notes[1]


def test_a_minus_stands_before_the_sign():
    cells = [f"{'-' if k % 3 else ''}${1 + k / 7:,.2f}" for k in range(60)]
    source = open_table([{"x": cell} for cell in cells], ALL)
    assert "each is written $..." in source.notes[0]
    assert [row[0] for row in again(source)] == cells
    column = source.space.columns[0]
    assert column.low < 0 and column.read("-$2.50") == column.read("-2.50") == -2.5


@given(st.lists(st.text(alphabet="$€% 1-.,a", min_size=1, max_size=5), min_size=1, max_size=5))
def test_what_stands_around_never_takes_the_whole_cell(cells):
    before, after = around(cells)
    for cell in cells:
        minus, bare = "-" * cell.startswith("-"), without(cell, before, after)
        assert cell == minus + before + bare[len(minus):] + after
        assert bare[len(minus):] or not (before or after)


def test_times_with_one_offset_from_utc_come_back():
    cells = [f"2024-03-{k % 28 + 1:02d}T{k % 24:02d}:{k % 60:02d}:00+05:30" for k in range(60)]
    source = open_table([{"t": cell, "z": cell.replace("+05:30", "Z")} for cell in cells], ALL)
    assert "written as %Y-%m-%dT%H:%M:%S+05:30" in source.notes[0]
    assert again(source) == [[cell, cell.replace("+05:30", "Z")] for cell in cells]
    pytest.importorskip("pandas")
    frame = to_frame(source.space, source.space.decode(source.values[torch.arange(1)]))
    assert (frame.z - frame.t).dt.total_seconds().tolist() == [5.5 * 3600]
    pytest.importorskip("pyarrow")
    row = to_arrow(source.space, source.space.decode(source.values[torch.arange(1)])).to_pylist()[0]
    assert (row["z"] - row["t"]).total_seconds() == 5.5 * 3600


def test_times_with_several_offsets_are_named_with_the_cure():
    rows = [{"t": f"2024-03-{k % 28 + 1:02d}T{k % 24:02d}:{k:02d}:00+0{k % 2}:00"} for k in range(60)]
    rows = [row | {"y": k % 2} for k, row in enumerate(rows)]
    assert "write these times with one offset from UTC" in open_table(rows, ALL).odd[0]


def test_types_of_parquet_come_back(tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    n, rng = 100, np.random.default_rng(0)
    frame = pd.DataFrame({"i": (np.arange(n) * 3 % 37).astype("int32"), "f": rng.random(n).astype("float32"), "b": rng.random(n) > 0.5,
                          "t": pd.date_range("2024-01-01", periods=n, freq="37min", unit="us"),
                          "z": pd.date_range("2024-01-01", periods=n, freq="h", tz="UTC", unit="us"), "c": rng.choice(list("abc"), n),
                          "n": np.where(rng.random(n) > 0.3, rng.integers(0, 1000, n), np.nan), "k": 7})
    frame.to_parquet(tmp_path / "rows.parquet")
    for data in (frame, tmp_path / "rows.parquet"):
        source = open_table(data, ALL)
        assert not source.odd
        cells = source.space.decode(source.values[torch.arange(n)])
        assert to_frame(source.space, cells).dtypes.astype(str).replace("str", "object").tolist() == \
            frame.dtypes.astype(str).replace("str", "object").tolist()
        table = to_arrow(source.space, cells)
        assert table.schema == to_arrow(source.space, cells[:0]).schema
        assert [str(kind) for kind in table.schema.types] == ["int32", "float", "bool", "timestamp[us]", "timestamp[us, tz=UTC]", "string",
                                                              "double", "int64"]
        back = table.to_pandas()
        assert (back.i == frame.i).all() and (back.b == frame.b).all() and (back.t == frame.t).all() and (back.z == frame.z).all()
        assert np.allclose(back.n, frame.n, equal_nan=True)


def test_a_first_row_that_looks_like_data_is_told(tmp_path):
    path = tmp_path / "bare.csv"
    path.write_text("\n".join(f"{20 + k % 50},{'ab'[k % 2]},{k * 3}" for k in range(80)))
    assert "2 of its 3 cells are numbers" in open_table(path, ALL).odd[0]


def test_the_delimiter_is_kept(tmp_path):
    path = tmp_path / "half.csv"
    path.write_text("a;b\n" + "\n".join(f"{k},5;{'xy'[k % 2]}" for k in range(80)))
    assert from_json(to_json(open_table(path, ALL).space)).delimiter == ";"


def test_rows_are_written_with_the_delimiter_and_in_parquet(tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    import sparring
    from sparring.cli.sample_rows import rows

    path = tmp_path / "half.csv"
    path.write_text("a;b;c\n" + "\n".join(f"{k},5;{'xy'[k % 2]};{k % 7}" for k in range(120)))
    model = sparring.fit("table", str(path), out=tmp_path / "run", steps=1, batch=20, width=8, progress=False, threads=1)
    told = [rows(model, model.space, 30, 0, tmp_path / name, None) for name in ("o.csv", "o.tsv", "o.parquet")]
    assert [one["n"] for one in told] == [30] * 3
    half = list(csv.reader((tmp_path / "o.csv").read_text().splitlines(), delimiter=";"))
    assert half[0] == ["a", "b", "c"] and len(half) == 31
    assert list(csv.reader((tmp_path / "o.tsv").read_text().splitlines(), delimiter="\t")) == half
    table = pq.read_table(tmp_path / "o.parquet")
    assert [str(kind) for kind in table.schema.types] == ["double", "string", "int64"]
    assert table.column("b").to_pylist() == [row[1] for row in half[1:]]
    assert table.column("a").to_pylist() == [float(row[0].replace(",", ".")) for row in half[1:]]
