"""Settings given as words or from Python: of wrong names, types, sizes and kinds, or of no kind at all."""

import decimal
import enum
import fractions
import json
import math
import random
import string
import warnings
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel

from benchmarks.chaos.guard import guarded
from benchmarks.chaos.refusal import LONGEST
from benchmarks.chaos.tally import Tally
from sparring.data import DataSettings
from sparring.errors import InputError
from sparring.recipes import RECIPES
from sparring.settings import RunSettings, make, parse, split

PROMISE = ("Any settings are accepted within their bounds, or refused with the name of the setting, what was given, what is expected and "
           "what the setting means.")
SECONDS, MEGABYTES = 10.0, 200
WORDS = ("batch=64", "lr=1e-3", "lr=0.5", "size=auto", "size=32", "size=48x64", "channels=3", "alpha=black", "steps=10", "width=16",
         "objective=hinge", "conditional=true", "threads=0", "log_every=5", "latent=8", "ema=0", "penalty=r1", "depth=1", "gamma=1")
TEXTS = ("", " ", "0", "1", "-1", "1.0", "1e3", "1e400", "-1e400", "1e-400", "nan", "NaN", "inf", "-inf", "Infinity", "true", "yes",
         "off", "None", "null", "0x10", "1_000", "٣", "½", "1,5", "1 2", "64\n", "\0", "\x1b[31mred", "\u202e46", "\ud800", "\udcff", "'",
         '"', "{}", "{0}", "%s", "[1, 2]", "{'a': 1}", "[" * 3000, "()" * 500, "9" * 30, "9" * 4400, "x" * 100_000, "é" * 300, "=", "a=b",
         "../x", "$(id)", "__import__('os')", "none", "auto", "AUTO", "4x4", "1024x1024", "32x", "x32", "99999999999x4",
         "32X32", "white", "3", "04")


class Rude:
    """Raises whatever it is asked."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __float__ = __int__ = __index__ = __len__ = __bool__ = __hash__ = __repr__                # type: ignore[assignment]


class Loud(str):
    """Text that lies about itself."""

    def __str__(self) -> str:
        return "\x1b[31m" + "loud" * 1000


class Choice(enum.Enum):
    HINGE = "hinge"


def deep() -> list[Any]:
    nested: list[Any] = []
    for _ in range(50_000):
        nested = [nested]
    return nested


def endless() -> list[Any]:
    ring: list[Any] = []
    ring.append(ring)
    return ring


@cache
def objects() -> tuple[Any, ...]:
    """What Python code may give by mistake, or malice."""
    return (None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -2**80, 10**400, 10**5000, -10**5000, 0.0, -0.0, 0.5, 1.0, 1.5, 1e308,
            5e-324, math.nan, math.inf, -math.inf, 3 + 4j, b"hinge", b"\xff", bytearray(b"1"), [], [1], {}, {"batch": 1}, (), {1, 2},
            range(3), object(), int, len, Rude(), Loud("hinge"), Choice.HINGE, deep(), endless(), decimal.Decimal("NaN"),
            decimal.Decimal("1e99999"), decimal.Decimal(3), fractions.Fraction(1, 3), np.int64(3), np.float32(0.5), np.array(3),
            np.array([1, 2]), np.float64("nan"), np.bool_(True), torch.tensor(3), torch.zeros(1000), [[[[1]]]] * 5000, {"a" * 5000: 1},
            memoryview(b"1"), lambda: 1, NotImplemented, ..., "x" * 1_000_000)


def classes() -> dict[str, type[BaseModel]]:
    return {**{name: recipe.settings for name, recipe in RECIPES.items()}, "data": DataSettings, "run": RunSettings}


def text(rng: random.Random) -> str:
    if rng.random() < 0.6:
        return rng.choice(TEXTS)
    some = "".join(map(chr, range(0x20, 0x3000, 7)))
    letters = rng.choice((string.digits + ".-+e", string.printable, some, "\U0001f600\u200b\ud83d\t\r="))
    return "".join(rng.choices(letters, k=rng.randrange(12)))


def value(rng: random.Random) -> Any:
    kind = rng.random()
    if kind < 0.35:
        return text(rng)
    if kind < 0.7:
        return rng.choice(objects())
    if kind < 0.85:
        return rng.choice((rng.uniform(-2, 2), rng.uniform(0, 1), 10.0 ** rng.uniform(-320, 308)))
    return rng.choice((rng.randrange(5000), rng.getrandbits(rng.randrange(1, 200)), -rng.getrandbits(9)))


def name(rng: random.Random, known: list[str]) -> str:
    right = rng.choice(known)
    if rng.random() < 0.85:
        return right
    return rng.choice((right.upper(), right[:-1], right + "s", right + " ", " " + right, text(rng), "_" + right, "__class__",
                       "model_config", "self", "cls", "model_fields", "data", "é" + right, "k" * 20_000, "batch\0", "\x1b[31m"))


def trials(n: int, folder: Path, seed: int = 0) -> Tally:
    """n sets of settings: a third as words, the others from Python, some dealt out as `fit` does and some for one class."""
    counts: Counter[str] = Counter()
    objects()

    def trial(k: int) -> str | None:
        rng = random.Random(f"settings {k}")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            wrong = (words if rng.random() < 0.35 else from_python)(rng, counts)
        return wrong and wrong.encode("ascii", "backslashreplace").decode()

    return guarded(trial, range(seed, seed + n), seconds=SECONDS, megabytes=MEGABYTES, counts=counts)


def words(rng: random.Random, counts: Counter[str]) -> str | None:
    """Words as on a command line, to a recipe's settings."""
    recipe, known = rng.choice(sorted(RECIPES)), [f for cls in classes().values() for f in cls.model_fields]
    given = [rng.choice(WORDS) if rng.random() < 0.6 else f"{name(rng, known)}={text(rng)}" if rng.random() < 0.85 else text(rng)
             for _ in range(rng.randrange(5))]
    try:
        parsed = parse(given)
    except InputError as error:
        counts["refused"] += 1
        return explained(str(error), [start(word) for word in given], ("Write settings as key=value", "Give it once"))
    return dealt(recipe, dict(parsed), counts)


