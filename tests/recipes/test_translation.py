"""Translators: the pool, the three fits, the command, and that each system learns."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import sparring
from conftest import small_pairs
from made import folder, refused, saved
from sparring.cli.translate import translate as command
from sparring.data.builtin.scenes import LIT, TINTS, read_flat, read_rendered
from sparring.data.source import Finite
from sparring.data.translation.sets import TwoSets
from sparring.errors import RunFailed
from sparring.game import Translation
from sparring.game.translate import places, target, translate
from sparring.metrics import lite1
from sparring.metrics.translated import l1, label_accuracy
from sparring.objectives.pool import Pool
from sparring.recipes import RECIPES
from sparring.settings import make
from sparring.spaces import Images, TwoDomains

CPU = torch.device("cpu")


# ------------------------------------------------------------------------------------------------------ the pool
def test_a_pool_fills_and_then_exchanges_half():
    pool, seen = Pool(50, (1, 1, 1), CPU), []
    torch.manual_seed(0)
    for i in range(2050):
        new = torch.full((1, 1, 1, 1), float(i))
        out = pool.exchange(new).item()
        assert out == i if i < 50 else 0 <= out <= i
        seen.append(out == i)
    assert sum(seen[50:]) / 2000 == pytest.approx(0.5, abs=0.04)
    drawn = pool.drawn(500)
    assert drawn.shape == (500, 1, 1, 1) and 40 < len(drawn.unique()) <= 50
    assert set(drawn.unique().tolist()) <= set(pool.images.flatten().tolist())
    again = Pool(50, (1, 1, 1), CPU)
    again.load_state_dict(pool.state_dict())
    assert torch.equal(again.images, pool.images) and again.held == 50
    for wrong in ({}, {"images": 3}, {"images": torch.zeros(2, 3, 1, 1)}):
        with pytest.raises(RunFailed, match="pool have another size than this run's"):
            again.load_state_dict(wrong)


# ------------------------------------------------------------------------------------------------------ the fits
def darker(x, to, live=False, noisy=False):
    return x / 2 - 0.25


SIMPLE = Translation(("night",), (Images(3, 16, 16),), (Images(3, 16, 16),), darker, least=8)


@settings(deadline=None, max_examples=40)
@given(st.integers(16, 90), st.integers(16, 90))
def test_tiles_cover_every_pixel(height, width):
    x = torch.rand(1, 3, height, width) * 2 - 1
    assert torch.allclose(translate(SIMPLE, x, 0, "tile"), darker(x, 0), atol=1e-6)
    at = places(height, 16)
    assert at[0] == 0 and at[-1] == height - 16 and all(0 < b - a <= 12 for a, b in pairwise(at))


def test_images_of_any_size_are_translated():
    x = torch.rand(2, 3, 50, 20) * 2 - 1
    for fit in ("resize", "tile", "whole"):
        assert translate(SIMPLE, x, 0, fit).shape == x.shape
    same = torch.rand(2, 3, 16, 16)
    assert torch.equal(translate(SIMPLE, same, 0), darker(same, 0))
    refused("smaller than the tiles of 16", translate, SIMPLE, x[..., :9], 0, "tile")
    refused("smaller than the networks' 8x8", translate, SIMPLE, x[..., :7], 0, "whole")
    refused("expected float", translate, SIMPLE, x[:, :1], 0)
    refused("there is no domain 'nigth'. Did you mean 'night'", target, SIMPLE, "nigth")


# --------------------------------------------------------------------------------------------------- the command
@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "pix2pix"
    model = sparring.fit("pix2pix", data=small_pairs(), steps=3, width=4, threads=1, out=out)
    return out, model


def test_files_folders_and_zips_are_translated(run, tmp_path):
    out, model = run
    values = np.random.default_rng(0).integers(0, 255, (20, 24), dtype=np.uint8)
    data = folder(tmp_path / "in", {"x/1.png": saved(values), "2.jpg": saved(values, "JPEG"), "bad.png": b"nothing"})
    alone = folder(tmp_path, {"3.png": saved(values)}) / "3.png"
    result = command(out, [data, alone], tmp_path / "out", None, "resize", None)
    assert result["n"] == 3 and result["to"] == "colour" and "bad.png" in result["skipped"][0]
    with Image.open(tmp_path / "out/x/1.png") as picture:
        made = np.asarray(picture)
    assert made.shape == (20, 24, 3)
    x = torch.from_numpy(values.copy())[None, None].float() / 127.5 - 1
    expected = model.translate(x)[0].add(1).mul(127.5).round().byte().permute(1, 2, 0).numpy()
    assert np.array_equal(made, expected)
    assert torch.equal(model.translate(x, seed=1), model.translate(x, seed=1))
    assert not torch.equal(model.translate(x, seed=1), model.translate(x))


def test_wrong_translations_are_refused(run, tmp_path):
    out, model = run
    data = folder(tmp_path / "in", {"1.png": saved(np.zeros((16, 16), np.uint8)), "2.jpg": saved(np.zeros((16, 16), np.uint8), "JPEG")})
    refused("would overwrite the input", command, out, [data], data, None, "resize", None)
    assert (data / "1.png").read_bytes() == saved(np.zeros((16, 16), np.uint8))
    refused("Domains: colour", command, out, [data], tmp_path / "out", "gray", "resize", None)
    refused("1.png and another 1.png would both be written to", command, out, [data, data], tmp_path / "out", None, "resize", None)
    refused("belongs to a run", command, out, [data], out / "model" / "mine", None, "resize", None)
    refused("there is no file or folder", command, out, [tmp_path / "nowhere"], tmp_path / "out", None, "resize", None)
    refused("this model does not sample from noise", model.sample, 3)
    refused("generates samples and cannot translate", sparring.fit("gan", steps=1, width=4).translate, torch.zeros(1, 3, 8, 8))


def test_nothing_but_translations_is_written_over(run, tmp_path):
    """Not an original behind a link, nor anybody's picture; and an interrupted one leaves neither half a picture nor a claim."""
    out, _ = run
    originals = folder(tmp_path / "originals", {"1.png": saved(np.zeros((16, 16), np.uint8))})
    (tmp_path / "links").mkdir()
    (tmp_path / "links/1.png").symlink_to(originals / "1.png")
    refused("would overwrite the input", command, out, [tmp_path / "links"], originals, None, "resize", None)
    other = folder(tmp_path / "other", {"1.png": saved(np.ones((9, 9), np.uint8))})
    refused("exists and is not an earlier translation", command, out, [originals], other, None, "resize", None)
    assert (other / "1.png").read_bytes() == saved(np.ones((9, 9), np.uint8))
    for inside in (out, out / "samples", out / "model"):
        refused("belongs to a run or a model. Give another --out", command, out, [originals], inside, None, "resize", None)
    assert command(out, [originals], out / "translated", None, "resize", None)["n"] == 1       # a folder of its own, it may be
    for _ in range(2):                                          # its own, it may
        assert command(out, [originals], tmp_path / "made", None, "resize", None)["n"] == 1


