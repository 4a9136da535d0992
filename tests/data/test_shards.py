"""Shards: exact random access, the same shuffle as in memory, damage named, memory flat."""

import gzip
import io
import os
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

import sparring
from made import GOOD, refused, saved
from sparring.data import open_source
from sparring.data.images.check import look_at_values
from sparring.data.images.lazy_images import Stored
from sparring.data.images.shards import Index, indexed, members, read_shards
from sparring.data.settings import DataSettings
from sparring.data.source import Finite, batches
from sparring.errors import InputError, RunFailed


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def pictures(n, size=8, channels=3):
    return np.random.default_rng(0).integers(0, 256, (n, size, size, channels), dtype=np.uint8)


def pack(path, files, form=tarfile.PAX_FORMAT):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def packed(folder, values, each=10, labels=None, **more):
    """WebDataset's layout: train-000000.tar and so on, an image and its class by the same name."""
    for start in range(0, len(values), each):
        files = {}
        for i in range(start, min(start + each, len(values))):
            files[f"{i:06d}.png"] = saved(values[i])
            if labels is not None:
                files[f"{i:06d}.cls"] = str(labels[i]).encode()
        pack(folder / f"train-{start // each:06d}.tar", files, **more)
    return folder


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_image_is_found_whatever_the_tar(tmp_path, form):
    values, labels = pictures(25), [i % 3 for i in range(25)]
    source = open_source(packed(tmp_path / "shards", values, labels=labels, form=form))
    assert isinstance(source, Finite) and isinstance(source.values, Stored)
    assert (len(source), source.space.shape, source.space.labels) == (25, (3, 8, 8), ("0", "1", "2"))
    batch = source.at(torch.tensor([24, 0, 7, 7]))
    expected = torch.from_numpy(values[[24, 0, 7, 7]]).permute(0, 3, 1, 2)
    assert torch.equal(((batch.x + 1) * 127.5).round().to(torch.uint8), expected)
    assert batch.labels.tolist() == [0, 0, 1, 1]


def test_it_is_shuffled_and_resumed_as_data_in_memory_is(tmp_path):
    values = pictures(30)
    stored = read_shards(packed(tmp_path / "shards", values))
    memory = Finite(stored.space, torch.from_numpy(values).permute(0, 3, 1, 2).contiguous())
    for start, workers in ((0, 0), (5, 0), (3, 3)):
        streams = batches(stored, 8, 1, start, workers), batches(memory, 8, 1, start)
        for _ in range(9):
            a, b = (next(stream) for stream in streams)
            assert torch.equal(a.x, b.x)
        streams[0].close()


def test_long_names_and_folders_and_what_is_passed_over(tmp_path):
    deep = "a" * 80 + "/" + "b" * 150 + "/"
    files = {deep + "0.png": GOOD, deep + "0.cls": b"cat", "x/1.jpg": GOOD, "x/1.cls": b"dog", "2.json": b"{}", "readme.txt": b"hi"}
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        path = pack(tmp_path / f"{form}.tar", files, form=form)
        assert {m.name for m, _ in members(path)} == set(files)
        source = read_shards(path)
        assert len(source) == 2 and source.space.labels == ("cat", "dog")
        assert source.labels.tolist() == [0, 1]


def test_classes_are_used_only_when_all_images_have_one(tmp_path):
    path = pack(tmp_path / "x.tar", {"0.png": GOOD, "0.cls": b"1", "1.png": GOOD})
    source = read_shards(path)
    assert source.space.labels == () and source.labels is None
    assert any("1 of the 2 images have a .cls" in note for note in source.notes)
    numbers = packed(tmp_path / "many", pictures(12), labels=[10, 2, 1] * 4)
    assert read_shards(numbers).space.labels == ("1", "2", "10")