def from_python(rng: random.Random, counts: Counter[str]) -> str | None:
    """Values of any type, to all classes together or to one of them."""
    owner = rng.choice(sorted(classes()))
    known = list(classes()[owner].model_fields)
    given = {name(rng, known): value(rng) for _ in range(rng.choice((0, 1, 1, 1, 2, 3)))}
    return made(owner, given, counts) if rng.random() < 0.6 else dealt(owner if owner in RECIPES else "gan", given, counts)


def dealt(recipe: str, given: dict[str, Any], counts: Counter[str]) -> str | None:
    try:
        parts = split(given, {recipe: RECIPES[recipe].settings, "data": DataSettings, "run": RunSettings})
    except InputError as error:
        counts["refused"] += 1
        return explained(str(error), [start(key) for key in given], ("Settings: ",))
    return next((wrong for owner, values in parts.items() if (wrong := made(owner, values, counts))), None)


def made(owner: str, given: dict[str, Any], counts: Counter[str]) -> str | None:
    """None if the settings are in bounds and can be written down, or each wrong one is explained; else what is wrong."""
    cls = classes()[owner]
    try:
        settings = make(cls, given)
    except InputError as error:
        counts["refused"] += 1
        names = [f"{key}=" if key in cls.model_fields else start(key) for key in given]
        return next((wrong for line in str(error).split("\n") if (wrong := explained(line, names, ("Expected ", "Settings: ")))), None)
    counts["accepted"] += 1
    plain = settings.model_dump()
    if make(cls, json.loads(json.dumps(plain, allow_nan=False))) != settings:
        return f"{owner} {plain} does not come back from JSON"
    odd = [f for f, v in plain.items() if type(v) not in (int, float, bool, str) or len(str(v)) > 40 or not str(v).isprintable()]
    return f"{owner} took {[(f, str(plain[f])[:100]) for f in odd]}" if odd else None


def start(name: str) -> str:
    """The first letters of a name or word as a message shows them."""
    return "".join(c if c.isprintable() else "?" for c in name)[:40]


def explained(message: str, names: list[str], expected: tuple[str, ...]) -> str | None:
    """A message must hold one of the names (and, where a value is wrong, name=value), say what is expected in one of these ways, be
    printable, and not be longer than LONGEST."""
    short = message if len(message) < 300 else f"{message[:200]}...{message[-90:]}"
    if not any(name in message for name in names):
        return f"names none of {names}: {short!r}"
    if not any(words in message for words in expected):
        return f"does not say what is expected: {short!r}"
    if len(message) > LONGEST:
        return f"is {len(message)} letters long: {short!r}"
    return None if all(c.isprintable() or c == "\n" for c in message) else f"cannot be printed: {short!r}"
