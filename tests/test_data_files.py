"""Reading folders, zips, IDX files and arrays: what goes in comes out exactly, and what is odd is named."""

import contextlib
import gzip
import io
import os
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import sparring.data.images as images_module
import sparring.data.settings as settings_module
from sparring.data import DataSettings, open_source
from sparring.data.decode import decode, fit, header, quiet, reformat
from sparring.data.images import folder_labels, read_images
from sparring.data.settings import choose_size, parse_size
from sparring.data.source import Finite
from sparring.data.space import Images, Vectors
from sparring.errors import InputError

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data sets are not here")
RAMP = np.arange(65536, dtype=np.uint16).reshape(256, 256)
COLOURS = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
NOISE = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def saved(image, form="PNG", **options):
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, form, **options)
    return stream.getvalue()


GOOD = saved(COLOURS)


def folder(root, files):
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def zipped(path, files, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def idx(array):
    array = np.asarray(array, np.uint8)
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def pixels(data, size=None, channels=3, alpha="white"):
    with quiet():
        return decode(data, size, channels, alpha).values


def refused(match, call, *args, **options):
    with pytest.raises(InputError, match=match) as caught:
        call(*args, **options)
    return str(caught.value)


def png_claiming(width, height):
    """A PNG whose header declares a size and which holds nothing."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) \
        + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


# -- one image --------------------------------------------------------------------------------------------------------

BAD_IMAGES = {
    "empty": (b"", "empty"),
    "text": (b"hello, I am a picture", "not one of PNG, JPEG"),
    "html": (b"<!doctype html><title>404</title>", "not one of PNG"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not one of PNG"),
    "pdf": (b"%PDF-1.4 ...", "not one of PNG"),
    "icon": (saved(Image.new("RGB", (16, 16)), "ICO"), "not one of PNG"),
    "cut png": (saved(NOISE)[:4000], "damaged"),
    "cut jpeg": (saved(NOISE, "JPEG")[:2000], "damaged"),
    "cut gif": (saved(Image.fromarray(COLOURS).quantize(), "GIF")[:-60], "damaged"),
    "head only": (GOOD[:20], "first bytes are damaged|is damaged"),
    "one pixel": (saved(Image.new("RGB", (1, 1))), "1x1 pixels: there is nothing to learn"),
    "one column": (saved(Image.new("RGB", (1, 9))), "9x1 pixels"),
    "huge": (png_claiming(20_000, 20_000), "more than 100 million pixels"),
    "large": (png_claiming(9_600, 11_000), "more than 100 million pixels"),
    "no pixels": (png_claiming(8, 8), "damaged"),
    "float tiff": (saved(np.ones((8, 8), np.float32), "TIFF"), "floating-point numbers"),
    "32-bit tiff": (saved(np.ones((8, 8), np.int32), "TIFF"), "32-bit signed or long integers"),
    "float pfm": (b"Pf\n4 4\n-1.0\n" + np.ones(16, "<f4").tobytes(), "floating-point numbers"),
}


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_a_bad_image_is_named_with_its_reason(tmp_path, kind):
    data, reason = BAD_IMAGES[kind]
    refused(reason, pixels, data)
    alone = refused(reason, read_images, folder(tmp_path / "alone", {"odd.png": data}))
    assert "1 of the 1 images" in alone
    assert "odd.png" in alone
    assert "Repair or remove" in alone
    many = {f"good{k:02}.png": GOOD for k in range(39)} | {"odd.png": data}
    for source in (read_images(folder(tmp_path / "many", many)), read_images(zipped(tmp_path / "many.zip", many))):
        assert len(source) == 39
        assert (source.values[38] == source.values[0]).all()
        note = next(n for n in source.notes if n.startswith("skipped 1 of 40"))
        assert "odd.png: " in note


@pytest.mark.parametrize(("form", "order"), [("PNG", "<u2"), ("PPM", "<u2"), ("TIFF", "<u2"), ("TIFF", ">u2")])
def test_sixteen_bit_grey_is_scaled_by_its_range_and_never_clipped(form, order):
    data = saved(RAMP.astype(order), form)
    assert (pixels(data, channels=1)[0] == np.rint(RAMP / 257).astype(np.uint8)).all()
    assert header(data).grey


def test_sixteen_bit_tiff_may_be_white_first_or_have_twelve_bits():
    inverted = saved(RAMP, "TIFF", tiffinfo={262: 0})
    expected = np.rint(RAMP / 257).astype(np.uint8)
    with Image.open(io.BytesIO(inverted)) as image:
        assert image.tag_v2[262] == 0
    assert (pixels(inverted, channels=1)[0] == 255 - expected).all()
    tags = {256: 4, 257: 2, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 2, 279: 12}       # 4x2, 12 bits, one strip
    strip = bytes.fromhex("000fff 800001 000fff 800001".replace(" ", ""))
    entries = b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in tags.items())
    twelve = b"II*\0" + struct.pack("<I", 20) + strip + struct.pack("<H", len(tags)) + entries + bytes(4)
    assert pixels(twelve, channels=1).tolist() == [[[0, 255, 128, 0]] * 2]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_exif_orientation_is_applied(orientation, form):
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :16] = 255                                   # white at the top left
    back = {1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
            5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, 1), 7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
            8: lambda a: np.rot90(a, -1)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if form == "WEBP" else {"quality": 95} if form == "JPEG" else {}
    data = saved(np.ascontiguousarray(back(upright)), form, exif=exif, **options)
    assert header(data).size == (16, 32)
    got = pixels(data).transpose(1, 2, 0).astype(int)
    assert got.shape == upright.shape
    assert abs(got - upright).max() < (40 if form == "JPEG" else 1)


def rgba():
    image = np.zeros((8, 8, 4), np.uint8)
    image[..., 0], image[:4, :, 3] = 200, 255                # red; the lower half is clear
    return Image.fromarray(image)


def palette_with_clear_entry():
    image = Image.new("P", (8, 8), 1)
    image.putpalette([200, 0, 0, 0, 0, 200])
    image.paste(0, (0, 0, 8, 4))
    return saved(image, transparency=1)


@pytest.mark.parametrize("data", [
    saved(rgba()), palette_with_clear_entry(), saved(rgba(), "WEBP", lossless=True, exact=True), saved(rgba(), "TIFF"),
], ids=["rgba", "palette", "webp", "tiff"])
def test_transparency_is_laid_on_white_or_black_or_kept(data):
    for alpha, ground in ("white", 255), ("black", 0):
        got = pixels(data, alpha=alpha)
        assert (got[:, 0, 0] == [200, 0, 0]).all()
        assert (got[:, 7, 7] == ground).all()
    kept = pixels(data, channels=4)
    assert (kept[3, :4] == 255).all()
    assert (kept[3, 4:] == 0).all()
    with quiet():
        assert decode(data, None, 3, "white").transparent


def test_each_mode_becomes_what_it_shows():
    grey = COLOURS[..., 0]
    la = np.stack([grey, np.full_like(grey, 255)], -1)
    assert (pixels(saved(grey))[1] == grey).all()
    assert pixels(saved(grey), channels=1).shape == (1, 12, 10)
    assert (pixels(saved(la), channels=1)[0] == grey).all()
    assert set(np.unique(pixels(saved(Image.fromarray(grey > 99)), channels=1))) == {0, 255}
    palette = Image.fromarray(COLOURS).quantize(256)
    assert (pixels(saved(palette)) == np.asarray(palette.convert("RGB")).transpose(2, 0, 1)).all()
    cmyk = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    for form in "TIFF", "JPEG":
        assert abs(pixels(saved(cmyk, form))[:, 4, 4].astype(int) - [0, 255, 255]).max() < 4
    deep = RAMP[:, ::16]
    clear = pixels(saved(Image.fromarray(deep), transparency=16), channels=4)
    assert clear[3, 0, 1] == 0
    assert (clear[3] == 0).sum() == 1
    assert header(saved(Image.fromarray(grey).convert("P"))).grey
    assert not header(saved(palette)).grey


def test_the_first_frame_of_an_animation_is_used_and_said(tmp_path):
    frames = [Image.new("RGB", (16, 16), c) for c in ("red", "lime", "blue")]
    files = {f"{form}.{form.lower()}": saved(frames[0], form, save_all=True, append_images=frames[1:], **options)
             for form, options in {"GIF": {}, "PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}}.items()}
    source = read_images(folder(tmp_path, files))
    assert (source.values == torch.tensor([255, 0, 0]).view(3, 1, 1)).all()
    assert any("4 images have several frames" in note for note in source.notes)
    phone = saved(frames[0], "MPO", save_all=True, append_images=frames[1:])       # a depth map is no animation
    assert not decode(phone, (4, 4), 3, "white").frames


def test_fit_covers_and_crops_the_centre():
    wide = np.zeros((8, 24), np.uint8)
    wide[:, 8:16] = 255
    assert (np.asarray(fit(Image.fromarray(wide), (8, 8))) == 255).all()
    assert (np.asarray(fit(Image.fromarray(wide), (4, 4)))[:, 1:3] == 255).all()
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    assert abs(np.asarray(fit(Image.fromarray(stripes), (16, 16))).astype(int) - 128)[:, 2:-2].max() < 4   # no aliasing
    large = np.asarray(Image.new("RGB", (800, 600), (10, 200, 30)))
    assert (abs(pixels(saved(large, "JPEG"), (8, 8)).astype(int) - [[[10]], [[200]], [[30]]]) < 4).all()
    one = reformat(COLOURS.transpose(2, 0, 1)[None], (5, 7), 3, "white")[0]
    assert (one == pixels(GOOD, (5, 7))).all()               # arrays and files go the same way


# -- folders and zips -------------------------------------------------------------------------------------------------

LABELS = [
    (["a.png", "b.png"], []), (["cat/1.png", "dog/1.png"], ["cat", "dog"]), (["cat/1.png", "cat/2.png"], []),
    (["train/dog/1.png", "train/cat/2.png"], ["cat", "dog"]), (["x/y/b/1.png", "x/y/a/deep/1.png"], ["a", "b"]),
    (["cat/1.png", "dog/1.png", "top.png"], []), (["train/cat/1.png", "train/dog/1.png", "train/0.png"], []),
    (["ab/1.png", "a/1.png"], ["a", "ab"]),
]


@pytest.mark.parametrize(("names", "classes"), LABELS)
def test_labels_come_from_the_first_folders_that_differ(tmp_path, names, classes):
    order = sorted(names)
    ignored = {"__MACOSX/._1.png": b"", ".hidden/1.png": b"", "Thumbs.db": b"", "notes.txt": b"x"}
    files = dict.fromkeys(names, GOOD) | ignored
    for source in read_images(folder(tmp_path / "f", files)), read_images(zipped(tmp_path / "f.zip", files)):
        assert len(source) == len(names)
        assert list(source.space.labels) == classes
        assert any("passed over 1 files that are not images (1 .txt)" in note for note in source.notes)
        if classes:
            assert [classes[k] for k in source.labels] == [next(p for p in n.split("/") if p in classes) for n in order]
        else:
            assert source.labels is None
            assert folder_labels(names) == (None, [])


def test_size_and_channels_are_chosen_and_said(tmp_path):
    grey, wide = saved(COLOURS[..., 0]), saved(Image.new("RGB", (90, 60)))
    same = read_images(folder(tmp_path / "same", {"a.png": grey, "b.png": grey}))
    assert same.space == Images(1, 12, 10)
    assert "12x10" in same.notes[0]
    assert "is kept" in same.notes[0]
    mixed = read_images(folder(tmp_path / "mixed", {"a.png": grey, "b.png": wide, "c.jpg": wide}))
    assert mixed.space == Images(3, 44, 64)
    assert "size=HEIGHTxWIDTH" in mixed.notes[0]
    assert "1 are grey" in mixed.notes[0]
    asked = open_source(tmp_path / "mixed", DataSettings(size="8x16", channels=4))
    assert asked.values.shape == (3, 4, 8, 16)
    assert asked.values.dtype == torch.uint8
    clear = read_images(folder(tmp_path / "clear", {"a.png": saved(rgba())}))
    assert any("1 images have transparency, laid on white" in note for note in clear.notes)
    parts = read_images(folder(tmp_path / "parts", {"train/a.png": GOOD, "test/a.png": GOOD}))
    assert any("parts of one data set" in note for note in parts.notes)


def test_progress_links_and_loops(tmp_path):
    root, seen = folder(tmp_path / "f", {"a/1.png": GOOD, "b/2.png": GOOD}), []
    (root / "a" / "up").symlink_to(root, target_is_directory=True)
    (root / "a" / "twin").symlink_to(root / "b", target_is_directory=True)
    source = open_source(str(root), progress=lambda done, total: seen.append((done, total)))
    assert len(source) == 2
    assert seen[-1] == (4, 4)
    assert seen == sorted(seen)
    (root / "self.png").symlink_to(root / "self.png")
    os.mkfifo(root / "pipe.png")
    message = refused("2 of the 4 images", read_images, root)
    assert "self.png: it cannot be opened" in message
    assert "pipe.png: it is not a regular file" in message


def test_a_folder_that_cannot_be_opened_is_named(tmp_path, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied")
    monkeypatch.setattr(images_module.os, "scandir", denied)
    refused(f"{tmp_path.name} cannot be read: Permission denied. Check", read_images, tmp_path)


def encrypted(path):
    zipped(path, {"a.png": GOOD}, zipfile.ZIP_STORED)
    raw = bytearray(path.read_bytes())
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)


def lying(checked):
    """An entry that declares half of what it holds, with the checksum of that half and `checked` bytes more."""
    def make(path):
        zipped(path, {"a.png": GOOD})
        raw, half = bytearray(path.read_bytes()), len(GOOD) // 2
        for at in 14, raw.index(b"PK\x01\x02") + 16:
            raw[at:at + 4] = struct.pack("<I", zlib.crc32(GOOD[:half + checked]))
            raw[at + 8:at + 12] = struct.pack("<I", half)
        path.write_bytes(raw)
    return make


def declaring(size):
    def make(path):
        zipped(path, {"a.png": bytes(1 << 16)})
        raw = bytearray(path.read_bytes())
        at = raw.index(b"PK\x01\x02") + 24
        raw[at:at + 4] = struct.pack("<I", size)
        path.write_bytes(raw)
    return make


def corrupt(path):
    zipped(path, {"a.png": GOOD}, zipfile.ZIP_STORED)
    raw = bytearray(path.read_bytes())
    raw[60] ^= 255
    path.write_bytes(raw)


BAD_ZIPS = {
    "up": (lambda p: zipped(p, {"../a.png": GOOD}), r"'../a.png', which points outside"),
    "up inside": (lambda p: zipped(p, {"a/../../a.png": GOOD}), "points outside"),
    "absolute": (lambda p: zipped(p, {"/etc/a.png": GOOD}), "'/etc/a.png', which points outside"),
    "drive": (lambda p: zipped(p, {"C:a.png": GOOD}), "points outside"),
    "backslash": (lambda p: zipped(p, {"a\\..\\a.png": GOOD}), "points outside"),
    "encrypted": (encrypted, r"is encrypted \(a.png\). Unpack it"),
    "text": (lambda p: p.write_bytes(b"not a zip"), "cannot be read as a zip.*download or pack it again"),
    "empty file": (lambda p: p.write_bytes(b""), "cannot be read as a zip"),
    "cut": (lambda p: p.write_bytes(zipped(p, {"a.png": GOOD}).read_bytes()[:-30]), "cut short"),
    "no images": (lambda p: zipped(p, {"a.txt": b"", "b.txt": b""}), r"no image in .*only other files: 2 .txt. Images"),
    "no entries": (lambda p: zipped(p, {}), "it holds no files at all"),
    "bomb": (lambda p: zipped(p, {"a.png": bytes(20 << 20)}), "declares 20 MiB from .* bytes, as a zip bomb does"),
    "too large": (declaring(300 << 20), "a.png: it declares more than 256 MiB"),
    "lying": (lying(0), "a.png: its zip entry is damaged"),
    "lying well": (lying(1), "a.png: its zip entry does not hold the"),
    "short": (declaring(1 << 17), "a.png: its zip entry does not hold"),
    "checksum": (corrupt, "a.png: its zip entry is damaged"),
    "lzma": (lambda p: zipped(p, {"a.png": GOOD}, zipfile.ZIP_LZMA), "zip method 14; only stored and deflate"),
}


@pytest.mark.parametrize("kind", BAD_ZIPS)
def test_a_bad_zip_is_refused_with_its_reason(tmp_path, kind):
    make, reason = BAD_ZIPS[kind]
    make(tmp_path / "set.zip")
    assert "set.zip" in refused(reason, open_source, tmp_path / "set.zip")


def test_limits_on_entries_and_memory(tmp_path, monkeypatch):
    path = zipped(tmp_path / "set.zip", {"a.png": GOOD, "b.png": GOOD})
    monkeypatch.setattr(settings_module, "physical_memory", lambda: 1200)
    message = refused("2 images of 12x10 in 3 channel.*more than half", open_source, path)
    assert "such as size=8" in message
    assert len(open_source(path, DataSettings(size=8))) == 2
    np.save(tmp_path / "x.npy", np.zeros((10, 10)))
    refused(r"x.npy holds \[10, 10\] of float64.*Give fewer", open_source, tmp_path / "x.npy")
    monkeypatch.setattr(images_module, "ENTRY_LIMIT", 1)
    refused("has 2 entries, more than 1. Split it", open_source, path)


# -- IDX --------------------------------------------------------------------------------------------------------------

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
    "short": ({PIXELS_FILE: idx(IMAGES)[:-1]}, "20x6x5 = 600 bytes, but holds only 599"),
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
                   LABELS_FILE.replace("train", "t10k"): idx([77])}, r"has labels that training has not \(77\)"),
}


@pytest.mark.parametrize("kind", BAD_IDX)
def test_a_bad_idx_file_is_refused_with_its_reason(tmp_path, kind):
    files, reason = BAD_IDX[kind]
    refused(reason, open_source, folder(tmp_path, files))


# -- arrays -----------------------------------------------------------------------------------------------------------

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
    assert any("1 columns never change (first: 3)" in note for note in source.notes)
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
    "thin": (np.zeros((9, 1, 8), np.uint8), "1x8 pixels teach nothing"),
    "sparse": (torch.eye(3).to_sparse(), "Give a dense tensor"),
    "list": ([1, 2], "the data is a list; expected"), "number": (3, "the data is a int; expected"),
    "none": (None, "NoneType"),
    "triple": ((NUMBERS, 1, 2), "a tuple of 3"), "inner list": (([1, 2], [0, 1]), "is a list; expected a numpy array"),
    "label count": ((NUMBERS, np.arange(3)), "50 samples in the array, but 3 labels"),
    "float labels": ((NUMBERS, np.zeros(50)), r"labels are float64; .*astype\(int\)"),
    "one-hot": ((NUMBERS, np.zeros((50, 2), int)), "argmax"),
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
              (npy(NUMBERS).replace(b"(50, 3)", b"(-5, 3)"), "npy")],
    "x.npz": [(saving(a=[1], b=[2]), r"holds 2 arrays \(a, b\); name one of them x"),
              (b"junk", "cannot be read as npz"),
              (saving(x=NUMBERS)[:-40], "cannot be read as npz"), (saving(x=NUMBERS, y=[1]), "50 samples .* 1 labels"),
              (saving(), "holds 0 arrays")],
    "x.csv": [(b"1,2", r"tables \(.csv\) are not read yet.*convert it to .npy")],
    "x.txt": [(b"a", "text .* not read yet")],
    "x.png": [(GOOD, "one image is not a data set: give its folder")],
    "x.tar": [(b"", "Unpack it and give the folder")],
    "x.gz": [(b"", "Unpack it")], "x.bin": [(b"", "not of a kind that is read: a folder")],
    "train-labels-idx1-ubyte": [(idx(CLASSES), "holds labels; give the images file, train-images-idx3-ubyte")],
}


@pytest.mark.parametrize(("name", "data", "reason"), [(n, d, r) for n, cases in BAD_FILES.items() for d, r in cases])
def test_a_file_of_the_wrong_kind_is_refused_with_what_to_do(tmp_path, name, data, reason):
    (tmp_path / name).write_bytes(data)
    assert name in refused(reason, open_source, str(tmp_path / name))


# -- names, paths, settings -------------------------------------------------------------------------------------------

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


@pytest.mark.parametrize("data", ["quadratic", "ring", NUMBERS, (NUMBERS, None), open_source("digits")], ids=str)
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


# -- anything at all --------------------------------------------------------------------------------------------------

def seeds():
    image = Image.fromarray(COLOURS)
    return [GOOD, saved(image, "JPEG"), saved(image.quantize(), "GIF"), saved(image, "TIFF"), saved(image, "WEBP"),
            saved(image, "BMP"), saved(image, "PPM"), saved(RAMP[:9, :9]), palette_with_clear_entry()]


changes = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6)


def mutated(data, edits, end):
    raw = bytearray(data)
    for place, value in edits:
        raw[int(place * len(raw))] = value
    return bytes(raw[:1 + int(end * len(raw))])


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(seeds()), changes, st.sampled_from([1.0, 1.0, 0.9, 0.5]))
def test_damaged_images_are_read_or_refused(data, edits, end):
    broken = mutated(data, edits, end)
    with quiet():
        for call in (lambda: header(broken), lambda: decode(broken, (8, 8), 3, "white")):
            with contextlib.suppress(InputError):
                call()


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(changes, st.sampled_from([1.0, 1.0, 1.0, 0.9]), st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
def test_damaged_zips_are_read_or_refused(tmp_path_factory, edits, end, method):
    path = zipped(tmp_path_factory.getbasetemp() / "fuzz.zip", {"cat/a.png": GOOD, "dog/b.png": saved(rgba())}, method)
    path.write_bytes(mutated(path.read_bytes(), edits, end))
    with contextlib.suppress(InputError):
        assert open_source(path).values.dtype == torch.uint8


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.sampled_from([("x.npy", npy(NUMBERS[:4])), ("x.npz", saving(x=NUMBERS[:4], y=[0, 1, 1, 0])),
                        (PIXELS_FILE, idx(IMAGES[:2])),
                        (PIXELS_FILE + ".gz", gzip.compress(idx(IMAGES[:2])))]), changes)
def test_damaged_arrays_are_read_or_refused(tmp_path_factory, case, edits):
    path = tmp_path_factory.getbasetemp() / case[0]
    path.write_bytes(mutated(case[1], edits, 1.0))
    with contextlib.suppress(InputError):
        open_source(path)


# -- real data --------------------------------------------------------------------------------------------------------

@shared
@pytest.mark.parametrize(("path", "shape", "classes"), [
    ("mnist", (60_000, 1, 28, 28), 10), ("emoji/emoji4_64_png.zip", (4372, 3, 64, 64), 4),
    ("cifar10/cifar10_train_5k_png.zip", (5000, 3, 32, 32), 10),
    ("horse2zebra/horse2zebra_jpg.zip", (2661, 3, 64, 64), 4)])
def test_real_sets_are_read(path, shape, classes):
    source = open_source(SHARED / path)
    assert source.values.shape == shape
    assert len(source.space.labels) == classes
    if path == "mnist":
        assert abs(source.values.float().mean() / 255 - 0.1307) < 1e-4
        assert len(source.held_out) == 10_000
