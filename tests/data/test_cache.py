"""What is kept in the user's cache: the same bits as without it, never trusted, bounded, and safe whoever dies or writes at once."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from itertools import islice

import numpy as np
import pytest
import torch
from test_shards import packed, pictures

import forked
from made import GOOD, folder, saved, zipped
from sparring.data import cache, open_source
from sparring.data.cache import IMAGES, INDEX, SAMPLES, Samples, keep, room
from sparring.data.images import folder as folder_reader
from sparring.data.images.decode import decode
from sparring.data.images.decoder_processes import Decoders, Undecodable, decode_here
from sparring.data.images.shards import read_shards
from sparring.data.settings import DataSettings
from sparring.data.source import batches
from sparring.errors import RunFailed

PICTURES = pictures(12)
FILES = {f"{'ab'[i % 2]}/{i:02d}.png": saved(picture) for i, picture in enumerate(PICTURES)}


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    """A cache of its own, for which no set is too quick to decode."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(folder_reader, "LONG", 0)
    return tmp_path / "cache" / "sparring"


@pytest.fixture
def decoded(monkeypatch):
    """How many images were decoded."""
    seen = []
    monkeypatch.setattr(folder_reader, "decode", lambda *given: seen.append(1) or decode(*given))
    return seen


def same(a, b):
    return a.fingerprint == b.fingerprint and torch.equal(a.values, b.values) and a.notes == b.notes and a.space == b.space and \
        torch.equal(a.labels, b.labels)


# --------------------------------------------------------------------------------------------------- folders and zips
@pytest.mark.parametrize("form", ["folder", "zip"])
def test_a_set_is_decoded_once_and_comes_back_with_the_same_bits(tmp_path, kept, decoded, form):
    files = FILES | {"a/bad.png": b"x", "readme.txt": b"hi"} | {f"a/x{i}.png": GOOD for i in range(20)}
    path = folder(tmp_path / "set", files) if form == "folder" else zipped(tmp_path / "set.zip", files)
    first = open_source(path)
    assert decoded and len(list(kept.glob(IMAGES.format("*")))) == 1
    decoded.clear()
    progress = list[tuple[int, int]]()
    again = open_source(path, progress=lambda *at: progress.append(at))
    assert not decoded and same(first, again) and progress[-1][0] == progress[-1][1]
    assert any("skipped 1 of 33" in note for note in again.notes)
    shutil.rmtree(kept)
    assert same(open_source(path), again) and decoded
    for a, b in zip(islice(batches(first, 8, 1), 9), islice(batches(again, 8, 1), 9), strict=True):
        assert torch.equal(a.x, b.x) and torch.equal(a.labels, b.labels)


def test_other_settings_and_other_files_are_decoded_anew(tmp_path, decoded):
    path = folder(tmp_path / "set", FILES)
    first = open_source(path)

    def anew(settings=DataSettings()):
        decoded.clear()
        return open_source(path, settings), bool(decoded)

    assert not anew()[1] and anew(DataSettings(size="16"))[1] and anew(DataSettings(channels="1"))[1]
    changed, about = path / "a" / "00.png", (path / "a" / "00.png").stat()
    changed.write_bytes(saved(255 - PICTURES[0])[:about.st_size].ljust(about.st_size, b"\0"))
    os.utime(changed, ns=(about.st_atime_ns, about.st_mtime_ns))        # as unpacking does: same size, same time, other pixels
    assert changed.stat().st_size == about.st_size
    other, new = anew()
    assert new and other.fingerprint != first.fingerprint
    changed.rename(path / "b" / "00.png")
    assert anew()[1]


@pytest.mark.parametrize("damage", [
    lambda data: data.__delitem__(slice(-1, None)), lambda data: data.clear(), lambda data: data.extend(b"\0"),
    lambda data: data.__setitem__(-200, data[-200] ^ 1), lambda data: data.__setitem__(-1, 1),
    lambda data: data.__setitem__(slice(0, 8), b"\xff" * 8), lambda data: data.__setitem__(slice(30, 60), b"x" * 30),
    lambda data: data.__setitem__(slice(0, len(data)), bytes(len(data)))],
    ids=["cut", "empty", "longer", "a pixel", "a label", "length", "header", "zeros"])
def test_what_was_damaged_is_not_used(tmp_path, kept, decoded, damage):
    path = folder(tmp_path / "set", FILES)
    first = open_source(path)
    file, = kept.glob(IMAGES.format("*"))
    data = bytearray(file.read_bytes())
    damage(data)
    decoded.clear()
    file.write_bytes(data)
    assert same(open_source(path), first) and decoded
    decoded.clear()
    assert same(open_source(path), first) and not decoded


