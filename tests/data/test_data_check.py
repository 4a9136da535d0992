"""A look at data before training: what is counted, what is found, and that bad data gets plain words."""

import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from shell import Shell
from sparring.data.images.check import alike, exact_duplicates, look_at_files, near_duplicates, thumb_of
from sparring.data.images.findings import FEW, HANDFUL, too_few
from sparring.data.source import Finite
from sparring.recipes import RECIPES
from sparring.recipes.images import ImagesSettings
from sparring.spaces import Images


@pytest.fixture
def shell(monkeypatch, capsys, tmp_path) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch, capsys)


def photo(seed: int, size: tuple[int, int] = (40, 32), mode: str = "RGB") -> Image.Image:
    """Coloured clouds: smooth, and all different."""
    noise = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).convert(mode)


def put(folder: str, *images: Image.Image, name: str = "{}.png") -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        image.save(Path(folder) / name.format(i))


def looked(shell: Shell, *words: str) -> dict:
    said = shell("data", *words, "--json", "--out", "out")
    assert "Traceback" not in said.err and said.out.count("\n") == 1
    return json.loads(said.out) | {"exit": said.code}


def test_a_good_set_is_counted_and_shown(shell):
    for k, name in enumerate(("cat", "dog")):
        put(f"pets/{name}", *(photo(100 * k + i) for i in range(60)))
    found = looked(shell, "pets")
    assert (found["images"], found["sizes"], found["modes"], found["forms"]) == (120, {"32x40": 120}, {"RGB": 120}, {"PNG": 120})
    assert found["labels"] == {"cat": 60, "dog": 60} and found["usable"] and found["exit"] == 0 and found["findings"] == []
    assert found["read_as"] == "32x40 with 3 channel(s): all are 32x40, which is kept"
    with Image.open("out/contact.png") as sheet:
        assert sheet.width > 400 and not Path("out/duplicates.png").exists()
    text = shell("data", "pets").out
    assert "labels           cat (60), dog (60)" in text and "No problems found." in text and "runs/data-pets/contact.png" in text


def test_copies_are_found_whatever_they_are_called_and_however_they_are_saved(shell):
    originals = [photo(i) for i in range(8)]
    put("set/a", *originals)
    put("set/b", *(photo(i) for i in range(100, 108)))
    originals[0].save("set/a/copy.bmp")                             # the same pixels in another form
    originals[1].save("set/a/again.jpg", quality=60)                # nearly
    originals[2].resize((160, 128)).save("set/b/large.png")         # nearly, larger, and in another class
    originals[3].filter(ImageFilter.GaussianBlur(1)).save("set/b/blurred.png")
    originals[4].transpose(Image.Transpose.FLIP_LEFT_RIGHT).save("set/a/mirrored.png")
    found = looked(shell, "set")
    assert (found["exact_duplicates"], found["near_duplicates"]) == (1, 3)
    assert ["a/0.png", "a/copy.bmp"] in found["duplicate_names"]
    assert {"b/large.png", "b/blurred.png", "a/again.jpg"} < {name for pair in found["duplicate_names"] for name in pair}
    assert any(line.startswith("2 of these duplicates are in different classes") for line in found["findings"])
    with Image.open("out/duplicates.png") as sheet:
        assert sheet.width > sheet.height


def test_near_is_what_it_is_defined_to_be():
    x = np.full((3, 32, 32), 100, np.uint8)
    x[:, :16] = 200
    import torch
    def thumb(values):
        return torch.from_numpy(thumb_of(values).astype(np.float32) / 255).flatten()
    assert thumb_of(x).shape == (16, 16, 3) and thumb_of(x[:1]).shape == (16, 16, 3)
    assert alike(thumb(x), thumb(x + 7)) and not alike(thumb(x), thumb(x + 8))              # 0.03 of 255 is 7.65
    faint = np.full((3, 32, 32), 100, np.uint8)
    assert alike(thumb(faint), thumb(faint + 5)) and not alike(thumb(faint), thumb(faint + 9))
    striped = faint.copy()
    striped[:, ::2] += 2                                                                    # averages to a plain colour
    other = faint.copy()
    other[:, :16] += 5
    assert alike(thumb(faint), thumb(striped)) and not alike(thumb(faint), thumb(other))    # close in value, and no correlation


def test_pairs_agree_with_comparing_all_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr("sparring.data.images.check.ROWS", 7)
    base = [photo(i) for i in range(12)]
    put(str(tmp_path), *base, *(b.filter(ImageFilter.GaussianBlur(0.5)) for b in base[:5]), base[6])
    sights = look_at_files(tmp_path, lambda done, total: None).seen
    copies = {b for _, b in exact_duplicates(sights)}
    assert len(copies) == 1
    import torch
    thumbs = [torch.from_numpy(s.thumb.astype(np.float32) / 255).flatten() for s in sights]
    wanted = {(i, j) for i in range(len(sights)) for j in range(i) if not {i, j} & copies and alike(thumbs[i], thumbs[j])}
    assert {(b, a) for a, b in near_duplicates(sights, lambda done, total: None)} == wanted and len(wanted) == 5


