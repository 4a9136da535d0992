"""Decoded images on disk: the same as in memory, made once, bounded, and never in the way."""

import numpy as np
import pytest
import torch

from made import folder, saved
from sparring.data.images import disk_cache
from sparring.data.images.disk_cache import Mapped, remembered
from sparring.data.settings import DomainSettings, TranslationSettings
from sparring.data.source import batches
from sparring.data.translation.opening import open_domains, open_pairs


def images(n, value=7):
    """A maker of n images, and the list of its calls."""
    calls = []

    def make(room):
        out = room((n, 1, 10, 10))
        out[:] = value
        calls.append(n)
        return n, {"calls": len(calls)}
    return make, calls


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/sparring"


def test_what_was_decoded_once_is_mapped_the_next_time():
    make, calls = images(3)
    first, second = (remembered("key", 300, make) for _ in range(2))
    assert calls == [3] and isinstance(second[0], Mapped) and second[1] == {"calls": 1}
    assert torch.equal(second[0][torch.tensor([2, 0])], torch.full((2, 1, 10, 10), 7, dtype=torch.uint8))
    assert first[0].digest() == bytes([7]) * 300


def test_a_damaged_entry_is_made_again(place):
    make, calls = images(3)
    remembered("key", 300, make)
    for name, end in (("values.npy", 150), ("facts.json", 5)):
        file = next(place.rglob(name))
        file.write_bytes(file.read_bytes()[:end])
        assert torch.equal(remembered("key", 300, make)[0][torch.arange(3)], torch.full((3, 1, 10, 10), 7, dtype=torch.uint8))
    assert len(calls) == 3


def test_the_cache_stays_below_its_bound(place, monkeypatch):
    monkeypatch.setattr(disk_cache, "MOST", 2000)
    for i in range(8):
        remembered(str(i), 600, images(6, i)[0])
        assert sum(file.stat().st_size for file in place.rglob("*") if file.is_file()) <= 2000 + 200
    make, calls = images(6)
    remembered("7", 600, make)                                  # the newest is still there
    assert calls == []
    values, _ = remembered("large", 3000, images(30)[0])
    assert isinstance(values, torch.Tensor)


def test_where_nothing_can_be_written_images_are_in_memory(place, monkeypatch):
    place.parent.mkdir(parents=True, exist_ok=True)
    place.parent.joinpath("file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place.parent / "file" / "below"))
    values, _ = remembered("key", 300, images(3)[0])
    assert isinstance(values, torch.Tensor) and values.shape == (3, 1, 10, 10)


def test_sources_are_the_same_from_the_cache_and_changed_files_are_seen(tmp_path):
    rng = np.random.default_rng(0)
    data = folder(tmp_path / "pairs", {f"{i}.png": saved(rng.integers(0, 255, (16, 32, 3), dtype=np.uint8)) for i in range(4)})
    domains = folder(tmp_path / "domains", {f"{part}/{d}/{i}.png": saved(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8))
                                            for part in ("train", "test") for d in "ab" for i in range(2)})
    for opener, path, settings in ((open_pairs, data, TranslationSettings(size="16")), (open_domains, domains, DomainSettings(size="16"))):
        first, second = (opener(str(path), settings) for _ in range(2))
        assert first.fingerprint == second.fingerprint and (opener is open_pairs or len(second.held_out) == 4)
        assert all(torch.equal(a, b) for a, b in zip(next(batches(first, 3, 0)), next(batches(second, 3, 0)), strict=True))
        one = next(path.rglob("*.png"))
        one.write_bytes(saved(rng.integers(0, 255, (16, 32 if opener is open_pairs else 16, 3), dtype=np.uint8)) + b" ")
        changed = opener(str(path), settings)
        assert changed.fingerprint != first.fingerprint or "test" in str(one)