def test_notes_of_what_is_kept_are_part_of_what_is_checked(tmp_path, kept, decoded):
    path = folder(tmp_path / "set", FILES)
    first = open_source(path)
    file, = kept.glob(IMAGES.format("*"))
    file.write_bytes(file.read_bytes().replace(b"labels from", b"labels FROM"))
    assert same(open_source(path), first)


def test_quick_sets_are_not_kept(tmp_path, kept, monkeypatch):
    monkeypatch.setattr(folder_reader, "LONG", 500_000_000)
    open_source(folder(tmp_path / "set", FILES))
    assert not list(kept.glob("*"))


# ------------------------------------------------------------------------------------------------- the folder of it all
def put(form, name, size, age=0.0):
    assert keep(form, name, size, lambda file: file.write(bytes(size))) is None
    path = cache.folder() / form.format(name)
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_the_oldest_make_way_beyond_the_bound(monkeypatch):
    monkeypatch.setattr(cache, "LIMIT", 1000)
    index = put(INDEX, "i", 900, age=900)
    a, b, c = put(IMAGES, "a", 300, 30), put(SAMPLES, "b", 300, 20), put(IMAGES, "c", 300, 10)
    assert cache.place(IMAGES, "a") == a                        # used just now
    d = put(IMAGES, "d", 300)
    assert [path.exists() for path in (a, b, c, d, index)] == [True, False, True, True, True]
    assert room(SAMPLES, 5000) == 1000 and not any(path.exists() for path in (a, b, c, d))
    assert "and 0 are kept" in keep(IMAGES, "e", 1001, lambda file: None)


def test_what_a_killed_process_left_is_swept_away_a_day_later(kept):
    put(IMAGES, "a", 1)
    fresh, stale = kept / ".writing-1-x", kept / ".writing-2-x"
    for path in (fresh, stale):
        path.write_bytes(b"half")
    os.utime(stale, (time.time() - 100_000,) * 2)
    put(IMAGES, "b", 1)
    assert fresh.exists() and not stale.exists()


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(("trouble", "said"), [
    ("full", "has no room for"), ("sync", "could not be written.*Input/output"), ("write", "could not be written.*No space left"),
    ("folder", "has no room.*cannot be written")])
def test_a_full_disk_is_told_and_nothing_half_stays(tmp_path, kept, monkeypatch, trouble, said):
    """For the index of shards, and for images."""
    def failing(code):
        def fail(*given, **more):
            raise OSError(code, os.strerror(code))
        return fail

    shards, path = packed(tmp_path / "shards", PICTURES), folder(tmp_path / "set", FILES)
    whole = open_source(path), open_source(shards)
    shutil.rmtree(kept)
    if trouble == "full":
        monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10, 10, cache.SPARE))
    elif trouble == "folder":
        kept.write_text("a file is in the way")
    elif trouble == "sync":
        monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    else:
        monkeypatch.setattr(np, "savez", failing(errno.ENOSPC))
        monkeypatch.setattr("sparring.data.images.decoded_cache.keep",
                            lambda form, of, size, write: keep(form, of, size, failing(errno.ENOSPC)))
    for source, good, word in ((open_source(path), whole[0], "decoded anew"), (open_source(shards), whole[1], "made anew")):
        assert source.fingerprint == good.fingerprint
        assert torch.equal(source.at(torch.arange(12)).x, good.at(torch.arange(12)).x)
        note, = (note for note in source.notes if word in note)
        assert re.search(said, note), note
    assert not kept.is_dir() or not [file for file in kept.iterdir() if not file.match(SAMPLES.format("*"))]


# ----------------------------------------------------------------------------------------------------- samples by row
def test_samples_come_back_or_are_absent(kept):
    store, values = Samples("x", 5, 12), np.arange(60, dtype=np.uint8).reshape(5, 3, 4)
    out = np.empty((3, 4), np.uint8)
    assert not any(store.get(row, out.data) for row in range(6))
    for row in (0, 3, 9):
        store.put(row, values[row % 5].data)
    other = Samples("x", 5, 12)                                 # another process, at the same time
    assert [row for row in range(10) if other.get(row, out.data) and np.array_equal(out, values[row])] == [0, 3]
    with next(kept.glob(SAMPLES.format("*"))).open("r+b") as file:
        file.seek(3 * 16 + 10)
        file.write(b"\xff")
    assert store.get(0, out.data) and not store.get(3, out.data)
    store.put(3, values[3].data)
    assert other.get(3, out.data)
    black = np.zeros((3, 4), np.uint8)
    store.put(1, black.data)
    assert store.get(1, out.data) and not store.get(2, out.data)