def test_images_of_other_sizes_are_brought_to_one(tmp_path):
    path = pack(tmp_path / "x.tar", {f"{i}.png": saved(np.full((9 + i, 12, 3), 40 * i, np.uint8)) for i in range(5)})
    source = read_shards(path, DataSettings(size="16", channels="1"))
    assert source.space.shape == (1, 16, 16)
    assert source.at(torch.arange(5)).x.shape == (5, 1, 16, 16)


def test_the_index_is_kept_and_made_again_when_a_shard_changes(tmp_path, monkeypatch):
    folder = packed(tmp_path / "shards", pictures(12))
    first = read_shards(folder)
    kept, = (tmp_path / "cache" / "sparring").glob("*.npz")
    monkeypatch.setattr("sparring.data.images.shards.made", lambda *given: pytest.fail("made again"))
    assert read_shards(folder).fingerprint == first.fingerprint
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kept.write_bytes(b"nonsense")
    assert read_shards(folder).fingerprint == first.fingerprint
    pack(folder / "train-000001.tar", {"zz.png": GOOD})
    changed = read_shards(folder)
    assert len(changed) == 11 and changed.fingerprint != first.fingerprint


def test_a_kept_index_that_points_elsewhere_is_not_used(tmp_path):
    folder = packed(tmp_path / "shards", pictures(12))
    files = sorted(folder.iterdir())
    good, _ = indexed(files, lambda done, total: None)
    kept, = (tmp_path / "cache" / "sparring").glob("*.npz")
    for change in ({"offset": good.offset + 10**9}, {"shard": good.shard + 5}, {"length": -good.length}, {"labels": good.labels[:3]},
                   {"names": np.array(["a"]), "labels": good.labels + 5}):
        with kept.open("wb") as file:
            np.savez(file, **{**good._asdict(), **change})
        again, _ = indexed(files, lambda done, total: None)
        assert all(np.array_equal(a, b) for a, b in zip(good, again, strict=True))
        assert isinstance(again, Index)


def damaged(folder, change):
    path = folder / "train-000000.tar"
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


@pytest.mark.parametrize(("change", "message"), [
    (lambda data: data.__delitem__(slice(1030, None)), "is cut short: it ends without"),
    (lambda data: data.__delitem__(slice(1100, None)), "is cut short: the file at byte 1,024|ends without"),
    (lambda data: data.__setitem__(5, 99), "header at byte 0 does not add up"),
    (lambda data: data.__setitem__(slice(124, 136), b"not a number"), "is no tar, or damaged"),
    (lambda data: data.__setitem__(slice(0, len(data)), os.urandom(len(data))), "is no tar, or damaged|does not add up|cut short"),
    (lambda data: data.clear(), "is no tar: it holds 0 bytes"),
    (lambda data: data.__setitem__(slice(0, len(data)), gzip.compress(bytes(data))), "is compressed"),
    (lambda data: data.__setitem__(slice(512, 600), b"\0" * 88), "not one of PNG.*Pack that shard again"),
], ids=["cut at a file", "cut", "changed", "size", "noise", "empty", "compressed", "no image"])
def test_damage_is_named(tmp_path, change, message):
    folder = packed(tmp_path / "shards", pictures(10))
    damaged(folder, change)
    assert "train-000000.tar" in refused(message, open_source, folder)


def test_a_missing_shard_is_named(tmp_path):
    folder = packed(tmp_path / "shards", pictures(50))
    (folder / "train-000002.tar").unlink()
    refused(r"has no shard 2 between train-000000.tar and train-000004.tar", open_source, folder)


