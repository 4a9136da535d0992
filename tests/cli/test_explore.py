"""The command `explore`: one page that needs no network, its pictures, and the way back from images; and what goes wrong."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sparring
from conftest import SOURCES
from shell import Shell
from sparring.cli.explore import room
from sparring.pictures.traversals import frames, small
from sparring.spaces import Images, Vectors, to_uint8
from untrained import untrained

FEW = ("--steps", 3, "--directions", 2)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """Conditional images with their data, points in the plane, and a translator, as they are before training."""
    folder = tmp_path_factory.mktemp("runs")
    source = SOURCES["images"]
    np.savez(folder / "images.npz", x=source.values[:, 0].numpy(), y=np.array(source.space.labels)[source.labels])
    np.save(folder / "points.npy", np.zeros((3, 2), np.float32))
    untrained("gan", SOURCES["images"].space, data="images.npz").save(folder / "pictures")
    untrained("gan", Vectors((0.0, 5.0), (1.0, 2.0)), data="ring").save(folder / "points")
    untrained("pix2pix", SOURCES["pairs"].space).save(folder / "translator")
    for name, image in zip("ab", to_uint8(source.at(torch.arange(2)).x), strict=True):
        (folder / "given").mkdir(exist_ok=True)
        Image.fromarray(image[0].numpy()).save(folder / "given" / f"{name}.png")
    with Image.new("RGBA", (20, 12), (200, 10, 10, 128)) as other:
        other.save(folder / "given" / "c.png")
    return folder


@pytest.fixture
def shell(runs, tmp_path, monkeypatch, capsys) -> Shell:
    shutil.copytree(runs, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch, capsys)


def test_a_page_with_sliders_that_asks_no_network(shell, monkeypatch) -> None:
    monkeypatch.setattr("sparring.evaluation.inversion.STEPS", 3)
    said = shell("explore", "pictures", "--invert", "given", *FEW, "--json")
    assert said.code == 0, said.err
    found = said.json()
    page = Path("pictures/explore/index.html").read_text()
    assert not re.search(r"""(src|href)=["'](?!data:)|https?://|@import|url\(""", page)
    assert page.count('type="range"') == 2 + 2 + 1 + 1          # directions by two methods, ways, truncation
    assert len(page) < 10_000_000
    assert {Path(p).stem for p in found["pictures"]} == {"closed_form", "pca", "interpolation", "truncation", "inversion"}
    assert all(Path(p).stat().st_size > 200 for p in found["pictures"])
    closed = found["directions"]["closed_form"]
    assert closed["layer"] == "first" and len(closed["shares"]) == 2 and len(closed["vectors"][0]) == found["latent"] == 32
    given, *beside = found["inversions"]
    assert given["samples"] == ["a.png", "b.png", "c.png"] and len(given["errors"]) == 3 and len(given["errors"][0]) == 4
    assert [one["samples"] for one in beside] == [["generated"], ["training"]]
    assert given["nearest_training_sample"][:2] == [0, 0] and min(beside[1]["nearest_training_sample"]) > 0
    assert any("c.png has 12x20 pixels and was scaled" in note for note in found["notes"])


def test_a_perceptual_distance_stands_beside_errors_where_it_is_minimized(shell, monkeypatch) -> None:
    monkeypatch.setattr("sparring.evaluation.inversion.STEPS", 1)
    monkeypatch.setattr("sparring.evaluation.inversion.STARTS", 1)
    said = shell("explore", "pictures", "--invert", "given", "--perceptual", 0.1, *FEW, "--json")
    assert said.code == 0, said.err
    found = said.json()
    assert len(found["inversions"][0]["perceptual"]) == 3
    page = Path("pictures/explore/index.html").read_text()
    assert f"{found['inversions'][0]['perceptual'][0][0]:.4f}" in page and "by another such network" in page


def test_the_same_seed_gives_the_same_page(shell) -> None:
    pages = []
    for out, seed in (("x", 0), ("y", 0), ("z", 1)):
        assert shell("explore", "pictures", "--out", out, "--label", "bright", "--truncation", 0.7, *FEW, "--seed", seed).code == 0
        pages.append(Path(out, "index.html").read_bytes())
    assert pages[0] == pages[1] != pages[2]
    assert b"All samples are of class bright" in pages[0] and b"none larger than 0.7" in pages[0]