def pdfs():
    Path("bad").mkdir()
    for i in range(3):
        Path(f"bad/{i}.pdf").write_bytes(b"%PDF-1.4 hello")


def mixed():
    put("bad", *(photo(i, (20 + i, 30)) for i in range(10)), name="a{}.png")
    put("bad", *(photo(i, mode=mode) for i, mode in enumerate(("L", "RGBA", "P", "CMYK", "1"))), name="b{}.tif")
    Path("bad/readme.txt").write_text("hello")


def lonely():
    put("bad/many", *(photo(i) for i in range(30)))
    put("bad/one", photo(99))


def one_class():
    put("bad/cats", *(photo(i) for i in range(30)))


def one_label():
    np.savez("bad.npz", x=np.random.default_rng(0).integers(0, 255, (30, 8, 8), np.uint8), labels=np.zeros(30, int))


def copies():
    put("bad", *(photo(0) for _ in range(30)))


def single():
    put("bad", photo(0))


def broken():
    put("bad", *(photo(i) for i in range(30)))
    for i in range(3):
        Path(f"bad/broken{i}.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")


def one_broken():
    put("bad", *(photo(i) for i in range(30)))
    Path("bad/broken.jpg").write_bytes(b"")


def parts():
    for name in ("train", "test"):
        put(f"bad/{name}", *(photo(len(name) * 100 + i) for i in range(10)))


def plain():
    put("bad", *(photo(i) for i in range(10)), Image.new("RGB", (40, 32), "red"))


def empty():
    Path("bad").mkdir()


def zipped():
    with zipfile.ZipFile("bad.zip", "w") as archive:
        archive.writestr("notes.doc", b"hello")


def uneven():
    put("bad/many", *(photo(i) for i in range(60)))
    put("bad/few", *(photo(100 + i) for i in range(4)))


BAD = [(pdfs, "bad", 1, "There is no image, only other files: 3 .pdf. Give a folder or .zip of PNG"),
       (mixed, "bad", 0, "Sizes differ. All would be brought to "),
       (mixed, "bad", 0, "Modes differ (RGB, "),
       (mixed, "bad", 0, "Files that are not images are skipped: 1 .txt."),
       (lonely, "bad", 0, "1 class(es) have one image or none, such as 'one': too few to learn from."),
       (one_class, "bad", 0, "All images are in one folder, 'cats', so there are no classes."),
       (one_label, "bad.npz", 0, "There is only one class ('0'), so labels are useless."),
       (copies, "bad", 1, "All 30 images are the same, so there is nothing to learn."),
       (single, "bad", 1, "There is one image, and one image is not a data set."),
       (broken, "bad", 1, "3 of 33 images cannot be read. That is more than 1 in 20"),
       (one_broken, "bad", 0, "1 broken image(s), which a run would skip, such as broken.jpg (the file is empty)"),
       (parts, "bad", 0, "bad holds the parts of a data set, which are no classes: test (10), train (10). Give one of them"),
       (plain, "bad", 0, "1 image(s) are of one colour."),
       (plain, "bad", 0, "11 images are so few that they will be learned by heart"),
       (empty, "bad", 1, "There is no image and no other file."),
       (zipped, "bad.zip", 1, "There is no image, only other files: 1 .doc."),
       (uneven, "bad", 0, "Classes are uneven: 'many' has 60 images and 'few' 4.")]


@pytest.mark.parametrize(("count", "grey", "extra", "said"), [
    (1, False, True, "^$"), (2, False, True, "learned by heart"), (HANDFUL, True, False, "learned by heart"), (FEW, False, True, "^$"),
    (HANDFUL + 1, False, True, "few: .*augment=diff, which `images` chooses"), (FEW - 1, True, True, "few: .*augment=ada, which `images`"),
    (50, False, False, "few: .*augment=ada, which `images` chooses")])
def test_advice_for_few_images_is_what_images_chooses(count, grey, extra, said, monkeypatch):
    for place in ("sparring.data.images.findings", "sparring.recipes.images"):
        monkeypatch.setattr(f"{place}.installed", lambda: extra)
    told = too_few(count, grey=grey)
    assert re.search(said, told) and "\n" not in told
    if "augment" in told:
        space = Images(1 if grey else 3, 16, 16)
        source = Finite(space, torch.zeros(1, dtype=torch.uint8).expand(count, *space.shape))
        assert f"augment={RECIPES['images'].choices(source, ImagesSettings(), False)['augment'][0]}," in told


