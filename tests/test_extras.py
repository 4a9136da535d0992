"""What only an extra brings is imported where it is used, or refused with the line to type."""

import sys

import pytest

from sparring.errors import InputError, needs


def test_a_module_that_is_there_is_imported():
    with needs("json", "anything", "this"):
        import json
    assert json.loads("1") == 1


def test_of_one_that_is_missing_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError) as caught, needs("pyarrow", "parquet", "x.parquet: reading Parquet"):
        import pyarrow  # noqa: F401
    assert str(caught.value) == "x.parquet: reading Parquet needs pyarrow, which is not installed. Get it: pip install " \
        "'sparring[parquet]' (in a clone: pip install -e '.[parquet]')."


def test_of_one_that_is_broken_it_is_said_why(tmp_path, monkeypatch):
    (tmp_path / "half_built.py").write_text("raise ImportError('libhalf.so.3: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"^this needs half_built, which cannot be imported \(libhalf.so.3: cannot .*\)\. Get"), \
            needs("half_built", "parquet", "this"):
        import half_built  # noqa: F401
