"""Whatever is left out or assumed on reading data is said, refused with what to type, or read; and a normal set is no noise."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from shell import Shell
from small_sets import (
    GAUSS,
    KINDS,
    SHADES,
    animated,
    arrays,
    dark,
    digits,
    encoded,
    grey,
    icons,
    idx,
    image,
    labels,
    linked,
    numbers,
    parquet,
    pets,
    put,
    tar,
    text,
    zip_up,
    zipped,
)
from sparring.data import DataSettings, open_source
from sparring.data.images.assumed import cut_off, sliver
from sparring.errors import InputError


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


# What lies there, where, and what must be said; then, where it matters, how many samples and which classes are read.
SAID = {
    "a tar beside classes": (lambda: (pets(), tar("d/sample.tar")), "d", "not read: the archive sample.tar", 12, ("cat", "dog")),
    "a zip and arrays beside": (lambda: (pets(), text("d/a.zip"), text("d/b.npz")),
                                "d", r"2 archives \(a.zip, b.npz\)", 12, ("cat", "dog")),
    "an image with a dot": (lambda: (pets(), put("d/cat", 1), Path("d/cat/000.png").rename("d/cat/.x.png")), "d",
                            "not read, since a dot begins the name: cat/.x.png", 11, ("cat", "dog")),
    "a loose image": (lambda: (pets(), put("d", 1)),
                      "d", "1 image is in no class's folder and is left out: 000.png", 12, ("cat", "dog")),
    "two loose images": (lambda: (pets(30), put("d", 2)), "d", "2 images .* left out: 000.png, 001.png", 60, ("cat", "dog")),
    "one loose further down": (lambda: (put("d/x/cat"), put("d/x/dog"), put("d/x", 1)), "d", "left out: x/000.png", 12, ("cat", "dog")),
    "few in folders": (lambda: (put("d", 100), put("d/a", 1), put("d/b", 1)), "d", r"2 images lie in 2 folders \(a, b\) and 100", 102, ()),
    "a folder and loose ones": (lambda: (put("d", 10), put("d/old")), "d", "6 images lie in the folder old and 10 beside", 16, ()),
    "an empty class": (lambda: (pets(), Path("d/bird").mkdir()), "d", r"in the folder bird \(nothing there\), so it is no class", 12, None),
    "the only other class is empty": (lambda: (put("d/cat"), Path("d/dog").mkdir()), "d", "in the folder dog", 6, ()),
    "a class of HEIC": (lambda: (pets(), text("d/owl/1.heic"), text("d/owl/2.heic")), "d", r"folder owl \(2 .heic there\)", 12, None),
    "HEIC among images": (lambda: (pets(), text("d/cat/1.heic")), "d", "not read: 1 .heic. Images are PNG", 12, None),
    "a class that is broken": (lambda: (pets(30), [text(f"d/owl/{i}.png") for i in range(2)]), "d", "no image of the class owl can be read",
                               60, ("cat", "dog")),
    "folders in classes": (lambda: (put("d/cat/old"), put("d/cat/new"), put("d/dog")),
                           "d", "not read as classes: cat/new, cat/old", 18, None),
    "a table by another name": (lambda: (pets(), text("d/annotations.csv")), "d", "not read: the table annotations.csv. Labels", 12, None),
    "two tables": (lambda: (pets(), text("d/metadata.jsonl"), text("d/x.tsv")), "d", r"2 tables \(metadata.jsonl, x.tsv\)", 12, None),
    "labels in text": (lambda: (put("d"), text("d/list_attr_celeba.txt")), "d", "not read: the table list_attr_celeba.txt", 6, ()),
    "a table in capitals": (lambda: labels("d/Labels.CSV"), "d", "not read: the table Labels.CSV", 40, ()),
    "a table in a class": (lambda: (pets(), text("d/cat/labels.csv")), "d", "not read: the table cat/labels.csv", 12, ("cat", "dog")),
    "a table beside the table": (lambda: (labels(), text("d/train.csv")), "d", "not read: the table train.csv", 40, None),
    "kinds in a table": (labels, "d", "label 'kind' takes 5 whole numbers, and is learned as a measure", 40, None),
    "a class by two names": (lambda: (pets(), os.symlink(Path("d/cat").resolve(), "d/all")), "d", "not read again: the link all", 12, None),
    "a zip": (zipped, "d.zip", "no image that is read lies in the folder bird", 12, ("cat", "dog")),
    "a table in a zip": (zipped, "d.zip", "not read: the table metadata.csv", 12, None),
    "a picture beside shards": (lambda: (tar("d/a.tar"), put("d", 1)), "d", "not read: 000.png", 2, ()),
    "folders in shards": (lambda: tar("d/a.tar", ("cat/1.png", "dog/2.png")), "d", r"several folders of the archives \(cat, dog\)", 2, ()),
    "entries of shards": (lambda: tar("d/a.tar", a_json="{}", b_txt="x"), "d", r"not used: other entries .*\(1 .json, 1 .txt\)", 2, ()),
    "links in shards": (lambda: linked("d/a.tar"), "d", r"not used: other entries .*\(1 links\)", 2, ()),
    "some classes in shards": (lambda: tar("d/a.tar", a_cls="1"), "d", "no classes: 1 of the 2 images have a .cls", 2, ()),
    "classes of no image": (lambda: tar("d/a.tar", a_cls="1", b_cls="2", c_cls="2"), "d", "1 .cls without an image", 2, ("1", "2")),
    "more beside IDX": (lambda: (digits(), idx("d/val-images-idx3-ubyte", SHADES[..., 0])),
                        "d", "not read: val-images-idx3-ubyte", 40, None),
    "arrays X and Y": (lambda: arrays(X=SHADES, Y=KINDS), "d.npz", None, 40, ("0", "1", "2", "3")),
    "arrays data and target": (lambda: arrays(data=SHADES, target=KINDS), "d.npz", None, 40, ("0", "1", "2", "3")),
    "arrays by Keras": (lambda: arrays(x_train=SHADES, y_train=KINDS, x_test=SHADES[:3], y_test=KINDS[:3]), "d.npz",
                        r"not read: 2 arrays .*\(x_test of shape \[3, 8, 8, 3\], y_test of shape \[3\]\)", 40, ("0", "1", "2", "3")),
    "an array more": (lambda: arrays(images=SHADES, labels=KINDS, ids=KINDS),
                      "d.npz", r"not read: 1 arrays .*\(ids of shape \[40\]\)", 40, None),
    "objects for labels": (lambda: arrays(x=SHADES, label=np.array(["a"] * 40, object)),
                           "d.npz", "No labels: label holds Python obj", 40, ()),
    "labels of others": (lambda: arrays(x=SHADES, Y=KINDS[:9]), "d.npz", "No labels: Y has 9 rows for 40 samples", 40, ()),
    "measured targets": (lambda: arrays(data=SHADES, target=KINDS / 3), "d.npz", "No labels: target holds decimal numbers", 40, ()),
    "classes in a column": (lambda: arrays(x=SHADES, labels=KINDS[:, None]), "d.npz", "learned as a measure, .* labels of shape", 40, None),
    "a class among numbers": (lambda: numbers(GAUSS, KINDS), "d.npy", "taken for measurements, though .*: column 1", 40, ()),
    "columns of Parquet": (lambda: parquet("d.parquet", a=GAUSS, name=["x"] * 40), "d.parquet", "columns skipped: name", 40, ()),
    "classes in Parquet": (lambda: parquet("d.parquet", a=GAUSS, kind=KINDS),
                           "d.parquet", "though they are few whole numbers: kind", 40, ()),
    "labels that are decimals": (lambda: parquet("d.parquet", a=GAUSS, target=GAUSS), "d.parquet", "called as classes are: target", 40, ()),
    "files beside Parquet": (lambda: (parquet("d/a.parquet", a=GAUSS), text("d/a.csv")), "d", "not read: a.csv", 40, ()),
    "frames": (animated, "d", "6 images have several frames or pages; the first is used", 6, ()),
    "frames in Parquet": (lambda: parquet("d.parquet", image=encoded(6, form="GIF", save_all=True, append_images=[image()])), "d.parquet",
                          "6 of 6 images that were looked into have several frames", 6, ()),
    "12 bits in 16": (lambda: grey(SHADES[..., 0].astype(np.uint16) * 16),
                      "d", "as numbers of 12 bits in 16 are. Multiply them by 16", 40, ()),
    "10 bits in 16": (lambda: grey(SHADES[..., 0].astype(np.uint16) * 4),
                      "d", "as numbers of 10 bits in 16 are. Multiply them by 64", 40, ()),
    "14 bits in 16": (lambda: grey(SHADES[..., 0].astype(np.uint16) * 64),
                      "d", "as numbers of 14 bits in 16 are. Multiply them by 4", 40, ()),
    "12 bits in an array": (lambda: np.save("d.npy", SHADES.astype(np.uint16) * 16), "d.npy", "as numbers of 12 bits in 16 are", 40, ()),
    "masks": (lambda: grey(SHADES[..., 0] // 128), "d", "as masks of 0 and 1 are. Multiply them by 255", 40, ()),
    "masks in an array": (lambda: np.save("d.npy", SHADES // 128), "d.npy", "as masks of 0 and 1 are", 40, ()),
    "a label map": (lambda: grey(SHADES[..., 0] % 21), "d", "0 to 20, of 0 to 255. If they are numbers of kinds", 40, ()),
    "faint floats": (lambda: np.save("d.npy", SHADES / 2550), "d.npy", "0 to 26, of 0 to 255, so images hardly differ. Stretch", 40, ()),
    "little contrast": (lambda: np.save("d.npy", SHADES // 8 + 100), "d.npy", "100 to 131, of 0 to 255, so images hardly differ", 40, ()),
    "dark IDX": (lambda: idx("d/train-images-idx3-ubyte", SHADES[..., 0] // 16), "d", "0 to 15, of 0 to 255", 40, ()),
    "dark shards": (lambda: parquet("d.parquet", image=[b for b in dark()]), "d.parquet", "as masks of 0 and 1 are", 6, ()),
    "mixed sizes": (lambda: (put("d", 6, (20, 40)), put("d", 6, (40, 20), begin=6)), "d", "50% of an image is cut off; size=", 12, ()),
    "one wide image": (lambda: (put("d", 9), put("d", 1, (8, 80), begin=9)),
                       "d", "9% of an image .* on average, and 90% of the one", 10, ()),
    "cropped arrays": (lambda: np.save("d.npy", SHADES.repeat(2, 1)), "d.npy", None, 40, ()),
    "transparency": (icons, "d", "20 images have transparency, laid on white; alpha=black changes that", 20, ()),
}
# What lies there, where, and why it is refused: always with what to type.
REFUSED = {
    "many loose images": (lambda: (pets(), put("d", 8)),
                          "d", "12 images lie in 2 folders .*8 loose ones .*mkdir d/other && mv d/.* d-loose"),
    "many loose in a zip": (lambda: (pets(), put("d", 8), zip_up()), "d.zip", "8 loose ones .*Pack it again"),
    "train and test": (lambda: (put("d/train"), put("d/test")), "d", "parts of a data set.*--data d/train or --data d/test"),
    "a third beside": (lambda: (put("d/train"), put("d/test"), put("d/extra", 2)),
                       "d", r"test \(6\), train \(6\); beside them extra \(2\)"),
    "parts of classes": (lambda: (put("d/train/cat"), put("d/val/cat")), "d", "--data d/train or --data d/val"),
    "parts of domains": (lambda: [put(f"d/{name}") for name in ("trainA", "trainB", "testA")], "d",
                         "--data d/trainA .*pix2pix, cyclegan"),
    "parts further down": (lambda: (put("d/x/train"), put("d/x/valid")), "d", "--data d/x/train or --data d/x/valid"),
    "images beside a tar": (lambda: (put("d", 8), tar("d/a.tar")), "d", "mkdir d-files && mv d/a.tar d-files.*--data d-files.*--data d"),
    "classes beside shards": (lambda: (pets(), tar("d/a-0.tar"), tar("d/a-1.tar")), "d", "mv d/a-0.tar d/a-1.tar d-files"),
    "one class beside a tar": (lambda: (put("d/cat"), tar("d/a.tar")), "d", "either may be meant"),
    "images beside IDX": (lambda: (digits(), pets()), "d", "either may be meant"),
    "Parquet beside a tar": (lambda: (parquet("d/a.parquet", a=GAUSS), tar("d/a.tar")), "d", "two kinds, a.tar and a.parquet"),
    "two arrays by other names": (lambda: arrays(one=SHADES, two=SHADES), "d.npz", r"2 arrays \(one, two\); name one of them x"),
}
# What is normal: nothing is odd about it.
NORMAL = {
    "classes": (pets, "d"),
    "what systems leave": (lambda: (pets(), text("d/.DS_Store"), text("d/Thumbs.db"), put("d/__MACOSX", 1), put("d/.thumbs", 1)), "d"),
    "one folder": (lambda: put("d/images"), "d"),
    "a folder in each class": (lambda: (put("d/cat/images"), put("d/dog/images")), "d"),
    "one class called train": (lambda: (put("d/train"), put("d/bus")), "d"),
    "loose images and a folder that is empty": (lambda: (put("d"), Path("d/out").mkdir()), "d"),
    "yes and no": (lambda: labels(column=lambda i: i % 2), "d"),
    "ages": (lambda: labels(column=lambda i: i + 20), "d"),
    "shards": (lambda: tar("d/a.tar", a_cls="1", b_cls="2"), "d"),
    "shards with a text": (lambda: (tar("d/a.tar"), text("d/README.md"), text("d/LICENSE")), "d"),
    "IDX, packed and not": (lambda: (digits(), text("d/train-images-idx3-ubyte.gz")), "d"),
    "arrays": (lambda: arrays(x=SHADES, y=KINDS), "d.npz"),
    "small whole numbers": (lambda: numbers(KINDS, KINDS + 1), "d.npy"),
    "binary columns": (lambda: numbers(GAUSS, KINDS % 2), "d.npy"),
    "16 bits": (lambda: grey(SHADES[..., 0].astype(np.uint16) * 257), "d"),
    "masks of 0 and 255": (lambda: grey(SHADES[..., 0] // 128 * 255), "d"),
    "nearly square": (lambda: put("d", 6, (218, 178)), "d"),
    "a palette": (lambda: [put("d"), image().quantize(8).save("d/p.png")], "d"),
}


@pytest.mark.parametrize("case", SAID)
def test_what_is_left_out_or_assumed_is_said(case):
    make, where, wanted, count, classes = SAID[case]
    make()
    source = open_source(where)
    assert len(source) == count and (classes is None or source.space.labels == classes), (len(source), source.space.labels)
    assert wanted is None or [note for note in source.odd if re.search(wanted, note)], source.odd
    assert set(source.odd) <= set(source.notes)
    assert not [note for note in source.odd if note.endswith(".")], "notes end without a full stop"


@pytest.mark.parametrize("case", REFUSED)
def test_where_two_readings_are_as_likely_both_lines_are_told(case):
    make, where, wanted = REFUSED[case]
    make()
    with pytest.raises(InputError, match=f"(?s){wanted}"):
        open_source(where)


@pytest.mark.parametrize("case", NORMAL)
def test_a_normal_set_is_no_noise(case):
    make, where = NORMAL[case]
    make()
    assert open_source(where).odd == ()


# ------------------------------------------------------------------------------------------------------------ by numbers
@pytest.mark.parametrize("size, into, share", [
    ((64, 64), (32, 32), None), ((64, 128), (64, 64), "50%"), ((100, 75), (64, 48), None), ((90, 60), (64, 64), "33%"),
    ((7, 7), (14, 14), None),
])
def test_what_is_cut_off_is_the_share_of_the_area(size, into, share):
    said = cut_off([size], into)
    assert (share is None and said == []) or share in said[0]


def test_grey_stored_in_colour_is_said_beside_how_it_is_read(monkeypatch, capsys):
    grey(SHADES[..., :1].repeat(3, 3))
    assert any("grey, though stored in colour; channels=1" in note for note in open_source("d").notes)
    assert "grey, though stored in colour" in Shell(monkeypatch, capsys)("data", "d", "--out", "sheet").out
    assert not any("stored in colour" in note for note in open_source("d", DataSettings(channels=1)).notes)


def test_made_images_say_what_is_cut_off_too():
    assert any("50% of an image is cut off" in note for note in open_source("digits", DataSettings(size="8x16")).odd)
    assert open_source("digits", DataSettings(size=8)).odd == ()


@pytest.mark.parametrize("low, high, deep, said", [
    (0, 255, False, False), (0, 0, False, False), (90, 160, False, False), (0, 64, True, True), (0, 65, False, False), (10, 20, True, True),
])
def test_a_sliver_is_less_than_a_quarter(low, high, deep, said):
    assert bool(sliver(low, high, deep=deep)) == said


def test_images_keep_their_own_size_when_asked():
    put("d", 4, (100, 75))
    assert open_source("d", DataSettings(size="own")).space.shape == (3, 100, 75)
    assert open_source("d").space.shape == (3, 64, 48)
    put("d", 5, (80, 80), begin=4)
    assert open_source("d", DataSettings(size="own")).space.shape == (3, 80, 80)


def test_what_was_read_before_is_read_as_it_was():
    """Fingerprints are of values and labels; notes are none of them."""
    pets()
    before = open_source("d").fingerprint
    text("d/annotations.csv")
    Path("d/bird").mkdir()
    put("d", 1)
    assert open_source("d").fingerprint == before


def test_notes_come_back_from_the_cache(monkeypatch):
    monkeypatch.setattr("sparring.data.images.folder.LONG", 0)
    pets()
    put("d", 1)
    first, again = open_source("d"), open_source("d")
    assert again.odd == first.odd != () and again.notes == first.notes