@pytest.mark.parametrize("make, source, code, wanted", BAD, ids=[f"{make.__name__}-{i}" for i, (make, *_) in enumerate(BAD)])
def test_bad_data_gets_a_plain_finding(make, source, code, wanted, shell):
    make()
    found = looked(shell, source)
    assert found["exit"] == code and found["usable"] == (code == 0)
    assert [line for line in found["findings"] if line.startswith(wanted)], found["findings"]


def test_a_table_of_labels_is_looked_at_too(shell):
    put("set", *[photo(i) for i in range(4)])
    Path("set/labels.csv").write_text("file,round,age\n0.png,1,20\n1.png,0,30\n2.png,yes,40\n3.png,no,50.5\n7.png,1,4\n")
    found = looked(shell, "set")
    assert found["several_labels"] == {"round": "2 of 4", "age": "20 to 50.5, mean 35.12"} and found["usable"]
    assert found["other_files"] == {} and any("1 row(s) for files that are not there, such as 7.png" in said for said in found["findings"])
    assert "round: 2 of 4" in shell("data", "set", "--out", "out").out
    said = shell("train", "images", "--data", "set", "steps=1", "batch=2", "width=4", "--out", "run").err
    assert "skipped" not in said and "rows for files that are not there, such as 7.png" in said
    Path("set/labels.csv").write_text("0.png,1\n1.png,0\n")
    found = looked(shell, "set")
    assert found["exit"] == 1 and "names no labels" in found["findings"][0]


def test_copies_are_told_before_training_and_nothing_else_is_refused(shell):
    put("copies", photo(0), photo(0), photo(1), photo(2))
    assert "1 images are exact copies" in shell("train", "images", "--data", "copies", "steps=1", "batch=2", "width=4", "--out", "a").err
    put("one", photo(0), photo(0), photo(0))
    said = shell("train", "images", "--data", "one", "steps=1", "batch=2", "width=4", "--out", "b")
    assert said.code == 2 and "all 3 images" in said.err and looked(shell, "one")["exit"] == 1
    put("classes/a", photo(0), photo(1))
    put("classes/b", photo(2))
    said = shell("train", "images", "--data", "classes", "steps=1", "batch=2", "width=4", "--out", "c").err
    assert "1 of these classes have one image, such as b" in said


def test_what_is_held_out_is_looked_at_too(shell):
    import gzip
    def write(path, values):
        head = bytes([0, 0, 8, values.ndim]) + b"".join(int(k).to_bytes(4, "big") for k in values.shape)
        Path(path).write_bytes(gzip.compress(head + values.tobytes()))
    Path("idx").mkdir()
    x = np.stack([np.asarray(photo(i, (28, 28), "L")) for i in range(40)])
    for name, rows in (("train", slice(0, 30)), ("t10k", slice(28, 40))):                    # two images are in both
        write(f"idx/{name}-images-idx3-ubyte.gz", x[rows])
        write(f"idx/{name}-labels-idx1-ubyte.gz", (np.arange(40) % 2).astype(np.uint8)[rows])
    found = looked(shell, "idx")
    assert (found["images"], found["held_out"], found["exact_duplicates"]) == (42, 12, 2)
    assert found["duplicate_names"] == [["28", "held out 0"], ["29", "held out 1"]]
    assert any(line.startswith("2 of these duplicates are in different classes or parts") for line in found["findings"])


def test_numbers_are_looked_at_too(shell):
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    x[:, 1], x[7] = 2.0, x[3]
    np.save("x.npy", x)
    found = looked(shell, "x.npy")
    assert (found["kind"], found["samples"], found["columns"], found["constant_columns"], found["exact_duplicates"]) == \
        ("numbers", 50, 3, [1], 1)
    assert len(found["findings"]) == 2 and Path("out/contact.png").exists()
    assert looked(shell, "ring")["samples"] is None


def test_what_is_not_there_is_wrong_input(shell):
    said = shell("data", "nowhere")
    assert said.code == 2 and "there is no such file or folder" in said.err
    Path("x.zip").write_bytes(b"PK nothing")
    assert shell("data", "x.zip").code == 2
    Path("file").write_text("")
    put("good", *(photo(i) for i in range(3)))
    said = shell("data", "good", "--out", "file/sheets")
    assert said.code == 2 and "Give another --out" in said.err


def test_two_looks_say_the_same(shell):
    put("set", *(photo(i) for i in range(12)))
    first = looked(shell, "set")
    sheet = Path("out/contact.png").read_bytes()
    assert looked(shell, "set") == first and Path("out/contact.png").read_bytes() == sheet
    buffer = io.BytesIO(sheet)
    with Image.open(buffer) as image:
        assert image.format == "PNG"
