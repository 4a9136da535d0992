"""A run's history: one moment per check-up, with the log since the previous one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Rows = Sequence[Mapping[str, Any]]
LOG2 = math.log(2)
BLIND = {"minimax": 2 * LOG2, "nonsaturating": 2 * LOG2, "least_squares": 0.25, "hinge": 2.0, "relativistic": LOG2}


@dataclass(frozen=True)
class Moment:
    """A check-up after `step` rounds, and means and least values of what was logged since the one before."""

    step: int
    health: Mapping[str, float]
    means: Mapping[str, float]
    rows: Rows = field(default=(), repr=False)

    def logged(self, name: str) -> float | None:
        """The mean of a value by its last name, such as `D(x)`: that of the turn `discriminator`, or of the only one that has it; None
        when no turn has it, or several others.  A critic may have further turns now and then, in which it has seen other samples."""
        found = [value for key, value in self.means.items() if key.rpartition("/")[2] == name]
        return self.means.get(f"discriminator/{name}", found[0] if len(found) == 1 else None)

    def loss(self, turn: str) -> float | None:
        return self.means.get(f"{turn}/adversarial")

    def of(self, name: str) -> float | None:
        """A value of the check-up."""
        return self.health.get(name)


@dataclass(frozen=True)
class Chart:
    """All moments of a run, and what it was asked for."""

    moments: tuple[Moment, ...]
    config: Mapping[str, Any]
    last: int = 0                                               # the last logged round
    actions: tuple[Mapping[str, Any], ...] = ()                 # of the doctor during the run: {"at": round, "settings": {...}}
    log: Rows = field(default=(), repr=False)                   # every logged row that it was made of

    @property
    def facts(self) -> Mapping[str, float]:
        """What the first check-up says of the data, by names that begin with `data/`."""
        return self.moments[0].health if self.moments else {}

    @property
    def settings(self) -> Mapping[str, Any]:
        found = self.config.get("settings")
        asked = found if isinstance(found, Mapping) else {}
        return {**asked, **{name: value for one in self.actions for name, value in one["settings"].items()}}

    @property
    def acted(self) -> int:
        """The round after which the doctor last changed a setting; 0 when it never did.  What was seen until then was another game."""
        return max((one["at"] for one in self.actions), default=0)

    def then(self, step: int) -> "Chart":
        """The chart with the settings that held in this round."""
        return replace(self, actions=tuple(one for one in self.actions if one["at"] < step))

    @property
    def steps(self) -> int:
        planned = self.settings.get("steps")
        return planned if isinstance(planned, int) else 0

    @property
    def kind(self) -> str:
        """images, curves, vectors, or nothing known."""
        space = self.config.get("space")
        return str(space.get("kind", "")) if isinstance(space, Mapping) else ""

    @property
    def numbers(self) -> int:
        """Of a sample, where that can be few: vectors and curves; many for everything else."""
        space = self.config.get("space")
        columns = space.get("shift", space.get("x")) if isinstance(space, Mapping) else None
        return len(columns) if isinstance(columns, list | tuple) else 100

    @property
    def objective(self) -> str:
        recipe = str(self.config.get("recipe", ""))
        default = "relativistic" if recipe == "r3gan" else "wasserstein" if recipe.startswith("wgan") else ""
        return str(self.settings.get("objective", default))

    @property
    def blind(self) -> float | None:
        """The discriminator's loss where it cannot tell real from generated samples: log 4 for the first GAN."""
        return BLIND.get(self.objective)


def chart(log: Rows, health: Rows, config: Mapping[str, Any], actions: Sequence[Mapping[str, Any]] = ()) -> Chart:
    """Sort the rows into moments.  Whatever is not a number is left out, and so are check-ups without a round."""
    checks = sorted((row for row in health if type(row.get("step")) is int), key=lambda row: row["step"])
    logged = sorted((row for row in log if type(row.get("step")) is int), key=lambda row: row["step"])
    moments, at = [], 0
    for row in checks:
        begin = at
        while at < len(logged) and logged[at]["step"] <= row["step"]:
            at += 1
        moments.append(moment(row, logged[begin:at]))
    return Chart(tuple(moments), config, logged[-1]["step"] if logged else 0, tuple(actions), logged)


def moment(row: Mapping[str, Any], logged: Rows) -> Moment:
    """A check-up and what was logged since the one before."""
    return Moment(row["step"], numbers(row), means(logged), logged)


def numbers(row: Mapping[str, Any]) -> dict[str, float]:
    return {key: float(value) for key, value in row.items() if key != "step" and isinstance(value, int | float) and math.isfinite(value)}


def means(rows: Rows) -> dict[str, float]:
    """The mean of every logged value; of values that are not finite, none."""
    total: dict[str, float] = {}
    count: dict[str, int] = {}
    for row in rows:
        for key, value in numbers(row).items():
            if "/" in key:
                total[key] = total.get(key, 0.0) + value
                count[key] = count.get(key, 0) + 1
    return {key: value / count[key] for key, value in total.items()}
