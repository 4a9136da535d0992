"""What stands on the screen as a command line and as Python, which give the same run; and the settings of a recipe as a form."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticUndefined

from sparring.settings import OneOf, RunSettings, bounds

SHOWN = ("gan", "wgan", "wgan-gp", "r3gan", "vae")             # recipes that the lab plays
FIRST = ("objective", "discriminator_steps", "lr", "lr_ratio", "penalty", "penalty_weight", "batch", "latent", "steps")
DATA = ("ring", "grid", "gaussian", "mixture", "quadratic", "digits")


def words(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)


def given_words(given: Mapping[str, Any]) -> list[str]:
    """Settings as words of a command line."""
    return [f"{name}={words(value)}" for name, value in given.items()]


def train_words(recipe: str, data: str, given: Mapping[str, Any], seed: int, device: str, out: str) -> list[str]:
    """The words after `sparring` that train so."""
    return ["train", recipe, *given_words(given), f"--data={data}", f"--seed={seed}", f"--device={device}", f"--out={out}"]


def command(recipe: str, data: str, given: Mapping[str, Any], seed: int, out: str) -> str:
    """`sparring train ...` that plays the same run."""
    return shlex.join(["sparring", *train_words(recipe, data, given, seed, "cpu", out)])


def python(recipe: str, data: str, given: Mapping[str, Any], seed: int) -> str:
    """The same by `sparring.fit`."""
    settings = "".join(f", {name}={value!r}" for name, value in given.items())
    return (f'import sparring\n\nmodel = sparring.fit({recipe!r}, {data!r}, seed={seed}, device="cpu"{settings})\n'
            "samples = model.sample(1000)\n")


def form(recipe: str) -> list[dict[str, Any]]:
    """A field for each setting of the recipe, and of every run: its name, kind, choices or bounds, default and meaning."""
    from sparring.recipes import find  # brings torch, which the server does without

    rows = []
    for group, cls in (("recipe", find(recipe).settings), ("run", RunSettings)):
        for name, field in cls.model_fields.items():
            choices = list(getattr(field.annotation, "__args__", ()) or next((r.names for r in field.metadata if isinstance(r, OneOf)), ()))
            limits = {limit: getattr(rule, limit) for rule in field.metadata for limit in ("ge", "gt", "le", "lt") if hasattr(rule, limit)}
            kinds: dict[Any, str] = {int: "integer", float: "number", bool: "switch"}
            kind = "choice" if choices else kinds.get(field.annotation, "text")
            default = None if field.default is PydanticUndefined else field.default
            rows.append({"name": name, "group": group, "kind": kind, "choices": choices, "limits": limits, "default": default,
                         "bounds": bounds(field), "meaning": field.description or "", "first": name in FIRST})
    order = {name: i for i, name in enumerate(FIRST)}
    return sorted(json.loads(json.dumps(rows, default=str)), key=lambda row: (row["group"] != "recipe", order.get(row["name"], 99)))
