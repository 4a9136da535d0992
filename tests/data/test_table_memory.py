"""Large tables are put aside in temporary files, which say the same as memory does."""

import errno
import os

import numpy as np
import pytest
import torch

from sparring.data.tables import cells, column_kinds, mixed, odd_cells, scratch
from sparring.data.tables.column_kinds import Joined
from sparring.data.tables.mixed import TableSettings, open_table
from sparring.errors import InputError

ROWS = "\n".join(f"{k / 7:.3f},{'abc'[k % 3]},{k % 5 or ''},2024-01-{k % 28 + 1:02d}" for k in range(500))


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("x,name,few,day\n" + ROWS + "\n")
    return path


def read(path):
    source = open_table(path, TableSettings())
    return source, source.fingerprint, source.held_out.fingerprint, source.values[torch.arange(20)]


def test_a_table_in_files_is_the_same_as_one_in_memory(table, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    held = read(table)
    for module in (cells, scratch):
        monkeypatch.setattr(module, "SMALL", 0)
    monkeypatch.setattr(cells, "AT_ONCE", 28)                   # seven rows together
    monkeypatch.setattr(mixed, "AT_ONCE", 64)
    source, *again = read(table)
    assert again[:2] == list(held[1:3])
    assert torch.equal(again[2], held[3])
    assert not list((tmp_path / "cache" / "sparring").iterdir())    # files without names
    first, second = (next(one.values.chosen(50, 1, 3)) for one in (source, held[0]))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_disk_without_room_is_told(table, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(scratch, "SMALL", 0)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(InputError, match=r"of disk while it is used, and .* has no room for it \(No space.*XDG_CACHE_HOME=FOLDER"):
        read(table)
    monkeypatch.setattr(cells, "SMALL", 0)
    monkeypatch.setattr(cells, "temporary", full)
    with pytest.raises(InputError, match="could not be put aside in a temporary file"):
        read(table)


def test_a_nul_character_is_named_by_its_line(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_bytes("a,b\n1,x\n2,y\0z\n3,w\n".encode("utf-16"))
    with pytest.raises(InputError, match=r"line 3: there is a NUL character"):
        open_table(path, TableSettings())


def test_of_many_different_cells_some_are_looked_at(table, monkeypatch):
    monkeypatch.setattr(column_kinds, "TRIED", 50)
    path = table.with_name("plus.csv")
    path.write_text("x\n" + "\n".join(f"+{k / 7:.3f}" for k in range(500)) + "\n")
    assert any("50 of its 50 cells that were looked at come back otherwise" in one for one in open_table(path, TableSettings()).odd)


@pytest.mark.parametrize("some", [["1", "2.5"], ["1", "x"], ["1\n2", "3"], ["1,000", "2"], ["00501", "7"], ["1."], ["-.5e-3", "+7"]])
def test_cells_that_are_joined_match_as_each_alone(some):
    for pattern in (column_kinds.POINT, column_kinds.COMMA, *column_kinds.GROUPED.values(), column_kinds.CODE, odd_cells.ENDLESS):
        alone = [bool(pattern.fullmatch(cell)) for cell in some]
        assert Joined(some).all(pattern) == all(alone)
        assert Joined(some).any(pattern) == any(alone)


def test_the_arrays_of_a_table_are_as_they_are_written():
    found = scratch.array((3, 4), np.float64)
    assert found.shape == (3, 4) and not found.any()
