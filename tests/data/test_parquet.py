"""Parquet: images and numbers by row groups, the same shuffle as in memory, memory bounded, damage named."""

import io
import json
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sparring
from made import GOOD, changes, mutated, refused, saved
from sparring.data import open_source
from sparring.data.cache import Samples
from sparring.data.settings import DataSettings
from sparring.data.source import Finite, batches
from sparring.data.tables import row_groups
from sparring.errors import InputError, RunFailed
from sparring.spaces import Images, Vectors

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

PICTURES = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)
CODED = [saved(picture) for picture in PICTURES]
HF = {b"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"},
                                                        "label": {"_type": "ClassLabel", "names": ["cat", "dog", "owl"]}}}}).encode()}


def written(path, columns, each=7, metadata=None, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    pq.write_table(table.replace_schema_metadata(metadata) if metadata else table, path, row_group_size=each, **more)
    return path


def hugging_face(path, coded=CODED, labels=None, **more):
    """The layout that Hugging Face's data sets have."""
    pictures = pa.array([{"bytes": data, "path": f"{i}.png"} for i, data in enumerate(coded)],
                        pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    return written(path, {"image": pictures, "label": pa.array([i % 3 for i in range(len(coded))] if labels is None else labels)},
                   metadata=HF, **more)


def decoded(batch):
    return ((batch.x + 1) * 127.5).round().to(torch.uint8)


def as_tensor(pictures):
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()


# ------------------------------------------------------------------------------------------------------------ images
@pytest.mark.parametrize("layout", ["bytes", "struct", "large", "dictionary pages", "plain pages"])
def test_every_image_is_found_whatever_the_layout(tmp_path, layout):
    path, plain = tmp_path / "x.parquet", {"img": pa.array(CODED), "class": pa.array([f"c{i % 3}" for i in range(30)])}
    if layout == "struct":
        hugging_face(path)
    elif layout == "large":
        written(path, {"jpg": pa.array(CODED, pa.large_binary()), "label": pa.array([i % 3 for i in range(30)], pa.int8())})
    else:
        written(path, plain, compression="zstd", use_dictionary=layout == "dictionary pages")
    source = open_source(path)
    assert isinstance(source, Finite) and source.space.shape == (3, 8, 8) and len(source) == 30
    assert source.space.labels == {"struct": ("cat", "dog", "owl"), "large": ("0", "1", "2")}.get(layout, ("c0", "c1", "c2"))
    batch = source.at(torch.tensor([29, 0, 7, 7]))
    assert torch.equal(decoded(batch), as_tensor(PICTURES[[29, 0, 7, 7]]))
    assert batch.labels.tolist() == [2, 0, 1, 1]


@pytest.mark.parametrize("kind", ["images", "numbers"])
def test_it_is_shuffled_and_resumed_as_data_in_memory_is(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(row_groups, "HELD", 2000)               # so that groups come and go
    numbers = np.random.default_rng(1).normal(3, 2, (30, 4))
    if kind == "images":
        stored = open_source(hugging_face(tmp_path / "x.parquet"))
        memory = Finite(Images(3, 8, 8), as_tensor(PICTURES))
    else:
        stored = open_source(written(tmp_path / "x.parquet", {f"c{k}": numbers[:, k] for k in range(4)}))
        memory = open_source(numbers)
        assert stored.space.shift == pytest.approx(memory.space.shift, rel=1e-12)
        assert stored.space.scale == pytest.approx(memory.space.scale, rel=1e-12)
    for start, workers in ((0, 0), (5, 0), (3, 3)):
        streams = batches(stored, 8, 1, start, workers), batches(memory, 8, 1, start)
        for _ in range(9):
            a, b = (next(stream) for stream in streams)
            torch.testing.assert_close(a.x, b.x, rtol=0, atol=0 if kind == "images" else 1e-6)
        streams[0].close()


def test_only_some_row_groups_stay_in_memory(tmp_path, monkeypatch):
    path = hugging_face(tmp_path / "x.parquet", each=3)
    monkeypatch.setattr(row_groups, "HELD", 3 * 3 * max(map(len, CODED)))
    monkeypatch.setattr(Samples, "get", lambda *given: False)
    source = open_source(path)
    groups = source.values.pack.groups
    for row in torch.randperm(30, generator=torch.Generator().manual_seed(0)).split(4):
        source.at(row)
        assert 0 < sum(size for _, size in groups._held.values()) <= row_groups.HELD
        assert len(groups._held) < groups.count == 10
    monkeypatch.setattr(row_groups, "HELD", 1)                  # less than one group: that one alone
    source.at(torch.arange(30))
    assert len(groups._held) == 1


def test_a_folder_is_read_in_the_order_of_its_files(tmp_path):
    for part in range(3):
        hugging_face(tmp_path / "set" / f"train-{part:05d}-of-00003.parquet", CODED[10 * part:10 * part + 10])
    source = open_source(tmp_path / "set")
    assert len(source) == 30 and torch.equal(decoded(source.at(torch.arange(30))), as_tensor(PICTURES))
    assert any("3 Parquet file(s)" in note for note in source.notes)
    other = open_source(hugging_face(tmp_path / "one.parquet"))
    assert other.fingerprint != source.fingerprint


def test_a_fork_of_the_same_file_has_its_fingerprint_and_a_changed_one_has_not(tmp_path):
    first, second = (open_source(hugging_face(tmp_path / name / "x.parquet")) for name in "ab")
    assert first.fingerprint == second.fingerprint
    assert open_source(hugging_face(tmp_path / "c.parquet", CODED[::-1])).fingerprint != first.fingerprint


def test_training_on_parquet_ends_as_training_in_memory_does(tmp_path):
    path = hugging_face(tmp_path / "x.parquet")
    given = {"steps": 4, "batch": 8, "width": 4, "latent": 4, "threads": 1}
    a = sparring.fit("gan", data=str(path), **given).sample(3)
    memory = Finite(Images(3, 8, 8, ("cat", "dog", "owl")), as_tensor(PICTURES), torch.arange(30) % 3)
    assert torch.equal(a, sparring.fit("gan", data=memory, **given).sample(3))


# ----------------------------------------------------------------------------------------------------------- vectors
def test_numbers_are_standardized_and_come_back_in_their_units(tmp_path):
    rng = np.random.default_rng(2)
    columns = {"a": rng.normal(1e6, 3, 100), "n": rng.integers(-5, 5, 100, np.int32), "flag": rng.random(100) < 0.5,
               "still": np.full(100, 7.0), "species": ["x", "y"] * 50, "when": pa.array([0] * 100, pa.timestamp("s"))}
    source = open_source(written(tmp_path / "x.parquet", columns, each=9))
    assert isinstance(source.space, Vectors) and source.space.shape == (4,) and source.labels is None
    every = source.at(torch.arange(100)).x
    assert every[:, :3].mean(0).abs().max() < 1e-5 and (every[:, :3].std(0, correction=0) - 1).abs().max() < 1e-5
    expected = torch.tensor(np.stack([columns[name].astype(float) for name in ("a", "n", "flag", "still")], 1))
    assert torch.allclose(source.space.decode(every.double()), expected, atol=1e-4)
    notes = " ".join(source.notes)
    assert "1 of the columns never change (still); leave them out" in notes
    assert "columns skipped: species, when; for classes, call one" in notes
    labelled = open_source(written(tmp_path / "y.parquet", {"a": columns["a"], "label": pa.array(columns["species"]).dictionary_encode()}))
    assert labelled.space.labels == ("x", "y") and labelled.labels.tolist() == [0, 1] * 50


def test_classes_that_a_test_set_does_not_tell(tmp_path):
    source = open_source(hugging_face(tmp_path / "x.parquet", labels=[-1] * 30))
    assert source.labels is None and any("-1 throughout" in note for note in source.notes)


# ------------------------------------------------------------------------------------------------------------- wrong
@pytest.mark.parametrize(("columns", "message"), [
    ({"text": ["a"]}, r"has the columns text \(string\): expected one of bytes"),
    ({"a": pa.array([b"x"]), "b": pa.array([b"y"])}, "or named image or images when there are several"),
    ({"x": pa.array([1.0, None])}, "column x is absent, NaN or infinite in row 1"),
    ({"x": [1.0, 2.0, float("inf")], "y": [0.0] * 3}, "column x is absent, NaN or infinite in row 2"),
    ({"x": [1.0, 1e300]}, "column x is 1e.300, too large for 32-bit numbers in row 1"),
    ({"image": pa.array([GOOD] * 3), "label": pa.array([1, None, 2])}, "column label has missing values"),
    ({"image": pa.array([GOOD, None, GOOD])}, r"the image in row 1 cannot be used: the file is empty. Write that file again without it"),
    ({"image": pa.array([GOOD, b"noise" * 9, GOOD])}, "the image in row 1 cannot be used: it is not one of PNG"),
    ({"x": pa.array([], pa.float64())}, "holds no rows"),
])
def test_columns_that_cannot_be_used_are_named(tmp_path, columns, message):
    assert "x.parquet" in refused(message, open_source, written(tmp_path / "x.parquet", columns))


def test_settings_for_images_do_not_go_with_numbers(tmp_path):
    refused("size=8x8 can only be set for images", open_source, written(tmp_path / "x.parquet", {"a": [1.0, 2.0]}), DataSettings(size="8"))


@pytest.mark.parametrize(("names", "message"), [
    (["train-00000-of-00003", "train-00002-of-00003"], r"lacks file\(s\) 1 of 3"),
    (["train-00000-of-00001", "test-00000-of-00001"], r"several data sets \(test, train\). Give one file, or move"),
])
def test_a_folder_with_too_few_or_too_many_files(tmp_path, names, message):
    for name in names:
        written(tmp_path / "set" / f"{name}.parquet", {"a": [1.0, 2.0]})
    refused(message, open_source, tmp_path / "set")


def test_files_of_different_kinds_do_not_mix(tmp_path):
    written(tmp_path / "set" / "a-0.parquet", {"a": [1.0]})
    written(tmp_path / "set" / "a-1.parquet", {"b": [1.0]})
    assert "a-1.parquet" in refused("has other columns than", open_source, tmp_path / "set")


def test_images_beside_a_table_that_describes_them_are_still_images(tmp_path):
    written(tmp_path / "metadata.parquet", {"a": [1.0]})
    (tmp_path / "0.png").write_bytes(GOOD)
    assert open_source(tmp_path).space.shape == (3, 12, 10)


def test_without_pyarrow_it_is_said_how_to_get_it(tmp_path, monkeypatch):
    path = hugging_face(tmp_path / "x.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    refused(r"x.parquet: reading Parquet needs pyarrow, which is not installed. Get it: pip install 'sparring\[parquet\]' \(in a clone: ",
            open_source, path)


def test_what_goes_wrong_during_training_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(row_groups, "HELD", 1)
    path = hugging_face(tmp_path / "x.parquet", use_dictionary=False, compression="none")
    data = path.read_bytes()
    source = open_source(path)
    with path.open("r+b") as file:                              # in place: the file that is open changes
        file.seek(data.index(CODED[20]) - 30)
        file.write(b"\xff" * 40)
    with pytest.raises(RunFailed, match=r"x.parquet cannot be read as Parquet|the image in row 20 cannot be used"):
        source.at(torch.arange(14, 21))
    monkeypatch.setattr(row_groups, "OPEN", 0)
    source.values.pack.groups._open.clear()
    with pytest.raises(RunFailed, match=r"x.parquet was changed since the run started. Put it back as it was"):
        source.at(torch.tensor([25]))
    path.unlink()
    with pytest.raises(RunFailed, match=r"x.parquet cannot be read as Parquet \(.*No such file.*copy or write it again"):
        source.at(torch.tensor([26]))


def test_one_value_again_and_again_is_not_unpacked(tmp_path, monkeypatch):
    """A dictionary makes a small file of any number of large values, whatever its footer declares."""
    monkeypatch.setattr(row_groups, "LARGEST", 4 << 20)
    path = written(tmp_path / "x.parquet", {"image": pa.array([b"\x89PNG" + bytes(1 << 16)] * 500)}, each=500, compression="zstd")
    assert path.stat().st_size < 10_000
    refused("x.parquet: row group 0 takes more than .* Write it again with fewer rows in a group: row_group_size=100", open_source, path)


BYTES = {kind: stream.getvalue() for kind, stream in (("images", io.BytesIO()), ("numbers", io.BytesIO()))}


def whole_file(kind):
    if not BYTES[kind]:
        stream = io.BytesIO()
        columns = {"image": pa.array(CODED[:6])} if kind == "images" else {"a": np.arange(6.0)}
        columns |= {"label": ["a", "b"] * 3}
        pq.write_table(pa.table(columns), stream, row_group_size=4)
        BYTES[kind] = stream.getvalue()
    return BYTES[kind]


@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(sorted(BYTES)), changes, st.sampled_from([1.0, 1.0, 0.5, 0.99]))
def test_damaged_files_are_read_or_refused(tmp_path_factory, kind, edits, end):
    path = tmp_path_factory.mktemp("damaged") / "x.parquet"
    path.write_bytes(mutated(whole_file(kind), edits, end))
    said = "x.parquet"
    try:
        source = open_source(path)
        source.at(torch.arange(len(source)))
    except (InputError, RunFailed) as error:
        said = str(error)
    assert "x.parquet" in said and said.isprintable()
