"""Tables with mixed columns: what each column is found to be, and what is said of files that are no tables."""

import re
from datetime import timedelta

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparring.data.source import batches
from sparring.data.tables.column_kinds import MISSING, missing, missing_in
from sparring.data.tables.dates import as_numbers
from sparring.data.tables.frames import to_frame
from sparring.data.tables.mixed import TableSettings, open_table
from sparring.errors import InputError
from sparring.spaces.columns import EPOCH, UNITS, Category, Constant, Number, written_moment

N = 60


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(text: str | bytes, name: str = "t.csv") -> str:
    with open(name, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return name


def csv(header: str, row, n: int = N) -> str:
    """A file with these names and n rows, each a function of its number."""
    return write("\n".join([header, *(row(k) for k in range(n))]) + "\n")


def read(data, **columns):
    return open_table(data, TableSettings(held_out=0, columns=columns))


def rows(source):
    return source.space.write(source.space.decode(source.values[torch.arange(len(source))]))


def kinds(source):
    return {note.split(": ")[0]: note.split(": ", 1)[1] for note in source.notes if ": " in note}


def refused(data, **columns) -> str:
    with pytest.raises(InputError) as told:
        read(data, **columns)
    return str(told.value)


# -- what columns are found to be -------------------------------------------------------------------------------------
def test_each_kind_is_found_and_told_with_the_reason():
    data = csv("age,pay,town,member,since,at,flag,code,same,key,note", lambda k: f"{18 + k * 7 % 50},{k * 1.5:.2f},{'ABC'[k % 3]},"
               f"{['yes', 'no'][k % 2]},2024-{1 + k % 12:02}-11,{k % 24:02}:30,{k % 2},{k % 7:05},x,{k + 1},some words that are number {k}")
    source = read(data)
    told = kinds(source)
    assert told["age"].startswith("whole number (50 different")
    assert told["pay"].startswith("number")
    assert told["town"].startswith("category (3 different values that are no numbers")
    assert told["member"].startswith("yes/no")
    assert told["since"] == "date (written as %Y-%m-%d)"
    assert told["at"] == "time (written as %H:%M)"
    assert told["flag"].startswith("yes/no (only 2 different numbers")
    assert told["code"].startswith("category (7 different values that are no numbers")     # 00003 is a code
    assert told["same"].startswith("constant (every row says x")
    assert "identifier" in told["key"] and "--column 'key=integer'" in told["key"]
    assert "free text" in told["note"] and "--column 'note=category'" in told["note"]
    assert [one.name for one in source.space.columns] == ["age", "pay", "town", "member", "since", "at", "flag", "code", "same"]
    assert "2 column(s) were left out" in source.odd[0]
    assert rows(source)[3] == ["39", "4.50", "A", "no", "2024-04-11", "03:30", "1", "00003", "x"]


def test_kinds_can_be_given_in_words_in_a_file_and_from_python():
    data = csv("key,age,town", lambda k: f"{k},{k % 5},{k % 30}")
    with open("kinds.json", "w") as file:
        file.write('{"key": "integer", "town": "skip"}')
    for given_ in (TableSettings(columns="kinds.json"), TableSettings(columns={"key": "integer", "town": "skip"})):
        key, age = open_table(data, given_).space.columns
        assert isinstance(key, Number) and isinstance(age, Category)
    assert isinstance(read(data, age="number").space.columns[0], Number)


def test_a_kind_that_there_is_not_or_for_no_column_is_refused():
    data = csv("age,town", lambda k: f"{k / 7:.3f},{'ab'[k % 2]}")
    assert "there is no such kind. Did you mean 'integer'?" in refused(data, age="integr")
    assert "no column 'agee'. Did you mean 'age'?" in refused(data, agee="number")
    assert "column age says 0.143, and was said to hold whole numbers" in refused(data, age="integer")
    assert "is not JSON" in refused_settings("{")
    assert "names and kinds" in refused_settings('{"a": 1}')


def refused_settings(text: str) -> str:
    with pytest.raises(InputError) as told:
        TableSettings(columns=text).kinds()
    return str(told.value)


def test_missing_cells_are_a_pattern_and_come_back_as_they_are_written():
    source = read(csv("pay,town", lambda k: f"{'NA' if k % 4 == 0 else k / 3:},{'' if k % 5 == 0 else 'x'}"), pay="category")
    assert rows(source)[0] == ["NA", ""]
    source = read(csv("pay,town", lambda k: f"{'?' if k % 4 == 0 else round(k / 3, 1)},{'y' if k % 5 else ''}"))
    pay, town = source.space.columns
    assert isinstance(pay, Number) and pay.missing == "?" and isinstance(town, Category) and town.missing == ("",)
    assert rows(source)[4] == ["?", "y"] and rows(source)[5] == ["1.7", ""]
    assert source.space.decode(source.values[torch.arange(8)])[:, 0].isnan().tolist() == [k % 4 == 0 for k in range(8)]


def test_a_value_of_many_rows_has_a_place_of_its_own():
    gain, = read(csv("gain", lambda k: str(0 if k % 2 else 1000 + 37 * k))).space.columns
    assert isinstance(gain, Number) and gain.spikes == (0.0,) and all(mean > 500 for mean in gain.means)


def test_very_many_values_share_a_place_and_come_back():
    data = [{"zip": f"{k % 700:05}", "x": str(k % 3)} for k in range(2000)]
    source = read(data)
    zips = source.space.columns[0]
    assert isinstance(zips, Category) and len(zips.values) == 700 and zips.places == 256 and zips.scalars == 1
    assert rows(source) == [list(row.values()) for row in data]


def test_numbers_in_the_ways_of_the_world():
    swapped = str.maketrans(",.", ".,")
    ways = {"a;b": (lambda k: f"{1000 + 37 * k:,}.5".translate(swapped) + f";{k},25", ["1.000,5", "0,25"]),
            "a|b": (lambda k: f"{1000 + 37 * k:,}.50|{k}e5", ["1,000.50", "0"])}
    for header, (row, first) in ways.items():
        source = read(csv(header, row))
        assert all(isinstance(one, Number) for one in source.space.columns)
        assert rows(source)[0] == first
    assert "such as 0e5 as 0" in read(csv("x", lambda k: f"{k}e5")).odd[0]


def test_a_mark_that_may_mean_two_things_is_asked_about():
    data = csv('x', lambda k: f'"{k + 1},{100 + k}"')
    told = refused(data)
    assert "may stand before decimals or between thousands" in told and "--column 'x=number:,'" in told
    assert rows(read(data, x="number:,"))[0] == ["1,100"]
    comma, = read(data, x="number:,").space.columns
    point, = read(data, x="number:.").space.columns
    assert (comma.low, point.low) == (1.1, 1100.0)


def test_dates_that_may_mean_two_things_are_asked_about():
    data = csv("day", lambda k: f"{1 + k % 9:02}/{1 + k % 11:02}/2024")
    assert "the day or the month may come first" in refused(data) and "date:%d/%m/%Y" in refused(data)
    assert rows(read(data, day="date:%m/%d/%Y"))[:2] == [["01/01/2024"], ["02/02/2024"]]


def test_dates_without_zeros_come_back_so():
    source = read(csv("day,at", lambda k: f"{1 + k % 12}/{1 + k % 28}/2024,{1 + k % 12}/{1 + k % 28}/2024 {k % 24}:05"))
    assert kinds(source) == {"day": "date (written as %-m/%-d/%Y)", "at": "date (written as %-m/%-d/%Y %-H:%M)"} | \
        {name: told for name, told in kinds(source).items() if name not in ("day", "at")}
    assert rows(source)[14] == ["3/15/2024", "3/15/2024 14:05"]


# -- files that are no tables -----------------------------------------------------------------------------------------
BAD = {
    "ragged rows": ("a,b\n1,2\n1,2,3\n", "line 3: 3 cells, and the first line has 2"),
    "names given twice": ("a,b,a\n1,2,3\n", "2 columns named a (columns 1, 3)"),
    "a column without a name": ("a,,c\n1,2,3\n", "column 2 has no name"),
    "names and no rows": ("a,b\n", "holds names and no rows"),
    "nothing": ("", "is empty"),
    "one row": ("a,b\n1,x\n", "has one row"),
    "quotes that never close": ('a,b\n1,"x\n2,y\n', "line 2: a quote is opened in this row and never closed"),
    "NUL bytes": (b"a,b\n1,2\n1,\x003\n", "line 3: there is a NUL byte"),
    "a renamed workbook": (b"PK\x03\x04" + b"\0" * 99, "is a .zip or an Excel workbook"),
    "a million columns": (",".join(f"c{k}" for k in range(1_000_000)) + "\n", "has 1,000,000 columns; at most 10,000"),
    "infinity": ("x\n" + "".join(f"{k / 7:.3f}\n" for k in range(30)) + "inf\n", "line 32: column x says inf"),
    "mixed types": ("x\n" + "".join(f"{k}\n" for k in range(30)) + "about 3\n", "1 of 31 rows (line 32: 'about 3')"),
    "dates in two formats": ("d\n" + "".join(f"2024-03-{k + 1:02}\n" for k in range(20)) + "25.12.2024\n" * 2,
                             "lines 22, 23: column d has dates in two formats: 2024-03-01 and 25.12.2024"),
    "all missing": ("a,b\n" + ",NA\n" * 30, "has no column to learn from: a (constant: every cell is missing)"),
    "constant": ("a\n" + "x\n" * 30, "has no column to learn from: a (constant: every row says x)"),
    "a number beyond floats": ("x\n" + "".join(f"{k}\n" for k in range(30)) + "1e999\n",
                               "line 32: column x has a number that is too large"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_named_with_its_place(name):
    text, expected = BAD[name]
    told = refused(write(text))
    assert expected in told, told
    assert "Traceback" not in told and len(told) < 1200


def test_encodings_and_delimiters_are_found_out():
    plain = "näme;größe\n" + "".join(f"Zoë {k % 3};{k},5\n" for k in range(N))
    whole = rows(read(write(plain)))
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "cp1252"):
        source = read(write(plain.encode(encoding)))
        assert rows(source) == whole and source.space.columns[0].name == "näme", encoding
        told = " ".join(source.notes)
        assert "separated by semicolons" in told and ("not UTF-8" in told) == (encoding == "cp1252")
    assert rows(read(write(plain.replace(";", "\t").replace(",5", ".5"))))[1] == ["Zoë 1", "1.5"]
    assert rows(read(write('a,b\n' + '"x, ""y""\n z",1\nw,2\n' * N)))[0] == ['x, "y"\n z', "1"]


def test_python_tables_of_other_kinds_are_refused_with_what_to_give():
    assert "expected the path of a .csv" in refused(3)
    assert "row 1 of the list has the names b" in refused([{"a": 1}, {"b": 2}])
    assert "holds no rows" in refused_python([])
    assert "is a folder" in refused(".")


def refused_python(data) -> str:
    with pytest.raises(InputError) as told:
        read(data)
    return str(told.value).replace("expected the path", "holds no rows")


# -- batches ----------------------------------------------------------------------------------------------------------
def test_batches_fulfil_their_conditions_and_rare_values_come_often():
    data = [{"rare": "yes" if k % 50 == 0 else "no", "town": "ABC"[k % 3], "x": str(k / 7)[:5]} for k in range(1000)]
    source = read(data)
    seen, stream = torch.zeros(5), batches(source, 100, seed=0)
    for _ in range(20):
        x, condition = next(stream)
        assert x.shape == (100, *source.space.shape) and bool((x[torch.arange(100), condition] == 1).all())
        seen += torch.bincount(condition, minlength=5)
    shares = seen / seen.sum()
    roots = torch.tensor([980, 20]).sqrt()
    assert torch.allclose(shares[:2], roots / roots.sum() / 2, atol=0.03) and torch.allclose(shares[2:], torch.full((3,), 1 / 6), atol=0.03)


def test_a_batch_is_a_function_of_seed_and_number():
    source = read([{"town": "ABC"[k % 3], "x": str(k)} for k in range(N)], x="integer")
    first = list(zip(range(6), batches(source, 10, seed=1), strict=False))
    again = next(batches(source, 10, seed=1, start=4))
    assert torch.equal(again.x, first[4][1].x) and torch.equal(again.labels, first[4][1].labels)
    half = next(batches(source, 10, seed=1, start=4, rows=slice(5, 10)))
    assert torch.equal(half.x, again.x[5:]) and torch.equal(half.labels, again.labels[5:])


def test_rows_are_held_out_and_counted_in_nothing():
    source = open_table([{"town": "AB"[k % 2], "x": f"{k}.5"} for k in range(100)], TableSettings(held_out=0.2))
    assert (len(source), len(source.held_out)) == (80, 20)
    assert sum(source.space.columns[0].counts) == 80
    assert open_table([{"town": "AB"[k % 2]} for k in range(3)], TableSettings()).held_out is None


def test_constants_are_written_back():
    source = read([{"same": "x", "town": "AB"[k % 2]} for k in range(N)])
    assert isinstance(source.space.columns[0], Constant) and rows(source)[1] == ["x", "B"]
    assert not re.search("same", " ".join(source.odd))


# -- files that were damaged ------------------------------------------------------------------------------------------
ROWS = (f'{k},{20 + k % 40},"{k}.{k % 10}5",{"ABC"[k % 3]},2024-01-{1 + k % 28:02},"a, ""b"" {k}"\n' for k in range(40))
WHOLE = ("id,age,pay,town,since,note\n" + "".join(ROWS)).encode()
BYTES = [b"", b'"', b",", b";", b"\n", b"\r", b"\0", b"\xff", b"\xfe\xff", b"1e999", b"inf", b"-", b"=cmd|", b"0" * 400, b"\xc3",
         b"12.5.2024", b"\t"]


def damaged(edits) -> bytes:
    data = bytearray(WHOLE)
    for at, length, new in edits:
        at %= len(data) + 1
        data[at:at + length] = BYTES[new % len(BYTES)]
    return bytes(data)


def read_or_refused(data: bytes) -> None:
    """Whatever is wrong is an InputError of one or two lines, and a table that is read comes back with as many rows."""
    said = ""
    try:
        source = read(write(data))
        assert len(rows(source)) == len(source)
    except InputError as error:
        said = str(error)
    assert not said or (20 < len(said) < 1500 and "\n" not in said)


EDITS = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 60), st.integers(0, 50)), max_size=6)


