"""Rules between columns of tables: how they are read, that data are held against them, and what is kept by construction."""

import math
import subprocess
from functools import cache

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparring.data.tables import ruled
from sparring.data.tables.mixed import TableSettings, open_table
from sparring.errors import InputError
from sparring.spaces import Table, from_json, to_json
from sparring.spaces.columns import Category, Computed, Constant, Later, Number
from sparring.spaces.rule_words import read as read_rules
from sparring.spaces.rules import Comparison, Formula, run

MIXTURE = ((1.0,), (50.0,), (10.0,), (50.0,))
PLAIN = (Number("a", *MIXTURE, (), 0.0, 100.0, decimals=(0, 2)), Number("b", *MIXTURE, (), 0.0, 100.0, missing=""),
         Number("c d", *MIXTURE, (), 0.0, 100.0), Number("e-f", *MIXTURE, (), 0.0, 100.0),
         Category("town", ("x", "y", "O'Hara", ""), (3, 2, 1, 1), 4, missing=("",)), Category("few", ("1", "20"), (3, 2), 2, numbers=True),
         Category("other", ("y", "z"), (1, 1), 2), Number("day", *MIXTURE, (), 0.0, 100.0, form="%Y-%m-%d", unit="day"),
         Number("at", *MIXTURE, (), 0.0, 10_000.0, form="%Y-%m-%d %H:%M", unit="minute"), Constant("rate", "0.5"), Constant("same", "s"),
         Number("hour", *MIXTURE, (), 0.0, 100.0, form="%H:%M", unit="minute"))
NAMES = [one.name for one in PLAIN]


def rows(n: int = 60, **more):
    """Rows of orders, which keep the rules of these tests; `more` changes one."""
    found = [{"age": str(18 + (7 * k) % 60), "price": f"{2 + (37 * k % 101) / 7:.2f}", "quantity": str(1 + k % 5), "town": "ABC"[k % 3],
              "code": f"{'ABC'[k % 3]}X{k % 4}", "start": f"2024-01-{1 + k % 28:02}", "end": f"2024-{2 + k % 7:02}-{1 + k % 9:02}",
              "key": str(k)} for k in range(n)]
    for row in found:
        row["total"] = f"{float(row['price']) * int(row['quantity']) + 3:.2f}"
    found[4] |= more
    return found


def opened(*rules, data=None, columns=None, held_out=0.0):
    return open_table(rows() if data is None else data, TableSettings(rules=list(rules), columns=columns or {}, held_out=held_out))


@cache
def ruled_space():
    return opened(*RULES).space


def refused(*rules, **more) -> str:
    with pytest.raises(InputError) as told:
        opened(*rules, **more)
    return str(told.value)


def cells_of(**values):
    """One row of the columns above."""
    return [torch.tensor([float(values.get(one.name.replace(" ", "_").replace("-", "_"), 0.0))], dtype=torch.float64) for one in PLAIN]


def rule(text):
    return read_rules(PLAIN, (text,))[0]


def holds(text, **values) -> bool:
    return bool(rule(text).holds(cells_of(**values)))


# -- what a rule says -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "yes", "no"), [
    ("a >= 18", {"a": 18}, {"a": 17.9}), ("18<=a", {"a": 18}, {"a": 17}), ("a > b", {"a": 2, "b": 1}, {"a": 1, "b": 1}),
    ("a != 3", {"a": 2}, {"a": 3}), ("a == 3", {"a": 3}, {"a": 2}), ("`a` < `c d`", {"c_d": 1}, {"a": 1}), ("c d <= e-f", {}, {"c_d": 1}),
    ('town != "x"', {"town": 1}, {"town": 0}), ("town = y", {"town": 1}, {"town": 0}), ("town != O'Hara", {"town": 1}, {"town": 2}),
    ("few >= 20", {"few": 1}, {"few": 0}), ("a <= few", {"a": 20, "few": 1}, {"a": 2, "few": 0}), ("a > rate", {"a": 1}, {"a": 0.5}),
    ("town != other", {"town": 0, "other": 0}, {"town": 1, "other": 0}), ("town = other", {"town": 1}, {"town": 1, "other": 1}),
    ("day >= 1970-01-03", {"day": 2}, {"day": 1}), ('day < "1970-01-03"', {"day": 1}, {"day": 2}),
    ("at >= day", {"at": 1440, "day": 1}, {"at": 1439, "day": 1}), ("a * (b + 1) <= 6", {"a": 2, "b": 2}, {"a": 2, "b": 3}),
    ("a + -b > few / 2", {"a": 3, "b": 2}, {"a": 2.5, "b": 2})])
