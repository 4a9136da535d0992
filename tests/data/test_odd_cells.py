"""Cells that do not fit the rest of their column are named with their line, and what frames say of themselves comes back."""

import pytest
import torch

from sparring.data.tables.frames import to_frame
from sparring.data.tables.mixed import TableSettings, open_table
from sparring.errors import InputError
from sparring.latent.where import Asked, Drawn, parsed
from sparring.spaces import from_json, to_json
from untrained import untrained

ALL = TableSettings(held_out=0)


def refused(tmp_path, cells):
    path = tmp_path / "table.csv"
    path.write_text("x;y\n" + "".join(f"{cell};{k % 3}\n" for k, cell in enumerate(cells)))
    with pytest.raises(InputError) as told:
        open_table(path, ALL)
    return str(told.value)


def test_a_word_among_dates_is_named(tmp_path):
    said = refused(tmp_path, [f"2024-01-{1 + k % 28:02}" for k in range(60)] + ["unknown", "2024-02-30"])
    assert "column x holds dates written as %Y-%m-%d, but for 2 of 62 rows (lines 62, 63: 'unknown', '2024-02-30')" in said


def test_a_word_among_amounts_is_named(tmp_path):
    said = refused(tmp_path, [f"${k}.50" for k in range(60)] + ["free"])
    assert "column x holds amounts such as $3.50, but for 1 of 61 rows (line 62: 'free')" in said


def test_numbers_in_two_ways_are_named(tmp_path):
    said = refused(tmp_path, [f"{1 + k % 9},{200 + k}.5" for k in range(40)] + [f"{1 + k % 9}.{300 + k},5" for k in range(20)])
    assert "line 42 and" not in said and "lines 42, 43, 44 and 17 more: column x says 1.300,5, and other rows say 1,200.5" in said
    assert "two ways" in said


def test_words_that_hold_digits_are_still_words(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("x,y,z\n" + "".join(f"flat {k % 9},{k}.{k % 7}.1,3/4{k % 3}x\n" for k in range(60)))
    assert [note.split(":")[0] for note in open_table(path, ALL).notes if note.startswith("x")]


def test_what_is_in_the_same_digits_is_not_said_to_come_back_otherwise():
    source = open_table([{"x": repr((k - 30) / 7 * 1.0000000001)} for k in range(60)] + [{"x": "-0.0"}] * 2, ALL)
    assert not [one for one in source.odd if "otherwise" in one]


def test_a_rare_value_of_a_large_category_can_be_asked_for():
    source = open_table([{"town": f"town{k % 400}", "kind": "ab"[k % 2]} for k in range(1200)], TableSettings(held_out=0))
    town = source.space.columns[0]
    assert town.own < 400
    model = untrained("table", source.space, width=8, latent=4)
    asked, = parsed(source.space, f"town={town.values[-1]}")
    assert asked == Asked(0, "=", 399.0)
    drawn = Drawn(model.game, source.space, 0, (asked,))
    cells = torch.cat(list(drawn.cells(20)))
    assert bool((cells[:, 0] == 399).all()) and drawn.tried < 20_000


@pytest.mark.parametrize(("words", "said"), [("n=", "no cell of n is missing in the data"), ("n=>30", "did you mean n>=30?")])
def test_what_is_asked_for_amiss_is_told(words, said):
    space = open_table([{"n": k, "kind": "ab"[k % 2]} for k in range(60)], TableSettings(held_out=0, columns={"n": "integer"})).space
    with pytest.raises(InputError) as told:
        parsed(space, words)
    assert said in str(told.value)


def test_frames_keep_their_categories_and_their_zone():
    pd = pytest.importorskip("pandas", reason="data frames need the extra `table`")
    n = 400
    frame = pd.DataFrame({"size": pd.Categorical(["lo", "hi", "mid", "hi"] * (n // 4), ["lo", "mid", "hi", "never"], ordered=True),
                          "when": pd.date_range("2024-01-01", periods=n, freq="D", tz="Europe/Berlin"),
                          "code": pd.Categorical([1, 2] * (n // 2))})
    source = open_table(frame, ALL)
    space = from_json(to_json(source.space))
    made = to_frame(space, space.decode(source.values[torch.arange(n)]))
    assert dict(made.dtypes) == dict(frame.dtypes)
    assert (made["when"] == frame["when"]).all() and (made["size"] == frame["size"]).all() and (made["code"] == frame["code"]).all()


def test_frames_with_names_of_several_levels_are_refused_with_the_line_to_type():
    pd = pytest.importorskip("pandas", reason="data frames need the extra `table`")
    frame = pd.DataFrame([[1, 2]] * 5, columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]))
    with pytest.raises(InputError, match="names of 2 levels"):
        open_table(frame, ALL)