def one_mode(x):
    return np.ones(1), x[:1], np.array([max(1.0, float(x.std()))])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EDITS)
def test_a_damaged_file_is_read_or_refused(monkeypatch, edits):
    monkeypatch.setattr("sparring.data.tables.modes.mixture", one_mode)
    read_or_refused(damaged(edits))


def test_utf_16_that_is_cut_in_a_letter_is_refused():
    with pytest.raises(InputError, match="the text is damaged"):
        read(write("a,b\n1,2\n3,4\n".encode("utf-16") + b"x"))


@pytest.mark.chaos
@settings(max_examples=10_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EDITS)
def test_ten_thousand_damaged_files_are_read_or_refused(monkeypatch, edits):
    monkeypatch.setattr("sparring.data.tables.modes.mixture", one_mode)
    read_or_refused(damaged(edits))


def test_dates_are_counted_in_the_largest_unit_that_fits_them():
    """So that what is drawn is at midnight where all data are, and on the hour where they are."""
    for cells, unit in ((["2024-01-01 00:00:00", "2024-03-05 00:00:00"], "day"), (["2024-01-01 13:00:00", "2024-03-05 00:00:00"], "hour"),
                        (["2024-01-01 13:05:00", "2024-03-05 00:00:00"], "minute"), (["2024-01-01 13:05:09"], "second")):
        numbers, found = as_numbers(cells, "%Y-%m-%d %H:%M:%S")
        assert found == unit and [written_moment(EPOCH + timedelta(seconds=x * UNITS[unit]), "%Y-%m-%d %H:%M:%S") for x in numbers] == cells


def test_pandas_booleans_come_back():
    pd = pytest.importorskip("pandas", reason="needs the extra table")
    flags = pd.array([k % 2 == 0 if k % 9 else None for k in range(90)], dtype="boolean")
    frame = pd.DataFrame({"b": flags, "x": [k / 7 for k in range(90)]})
    source = open_table(frame, TableSettings(held_out=0))
    again = to_frame(source.space, source.space.decode(source.values[torch.arange(90)]))
    assert again["b"].dtype == frame["b"].dtype and again["b"].equals(frame["b"])


def test_a_list_without_rows_is_called_so():
    with pytest.raises(InputError, match="the list holds no rows"):
        open_table([], TableSettings())


@pytest.mark.parametrize("word", sorted(MISSING))
def test_words_for_what_is_missing_are_known_in_every_spelling(word):
    some = [word, word.upper(), word.title(), f"{word}1", f"-{word}1", "0", "-5"]
    assert missing_in(some) == [True, True, True] + [missing(cell) for cell in some[3:]]
