"""Reading images, folders and zips: what goes in comes out exactly, and what is odd is named."""


import contextlib
import io
import os
import struct
import zipfile
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import sparring.data.images.decode as decode_module
import sparring.data.images.files as files_module
import sparring.data.settings as settings_module
from made import COLOURS, GOOD, NOISE, RAMP, changes, folder, mutated, pixels, png_claiming, refused, saved, zipped
from sparring.data import DataSettings, open_source
from sparring.data.images.decode import decode, fit, header, quiet, reformat
from sparring.data.images.folder import folder_labels, read_images
from sparring.errors import InputError
from sparring.spaces import Images

# -- one image

def scans(times):
    """A progressive JPEG whose last scan is repeated, so that its pixels are gone over as often."""
    data = saved(NOISE, "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * times + b"\xff\xd9"


SEGMENT = b"\xff\xe1\0\x0aExif\0\0xx"

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
    "one pixel": (saved(Image.new("RGB", (1, 1))), "it is 1x1 pixels, and each side must have at least two"),
    "one column": (saved(Image.new("RGB", (1, 9))), "it is 9x1 pixels"),
    "huge": (png_claiming(20_000, 20_000), "more than 100 million pixels"),
    "large": (png_claiming(9_600, 11_000), "more than 100 million pixels"),
    "no pixels": (png_claiming(8, 8), "damaged"),
    "float tiff": (saved(np.ones((8, 8), np.float32), "TIFF"), "floating-point numbers"),
    "32-bit tiff": (saved(np.ones((8, 8), np.int32), "TIFF"), "32-bit signed or long integers"),
    "many scans": (scans(300), "more than 200 scans"),
    "many segments": (saved(NOISE, "JPEG").replace(b"\xff\xd8", b"\xff\xd8" + SEGMENT * 2000, 1), "or 1,024 segments"),
    "many comments": (b"P3\n3 3 255\n" + b"#a\n" * 2000 + b"1 " * 27, "more than 1,000 comments"),
    "many run lengths": (b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, 5000, 5000, 1, 8, 1) + bytes(2000), "16 million pixels under run"),
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


def test_what_follows_a_jpeg_or_lies_in_its_metadata_is_not_counted():
    film = b"\xff\xda" * 5000                                # phones put a short film behind a photo
    plain = saved(NOISE, "JPEG")
    inside = plain.replace(b"\xff\xd8", b"\xff\xd8\xff\xe2" + struct.pack(">H", 2 + 60_000) + film + bytes(50_000), 1)
    for data in plain + film, inside, saved(NOISE, "JPEG", progressive=True):
        assert abs(pixels(data).astype(int) - pixels(plain)).max() < 3
    assert pixels(scans(50)).shape == (3, 64, 64)


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


# -- folders and zips

LABELS = [
    (["a.png", "b.png"], []), (["cat/1.png", "dog/1.png"], ["cat", "dog"]), (["cat/1.png", "cat/2.png"], []),
    (["train/dog/1.png", "train/cat/2.png"], ["cat", "dog"]), (["x/y/b/1.png", "x/y/a/deep/1.png"], ["a", "b"]),
    (["cat/1.png", "dog/1.png", "top.png"], ["cat", "dog"]), (["train/cat/1.png", "train/dog/1.png", "train/0.png"], ["cat", "dog"]),
    (["ab/1.png", "a/1.png"], ["a", "ab"]), (["top.png", "old/1.png", "old/2.png"], []),
]


@pytest.mark.parametrize(("names", "classes"), LABELS)
def test_labels_come_from_the_first_folders_that_differ(tmp_path, names, classes):
    order = sorted(name for name in names if not classes or any(part in classes for part in name.split("/")))     # less the loose ones
    ignored = {"__MACOSX/._1.png": b"", ".hidden/1.png": b"", "Thumbs.db": b"", "notes.txt": b"x"}
    files = dict.fromkeys(names, GOOD) | ignored
    for source in read_images(folder(tmp_path / "f", files)), read_images(zipped(tmp_path / "f.zip", files)):
        assert len(source) == len(order)
        assert list(source.space.labels) == classes
        assert any("1 files that are not images were skipped (1 .txt)" in note for note in source.notes)
        if classes:
            assert [classes[k] for k in source.labels] == [next(p for p in n.split("/") if p in classes) for n in order]
        else:
            assert source.labels is None
            assert folder_labels(names) == (None, [])


def test_classes_that_look_alike_are_told_apart(tmp_path):
    source = read_images(zipped(tmp_path / "f.zip", {"cat\x01/a.png": GOOD, "cat\x02/a.png": GOOD, "dog/a.png": GOOD}))
    assert source.space.labels == ("cat?", "cat? (2)", "dog")
    assert source.labels.tolist() == [0, 1, 2]


def test_large_images_are_decoded_one_at_a_time(tmp_path, monkeypatch):
    class Counting:
        entered = 0

        def __enter__(self):
            Counting.entered += 1

        def __exit__(self, *error):
            pass

    monkeypatch.setattr(decode_module, "_one_at_a_time", Counting())
    monkeypatch.setattr(decode_module, "LARGE", 200)
    files = {"a.png": saved(COLOURS), "b.png": saved(NOISE), "c.jpg": saved(np.tile(NOISE, (8, 8, 1)), "JPEG")}
    assert len(read_images(folder(tmp_path, files), DataSettings(size=4))) == 3
    assert Counting.entered == 2                             # the JPEG counts as what it is decoded at: 64x64


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
    refused("parts of a data set, which are no classes", read_images, folder(tmp_path / "parts", {"train/a.png": GOOD, "test/a.png": GOOD}))


def test_progress_links_and_loops(tmp_path):
    root, seen = folder(tmp_path / "f", {"a/1.png": GOOD, "b/2.png": GOOD}), []
    (root / "a" / "up").symlink_to(root, target_is_directory=True)
    (root / "a" / "twin").symlink_to(root / "b", target_is_directory=True)
    source = open_source(str(root), progress=lambda done, total: seen.append((done, total)))
    assert len(source) == 2
    assert seen[-1] == (4, 4)
    assert seen == sorted(seen)
    (root / "self.png").symlink_to(root / "a" / "self.png")
    os.mkfifo(root / "pipe.png")
    for name in ("self.png", "pipe.png"):
        (root / name).rename(root / "a" / name)
    message = refused("2 of the 4 images", read_images, root)
    assert "self.png: it cannot be opened" in message
    assert "pipe.png: it is not a regular file" in message


def test_a_folder_that_cannot_be_opened_is_named(tmp_path, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied")
    monkeypatch.setattr(files_module.os, "scandir", denied)
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
    "no images": (lambda p: zipped(p, {"a.txt": b"", "b.txt": b""}), r"no image in .*only other files: 2 .txt. Images.*give a folder"),
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
    monkeypatch.setattr(files_module, "ENTRY_LIMIT", 1)
    refused("has 2 entries, more than 1. Split it", open_source, path)


# -- anything at all

def seeds():
    image = Image.fromarray(COLOURS)
    return [GOOD, saved(image, "JPEG"), saved(image.quantize(), "GIF"), saved(image, "TIFF"), saved(image, "WEBP"),
            saved(image, "BMP"), saved(image, "PPM"), saved(RAMP[:9, :9]), palette_with_clear_entry()]


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