def test_an_interruption_says_how_far_it_came(run, tmp_path, monkeypatch):
    out, _ = run
    data = folder(tmp_path / "in", {f"{i}.png": saved(np.zeros((16, 16), np.uint8)) for i in range(3)})

    def save(image, path, **options):
        if path.name.endswith("1.png"):
            path.write_bytes(b"half a picture")
            raise KeyboardInterrupt
        whole(image, path, **options)

    whole = Image.Image.save
    monkeypatch.setattr(Image.Image, "save", save)
    with pytest.raises(RunFailed, match="stopped; 1 of 3 translations are in"):
        command(out, [data], tmp_path / "made", None, "resize", None)
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["0.png"]


def test_a_half_of_a_pair_is_translated_when_asked_for(run, tmp_path):
    out, model = run
    values = np.concatenate([np.full((16, 16), 30, np.uint8), np.full((16, 16), 200, np.uint8)], 1)
    data = folder(tmp_path / "in", {"1.png": saved(values)})
    assert "--half left or --half right" in command(out, [data], tmp_path / "both", None, "resize", None)["text"]
    result = command(out, [data], tmp_path / "right", None, "resize", None, "right")
    assert "--half" not in result["text"]
    with Image.open(tmp_path / "right/1.png") as picture:
        made = np.asarray(picture)
    expected = model.translate(torch.full((1, 1, 16, 16), 200 / 127.5 - 1))[0].add(1).mul(127.5).round().byte().permute(1, 2, 0).numpy()
    assert np.array_equal(made, expected)
    odd = folder(tmp_path / "odd", {"1.png": saved(np.zeros((16, 31), np.uint8))})
    refused("31 pixels wide, so its halves differ", command, out, [odd], tmp_path / "o", None, "resize", None, "left")
    refused("--half rigth: expected left or right. Did you mean 'right'", command, out, [data], tmp_path / "o", None, "resize", None,
            "rigth")
    refused("--fit stretch: expected resize or tile or whole", command, out, [data], tmp_path / "o", None, "stretch", None)


