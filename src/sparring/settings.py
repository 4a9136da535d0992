"""Settings are typed data: each field has a meaning, a default and bounds, which feed help, checks and documents."""

import operator
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import core_schema

from sparring.errors import InputError, did_you_mean, shown

LONGEST = 1_000_000_000         # rounds of a run
SMALLEST, LARGEST = 4, 1024     # pixels a side that may be asked for

# For choices among integers, which pydantic compares as they are given, and a command line gives as text.
Integer = BeforeValidator(lambda value: int(value) if isinstance(value, str) and value.isdecimal() else value)


class OneOf:
    """A setting that takes one of the names in a table, so that they are listed once: `Annotated[str, OneOf(OBJECTIVES)]`."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.literal_schema(list(self.names))


class Settings(BaseModel):
    """What every recipe needs to know; each recipe adds its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    steps: int = Field(5000, ge=1, le=LONGEST, description="rounds to train; one round (an iteration) is every player's turn, such as "
                       "K discriminator steps and a generator step")
    batch: int = Field(64, ge=1, le=65_536, description="samples in a batch")


class RunSettings(BaseModel):
    """The settings of every run: how often to log, draw, score, save and check, in rounds; and how to compute."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    log_every: int = Field(0, ge=0, le=LONGEST, description="write the log every so many rounds; 0: a 500th of the run")
    show_every: int = Field(0, ge=0, le=LONGEST, description="draw samples every so many rounds; 0: a tenth of the run")
    score_every: int = Field(0, ge=0, le=LONGEST, description="compute scores every so many rounds; 0: a fifth of the run")
    save_every: int = Field(0, ge=0, le=LONGEST, description="save a checkpoint every so many rounds; 0: a twentieth of the run")
    check_every: int = Field(0, ge=0, le=LONGEST, description="let the doctor check the run every so many rounds; 0: a twentieth "
                             "of the run, at least 75; of text, more often where the adversary plays")
    stop_when: Literal["never", "converged", "failed"] = Field(
        "never", description="end the run early when the doctor finds that it has converged (converged), or that it is failing (failed)")
    doctor: Literal["tell", "act"] = Field("tell", description="what the doctor does about a failure: tell = say what to try; act = change "
                                           "the settings during the run, at most three times")
    threads: int = Field(0, ge=0, le=1024, description="number of processor threads; 0: chosen by a short measurement")
    workers: int = Field(0, ge=0, le=64, description="threads that prepare batches in advance; the batches do not depend on it; "
                         "0: none for data in memory, two to four for shards and Parquet")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="precision of the networks' forward and backward passes; weights, losses and penalties stay in fp32; "
        "auto: bf16 if a short measurement finds it faster, and its rounding small beside chance")
    compile: Literal["auto", "on", "off"] = Field(
        "auto", description="compile each player's loss and gradient with torch.compile; auto: if a short measurement finds that the run "
        "is long enough to gain from it")
    accumulate: int = Field(1, ge=1, le=65_536, description="gradient accumulation: split each batch into so many equal parts, computed "
                            "one after the other, to save memory")
    exact: bool = Field(False, description="use deterministic algorithms everywhere, even where they are slower")
    keep_best: Literal["none", "fid", "fid_infinity", "kid", "precision", "recall", "density", "coverage", "swd"] = Field(
        "none", description="a metric to compute with the scores; the state with its best value is kept in best/ of the run")
    on_nan: Literal["stop", "rollback"] = Field("stop", description="on a NaN or infinity: stop, or go back to the last checkpoint "
                                                "with half the learning rate, at most three times")

    def for_steps(self, steps: int) -> "RunSettings":
        """The same, with every 0 of a frequency replaced by what suits a run of this length."""
        least = {"check_every": 75}                             # a check-up costs about as much as a round of small networks: 2 %
        share = {"log_every": 500, "show_every": 10, "score_every": 5, "save_every": 20, "check_every": 20}
        found = {n: getattr(self, n) or max(least.get(n, 1), steps // parts) for n, parts in share.items()}
        if not self.log_every:
            found["log_every"] |= 1                             # odd: else what is done every 8th round might never be in a logged one
        return self.model_copy(update=found)


S = TypeVar("S", bound=BaseModel)


def parse(assignments: Iterable[str]) -> dict[str, str]:
    """`key=value` words to a dict; InputError for a word of another form or a key given twice."""
    given: dict[str, str] = {}
    for word in assignments:
        key, equals, value = word.partition("=")
        if not equals or not key.isidentifier():
            raise InputError(f"'{shown(word)}' is not a setting. Write settings as key=value, such as batch=64, "
                             f"and give data with --data.")
        if key in given:
            raise InputError(f"{shown(key)} is given twice: {shown(f'{key}={given[key]}')} and {shown(word)}. Give it once.")
        given[key] = value
    return given


def split(given: Mapping[str, Any], owners: Mapping[str, type[BaseModel]]) -> dict[str, dict[str, Any]]:
    """Give each setting to the class that has a field of that name; InputError when none has."""
    dealt: dict[str, dict[str, Any]] = {name: {} for name in owners}
    for key, value in given.items():
        owner = next((name for name, cls in owners.items() if key in cls.model_fields), None)
        if owner is None:
            known = [field for cls in owners.values() for field in cls.model_fields]
            raise InputError(f"there is no setting '{shown(key)}'.{did_you_mean(key, known)} Settings: {', '.join(known)}.")
        dealt[owner][key] = value
    return dealt


def make(cls: type[S], values: Mapping[str, Any]) -> S:
    """The settings object; InputError that names each wrong value, what it should be and what it means."""
    if not isinstance(values, Mapping):
        raise InputError(f"the settings are a {type(values).__name__}; expected names with values. "
                         f"Settings: {', '.join(cls.model_fields)}.")
    try:
        return cls(**values)
    except ValidationError as error:
        lines = []
        for problem in error.errors(include_url=False, include_context=False, include_input=False):
            name = str(problem["loc"][0]) if problem["loc"] else next((k for k in values if k not in cls.model_fields), "")
            said = problem["msg"].removeprefix("Value error, ").removesuffix(".")
            field = cls.model_fields.get(name)
            if field is None:                                   # a config.json that was written by another version, or by hand
                lines.append(f"{shown(name)}: {said}. Settings: {', '.join(cls.model_fields)}.")
                continue
            lines.append(f"{name}={as_given(values.get(name))}: {said}. {name} means: {(field.description or '').rstrip('.')}. "
                         f"Expected {bounds(field)}, default {field.default}.")
        raise InputError("\n".join(lines)) from None
    except Exception as error:                                  # an object that raises when it is asked what it is
        each = ", ".join(f"{shown(name)}={as_given(value)}" for name, value in values.items())
        raise InputError(f"{each} cannot be used ({type(error).__name__}); expected numbers, text, true or false.") from None


def as_given(value: object) -> str:
    """A value fit for a message: on one line, not long, and told by its kind if it does not show itself."""
    try:
        return shown(value)
    except Exception:                                           # very deep lists and very long integers, among others
        return f"a {type(value).__name__} that cannot be shown"


def bounds(field: FieldInfo) -> str:
    """What a field may be, in words: `an integer from 1 to 100`, `minimax or nonsaturating`."""
    choices = getattr(field.annotation, "__args__", ()) or next((rule.names for rule in field.metadata if isinstance(rule, OneOf)), ())
    if choices:
        return " or ".join(str(c) for c in choices)
    limits = {limit: getattr(rule, limit) for rule in field.metadata for limit in ("ge", "gt", "le", "lt")
              if hasattr(rule, limit)}
    kinds: dict[Any, str] = {int: "an integer", float: "a number", bool: "true or false", str: "text"}
    words = [kinds.get(field.annotation, str(field.annotation))]
    for limit, word in (("ge", "from"), ("gt", "above"), ("le", "to"), ("lt", "below")):
        if limit in limits:
            words.append(f"{word} {limits[limit]}")
    return " ".join(words)


def describe(cls: type[BaseModel], values: BaseModel | None = None) -> list[dict[str, Any]]:
    """One row a setting: name, value, default, bounds, meaning."""
    return [{"name": name, "value": field.default if values is None else getattr(values, name),
             "default": field.default, "bounds": bounds(field), "meaning": field.description or ""}
            for name, field in cls.model_fields.items()]


# ------------------------------------------------------------------------------------- whole numbers as users give them
def index_of(value: Any) -> int | None:
    """A whole number of any kind (int, NumPy's, a tensor's) as an int; None for anything else."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def whole_count(n: Any, name: str = "n", what: str = "samples") -> int:
    count = index_of(n)
    if count is None or count < 1:
        raise InputError(f"{name}={n}: the number of {what} should be a whole number, at least 1.")
    return count


def whole_seed(seed: Any) -> int:
    number = index_of(seed)
    if number is None:
        raise InputError(f"seed={seed!r}: the seed should be a whole number.")
    return number
