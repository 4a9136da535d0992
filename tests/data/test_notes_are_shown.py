"""What is left out or assumed on reading data reaches whoever trains, looks, evaluates or translates."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

import sparring
from shell import Shell
from small_sets import GAUSS, KINDS, SHADES, arrays, grey, icons, numbers, pets, put, text
from sparring.data import open_source
from sparring.errors import InputError
from sparring.setup.announced import announced
from sparring.setup.request import Request, resolve


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


FAST = {"steps": 2, "batch": 4, "width": 4, "threads": 1, "precision": "fp32"}


def test_all_four_show_it(monkeypatch, capsys):
    pets()
    put("d", 1)
    shell, wanted = Shell(monkeypatch, capsys), "left out: 000.png"
    assert wanted in shell("train", "gan", "--data", "d", "--out", "run", *(f"{k}={v}" for k, v in FAST.items())).err
    said = shell("data", "d", "--out", "sheet")
    assert wanted in said.out and said.code == 0
    assert wanted in shell("evaluate", "run", "--metrics", "kid", "--n", "4").out
    assert wanted in shell("evaluate", "--real", "d", "--generated", "d", "--metrics", "kid").out
    with pytest.warns(UserWarning, match=wanted):
        sparring.fit("gan", "d", **FAST)


def test_who_watches_is_told_every_note_and_nobody_is_warned():
    pets()
    put("d", 1)
    source, said = open_source("d"), []
    announced(SimpleNamespace(source=source, notes=()), said.append)
    assert said == list(source.notes)


@pytest.mark.parametrize("make, where, code, wanted", [
    (lambda: grey(SHADES[..., 0].astype(np.uint16) * 16), "d", 0, "Values use a sliver of their range: .*12 bits in 16"),
    (lambda: np.save("d.npy", SHADES.astype(np.uint16) * 16), "d.npy", 0, "values use a sliver of their range: .*12 bits in 16|Values use"),
    (lambda: (put("d", 6, (20, 40)), put("d", 6, (40, 20), begin=6)), "d", 0, "50% of an image is cut off"),
    (lambda: (put("d/train"), put("d/test")), "d", 0, "--data d/train or --data d/test"),
    (lambda: [put(f"d/{name}") for name in ("trainA", "trainB")], "d", 0, "cyclegan, stargan. take the parts as they are"),
    (lambda: (pets(), put("d", 8)), "d", 1, "8 loose ones beside"),
    (icons, "d", 1, "20 of them are transparent and were laid on white: see whether alpha=black"),
    (lambda: numbers(GAUSS, KINDS), "d.npy", 0, "Taken for measurements"),
])
def test_a_look_finds_it(make, where, code, wanted, monkeypatch, capsys):
    make()
    said = Shell(monkeypatch, capsys)("data", where, "--out", "sheet")
    assert said.code == code and re.search(wanted, said.out), said.out + said.err


def test_a_refusal_says_what_was_done_on_reading():
    icons()
    with pytest.raises(InputError, match=r"all 20 images are the same.* On reading: 20 images have transparency, .*; alpha=black"):
        resolve(Request("gan", "d", {"batch": 4}))
    assert resolve(Request("gan", "d", {"batch": 4, "alpha": "black"})).source.values.float().std() > 0
    arrays(x=SHADES, target=KINDS / 3)
    with pytest.raises(InputError, match=r"this data has none.* On reading: .*target holds decimal numbers"):
        resolve(Request("gan", "d.npz", {"batch": 4, "conditional": True}))


@pytest.mark.parametrize("recipe, folders, wanted", [
    ("cyclegan", "trainA trainB testA testB valA valB", "not used: 12 images of val"),
    ("stargan", "train/a train/b test/a test/b val/a val/b", "not used: 12 images of val"),
    ("cyclegan", "A B", r"1 files that are not images were skipped \(1 .txt\)"),
    ("cyclegan", "A B", "not read: labels.csv, since only images"),
])
def test_translators_say_it_too(recipe, folders, wanted):
    for name in folders.split():
        put(f"d/{name}")
    text("d/notes.txt")
    text("d/labels.csv", "file,x\n")
    source = resolve(Request(recipe, "d", {"batch": 2, "size": 8})).source
    assert [note for note in source.odd if re.search(wanted, note)], source.odd
    assert set(source.odd) <= set(source.notes)


def test_a_folder_beside_train_is_no_domain():
    for name in ("train/a", "train/b", "extra"):
        put(f"d/{name}")
    with pytest.raises(InputError, match=r"d holds extra beside train\. If it is a domain"):
        resolve(Request("stargan", "d", {"batch": 2, "size": 8}))
