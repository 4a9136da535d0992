"""Hostile data and settings, in short: what `make chaos` does ten thousand times.  Also that the guard notices what it is there for."""

import os
import signal
import time
from collections import Counter

import numpy as np
import pytest
from benchmarks.chaos import archives, arrays, images, parquet
from benchmarks.chaos import settings as words
from benchmarks.chaos.guard import guarded
from benchmarks.chaos.refusal import unhelpful
from hypothesis import given, settings
from hypothesis import strategies as st

from sparring.data import DataSettings, open_source
from sparring.errors import InputError
from sparring.recipes import RECIPES
from sparring.settings import RunSettings, make, parse


@pytest.mark.parametrize("part", [4, pytest.param(1, marks=pytest.mark.chaos)])
@pytest.mark.parametrize(("attack", "n"), [(images, 200), (archives, 100), (arrays, 500), (words, 600)],
                         ids=["images", "archives", "arrays", "settings"])
def test_hostile_files_and_settings_are_read_or_refused(attack, n, part, tmp_path):
    n //= part
    tally = attack.trials(n, tmp_path, seed=100_000)
    assert tally.failures == []
    assert tally.tried == tally.held == n
    assert tally.facts["accepted"] > 0 and tally.facts["refused"] > 0
    assert tally.facts.get("code executions", 0) == 0
    assert list(tmp_path.iterdir()) == []


def test_hostile_parquet_is_read_or_refused(tmp_path):
    pytest.importorskip("pyarrow")
    tally = parquet.trials(200, tmp_path, seed=200_000)
    assert tally.failures == []
    assert tally.tried == tally.held == 200
    assert tally.facts["accepted"] > 0 and tally.facts["refused"] > 0
    assert list(tmp_path.iterdir()) == []


def test_the_trap_for_pickles_works(tmp_path):
    trap = np.array([arrays.Trap(tmp_path / "executed")], object)
    (tmp_path / "x.npy").write_bytes(arrays.npy(trap))
    with pytest.raises(InputError, match="never unpickled"):
        open_source(tmp_path / "x.npy")
    assert not (tmp_path / "executed").exists()
    np.load(tmp_path / "x.npy", allow_pickle=True).item(0).close()
    assert (tmp_path / "executed").exists()


def test_the_guard_notices_crashes_hangs_memory_and_exceptions_and_goes_on():
    counts = Counter()

    def trial(k):
        counts["seen"] += 1
        ways = {1: lambda: os.kill(os.getpid(), signal.SIGKILL), 2: lambda: time.sleep(60),
                3: lambda: len(b"x" * (300 << 20)), 4: lambda: 1 / 0, 6: lambda: bytearray(8 << 30)}
        ways.get(k, lambda: None)()
        return "five is wrong" if k == 5 else None

    tally = guarded(trial, range(8), seconds=3.0, megabytes=200, counts=counts)
    assert tally.tried == 8
    assert tally.held == 2
    told = ["1: the interpreter died (SIGKILL)", "2: ran longer than 3 s", "3: memory grew by 300 MB",
            "4: ZeroDivisionError escaped at test_hostile_data.py", "5: five is wrong", "6: MemoryError escaped"]
    assert len(tally.failures) == len(told) and all(map(str.startswith, tally.failures, told)), tally.failures
    assert tally.facts["seen"] == 6                               # what the two that died had counted is lost with them
    assert 290 <= tally.facts["largest growth MB"] < 320 and tally.facts["largest growth seed"] == 3


@pytest.mark.parametrize(("message", "wrong"), [
    ("a.png is damaged: the header is cut short. Repair it.", None), ("it is damaged. Repair it.", "names none"),
    ("a.png is damaged, the header being cut short.", "what to do"), ("a.png. Repair it.", "no reason"),
    ("a.png is damaged \x1b[31m. Repair it.", "printed"), ("a.png is damaged (). Repair it.", "hides"),
    (f"a.png is damaged {'x' * 2000}. Repair it.", "letters long")])
def test_a_refusal_that_does_not_help_is_noticed(message, wrong):
    said = unhelpful(message, ["a.png"])
    assert said is None if wrong is None else wrong in said


def result(call):
    """What a call returns and None, or None and what its InputError says."""
    try:
        return call(), None
    except InputError as error:
        return None, str(error)


anything = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
                        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=5)
FIELDS = [(cls, name) for cls in (*(recipe.settings for recipe in RECIPES.values()), DataSettings, RunSettings)
          for name in cls.model_fields]


@pytest.mark.parametrize("field", [("gan", "batch"), ("gan", "objective"), ("vae", "lr"), ("gan", "conditional"),
                                   ("data", "size")], ids=str)
def test_a_setting_of_any_kind_is_taken_or_explained(field):
    owner, name = field
    outcomes = Counter()
    assert [wrong for value in words.objects() if (wrong := words.made(owner, {name: value}, outcomes))] == []
    assert outcomes["refused"] > 10 and (outcomes["accepted"] > 0 or name == "size")


@pytest.mark.parametrize("values", [None, [], "batch=3"], ids=str)
def test_settings_that_are_no_settings_are_refused(values):
    with pytest.raises(InputError, match="expected names with values"):
        make(RunSettings, values)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(FIELDS), anything)
def test_a_setting_of_any_value_is_taken_or_explained(field, value):
    cls, name = field
    made, message = result(lambda: make(cls, {name: value}))
    if message is None:
        assert getattr(made, name) is not None
    else:
        assert message.startswith(f"{name}=") and f"{name} means: " in message and "Expected " in message
        assert message.isprintable() and len(message) < 1000


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.lists(st.text() | st.sampled_from(["batch=64", "lr=1", "="]), max_size=4))
def test_any_words_are_settings_or_explained(given_words):
    parsed, message = result(lambda: parse(given_words))
    if message is None:
        assert all(f"{key}={value}" in given_words for key, value in parsed.items())
    else:
        assert "key=value" in message or "Give it once" in message
        assert message.isprintable()