def test_no_more_samples_are_kept_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(cache, "LIMIT", 50)
    store, out = Samples("x", 100, 12), np.empty(12, np.uint8)
    for row in range(100):
        store.put(row, out.data)
    assert [row for row in range(100) if store.get(row, out.data)] == [0, 1, 2]
    monkeypatch.setattr(cache, "SPARE", 1 << 60)
    none = Samples("y", 100, 12)
    none.put(0, out.data)
    assert none.count == 0 and not none.get(0, out.data)


def test_a_disk_that_fills_up_ends_the_keeping_and_nothing_else(tmp_path, monkeypatch):
    source = read_shards(packed(tmp_path / "shards", PICTURES))
    expected = torch.from_numpy(PICTURES).permute(0, 3, 1, 2)
    source.values[torch.arange(4)]

    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwritev", full)
    for _ in range(2):
        assert torch.equal(source.values[torch.arange(12)], expected)
    assert source.values.samples.count == 0


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_the_same_with_and_without_the_cache(tmp_path, workers, monkeypatch):
    shards = packed(tmp_path / "shards", pictures(40), labels=[i % 2 for i in range(40)])

    def some(**more):
        stream = batches(read_shards(shards), 8, 3, workers=workers)
        found = [next(stream) for _ in range(12)]
        stream.close()
        return found

    first = some()
    monkeypatch.setattr("sparring.data.images.lazy_images.decode_here", lambda *given, **more: pytest.fail("decoded again"))
    monkeypatch.setattr(Decoders, "__call__", lambda *given: pytest.fail("decoded again"))
    again = some()
    monkeypatch.undo()
    monkeypatch.setattr(Samples, "get", lambda *given: False)
    without = some()
    for a, b, c in zip(first, again, without, strict=True):
        assert torch.equal(a.x, b.x) and torch.equal(a.x, c.x) and torch.equal(a.labels, b.labels)


# ----------------------------------------------------------------------------------------------- processes that decode
def test_other_processes_decode_as_this_one_does():
    decoders = Decoders(2, (3, 8, 8), "white")
    try:
        coded = [FILES[name] for name in sorted(FILES)] + [GOOD]
        for some in (coded, coded[:1], [], coded[3:7]):
            assert np.array_equal(decoders(some), decode_here(some, (3, 8, 8), "white"))
        for bad in ([GOOD, b"noise"], [GOOD, b""]):
            told = []
            for way in (decoders, lambda some: decode_here(some, (3, 8, 8), "white")):
                with pytest.raises(Undecodable) as caught:
                    way(bad)
                told.append((caught.value.place, str(caught.value)))
            assert told[0] == told[1] and told[0][0] == 1
        pids = [process.pid for process in decoders._all]
    finally:
        decoders.close()
    assert not any(alive(pid) for pid in pids)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_process_that_dies_ends_the_run_with_a_reason():
    decoders = Decoders(1, (3, 8, 8), "white")
    decoders([GOOD])
    decoders._all[0].kill()
    with pytest.raises(RunFailed, match=r"a process that decodes images ended unexpectedly.*Run the same command again"):
        decoders([GOOD])
    decoders.close()


PARENT = """
import sys, time
from sparring.data.images.decoder_processes import Decoders
decoders = Decoders(2, (3, 8, 8), "white")
print(*(process.pid for process in decoders._all), flush=True)
time.sleep(60)
"""


def test_processes_end_with_the_one_that_started_them_however_it_ends():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    pids = list(map(int, parent.stdout.readline().split()))
    assert len(pids) == 2
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    for _ in range(200):
        if not any(map(alive, pids)):
            break
        time.sleep(0.05)
    assert not any(map(alive, pids))


@pytest.mark.parametrize("killed", [False, True])
def test_two_processes_at_once_and_one_that_is_killed(tmp_path, kept, decoded, killed):
    """All see the same, and what a kill leaves is not taken for a set."""
    path = folder(tmp_path / "set", FILES)
    work, where = forked.never_ends_opening if killed else forked.opens, {"XDG_CACHE_HOME": str(kept.parent)}
    files = [tmp_path / f"said-{i}" for i in range(2)]
    both = [forked.started(work, i, path, said=file, where=where) for i, file in enumerate(files)]
    for process, file in zip(both, files, strict=True):
        while killed and not (file.exists() and file.read_text() == "writing\n"):
            assert process.is_alive(), file.read_text()
            time.sleep(0.01)
        if killed:
            process.kill()
        process.join()
    said = [file.read_text().strip() for file in files]
    decoded.clear()
    source = open_source(path)
    if killed:
        assert decoded and len(list(kept.glob(".writing-*"))) == 2
    else:
        assert not decoded and said == [source.fingerprint] * 2 and not list(kept.glob(".writing-*"))
    assert len(list(kept.glob(IMAGES.format("*")))) == 1