def test_a_translator_is_evaluated_by_what_its_data_allow(run, monkeypatch):
    _, model = run
    pairs = small_pairs()
    found = sparring.evaluate(model, real=pairs)
    examples = pairs.examples(1000, 0)
    assert found["metrics"].keys() == {"l1", "psnr", "ssim", "perceptual(lite1)"} and "ask for it" in found["left_out"]["kid"]
    assert sparring.evaluate(model, real=pairs, metrics="kid", features="pixels")["metrics"].keys() == {"kid(pixels)"}
    l1_found = found["metrics"]["l1"]
    assert l1_found["value"] == pytest.approx(l1(model.translate(examples.a), examples.b), rel=1e-4)
    assert l1_found["low"] < l1_found["value"] < l1_found["high"] and l1_found["protocol"]["split"] == "the data that were given"
    assert sparring.evaluate(model, real=pairs, metrics="l1")["metrics"].keys() == {"l1"}
    monkeypatch.setattr("sparring.evaluation.translations.run", None)           # refused before anything is translated
    refused("content is for sets without pairs. Leave", sparring.evaluate, model, real=pairs, metrics=["kid", "content", "l1"])
    refused("measured at the size of training", sparring.evaluate, model, real=pairs, size="16")
    refused("no metric 'snr'. Did you mean 'psnr'", sparring.evaluate, model, real=pairs, metrics="snr")
    refused("these are two sets of images without pairs", sparring.evaluate, model, real=small_pairs(aligned=False))
    refused("translates other images", sparring.evaluate, model, real="shapes")


