"""Reading IDX files, arrays, names and real data sets: what goes in comes out exactly, and what is odd is named."""


import contextlib
import gzip
import io
import struct
import warnings
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sparring.data.arrays.arrays as arrays_module
import sparring.data.settings as settings_module
from made import GOOD, SHARED, changes, folder, idx, mutated, refused, shared
from sparring.data import DataSettings, open_source
from sparring.data.settings import choose_size, parse_size
from sparring.data.source import Finite
from sparring.errors import InputError
from sparring.spaces import Images, Vectors

# -- IDX

IMAGES, CLASSES = np.random.default_rng(2).integers(0, 256, (20, 6, 5), dtype=np.uint8), np.arange(20) % 10


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_comes_back_exactly(tmp_path, pack):
    end = ".gz" if pack is gzip.compress else ""
    root = folder(tmp_path, {f"train-images-idx3-ubyte{end}": pack(idx(IMAGES)), f"train-labels-idx1-ubyte{end}":
                             pack(idx(CLASSES)), f"t10k-images-idx3-ubyte{end}": pack(idx(IMAGES[:7])),
                             f"t10k-labels-idx1-ubyte{end}": pack(idx(CLASSES[:7]))})
    source = open_source(root)
    assert source.space == Images(1, 6, 5, tuple("0123456789"))
    assert len(source.held_out) == 7
    assert (source.values[:, 0].numpy() == IMAGES).all()
    assert (source.labels.numpy() == CLASSES).all()
    assert (source.held_out.labels.numpy() == CLASSES[:7]).all()
    alone = open_source(root / f"train-images-idx3-ubyte{end}", DataSettings(size=8, channels=3))
    assert alone.values.shape == (20, 3, 8, 8)
    assert alone.held_out is None
    (root / f"train-labels-idx1-ubyte{end}").unlink()
    bare = open_source(root / f"train-images-idx3-ubyte{end}")
    assert bare.labels is None
    assert any("no labels file" in note for note in bare.notes)
    assert (bare.values == source.values).all()


PIXELS_FILE, LABELS_FILE = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
BAD_IDX = {
    "labels as images": ({PIXELS_FILE: idx(CLASSES)}, "not an images file.*with 00 00 08 01, expected 00 00 08 03"),
    "floats": ({PIXELS_FILE: b"\0\0\x0d\3" + idx(IMAGES)[4:]}, "begins with 00 00 0d 03"),
    "text": ({PIXELS_FILE: b"<html>"}, "not an images file in IDX form"),
    "empty": ({PIXELS_FILE: b""}, "begins with nothing"),
    "claims": ({PIXELS_FILE: idx(IMAGES)[:4] + struct.pack(">III", 60_000, 28, 28)}, "holds only 0 at most"),
    "packed claims": ({PIXELS_FILE + ".gz": gzip.compress(idx(IMAGES)[:4] + struct.pack(">III", 60_000, 28, 28))}, "holds only .* at most"),
    "short": ({PIXELS_FILE: idx(IMAGES)[:-1]}, "20x6x5 = 600 bytes, but holds only 599 at most"),
    "long": ({PIXELS_FILE: idx(IMAGES) + b"x"}, "600 bytes, but holds more"),
    "none": ({PIXELS_FILE: idx(IMAGES[:0])}, "it is empty"),
    "line": ({PIXELS_FILE: idx(IMAGES[:, :1])}, "1x5 pixels"),
    "huge": ({PIXELS_FILE: b"\0\0\x08\3" + b"\xff" * 12}, "more than half of this machine"),
    "counts": ({PIXELS_FILE: idx(IMAGES), LABELS_FILE: idx(CLASSES[:5])}, "20 images, but .* 5 labels"),
    "bad gzip": ({PIXELS_FILE + ".gz": gzip.compress(idx(IMAGES))[:-20]}, "damaged or cut short"),
    "gzip bomb": ({PIXELS_FILE + ".gz": gzip.compress(idx(IMAGES) + bytes(1 << 24))}, "but holds more"),
    "test only": ({"t10k-images-idx3-ubyte": idx(IMAGES)}, "found t10k-images-idx3-ubyte. Give the images file"),
    "new label": ({PIXELS_FILE: idx(IMAGES), LABELS_FILE: idx(CLASSES),
                   PIXELS_FILE.replace("train", "t10k"): idx(IMAGES[:1]),
                   LABELS_FILE.replace("train", "t10k"): idx([77])}, r"has labels that do not occur in training \(77\)"),
}