def test_numbers_are_explored_too(shell, monkeypatch) -> None:
    monkeypatch.setattr("sparring.evaluation.inversion.STEPS", 3)
    said = shell("explore", "points", "--invert", "points.npy", "--steps", 2, "--directions", 1, "--json")
    assert said.code == 0, said.err
    found = said.json()
    assert len(found["inversions"][0]["errors"]) == 3 and any("generated and never repeated" in note for note in found["notes"])
    assert Path("points/explore/closed_form.png").exists()


def test_sample_takes_a_truncation(shell) -> None:
    assert shell("sample", "points", "-n", 5, "--truncation", 0.5, "--out", "cut.npy").code == 0
    assert np.array_equal(np.load("cut.npy"), sparring.load("points").sample(5, truncation=0.5).numpy())


@pytest.mark.parametrize("words,told", [
    ("nowhere", "there is nothing at nowhere"),
    ("translator", "this model translates images and has no latent vector"),
    ("pictures --steps 1", "steps=1: moving along a direction takes at least two"),
    ("pictures --truncation 0", "truncation=0.0: .* above 0"),
    ("pictures --reach 0", "reach=0.0"),
    ("pictures --perceptual 0.1", "--perceptual 0.1 belongs to --invert"),
    ("points --perceptual 0.1 --invert points.npy", "samples are numbers. Leave it out"),
    ("pictures --directions 33", "a latent of 32 numbers has from 1 to 32"),
    ("pictures --steps 100000", "would be larger than 10 MB. Give fewer --steps"),
    ("pictures --label brigth", "no class 'brigth'. Did you mean 'bright'"),
    ("pictures --invert nowhere.png", "nowhere.png"),
    ("pictures --invert images.npz", "neither an image, a folder nor a .zip"),
    ("pictures --invert broken", "no image to invert in broken"),
    ("points --invert wide.npy", r"holds samples of shape \(3,\), and this model has \(2,\)"),
    ("points --label x", "trained without classes"),
    ("pictures --out images.npz", "images.npz cannot be written"),
])
def test_mistakes_are_told_in_a_line(shell, words, told) -> None:
    Path("broken").mkdir()
    Path("broken", "x.png").write_bytes(b"no image")
    np.save("wide.npy", np.zeros((4, 3), np.float32))
    said = shell("explore", *words.split())
    assert said.code == 2 and re.search(told, said.err), said.err
    assert not Path("pictures/explore").exists() and not Path("points/explore").exists()


def test_frames_stay_small(tmp_path) -> None:
    assert room(SOURCES["images"].space, 1000) == (8, 8)
    for size in (64, 128, 512):                                 # what the command does unless told otherwise
        rows, side = room(Images(3, size, size), 142)
        assert rows >= 2 and 64 <= side <= 128 and 142 * rows * 3 * side**2 <= 4_500_000
    assert small(torch.zeros(1, 3, 512, 300), 128).shape == (1, 3, 128, 75)
    for space, n in ((SOURCES["curves"].space, 15), (SOURCES["density"].space, 1)):
        shots = frames(space, torch.randn(2, 3, n), tmp_path, str(n), 8, 128)
        assert [p.name for p in shots] == [f"{n}-000.png", f"{n}-001.png"]
        assert all(1000 < p.stat().st_size < 20_000 for p in shots) and shots[0].read_bytes() != shots[1].read_bytes()


def test_of_a_model_with_styles_they_are_mixed_moved_and_walked_through(shell, tmp_path):
    untrained("stylegan", SOURCES["images"].space, latent=6).save(tmp_path / "model")
    said = shell("explore", "model", *FEW, "--out", "page", "--json")
    assert said.code == 0, said.err
    found = said.json()
    names = {Path(picture).name for picture in found["pictures"]}
    assert {"mixing.png", "style-styles.png", "style-components.png", "style-ways.png"} <= names
    assert all(len(of["vectors"]) == 2 and len(of["vectors"][0]) == 6 for of in found["styles"].values())
    assert "Style mixing" in (tmp_path / "page" / "index.html").read_text()