def test_doing_nothing_keeps_content_and_cycles_and_gains_no_distance():
    """A cyclegan that begins with what is there: 0.95 of it, and 0.95 of that on the way back."""
    space = Images(3, 16, 16)
    values = torch.randint(0, 256, (2, 60, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    source = TwoSets(Finite(space, values[0]), Finite(space, values[1] // 2), TwoDomains(space, space, ("day", "night")))
    model = sparring.fit("cyclegan", data=source, steps=1, lr=1e-9, width=4, blocks=1, skip=True, threads=1)
    found = sparring.evaluate(model, real=source, features="pixels")["metrics"]
    assert found.keys() == {f"{name} to {to}" for name in ("kid(pixels)", "content", "cycle_l1") for to in ("day", "night")}
    assert found["content to night"]["value"] == 1
    x = values[0].float() / 127.5 - 1
    assert found["cycle_l1 to night"]["value"] == pytest.approx(float(x.abs().mean()) * (1 - 0.95**2), rel=0.01)
    distance = found["kid(pixels) to night"]
    assert distance["value"] == pytest.approx(distance["protocol"]["baseline"], rel=0.2) and distance["value"] > 0.01


def test_translators_are_evaluated_in_what_a_network_for_photographs_sees(run, monkeypatch):
    """For pairs too: it does not favour what is blurred, as pixels do."""
    monkeypatch.setattr("sparring.metrics.features.LEAST_SIDE", 8)
    monkeypatch.setattr("sparring.metrics.lite1.SIDE", 32)
    seen, features = [], lite1.features
    monkeypatch.setattr("sparring.metrics.lite1.features", lambda x: seen.append(len(x)) or features(x))
    _, model = run
    pairs = small_pairs()
    found = sparring.evaluate(model, real=pairs)
    assert found["metrics"].keys() == {"l1", "psnr", "ssim", "perceptual(lite1)", "kid(lite1)"} and "kid" not in found["left_out"]
    assert any(note.startswith("features of kid: lite1, a network that learned from photographs") for note in found["notes"])
    assert "pixels" not in " ".join([*found["notes"], *found["left_out"].values()]) and sum(seen) == 2 * len(pairs)


def test_grey_and_coloured_sets_are_compared_by_what_sees_colours():
    space = Images(1, 16, 16), Images(3, 16, 16)
    values = [torch.randint(0, 256, (30, *one.shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)) for one in space]
    source = TwoSets(Finite(space[0], values[0]), Finite(space[1], values[1]), TwoDomains(*space, ("grey", "colour")))
    model = sparring.fit("cyclegan", data=source, steps=1, width=4, blocks=1, threads=1)
    found = sparring.evaluate(model, real=source, features="pixels")
    assert {"kid(pixels) to grey", "kid(pixels) to colour"} <= found["metrics"].keys()
    assert any("without that of the images as they came, which have other channels" in note for note in found["notes"])


def test_domains_are_told_by_a_classifier_when_that_is_asked_for(monkeypatch):
    monkeypatch.setattr("sparring.evaluation.translations.ROUNDS", 60)
    model = sparring.fit("stargan", data="tints", steps=1, lr=1e-9, size=16, width=4, blocks=1, skip=True, threads=1)
    assert "ask for it with --metrics domain_error" in sparring.evaluate(model, n=30)["left_out"]["domain_error"]
    found = sparring.evaluate(model, n=60, metrics="domain_error")["metrics"]
    assert len(found) == 3
    for figure in found.values():                               # nothing is translated: every one is still what it was
        assert figure["value"] > 0.8 and figure["protocol"]["baseline"] < 0.2


def test_what_is_no_image_in_range_is_refused(run):
    _, model = run
    x = torch.zeros(1, 1, 16, 16)
    refused("these go from 0 to 255", model.translate, torch.cat([x, x + 255], 2))
    refused("these go from nan to nan", model.translate, x / 0)
    refused("cannot be translated into", model.translate, x[:, :, :0])
    for wrong in ("photo.png", Image.new("L", (16, 16)), [x, x]):
        refused("cannot become a tensor", model.translate, wrong)


def test_a_loaded_model_does_not_pass_fresh_networks_off_as_those_that_played(run):
    out, model = run
    opened, x = sparring.load(out), torch.zeros(1, 1, 16, 16)
    assert torch.equal(opened.game.translation.run(x, 0), model.game.translation.run(x, 0))
    refused("holds only the averaged networks", opened.game.translation.run, x, 0, live=True)
    curves = sparring.fit("gan", data="quadratic", steps=1, save_every=0)
    assert curves.game.judge is not None and curves.game.sample(torch.zeros(2, 8), live=True).shape == (2, 15)
    opened = sparring.load(curves.save(out.parent / "curves"))
    assert opened.game.judge is None
    refused("holds only the averaged networks", opened.game.sample, torch.zeros(2, 8), live=True)


def test_settings_that_rest_on_drawn_samples_are_refused_for_translators():
    for wrong in ({"keep_best": "kid"}, {"doctor": "act"}, {"stop_when": "failed"}):
        refused("models that sample from noise", sparring.fit, "pix2pix", data=small_pairs(), steps=1, **wrong)


def test_a_run_leaves_its_pictures_and_scores(run):
    out, model = run
    rows = [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()]
    assert rows[-1].keys() == {"step", "l1", "psnr", "ssim"} and model.scores["l1"] == rows[-1]["l1"]
    with Image.open(out / "samples/000003.png") as picture:
        assert picture.width > 300


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_settings_are_the_same_as_text(recipe):
    """A command line gives every value as text; choices among integers are not to be missed there."""
    plain = RECIPES[recipe].settings()
    assert make(type(plain), {name: str(value) for name, value in plain.model_dump().items()}) == plain
    if "field" in type(plain).model_fields:
        assert make(type(plain), {"field": "34"}).field == 34
        refused("field=35: Input should be 1, 16, 34", make, type(plain), {"field": "35"})


def test_settings_that_do_not_fit_are_refused():
    small = small_pairs()
    refused("images of at least 34x34 pixels, and these are .*. Give field=16", sparring.fit, "pix2pix", data=small, field=34, steps=1)
    refused("pixels, and these are 4x4. Give a larger size", sparring.fit, "cyclegan", data="shapes", size=4, steps=1)
    refused("'tints' is synthetic data for stargan. Train that recipe", sparring.fit, "cyclegan", data="tints", steps=1)
    refused("channels, and these have 1 and 3. Give identity=0", sparring.fit, "cyclegan", data=small, identity=0.5, steps=1)
    refused("channels, and these have 1 and 3. Give skip=false", sparring.fit, "cyclegan", data=small, skip=True, identity=0, steps=1)
    for setting in ({"discriminator_steps": 2}, {"gamma": 1}):
        refused("need earlier translations, and pool=0 keeps none. Give pool=50", sparring.fit, "cyclegan", data=small, pool=0, steps=1,
                **setting)
    refused("cannot train on data of this kind", sparring.fit, "gan", data=small, steps=1)


# ---------------------------------------------------------------------------------------------- they must learn
@pytest.mark.slow
def test_pix2pix_recovers_the_labels_and_cyclegan_does_without_a_pair():
    pairs = RECIPES["pix2pix"].reads.open("shapes", RECIPES["pix2pix"].reads.settings()).examples(100, 1)
    truth = read_flat(pairs.a)
    model = sparring.fit("pix2pix", data="shapes", steps=1000, width=16, threads=1)
    assert label_accuracy(read_rendered(model.translate(pairs.a)), truth) > 0.95
    model = sparring.fit("cyclegan", data="shapes", steps=1500, width=16, blocks=3, threads=1)
    assert label_accuracy(read_flat(model.translate(pairs.b, to="labels")), truth) > 0.80


@pytest.mark.slow
def test_stargan_gives_every_scene_the_colours_of_the_tint_that_is_asked_for():
    model = sparring.fit("stargan", data="tints", size=16, width=16, blocks=2, batch=8, lr=5e-4, steps=400, threads=1)
    scenes = RECIPES["stargan"].reads.open("tints", RECIPES["stargan"].reads.settings(size="16")).examples(60, 1)
    sky = LIT[0] / 127.5 - 1
    skies = torch.stack([sky[list(order)] for order in TINTS.values()])
    for to, name in enumerate(TINTS):
        made = model.translate(scenes.x, to=name)[:, :, :3].mean((2, 3))
        assert (torch.cdist(made, skies).argmin(1) == to).double().mean() > 0.9


def test_pix2pix_learns():
    model = sparring.fit("pix2pix", data="shapes", steps=120, width=8, size=16, lr=2e-3, threads=1)
    pairs = RECIPES["pix2pix"].reads.open("shapes", RECIPES["pix2pix"].reads.settings(size="16")).examples(100, 1)
    assert label_accuracy(read_rendered(model.translate(pairs.a)), read_flat(pairs.a)) > 0.9