@pytest.mark.parametrize("kind", BAD_IDX)
def test_a_bad_idx_file_is_refused_with_its_reason(tmp_path, kind):
    files, reason = BAD_IDX[kind]
    refused(reason, open_source, folder(tmp_path, files))


# -- arrays

NUMBERS = np.random.default_rng(3).normal(5, 3, (50, 3))
UNIT = np.random.default_rng(4).random((4, 6, 5, 3))


def test_vectors_are_standardized_and_come_back(tmp_path):
    x = np.column_stack([NUMBERS, np.full(50, 0.1)])
    source = open_source((x, ["b", "a"] * 25))
    assert isinstance(source.space, Vectors)
    assert source.space.scale[3] == 1
    assert source.space.labels == ("a", "b")
    assert source.values.dtype == torch.float32
    assert source.values.mean(0).abs().max() < 1e-6
    assert (source.values.std(0, correction=0)[:3] - 1).abs().max() < 1e-6
    assert source.labels[:2].tolist() == [1, 0]
    assert abs(source.space.decode(source.values).numpy() - x).max() < 1e-5
    assert any("1 of the columns never change (3); leave them out" in note for note in source.notes)
    assert open_source(torch.arange(9)).space.shape == (1,)
    np.save(tmp_path / "x.npy", x)
    np.savez_compressed(tmp_path / "x.npz", x=x, y=np.arange(50) % 3, z=[1])
    assert (open_source(tmp_path / "x.npy").values == source.values).all()
    assert open_source(tmp_path / "x.npz").space.labels == ("0", "1", "2")


@pytest.mark.parametrize(("x", "expected"), [
    ((UNIT * 255).astype(np.uint8), (UNIT * 255).astype(np.uint8)), (UNIT, np.rint(UNIT * 255)),
    (UNIT.astype(">f4") * 2 - 1, np.rint(UNIT * 255)), ((UNIT * 65535).astype(np.uint16), np.rint(UNIT * 255)),
    (UNIT > 0.5, (UNIT > 0.5) * 255), (torch.tensor(UNIT).permute(0, 3, 1, 2), np.rint(UNIT * 255)),
    (torch.tensor(UNIT).permute(0, 3, 1, 2).bfloat16(), UNIT * 255),
    (UNIT.transpose(0, 3, 1, 2), np.rint(UNIT * 255)),
], ids=["uint8", "unit", "signed", "uint16", "bool", "tensor", "bfloat16", "channels first"])
def test_image_arrays_become_bytes(x, expected):
    source = open_source(x)
    assert source.space == Images(3, 6, 5)
    assert source.values.dtype == torch.uint8
    allowed = 1 if isinstance(x, np.ndarray) else 1 if x.dtype == torch.float64 else 2
    assert abs(source.values.numpy().transpose(0, 2, 3, 1).astype(float) - expected).max() <= allowed


def test_ambiguous_layouts_are_decided_and_said():
    square = np.zeros((2, 4, 4, 4), np.uint8)
    assert any("[N, H, W, C], though" in note for note in open_source(square).notes)
    assert any("[N, C, H, W], though" in note for note in open_source(torch.tensor(square)).notes)
    assert open_source(square).space.channels == 3
    assert open_source(square, DataSettings(channels="4")).space.channels == 4
    assert open_source(np.zeros((2, 9, 8), np.uint8), DataSettings(size=16, channels=3)).space == Images(3, 16, 16)
    assert open_source(np.zeros((2, 100, 50), np.uint8)).space == Images(1, 64, 32)