def test_comparisons_hold_where_they_say(text, yes, no):
    assert holds(text, **yes) and not holds(text, **no)


def test_a_comparison_with_a_missing_cell_holds():
    assert holds("a > b", b=math.nan) and holds("b != 3", b=math.nan) and holds('town = "x"', town=3) and holds("a*b > 9", b=math.nan)
    assert not holds("a / c d > 1".replace("c d", "`c d`"))     # 0 / 0 is no missing cell


@given(st.recursive(st.sampled_from(["a", "b", "`c d`", "`e-f`", "2", "0.5", "1e1"]), lambda part: st.one_of(
    st.tuples(part, st.sampled_from("+-*/"), part).map(lambda one: "({} {} {})".format(*one)), part.map("-{}".format)), max_leaves=12),
    st.lists(st.floats(-50, 50), min_size=4, max_size=4))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_formulas_give_what_python_gives(text, values):
    """Python's own arithmetic on the same tree, where it divides by nothing."""
    named = dict(zip(("a", "b", "c_d", "e_f"), values, strict=True))
    try:
        wanted = float(eval(text.replace("`c d`", "c_d").replace("`e-f`", "e_f"), {}, named))
        found = rule(f"few <= {text}")
    except (ZeroDivisionError, InputError):
        return
    assert isinstance(found, Comparison)
    assert float(run(found.right, cells_of(**named))) == pytest.approx(wanted, rel=1e-12, abs=1e-300, nan_ok=True)


@pytest.mark.parametrize(("text", "said"), [
    ("a", "there is no comparison in it"), ("", "there is no comparison"), ("a >=", "nothing stands after the >="),
    (">= 3", "nothing stands before"), ("0 <= a <= 3", "two comparisons"), ("aa + 1 >= 3", "no column 'aa'. Did you mean 'a'?"),
    ("twon != x", "no column 'twon'. Did you mean 'town'?"), ('twon != "x"', "no column 'twon'. Did you mean 'town'?"),
    ("town != z", "'z' is no column, and no value of town"), ('"x" = "y"', "names no column"), ("1 < 2", "names no column"),
    ("town >= x", "names, which have no order"), ("a >= town", "a holds numbers and town names"),
    ("a >= day", "a holds numbers and day dates"), ("day >= hour", "day holds dates and hour times"), ("a >= a", "compared with itself"),
    ("day >= soon", "Give a date such as 1970-01-01"), ('a >= "old"', "holds numbers, and 'old' is none"),
    ("a = day * 2", "day holds dates, and formulas need numbers"), ("town = a * 2", "'a * 2' is no column, and no value of town"),
    ("a = b ** 2", "is no formula"), ("a = b(2)", "is no formula"), ("a = b + ", "is no formula"), 
    ("a = b.real", "cannot stand in a formula"), ("a = [b]", "cannot stand in a formula"), ("a = b('os')", "cannot stand in a formula"),
    ("a = __import__('os')", "no column '__import__'"), ("a = b if b else 2", "no column 'if'"),
    ("a = c d * 2", "Did you mean 'c d'?"), ("a = b / 0", "divides by zero in every row"), ("a = a + 1", "computed from itself"),
    ("a + b = 3 * few", "one side should be the column"), ("rate = a * 2", "the same in every row"), ('a ~ "x"', "patterns are of text"),
    ("`a >= 3", "a ` is opened and never closed"), ("unique", "no comparison"), ("unique (a, bb)", "no column 'bb'. Did you mean 'b'?"),
    ("`x y` > 3", "no column 'x y'"), ("a >= 1" + "0" * 1000, "letters are more than 1,000")])
def test_what_is_no_rule_is_told_with_what_is_one(text, said):
    with pytest.raises(InputError) as told:
        rule(text)
    assert said in str(told.value) and "\n" not in str(told.value)


def test_very_deep_formulas_are_told_and_long_ones_computed():
    assert holds("few <= " + "+".join(["a"] * 400), a=1)
    with pytest.raises(InputError, match="is no formula"):
        rule("a > " + "(" * 400 + "b" + ")" * 400)
    assert holds("a < " + "-" * 400 + "few", a=0.5)


def test_formulas_that_go_in_a_circle_are_refused():
    with pytest.raises(InputError, match=r"in a circle, .*(a from b from c d|b from c d from a|c d from a from b)"):
        read_rules(PLAIN, ("a = b + 1", "b = `c d` + 1", "`c d` = a + 1"))
    with pytest.raises(InputError, match="a is computed by another rule already"):
        read_rules(PLAIN, ("a = b + 1", "a = b - few"))
    with pytest.raises(InputError, match="given twice"):
        read_rules(PLAIN, ("a >= 1", "a >= 1"))


