"""What a page may send: JSON objects of known parts, within bounds.  InputError, in a sentence, for anything else."""

import json
import re
from pathlib import Path
from typing import Any

from fastapi import Request

from sparring.errors import InputError, shown
from sparring.lab.drawn import place
from sparring.lab.words import SHOWN

MOST_SETTINGS = 60


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object that was sent.  InputError for anything else."""
    try:
        asked = json.loads(await request.body(), parse_constant=no_constant)
    except (ValueError, RecursionError):
        raise InputError("the body of the request is not JSON.") from None
    if not isinstance(asked, dict):
        raise InputError("the body of the request should be a JSON object.")
    return asked


def no_constant(name: str) -> Any:
    raise ValueError(name)


def text_of(asked: dict[str, Any], key: str, most: int = 200) -> str:
    value = asked.get(key)
    if not isinstance(value, str) or not value or len(value) > most or not value.isprintable():
        raise InputError(f"'{key}' should be text of at most {most} letters.")
    return value


def number_of(asked: dict[str, Any], key: str) -> float:
    value = asked.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e9:
        raise InputError(f"'{key}' should be a number from 0 to 1,000,000,000.")
    return value


def wanted_of(asked: dict[str, Any], root: Path) -> dict[str, Any]:
    """Recipe, data, settings and seed of a game.  InputError for what cannot be one; what settings mean is checked by who opens it."""
    recipe, data, given = text_of(asked, "recipe"), text_of(asked, "data"), asked.get("given", {})
    if recipe not in SHOWN:
        raise InputError(f"the lab plays {', '.join(SHOWN)}; '{shown(recipe)}' is not among them.")
    if not isinstance(given, dict) or len(given) > MOST_SETTINGS or not all(
            re.fullmatch(r"[a-z_0-9]{1,40}", name) and isinstance(value, str | int | float | bool) and len(str(value)) <= 100
            for name, value in given.items()):
        raise InputError("'given' should be settings by name, each a number, text, true or false.")
    return {"recipe": recipe, "data": place(root, data), "given": given, "seed": int(number_of({"seed": asked.get("seed", 0)}, "seed"))}