BAD_ARRAYS = {
    "scalar": (np.array(1.0), r"shape \[\]; expected \[N\]"),
    "rank 5": (np.zeros((1, 2, 3, 4, 5)), r"shape \[1, 2, 3, 4, 5\]"),
    "empty": (np.zeros((0, 4)), "it is empty"), "no columns": (np.zeros((4, 0)), "it is empty"),
    "complex": (np.zeros((4, 2), complex), "complex numbers; expected numbers"),
    "text": (np.array(["a", "b"]), "holds text"), "objects": (np.array([{}, []], object), "Python objects"),
    "dates": (np.zeros(3, "M8[s]"), "holds dates"), "records": (np.zeros(3, [("a", int)]), "holds records"),
    "nan": (np.array([[1.0, 2], [np.nan, np.inf]]), r"2 values that are NaN or infinite, the first at \[1, 0\]"),
    "masked": (np.ma.array([1.0, 2], mask=[0, 1]), "masked.*filled"),
    "huge": (np.array([[1e300], [-1e300]]), r"column 0 of the array has values up to 1e\+300"),
    "0 to 255 floats": (np.array([0.0, 255]).repeat(32).reshape(1, 8, 8), "from 0 to 255; .*Divide by 255"),
    "wild floats": (np.array([-9.0, 9]).repeat(32).reshape(1, 8, 8), r"from -9 to 9; .*x - x.min"),
    "int64 images": (np.full((2, 8, 8), 200), r"int64 from 200 to 200; .*astype\(np.uint8\)"),
    "channels": (np.zeros((2, 8, 8, 2), np.uint8), "expected 1, 3 or 4 channels"),
    "one image": (np.zeros((64, 48, 3), np.uint8), "looks like one image"),
    "thin": (np.zeros((9, 1, 8), np.uint8), "1x8 pixels are too small"),
    "sparse": (torch.eye(3).to_sparse(), "Give a dense tensor"),
    "list": ([1, 2], "the data is a list; expected"), "number": (3, "the data is a int; expected"),
    "none": (None, "NoneType"),
    "triple": ((NUMBERS, 1, 2), "a tuple of 3"), "inner list": (([1, 2], [0, 1]), "is a list; expected a numpy array"),
    "label count": ((NUMBERS, np.arange(3)), "50 samples in the array, but 3 labels"),
    "float labels": ((NUMBERS, np.zeros(50)), r"labels are float64; .*astype\(int\)"),
    "one-hot": ((NUMBERS, np.eye(2)[np.arange(50) % 2]), "argmax"),
    "masked labels": ((NUMBERS, np.ma.array(np.arange(50), mask=np.arange(50) > 9)), "masked.*filled"),
    "labels that raise": ((NUMBERS, torch.eye(50).to_sparse()), "the array of labels is a tensor that cannot be read"),
    "too long doubles": (np.full((4, 1), np.longdouble("1e4000")), "up to inf, too large for 32-bit"),
    "ragged labels": ((NUMBERS, [[1], [2, 3]]), "not one list"),
}


@pytest.mark.parametrize("kind", BAD_ARRAYS)
def test_a_bad_array_is_refused_with_its_reason(kind):
    data, reason = BAD_ARRAYS[kind]
    refused(reason, open_source, data)


