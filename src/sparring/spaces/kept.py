"""How the rules of a table are kept in every row.

Formulas, and differences that are learned in place of a column, are kept by construction: `Kept` turns columns into what is learned, and
back.  All else is kept by a `Sieve`, which leaves out rows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError

import torch
from torch import Tensor

from sparring.errors import InputError, shown
from sparring.spaces.columns import Column, Computed, Later, Number
from sparring.spaces.rule_words import in_order, read
from sparring.spaces.rules import Comparison, Formula, Program, Rule, Unique, columns_in, run


class Kept:
    """The rules of a table.  InputError for rules that cannot be read, or that do not fit the columns."""

    def __init__(self, columns: tuple[Column, ...], texts: tuple[str, ...]) -> None:
        self.columns, self.texts = columns, texts

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        return read(self.columns, self.texts)

    @cached_property
    def steps(self) -> tuple[tuple[int, int | Program], ...]:
        """Columns that are found from others, each after those it needs: from a base, or by a formula."""
        names = {one.name: k for k, one in enumerate(self.columns)}
        programs: dict[int, Program] = {rule.target: rule.program for rule in self.rules if isinstance(rule, Formula)}
        found: dict[int, int | Program] = {}
        for k, one in enumerate(self.columns):
            if isinstance(one, Computed):
                found[k] = programs[k]
            elif isinstance(one, Later):
                found[k] = names[one.base]
        order = in_order({k: (how,) if isinstance(how, int) else columns_in(how) for k, how in found.items()})
        return tuple((k, found[k]) for k in order if k in found)

    def sieve(self) -> "Sieve":
        return Sieve(self.columns, self.rules)

    @property
    def sound(self) -> bool:
        """Whether the columns and the rules fit together, as in a file that anyone may have written."""
        names = {one.name: one for one in self.columns}
        bases = [names.get(one.base) for one in self.columns if isinstance(one, Later)]
        if not all(isinstance(base, Number) and base.missing is None for base in bases):
            return False
        computed = {k for k, one in enumerate(self.columns) if isinstance(one, Computed)}
        if computed != {rule.target for rule in self.rules if isinstance(rule, Formula)}:
            return False
        try:
            return len(self.steps) >= len(computed)
        except CycleError:
            return False

    def learned(self, cells: Sequence[Tensor]) -> list[Tensor]:
        """Cells of each column, float64[N], to what is learned in its place."""
        found = list(cells)
        for k, how in self.steps:
            if isinstance(how, int):
                found[k] = cells[k] - cells[how]
        return found

    def settled(self, cells: Sequence[Tensor]) -> list[Tensor]:
        """The way back: numbers as base and difference, within their bounds, and what formulas give, rounded as the data are."""
        found = list(cells)
        for k, how in self.steps:
            column = self.columns[k]
            assert isinstance(column, Number)
            if isinstance(how, int):
                found[k] = column.rounded(found[how] + found[k]).clamp(column.low, column.high)
            else:
                x = run(how, found)
                found[k] = column.rounded(torch.where(x.isfinite(), x, math.nan))
        return found


# -- rows that keep them ----------------------------------------------------------------------------------------------
@dataclass
class Sieve:
    """Leaves out drawn rows that break a rule, and counts them; of rows that are alike where they must not be, the later one."""

    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    seen: dict[str, set[bytes]] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    tried: int = 0

    def __call__(self, cells: Tensor) -> Tensor:
        """The rows of float64[N, K] that keep all rules."""
        each, self.tried = cells.unbind(1), self.tried + len(cells)
        kept = torch.ones(len(cells), dtype=torch.bool)
        for rule in self.rules:
            if isinstance(rule, Comparison | Formula):
                kept &= self._counted(rule, rule.holds(each))
        alone = [(rule, rule.keys(each), self.seen.setdefault(rule.text, set())) for rule in self.rules if isinstance(rule, Unique)]
        for row in kept.nonzero()[:, 0].tolist() if alone else ():
            double = [rule for rule, keys, seen in alone if keys[row] in seen]
            for rule in double:
                self.broken[rule.text] = self.broken.get(rule.text, 0) + 1
            if double:
                kept[row] = False
                continue
            for _, keys, seen in alone:
                if (key := keys[row]) is not None:
                    seen.add(key)
        return cells[kept]

    def _counted(self, rule: Rule, holds: Tensor) -> Tensor:
        self.broken[rule.text] = self.broken.get(rule.text, 0) + int((~holds).sum())
        return holds

    @property
    def rates(self) -> dict[str, float]:
        """The share of drawn rows that each rule kept, of those by which any was left out."""
        return {text: 1 - count / self.tried for text, count in self.broken.items() if count}

    def refuse_too_many(self, n: int) -> None:
        """InputError where so many different rows cannot be."""
        for rule in self.rules:
            if isinstance(rule, Unique) and (most := rule.most(self.columns)) < n:
                raise InputError(f"the rule '{shown(rule.text)}' allows at most {round(most):,} rows, since no value lies outside "
                                 f"the data's bounds, and {n:,} were asked for. Ask for fewer.")