# -- data are held against them ---------------------------------------------------------------------------------------
def test_rows_that_break_a_rule_are_named_by_line(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("age,town\n" + "".join(f"{20 + k % 40},{'AB'[k % 2]}\n" for k in range(60)) + "3,A\n4,B\n5,A\n6,B\n")
    said = refused("age >= 18", data=path)
    assert "t.csv, lines 62, 63, 64 and 1 more: 4 of 64 rows break the rule 'age >= 18' (line 62 says age 3)" in said
    assert "Mend these rows, or leave the rule out." in said
    assert opened("age >= 3", data=path).space.rules == ("age >= 3",)


@pytest.mark.parametrize(("text", "more", "said"), [
    ("end >= start", {"end": "2023-01-01"}, "line 4: 1 of 60 rows break the rule 'end >= start' (line 4 says end 2023-01-01, start 2024"),
    ('town != "C"', {}, "20 of 60 rows"), ("unique (age, quantity)", {}, ""),
    ('code ~ "[A-C]X[0-3]"', {"code": "CX33"}, "line 4 says code 'CX33'"),
    ("total = price * quantity + 3", {"total": "1.00"}, "the formula gives"),
    ("price = total / (quantity - 1)", {}, "divides by zero there")])
def test_data_that_break_a_rule_are_refused(text, more, said):
    if said:
        assert said in refused(text, data=rows(**more))
    else:
        opened(text)


def test_of_rows_that_are_alike_the_later_one_is_named():
    data = rows()
    data[7]["key"] = data[3]["key"]
    said = refused("unique key", data=data, columns={"key": "integer"})
    assert "line 7: 1 of 60 rows break the rule 'unique key' (line 7 says key 3; as line 3 does)" in said
    said = refused("unique key")
    assert "the column key is left out (an identifier" in said and "--column 'key=integer' keeps it" in said


def test_numbers_agree_with_a_formula_within_half_of_the_last_decimal():
    def with_total(shift: float):
        return [row | {"half": f"{float(row['price']) / 2 + shift:.2f}"} for row in rows()]

    assert isinstance(opened("half = price / 2", data=with_total(0)).space.columns[-1], Computed)
    assert "break the rule 'half = price / 2'" in refused("half = price / 2", data=with_total(0.01))


def test_a_pattern_that_takes_for_ever_is_refused(monkeypatch):
    monkeypatch.setattr(ruled, "SECONDS", 0.5)
    data = [{"code": "a" * 40 + "!" if k % 2 else "a"} | {"x": f"{k / 7:.3f}"} for k in range(60)]
    assert "takes more than 0.5 s for the values of code" in refused('code ~ "(a+)+"', data=data)
    assert "is no regular expression" in refused('code ~ "(a"', data=data)
    monkeypatch.setattr(subprocess, "run", lambda *a, **b: pytest.fail("a model's file never runs its patterns"))
    assert from_json(to_json(Table(PLAIN, ('town ~ "(a+)+"',)))).rules == ('town ~ "(a+)+"',)


# -- what is kept by construction -------------------------------------------------------------------------------------
RULES = ("age >= 18", "end > start", "total = price * quantity + 3", 'code ~ "[A-C]X\\d"', 'town != "D"')


def test_how_each_rule_is_kept_is_told():
    told = dict(note.removeprefix("rule ").split(": ", 1) for note in opened(*RULES, "price * quantity < 1000").notes
                if note.startswith("rule"))
    assert set(told) == {*RULES, "price * quantity < 1000"}
    assert all(told[text].startswith("kept by construction") for text in RULES)
    assert "difference of end and start is learned" in told["end > start"] and "total is computed" in told[RULES[2]]
    assert told["price * quantity < 1000"] == "drawn rows that break it are left out"


def test_rows_come_back_and_any_row_keeps_what_is_kept_by_construction():
    source = opened(*RULES)
    space, data = source.space, [{name: value for name, value in row.items() if name != "key"} for row in rows()]
    again = space.write(space.decode(source.values[torch.arange(len(source))]))
    assert again == [list(row.values()) for row in data]
    total, end = space.columns[-1], space.columns[6]
    assert isinstance(total, Computed) and total.places == total.scalars == 0 and isinstance(end, Later)
    any_rows = space.decode(torch.randn(2000, *space.shape, generator=torch.Generator().manual_seed(0)))
    assert all(bool(rule.holds(any_rows.unbind(1)).all()) for rule in space.kept.rules if isinstance(rule, Comparison | Formula))
    price, quantity = any_rows[:, 1], torch.tensor([float(value) for value in space.columns[2].values])[any_rows[:, 2].long()]
    assert bool(((price * quantity + 3 - any_rows[:, -1]).abs() <= 0.005 + 1e-9).all())
    assert float(any_rows[:, 6].max()) <= end.high


def test_a_computed_number_is_missing_where_it_cannot_be_computed():
    data = [row | {"half": f"{float(row['price']) / int(row['quantity']):.2f}"} for row in rows()]
    for row in data[::7]:
        row["price"] = row["half"] = ""
    space = opened("half = price / quantity", data=data).space
    cells = torch.zeros(1, len(space.columns), dtype=torch.float64)
    cells[0, 1] = math.nan
    half = space.kept.settled(cells.unbind(1))[-1]
    assert half.isnan().all() and space.columns[-1].write(half) == [""]
    chained = opened("half = price / quantity", "twice = 2 * half", data=[row | {"twice": f"{2 * float(row['half'] or 'nan'):.2f}".replace(
        "nan", "")} for row in data]).space
    settled = chained.kept.settled([torch.tensor([x], dtype=torch.float64) for x in (0, 7.0, 1, 0, 0, 0, 0, 0, 0, 0)])
    value = float(chained.columns[2].values[1])
    assert float(settled[-1]) == pytest.approx(2 * round(7 / value, 2))


def test_a_copy_of_a_column_is_computed_for_dates_too():
    space = opened("again = end", data=[row | {"again": row["end"]} for row in rows()]).space
    assert isinstance(space.columns[-1], Computed) and space.columns[-1].form == "%Y-%m-%d"


def test_a_chain_is_learned_by_differences_and_a_circle_is_not():
    data = [{"a": f"{k / 10:.1f}", "b": f"{k / 10 + (k % 7) / 10:.1f}", "c": f"{k / 10 + 1 + k % 3 + k % 11 / 100:.2f}"} for k in range(60)]
    a, b, c = opened("b >= a", "c >= b", data=data).space.columns
    assert not isinstance(a, Later) and isinstance(b, Later) and isinstance(c, Later) and (b.base, c.base) == ("a", "b")
    assert (b.least, b.most) == (0.0, 0.6)
    assert not isinstance(opened("c >= a", "b <= c", data=data).space.columns[1], Later)
    same = [row | {"b": row["a"]} for row in data]
    assert [isinstance(one, Later) for one in opened("a >= b", "b >= a", data=same).space.columns] == [True, False, False]


# -- in files ---------------------------------------------------------------------------------------------------------
def test_rules_come_back_from_a_models_file_and_tables_without_any_are_as_before():
    space = ruled_space()
    assert from_json(to_json(space)) == space and from_json(to_json(space)).rules == RULES
    plain = to_json(opened().space)
    assert "rules" not in plain and from_json(plain).rules == ()


@pytest.mark.parametrize("change", [
    lambda plain: plain["rules"].remove(RULES[2]), lambda plain: plain["columns"][6].update(base="nowhere"),
    lambda plain: plain.update(rules=3),
    lambda plain: plain["columns"][6].update(base="end"), lambda plain: plain["columns"][6].update(least=9.0, most=1.0),
    lambda plain: plain["rules"].append("age >= nothing"), lambda plain: plain["rules"].append("age = total + 1"),
    lambda plain: plain.update(rules=["age >= 18"] * 101), lambda plain: plain["columns"][6].update(base=3)])
def test_a_models_file_whose_rules_do_not_fit_is_refused(change):
    plain = to_json(ruled_space())
    change(plain)
    with pytest.raises(InputError):
        from_json(plain)


def test_rules_are_given_as_text_or_a_list():
    assert TableSettings(rules="age >= 18").stated() == TableSettings(rules=["age >= 18"]).stated() == ("age >= 18",)
    assert TableSettings(rules='["a >= 1", "b >= 2 "]').stated() == ("a >= 1", "b >= 2") and TableSettings().stated() == ()
    for text, said in (("[", "is not JSON"), ("[3]", "a list of text")):
        with pytest.raises(InputError, match=said):
            TableSettings(rules=text).stated()
    with pytest.raises(InputError, match="rules can be given for tables that are read"):
        open_table(opened(), TableSettings(rules="age >= 18"))
    assert "says that it holds no numbers" in refused("quantity = age * 2", columns={"quantity": "category"})