def saving(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def npy(x, **options):
    stream = io.BytesIO()
    np.save(stream, x, **options)
    return stream.getvalue()


BAD_FILES = {
    "x.npy": [(npy(np.array([{}], object), allow_pickle=True), "Python objects, which are never unpickled"),
              (npy(NUMBERS)[:-9], "cannot be read as npy.*damaged"), (b"", "cannot be read as npy"),
              (b"PK\3\4", "cannot be read as npy"),
              (npy(NUMBERS).replace(b"(50, 3)", b"(-5, 3)"), "fewer samples than none"),
              (npy(NUMBERS).replace(b"(50, 3), } ", b"(50000, 3), }"[:11]), "cannot be read as npy"),
              (npy(np.zeros(2, [("a", "f8")])), "holds records; expected numbers. Convert"),
              (npy(NUMBERS).replace(b"(50, 3)", b"(" * 7), "cannot be read as npy .[^)]")],
    "x.npz": [(saving(a=[1], b=[2]), r"holds 2 arrays \(a, b\); name one of them x"),
              (b"junk", "cannot be read as npz"),
              (saving(x=NUMBERS)[:-40], "cannot be read as npz"), (saving(x=NUMBERS, y=[1]), "50 samples .* 1 labels"),
              (saving(x=NUMBERS, y=np.zeros(50)), "x.npz: the labels are float64"),
              (saving(), "holds 0 arrays")],
    "x.txt": [(b"a", "lines of text.*sparring train seqgan --data")],
    "x.png": [(GOOD, "one image is not a data set: give its folder")],
    "x.tgz": [(b"", "Unpack it and give the folder")],
    "x.gz": [(b"", "Unpack it")], "x.bin": [(b"", "not of a kind that is read: a folder")],
    "train-labels-idx1-ubyte": [(idx(CLASSES), "holds labels; give the images file, train-images-idx3-ubyte")],
}


@pytest.mark.parametrize(("name", "data", "reason"), [(n, d, r) for n, cases in BAD_FILES.items() for d, r in cases])
def test_a_file_of_the_wrong_kind_is_refused_with_what_to_do(tmp_path, name, data, reason):
    (tmp_path / name).write_bytes(data)
    assert name in refused(reason, open_source, str(tmp_path / name))


def claiming(shape, data, zip_claims=None):
    """An .npz whose x.npy claims this shape of bytes and holds this data; perhaps the zip claims a size as well."""
    stream = io.BytesIO()
    npy_header = io.BytesIO()
    np.lib.format.write_array_header_1_0(npy_header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy_header.getvalue() + data)
    raw = bytearray(stream.getvalue())
    if zip_claims:
        struct.pack_into("<I", raw, raw.rindex(b"PK\1\2") + 24, zip_claims)
    return bytes(raw)


def test_memory_is_not_taken_for_what_a_file_cannot_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays_module.npy, "read_array", lambda *given, **options: pytest.fail("memory was taken"))
    big = (3_000_000, 100)
    for name, data in {"a.npz": claiming(big, bytes(1000)), "b.npz": claiming(big, bytes(1000), 300_000_128),
                       "c.npy": npy(NUMBERS).replace(b"(50, 3), }      ", b"(50000000, 3), }")}.items():
        (tmp_path / name).write_bytes(data)
        match = f"{name} cannot be read as np[yz] .it declares [0-9,]* bytes and can hold [0-9,]*..*save it again"
        refused(match, open_source, tmp_path / name)


def test_what_standardizing_takes_is_counted(monkeypatch):
    x = np.ones((10, 10), np.uint8)
    monkeypatch.setattr(settings_module, "physical_memory", lambda: 3999)
    refused(r"the array holds 100 numbers, each of which takes 20 bytes .*Give fewer", open_source, x)
    monkeypatch.setattr(settings_module, "physical_memory", lambda: 4000)
    assert len(open_source(x)) == 10


def test_old_files_odd_truths_and_odd_names(tmp_path):
    old = npy(np.arange(6.0)).replace(b"(6,), }  ", b"(6L,), } ")
    (tmp_path / "old.npy").write_bytes(old)
    with warnings.catch_warnings():
        warnings.simplefilter("error")                           # Python 2 wrote 6L; that is read without a word
        assert len(open_source(tmp_path / "old.npy")) == 6
    odd = np.frombuffer(bytes([0, 1, 7, 255] * 16), np.bool_).reshape(1, 8, 8)
    assert open_source(odd).values.unique().tolist() == [0, 255]
    assert open_source((NUMBERS[:2], ["\x1b", "\x07"])).space.labels == ("?", "? (2)")


