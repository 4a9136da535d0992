"""What is said of rows, such as `age >= 18` or `total = price * quantity`, as rules.  Formulas are read, and never evaluated by Python."""

import ast
import math
import re
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import NamedTuple

import torch

from sparring.errors import InputError, did_you_mean, listed, shown
from sparring.spaces.columns import UNITS, Category, Column, Constant, Number
from sparring.spaces.rules import NEGATIVE, Comparison, Formula, Pattern, Program, Quantity, Rule, Unique, columns_in

MOST, LONGEST = 100, 1_000          # rules of a table, and letters of a rule
SIGN = re.compile(r">=|<=|!=|==|=|<|>|~")
TOKEN = re.compile(r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|`(?P<quoted>[^`]*)`|(?P<name>[^\W\d]\w*)|(?P<sign>[-+*/()]))")
UNIQUE = re.compile(r"unique\b\s*(?:\((?P<several>.*)\)|(?P<one>.*))", re.DOTALL)
SIGNS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
HOW = "Expected such as 'age >= 18', 'end >= start', 'total = price * quantity', 'unique id' or 'code ~ \"[A-Z]+\"'."


class Value(NamedTuple):
    """Text in quotes."""

    text: str


Side = int | Value | str        # a column, a value, or what may be a value or a formula


def read(columns: Sequence[Column], texts: Sequence[str], left_out: Mapping[str, str] | None = None) -> tuple[Rule, ...]:
    """Rules of these columns; `left_out` says of other columns why they are not among these.  InputError, with what was expected, for what
    is no rule."""
    if len(texts) > MOST:
        raise InputError(f"{len(texts):,} rules are more than {MOST:,}. Leave some out.")
    rules = tuple(Reader(columns, text.strip(), left_out or {}).rule() for text in texts)
    if twice := next((rule.text for k, rule in enumerate(rules) if rule.text in [one.text for one in rules[:k]]), None):
        raise InputError(f"--rule '{shown(twice)}' is given twice. Give it once.")
    refuse_circles(rules, columns)
    return rules


def in_order(needs: dict[int, tuple[int, ...]]) -> list[int]:
    """Columns, each after those that it needs.  CycleError where they need each other."""
    return list(TopologicalSorter(needs).static_order())


def refuse_circles(rules: Sequence[Rule], columns: Sequence[Column]) -> None:
    """InputError for formulas that need each other, or two for one column."""
    formulas: dict[int, Formula] = {}
    for rule in rules:
        if not isinstance(rule, Formula):
            continue
        if rule.target in formulas:
            raise InputError(f"--rule '{shown(rule.text)}': {shown(columns[rule.target].name)} is computed by another rule already "
                             f"('{shown(formulas[rule.target].text)}'). Leave one of them out.")
        formulas[rule.target] = rule
    try:
        in_order({k: columns_in(rule.program) for k, rule in formulas.items()})
    except CycleError as error:
        round_ = [shown(columns[k].name) for k in reversed(error.args[1])]
        raise InputError(f"--rule '{shown(formulas[error.args[1][0]].text)}': the formulas go in a circle, {' from '.join(round_)}. "
                         "State one of them the other way round, or leave it out.") from None


def kind(column: Column) -> str:
    """What its cells can be compared with: a number, a date, a time or a name."""
    match column:
        case Category():
            return "number" if column.numbers else "name"
        case Number():
            return ("date" if "Y" in column.form or "y" in column.form else "time") if column.form else "number"
        case Constant():
            return "number" if math.isfinite(number(column.value)) else "name"


def number(text: str) -> float:
    """NaN for what is none."""
    try:
        return math.nan if "_" in text else float(text.strip())
    except ValueError:
        return math.nan


def values_of(column: Column) -> tuple[str, ...]:
    """Of a column of names."""
    assert not isinstance(column, Number)
    return column.values if isinstance(column, Category) else (column.value,)


def places(column: Column) -> dict[str, int]:
    """Its values, without spaces around them, and where they are."""
    return {one.strip(): k for k, one in reversed(list(enumerate(values_of(column))))}


def scale(column: Number) -> float:
    """Of dates and times to milliseconds, a whole number."""
    return float(round(1000 * UNITS[column.unit])) if column.form else 1.0


class Reader:
    """Reads one rule."""

    def __init__(self, columns: Sequence[Column], text: str, left_out: Mapping[str, str]) -> None:
        self.columns, self.text, self.left_out = columns, text, left_out
        self.names = {one.name: k for k, one in enumerate(columns)}

    def wrong(self, why: str) -> InputError:
        return InputError(f"--rule '{shown(self.text)}': {why}")

    def rule(self) -> Rule:
        if len(self.text) > LONGEST:
            raise self.wrong(f"{len(self.text):,} letters are more than {LONGEST:,}. Give a shorter rule.")
        cut = self.cut(self.text)
        if cut is None:
            return self.unique()
        left, sign, right = cut
        if not left or not right:
            raise self.wrong(f"nothing stands {'before' if not left else 'after'} the {sign}. {HOW}")
        if sign == "~":
            return self.pattern(left, right)
        if self.cut(right) is not None:
            raise self.wrong("there are two comparisons in it. State each as a rule of its own; put a value that holds a sign into quotes, "
                             "and such a name into backticks.")
        return self.compared(self.side(left), sign, self.side(right))

    # -- the parts of a rule ------------------------------------------------------------------------------------------
    def cut(self, text: str) -> tuple[str, str, str] | None:
        """What stands before the first sign, the sign, and what stands after it; None where there is none outside of quotes."""
        k, opens = 0, True                                      # a quote opens at the beginning of a word, so that O'Hara has none
        while k < len(text):
            if text[k] == "`" or (opens and text[k] in "\"'"):
                end = text.find(text[k], k + 1)
                if end < 0:
                    raise self.wrong(f"a {text[k]} is opened and never closed.")
                k, opens = end + 1, False
            elif sign := SIGN.match(text, k):
                return text[:k].strip(), sign.group().replace("==", "="), text[sign.end():].strip()
            else:
                k, opens = k + 1, text[k].isspace() or text[k] in "(,"
        return None

    def side(self, text: str) -> Side:
        if len(text) > 1 and text[0] == text[-1] == "`" and "`" not in text[1:-1]:
            return self.named(text[1:-1])
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and text[0] not in text[1:-1]:
            return Value(text[1:-1])
        return self.named(text) if text in self.names or text in self.left_out else text

    def named(self, name: str) -> int:
        """The column that is called so."""
        if name in self.left_out:
            raise self.wrong(f"the column {shown(name)} is left out ({self.left_out[name]}).")
        if name not in self.names:
            raise self.wrong(f"there is no column {shown(name)!r}.{did_you_mean(name, self.names)} Columns: {listed([*self.names], 20)}. "
                             "Names that hold spaces or signs go into backticks.")
        return self.names[name]

    # -- comparisons --------------------------------------------------------------------------------------------------
    def compared(self, left: Side, sign: str, right: Side) -> Rule:
        if isinstance(left, int) and isinstance(right, int):
            return self.pair(left, sign, right)
        plain = self.value(left, sign, right) if isinstance(left, int) else None
        plain = self.value(right, sign, left, turned=True) if isinstance(right, int) else plain
        if plain is not None:
            return plain
        if isinstance(left, Value) or isinstance(right, Value):
            return self.with_value(left, right)
        if sign == "=" and (isinstance(left, int) or isinstance(right, int)):
            target, text = (left, right) if isinstance(left, int) else (right, left)
            assert isinstance(target, int)
            if columns_in(program := self.program(text)):
                return self.formula(target, program)
            return Comparison(self.text, sign, (self.number_column(target),), program)
        if sign == "=":
            raise self.wrong("of a formula, one side should be the column that is computed. Give such as 'total = price * quantity'.")
        found = Comparison(self.text, sign, self.program(left), self.program(right))
        if not found.columns:
            raise self.wrong(f"it names no column. {HOW}")
        return found

    def with_value(self, left: Side, right: Side) -> Rule:
        """A value in quotes beside what is no column: InputError."""
        for one in (left, right):
            if isinstance(one, str):
                self.named(one)
        raise self.wrong(f"it names no column. {HOW}")

    def pair(self, left: int, sign: str, right: int) -> Rule:
        """Two columns of one kind."""
        a, b = self.columns[left], self.columns[right]
        if left == right:
            raise self.wrong("a column is compared with itself. Name two columns.")
        for one, other, turned in ((a, left, True), (b, right, False)):
            if isinstance(one, Constant) and (kind(one) == "number") == (kind(self.columns[left + right - other]) == "number"):
                found = self.value(left + right - other, sign, Value(one.value), turned=turned)
                assert found is not None
                return found
        if kind(a) != kind(b):
            other_kind = "category" if kind(b) in ("name", "time") else kind(b)
            raise self.wrong(f"{shown(a.name)} holds {kind(a)}s and {shown(b.name)} {kind(b)}s, which cannot be compared. Compare columns "
                             f"of one kind; --column '{shown(a.name)}={other_kind}' says what one holds.")
        if kind(a) == "name":
            self.only_equal(a, sign)
            return Comparison(self.text, sign, (self.codes(left),), (self.codes(right, self.columns[left]),))
        same = not isinstance(a, Number) or not isinstance(b, Number) or (a.form, a.unit) == (b.form, b.unit)
        if sign == "=" and same:
            return self.formula(left, (self.quantity(right)._replace(scale=1.0),))
        return Comparison(self.text, sign, (self.quantity(left),), (self.quantity(right),))

    def value(self, at: int, sign: str, given: Side, turned: bool = False) -> Rule | None:
        """A column and a value; None where what is given may be a formula."""
        column = self.columns[at]
        text = given.text if isinstance(given, Value) else str(given)
        match kind(column):
            case "name":
                self.only_equal(column, sign)
                own, cell = (self.codes(at), self.code(column, text, bare=not isinstance(given, Value)))
            case "number":
                cell = self.cell(column, text)
                if math.isnan(cell) and not isinstance(given, Value):
                    return None
                if math.isnan(cell):
                    raise self.wrong(f"{shown(column.name)} holds numbers, and {shown(text)!r} is none.")
                own = self.quantity(at)
            case _:
                assert isinstance(column, Number)
                cell, own = self.cell(column, text), self.quantity(at)
                if math.isnan(cell):
                    hint = did_you_mean(text, [one.name for one in self.columns if kind(one) == kind(column)])
                    raise self.wrong(f"{shown(column.name)} holds {kind(column)}s, and {shown(text)!r} is none and no column.{hint} Give a "
                                     f"{kind(column)} such as {column.written(column.low)}.")
        sides: tuple[Program, Program] = ((own,), (cell,))
        return Comparison(self.text, sign, *(sides[::-1] if turned else sides))

    def only_equal(self, column: Column, sign: str) -> None:
        if sign not in ("=", "!="):
            raise self.wrong(f"{shown(column.name)} holds names, which have no order. Give = or !=; if it holds numbers, say so: --column "
                             f"'{shown(column.name)}=number'.")

    def cell(self, column: Column, text: str) -> float:
        """The number that a text says; NaN where it says none."""
        if not isinstance(column, Number):
            return number(text)
        try:
            return column.read(text) * scale(column)
        except (ValueError, OverflowError):
            return math.nan

    def quantity(self, at: int) -> Quantity:
        """A column of numbers or dates."""
        match self.columns[at]:
            case Number() as column:
                return Quantity(at, scale(column))
            case Category(_, values, _, _, _, missing):
                return Quantity(at, 1.0, torch.tensor([math.nan if one in missing else number(one) for one in values], dtype=torch.float64))
            case Constant(_, only):
                return Quantity(at, 1.0, torch.tensor([number(only)], dtype=torch.float64))

    def codes(self, at: int, like: Column | None = None) -> Quantity:
        """A column of names by the place of each among its values, or among those of another column; below 0 where it is not there."""
        column = self.columns[at]
        missing = column.missing if isinstance(column, Category) else ("",)
        known = places(like or column)
        found = [math.nan if one in missing else float(known.get(one.strip(), -1 - k)) for k, one in enumerate(values_of(column))]
        return Quantity(at, 1.0, torch.tensor(found, dtype=torch.float64))

    def code(self, column: Column, text: str, bare: bool) -> float:
        known = places(column)
        if text.strip() not in known and bare:
            near = did_you_mean(text, [*self.names, *values_of(column)])
            raise self.wrong(f"{shown(text)!r} is no column, and no value of {shown(column.name)}.{near} Put a value that the "
                             "data do not have into quotes.")
        return float(known.get(text.strip(), -1))

    # -- formulas -----------------------------------------------------------------------------------------------------
    def formula(self, target: int, program: Program) -> Formula:
        column = self.columns[target]
        if isinstance(column, Constant):
            raise self.wrong(f"{shown(column.name)} is the same in every row, and need not be computed. Leave the rule out.")
        if kind(column) == "name":
            raise self.wrong(f"{shown(column.name)} holds names, and a formula gives numbers. Name a column of numbers.")
        if kind(column) != "number" and len(program) > 1:
            raise self.wrong(f"{shown(column.name)} holds {kind(column)}s, and a formula gives numbers. Dates can only be compared.")
        if target in columns_in(program):
            raise self.wrong(f"{shown(column.name)} would be computed from itself. Bring it to one side.")
        return Formula(self.text, target, program)

    def program(self, side: Side) -> Program:
        """A side as a formula of columns of numbers."""
        if isinstance(side, int):
            return (self.number_column(side),)
        assert isinstance(side, str)
        source, leaves = self.source(side)
        try:
            tree = ast.parse(source, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise self.wrong(f"{shown(side)!r} is no formula. Expected + - * / and parentheses between numbers and columns, whose names "
                             "go into backticks where they hold spaces or signs.") from None
        found: list[Quantity | float | str] = []
        stack: list[ast.AST] = [tree]
        while stack:                                            # backwards, so that no depth of a formula is too deep
            match stack.pop():
                case ast.BinOp(left, sign, right) if type(sign) in SIGNS:
                    found.append(SIGNS[type(sign)])
                    stack += [left, right]
                case ast.UnaryOp(ast.USub(), operand):
                    found.append(NEGATIVE)
                    stack.append(operand)
                case ast.UnaryOp(ast.UAdd(), operand):
                    stack.append(operand)
                case ast.Name(name) if name in leaves:
                    found.append(leaves[name])
                case ast.Constant(value) if isinstance(value, int | float) and abs(value) < 1e300:
                    found.append(float(value))
                case _:
                    raise self.wrong(f"{shown(side)!r} is no formula of + - * / and parentheses, numbers and columns.")
        program = tuple(reversed(found))
        if any(sign == "/" and before == 0.0 for before, sign in pairwise(program)):
            raise self.wrong("it divides by zero in every row.")
        return program

    def source(self, side: str) -> tuple[str, dict[str, Quantity]]:
        """A formula with a letter and a number for each column, so that nothing else is a name in it."""
        k, words, leaves = 0, list[str](), dict[str, Quantity]()
        side = side.strip()
        while k < len(side):
            token = TOKEN.match(side, k)
            if token is None:
                raise self.wrong(f"{shown(side[k:].strip()[:1])!r} cannot stand in a formula. Expected + - * / and parentheses between "
                                 "numbers and columns, whose names go into backticks where they hold spaces or signs.")
            k, name = token.end(), token["quoted"] if token["quoted"] is not None else token["name"]
            if name is None:
                words.append(token["number"] or token["sign"])
                continue
            if name not in self.names and token["quoted"] is None and did_you_mean(side, self.names):
                self.named(side)                                # the whole side is a name, and misspelt
            at = self.named(name)
            leaves[f"c{at}"] = self.number_column(at)
            words.append(f"c{at}")
        return " ".join(words), leaves

    def number_column(self, at: int) -> Quantity:
        column = self.columns[at]
        if kind(column) != "number":
            raise self.wrong(f"{shown(column.name)} holds {kind(column)}s, and formulas need numbers. If it holds numbers, say so: "
                             f"--column '{shown(column.name)}=number'.")
        return self.quantity(at)

    # -- other rules --------------------------------------------------------------------------------------------------
    def unique(self) -> Unique:
        found = UNIQUE.fullmatch(self.text)
        inside = "" if found is None else (found["several"] if found["several"] is not None else found["one"]).strip()
        if not inside:
            raise self.wrong(f"there is no comparison in it. {HOW}")
        whole = inside in self.names or inside in self.left_out
        parts = [inside] if whole else [part.strip() for part in re.findall(r"`[^`]*`|[^,`]+", inside) if part.strip()]
        at = tuple(dict.fromkeys(self.named(part[1:-1] if part[0] == part[-1] == "`" and len(part) > 1 else part) for part in parts))
        return Unique(self.text, at, tuple(self.codes(k) if kind(self.columns[k]) == "name" else self.quantity(k) for k in at))

    def pattern(self, left: str, right: str) -> Pattern:
        side = self.side(left)
        at = side if isinstance(side, int) else self.named(left)
        column = self.columns[at]
        if isinstance(column, Number):
            raise self.wrong(f"{shown(column.name)} holds {kind(column)}s, and patterns are of text. Take it for text: --column "
                             f"'{shown(column.name)}=category'.")
        quoted = len(right) > 1 and right[0] == right[-1] and right[0] in "\"'"
        return Pattern(self.text, at, right[1:-1] if quoted else right)
