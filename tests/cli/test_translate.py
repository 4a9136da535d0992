"""`sparring train` and `sparring translate` as a person uses them: two data, an interruption, a changed mind."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from made import folder, saved
from shell import Shell


@pytest.fixture
def shell(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch, capsys)


FAST = ["width=4", "blocks=1", "threads=1", "batch=2", "show_every=1000000", "score_every=1000000", "log_every=1", "save_every=2"]


def sets(path):
    rng = np.random.default_rng(0)
    return folder(path, {f"{name}/{i}.png": saved((shift + rng.integers(0, 90, (16, 16, 3))).astype(np.uint8))
                         for name, shift in (("horses", 0), ("zebras", 160)) for i in range(5)})


def test_two_folders_are_trained_on_translated_and_repeated(shell, tmp_path):
    data = sets(tmp_path / "data")
    words = ["train", "cyclegan", "--data", data / "horses", "--data", data / "zebras", "--steps", 3, "size=16", *FAST]
    said = shell(*words)
    assert said.code == 0, said.err
    assert "sparring translate runs/cyclegan-horses-zebras IMAGES --out DIR --to zebras" in said.out
    assert "is finished" in shell(*words).out
    config = json.loads((tmp_path / "runs/cyclegan-horses-zebras/config.json").read_text())
    assert config["data"] == [str(data / "horses"), str(data / "zebras")]
    said = shell("translate", "runs/cyclegan-horses-zebras", data / "horses", "--to", "zebras", "--out", "made", "--json").json()
    assert said["n"] == 5 and said["to"] == "zebras"
    with Image.open("made/3.png") as picture:
        assert picture.size == (16, 16)
    unclear = shell("translate", "runs/cyclegan-horses-zebras", data / "horses", "--out", "made")
    assert unclear.code == 2 and "say which: horses, zebras" in unclear.err
    again = shell("rerun", "runs/cyclegan-horses-zebras")
    assert again.code == 0 and "Identical" in again.out, again.err
    assert shell("sample", "runs/cyclegan-horses-zebras").code == 2
    for real in ([], ["--real", data / "horses", "--real", data / "zebras"]):
        said = shell("evaluate", "runs/cyclegan-horses-zebras", *real, "--metrics", "cycle_l1")
        assert said.code == 0 and ("the data that were given" if real else "training images: none") in said.out, said
    assert "2 data sets are given" in shell("evaluate", "--real", data, "--real", data, "--generated", data).err
    said = shell(*({3: 6, "size=16": "size=24"}.get(word, word) for word in words), "--fork", "larger")
    assert said.code == 2 and "size: 16x16 -> 24x24" in said.err and not Path("larger").exists(), said
    Path(data / "horses/9.png").write_bytes(Path(data / "horses/1.png").read_bytes())
    assert "the data changed since" in shell("evaluate", "runs/cyclegan-horses-zebras", "--metrics", "cycle_l1").out


def test_other_data_than_a_recipe_reads_is_refused(shell, tmp_path):
    data = sets(tmp_path / "data")
    assert shell("train", "gan", "--data", data / "horses", "--data", data / "zebras").code == 2
    said = shell("train", "pix2pix", "--data", "ring")
    assert said.code == 2 and "ring" in said.err
    assert "holds: horses, zebras" not in shell("train", "stargan", "--data", data, "--steps", 1, "size=16", *FAST).err


def test_show_needs_no_data(shell):
    for recipe in ("pix2pix", "cyclegan", "stargan"):
        said = shell("show", recipe, "--json").json()
        assert [turn["player"] for turn in said["turns"]] and "flip" in [row["name"] for row in said["data_settings"]]


def test_a_report_on_a_translator_asks_for_nothing_that_it_cannot_have(shell):
    assert shell("train", "cyclegan", "--data", "shapes", "--steps", 2, "--out", "run", *FAST).code == 0
    assert shell("report", "run").code == 0
    page = Path("run/report.html").read_text()
    assert "A translator does not sample from noise" in page and "translators and runs of old versions have none" in page
    assert "--real." not in page and "log 4" not in page
