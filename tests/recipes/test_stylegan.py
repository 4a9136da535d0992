"""The recipe `stylegan`: that it learns, what it chooses and refuses, and truncation in W."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

import sparring
from conftest import small_images
from made import refused
from shell import Shell
from sparring.data.source import Finite
from sparring.errors import InputError
from sparring.evaluation.inversion import where
from sparring.game.processes import ProcessGroup
from sparring.recipes import stylegan
from sparring.recipes.stylegan import StyleganSettings
from sparring.setup.sharing import refuse_uneven
from sparring.spaces import Images
from untrained import untrained

FEW = {"steps": 2, "batch": 4, "width": 4, "latent": 8, "threads": 1, "precision": "fp32", "compile": "off"}


@pytest.fixture(scope="module")
def model() -> sparring.Model:
    rarely = {"score_every": 1000, "show_every": 1000, "check_every": 1000, "precision": "fp32", "compile": "off", "threads": 1}
    return sparring.fit("stylegan", small_images(200), steps=80, batch=16, width=8, latent=8, lr=0.01, ema=0.9, augment="none", **rarely)


def test_it_learns_classes(model):
    dark, bright = (model.sample(64, labels=name).mean().item() for name in model.labels)
    assert dark == pytest.approx(30 / 127.5 - 1, abs=0.25)
    assert bright == pytest.approx(180 / 127.5 - 1, abs=0.25)


def test_psi_draws_samples_together(model):
    whole, half, none = (model.sample(12, seed=3, truncation=psi) for psi in (1.0, 0.5, 0.0))
    assert torch.equal(whole, model.sample(12, seed=3))
    assert torch.allclose(none, none[:1].expand_as(none), atol=1e-5)
    assert (half - none).abs().mean() < (whole - none).abs().mean()
    z = model.latents(12, seed=3)
    assert torch.equal(model.generate(z, truncation=0.5), half)


def test_a_saved_model_keeps_its_mean_style(model, tmp_path):
    kept = sparring.load(model.save(tmp_path / "model"))
    assert torch.equal(kept.sample(3, truncation=0.4), model.sample(3, truncation=0.4))


@pytest.mark.parametrize("psi", [-0.1, 1.2, math.nan, "much"])
def test_psi_is_between_nothing_and_all(model, psi):
    refused("truncated in W, .* a number from 0 to 1", model.sample, 2, truncation=psi)


def test_latents_stay_as_they_are(model):
    refused("its latents stay as they are. Leave it out here", model.latents, 2, truncation=0.5)


def test_without_a_mean_there_is_no_truncation():
    fresh = untrained("stylegan", Images(1, 8, 8))
    refused("this model has none yet", fresh.sample, 2, truncation=0.5)
    assert torch.equal(fresh.sample(2, truncation=1), fresh.sample(2))


def test_the_command_says_which_kind_of_truncation_it_is(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shell = Shell(monkeypatch, capsys)
    model.save("styles")
    said = shell("sample", "styles", "-n", 4, "--truncation", 0.7, "--out", "cut.npy")
    assert said.code == 0 and "truncation 0.7 in W" in said.out
    assert shell("sample", "styles", "-n", 4, "--truncation", 2, "--out", "cut.npy").code == 2
    assert shell("explore", "styles", "--directions", 1, "--steps", 2, "--truncation", 0.5, "--out", "page").code == 0
    page = (tmp_path / "page" / "index.html").read_text()
    assert "Truncation in W" in page and "0.5 of their distance" in page


def test_styles_draw_mix_and_are_passed_through(model):
    z = model.latents(3, seed=1)
    w = model.styles(z)
    assert torch.allclose(model.draw(w), model.generate(z), atol=1e-5)
    assert torch.allclose(model.draw(model.styles(z, truncation=0.5)), model.generate(z, truncation=0.5), atol=1e-5)
    grid, layers = model.mix(w[:2], w, at=1), model.game.generator.synthesis.count
    assert grid.shape == (2, 3, *model.space.shape)
    assert torch.allclose(grid[[0, 1], [0, 1]], model.draw(w[:2]), atol=1e-5)
    way = model.interpolate_styles(w, steps=4)
    assert len(way) == 7 and torch.allclose(way[[0, 3, 6]], model.draw(w), atol=1e-5)
    refused(f"has {layers} layers. Give the first one", model.mix, w, w, at=layers)
    refused(f"{layers + 3} styles a sample, and this generator has {layers} layers", model.draw, w[:, None].expand(-1, layers + 3, -1))


def test_styles_of_another_model_are_refused(model):
    other = untrained("stylegan", Images(1, 8, 8), latent=12)
    refused("whose styles are 8 numbers.*another model cannot be used", model.mix, model.styles(model.latents(2)),
            other.styles(other.latents(2)))
    refused("has no styles", untrained("gan", Images(1, 8, 8)).mix, torch.zeros(1, 8), torch.zeros(1, 8))
    refused("none yet", other.styles, other.latents(2), truncation=0.5)


def test_pictures_are_found_in_w_and_nearer_in_w_plus(model):
    x, told = model.sample(4, seed=9), list[int]()
    in_w, in_w_plus = (model.invert_styles(x, plus=plus, steps=40, watch=lambda done, total: told.append(done)) for plus in (False, True))
    assert in_w.styles.shape == (4, 8) and in_w_plus.styles.shape == (4, model.game.generator.synthesis.count, 8)
    assert in_w_plus.error.mean() < (x - x.mean(0)).square().mean().sqrt()
    assert torch.equal(in_w.labels, model.labels_for(4)) and told == [4 * step for step in range(1, 41)] * 2
    assert torch.allclose(model.draw(in_w_plus.styles), in_w_plus.samples, atol=1e-5)
    assert torch.equal(model.invert_styles(x[:1], labels=model.labels[1], steps=1).labels, torch.tensor([1]))
    refused("are not like this model's: expected float.n, 1, 8, 8.", model.invert_styles, torch.zeros(1, 1, 9, 8))


def test_explore_inverts_into_w_plus_unless_told_otherwise(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sparring.evaluation.inversion.IN_W", 2)
    monkeypatch.setattr("sparring.evaluation.inversion.STEPS", 2)
    shell = Shell(monkeypatch, capsys)
    model.save("styles")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save("dark.png")
    few = ("explore", "styles", "--directions", 1, "--steps", 2, "--invert", "dark.png")
    found = shell(*few, "--json").json()["inversions"][0]
    assert found["space"] == "w+" and len(found["styles"][0]) == model.game.generator.synthesis.count
    assert "inversion in W+" in shell(*few).out and "(the space W+)" in (tmp_path / "styles/explore/index.html").read_text()
    assert "latents" in shell(*few, "--space", "z", "--json").json()["inversions"][0]
    for words, said in ((("--space", "y"), "inversion looks in z, w or w+"), (("--invert", "missing.png"), "missing.png")):
        answer = shell(*few, *words)
        assert answer.code == 2 and said in answer.err
    answer = shell("explore", "styles", "--space", "w")
    assert answer.code == 2 and "--space w belongs to --invert" in answer.err


def test_there_is_no_w_without_styles():
    refused("--space w\\+ is for models with styles", where, untrained("gan", Images(1, 8, 8)), "w+")


@pytest.mark.parametrize(("data", "said"), [
    (np.random.default_rng(0).integers(0, 256, (20, 6, 9, 1), np.uint8), "sides of at least 8 pixels, and these are of 6x9"),
    (np.zeros((1, 8, 8, 1), np.uint8), "one image"), (np.zeros((50, 3)), "cannot train on data of this kind")])
def test_what_it_cannot_draw_is_refused(data, said):
    refused(said, sparring.fit, "stylegan", data=data, **FEW)


@pytest.mark.parametrize("channels,height,width", [(1, 9, 17), (3, 37, 53), (4, 8, 12)])
def test_any_size_trains(channels, height, width):
    images = torch.randint(0, 255, (12, channels, height, width), dtype=torch.uint8)
    assert sparring.fit("stylegan", Finite(Images(channels, height, width), images), **FEW).sample(2).shape == (2, channels, height, width)


def chosen(count, side, fast=False, **given):
    source = Finite(Images(1, side, side), torch.zeros(count, 1, side, side, dtype=torch.uint8))
    found = stylegan.choices(source, StyleganSettings(**given), fast)
    assert all(reason for _, reason in found.values())
    return {name: value for name, (value, _) in found.items()}


@pytest.mark.parametrize(("asked", "expected"), [
    ((50, 32), {"batch": 32, "width": 32, "depth": 2, "gamma": 0.0064, "ema": 0.99778, "augment": "ada"}),
    ((20, 32), {"batch": 20, "gamma": 0.01024}), ((50, 64), {"batch": 16, "width": 16, "gamma": 0.0512}),
    ((50, 64, True), {"batch": 32, "width": 64}), ((30_000, 8), {"augment": "none"})], ids=str)
def test_what_it_chooses(asked, expected):
    assert expected.items() <= chosen(*asked).items()


def test_what_it_chooses_beside_a_batch_of_ones_own():
    assert chosen(50, 32, batch=8)["gamma"] == 0.0256 and chosen(50, 32, batch=8)["ema"] == 0.99945


def test_large_images_take_more_layers_and_less_width():
    assert chosen(2, 256, fast=True) | {"batch": 0} == chosen(2, 256, fast=True, batch=2) | {"batch": 0}
    assert chosen(2, 256, fast=True)["depth"] == 8 and chosen(2, 256)["width"] == 16


def test_no_psi_where_there_are_no_styles():
    with pytest.raises(InputError, match="above 0"):
        untrained("gan", Images(1, 8, 8)).sample(2, truncation=0)


def test_processes_have_whole_groups_of_neighbours():
    refused("6 samples, not a multiple of group=4. Try batch=8",
            refuse_uneven, StyleganSettings(batch=12), {}, lambda: "cpu", ProcessGroup(0, 2))
    refuse_uneven(StyleganSettings(batch=16), {}, lambda: "cpu", ProcessGroup(0, 2))