# -- names, paths, settings

def test_names_and_near_misses(tmp_path):
    (tmp_path / "flowers").mkdir()
    for data, reason in [
        ("digit", "Did you mean 'digits'"), (tmp_path / "flower", "Did you mean 'flowers'"), ("", "is ''"),
        (str(tmp_path / "no" / "way"), "there is no folder"), ("https://x.org/a.zip", "nothing is downloaded"),
        ("a\0b", "expected a name"), ("x" * 5000, "cannot be opened"), (tmp_path / "flowers", "no files at all"),
    ]:
        refused(reason, open_source, data)
    assert open_source("ring").space.shape == (2,)
    assert len(open_source("digits")) == 1437
    large = open_source("digits", DataSettings(size=32, channels=3))
    assert large.values.shape == (1437, 3, 32, 32)
    assert large.held_out.values.shape == (360, 3, 32, 32)
    assert isinstance(large, Finite)
    assert open_source(large) is large


@pytest.mark.parametrize("data", ["quadratic", "ring", NUMBERS, (NUMBERS, None), open_source("digits")],
                         ids=["quadratic", "ring", "numbers", "numbers and none", "a source"])
def test_settings_that_do_not_apply_are_refused(data):
    given_settings = DataSettings(size=32, alpha="black")
    message = refused("can only be set for images.*Leave it out", open_source, data, given_settings)
    assert "size=32x32 and alpha=black" in message


@pytest.mark.parametrize("options", [{"size": "3"}, {"size": 2000}, {"size": "4x"}, {"size": "4x4x4"}, {"size": "-8"},
                                     {"size": True}, {"size": 4.5}, {"channels": 2}, {"alpha": "red"}, {"colour": 1}])
def test_settings_out_of_bounds_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        DataSettings(**options)


def test_sizes():
    assert parse_size("auto") is None
    assert parse_size("32") == (32, 32)
    assert parse_size(" 48X64 ") == (48, 64)
    assert DataSettings(size=32) == DataSettings(size="32x32")
    assert DataSettings(channels=3).channels == "3"
    for sizes, expected in [([(64, 64)], (64, 64)), ([(65, 65)], (64, 64)), ([(3, 3)], (64, 64)), ([(9, 900)], (4, 64)),
                            ([(100, 200), (200, 100)], (64, 64)), ([(8, 8), (300, 150), (400, 200)], (64, 32))]:
        assert choose_size(sizes, DataSettings())[0] == expected


# -- anything at all

@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.sampled_from([("x.npy", npy(NUMBERS[:4])), ("x.npz", saving(x=NUMBERS[:4], y=[0, 1, 1, 0])),
                        (PIXELS_FILE, idx(IMAGES[:2])),
                        (PIXELS_FILE + ".gz", gzip.compress(idx(IMAGES[:2])))]), changes)
def test_damaged_arrays_are_read_or_refused(tmp_path_factory, case, edits):
    path = tmp_path_factory.getbasetemp() / case[0]
    path.write_bytes(mutated(case[1], edits, 1.0))
    with contextlib.suppress(InputError):
        open_source(path)


# -- real data

@shared
@pytest.mark.parametrize(("path", "shape", "classes"), [
    ("mnist", (60_000, 1, 28, 28), 10), ("emoji/emoji4_64_png.zip", (4372, 3, 64, 64), 4),
    ("cifar10/cifar10_train_5k_png.zip", (5000, 3, 32, 32), 10)])
def test_real_sets_are_read(path, shape, classes):
    source = open_source(SHARED / path)
    assert source.values.shape == shape
    assert len(source.space.labels) == classes
    if path == "mnist":
        assert abs(source.values.float().mean() / 255 - 0.1307) < 1e-4
        assert len(source.held_out) == 10_000


@shared
def test_parts_of_a_real_set_are_no_classes():
    refused(r"testA \(120\), testB \(140\), trainA \(1,067\), trainB", open_source, SHARED / "horse2zebra" / "horse2zebra_jpg.zip")