def test_what_goes_wrong_during_training_is_named_with_the_shard(tmp_path, monkeypatch):
    folder = packed(tmp_path / "shards", pictures(40))
    source = read_shards(folder)
    place = int(source.values.pack.index.offset[25])
    damaged_file = folder / "train-000002.tar"
    data = bytearray(damaged_file.read_bytes())
    data[place:place + 100] = b"\0" * 100
    damaged_file.write_bytes(data)
    with pytest.raises(RunFailed, match=r"image 25 of the data, in .*train-000002.tar at byte .* Pack that shard again without it"):
        source.at(torch.arange(40))
    monkeypatch.setattr("sparring.data.images.shards.HANDLES", 0)      # as for more shards than stay open
    other, shard = read_shards(packed(tmp_path / "other", pictures(10))), tmp_path / "other" / "train-000000.tar"
    shard.rename(tmp_path / "elsewhere")
    with pytest.raises(RunFailed, match=r"train-000000.tar cannot be read: No such file.*Put it back"):
        other.at(torch.arange(3))
    pack(shard, {"0.png": GOOD})
    with pytest.raises(RunFailed, match=r"train-000000.tar was changed since the run started. Put it back as it was and run"):
        other.at(torch.arange(3))
    (tmp_path / "elsewhere").rename(shard)
    assert other.at(torch.arange(3)).x.shape == (3, 3, 8, 8)


def test_a_shard_that_is_cut_short_during_training_is_named(tmp_path):
    source, shard = read_shards(packed(tmp_path / "shards", pictures(10))), tmp_path / "shards" / "train-000000.tar"
    os.truncate(shard, 2000)
    with pytest.raises(RunFailed, match=r"train-000000.tar is shorter than its index says: it was changed. Put it back"):
        source.at(torch.arange(10))


@pytest.mark.parametrize(("files", "message"), [({"a.txt": b"x"}, "there is no image in"), ({}, "there is no image in")])
def test_shards_without_images(tmp_path, files, message):
    refused(message, open_source, pack(tmp_path / "x.tar", files))


def test_links_and_devices_in_a_tar_are_passed_over(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for name, kind in (("a.png", tarfile.SYMTYPE), ("b.png", tarfile.CHRTYPE), ("c.png", tarfile.DIRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("../d.png")
        info.size = len(GOOD)
        archive.addfile(info, io.BytesIO(GOOD))
    assert len(read_shards(tmp_path / "x.tar")) == 1


def test_training_on_shards_ends_as_training_in_memory_does(tmp_path):
    values = pictures(24)
    stored = packed(tmp_path / "shards", values)
    images = tmp_path / "images"
    images.mkdir()
    for i, value in enumerate(values):
        Image.fromarray(value).save(images / f"{i:06d}.png")
    given = {"steps": 4, "batch": 8, "width": 4, "latent": 4, "threads": 1, "workers": 2}
    a, b = (sparring.fit("gan", data=str(path), **given).sample(3) for path in (stored, images))
    assert torch.equal(a, b)
    with pytest.raises(InputError, match="fewer than one batch"):
        sparring.fit("gan", data=str(stored), steps=1, batch=64, width=4)


@pytest.mark.parametrize("damage", [lambda data: data[:37], lambda data: b"", lambda data: bytes(b ^ 255 if i % 97 == 0 and i > 200 else b
                                                                                                for i, b in enumerate(data))])
def test_a_damaged_index_is_made_anew(damage, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = pack(tmp_path / "x.tar", {f"{i}.png": GOOD for i in range(300)})
    before = read_shards(path).fingerprint
    kept, = (tmp_path / "cache").rglob("shards-*.npz")
    kept.write_bytes(damage(kept.read_bytes()))
    assert read_shards(path).fingerprint == before


def test_every_broken_image_of_a_shard_is_listed(tmp_path):
    files = {f"{i:02}.png": saved(picture) for i, picture in enumerate(pictures(20, 12))}
    files |= {"07.png": files["07.png"][:200], "13.png": files["13.png"][:200]}
    sights = look_at_values(read_shards(pack(tmp_path / "x.tar", files)), lambda done, total: None)
    assert [i for i, sight in enumerate(sights.seen) if isinstance(sight, str)] == [7, 13]
    assert "image 13 of the data" in sights.seen[13]
