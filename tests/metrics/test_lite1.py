"""What EfficientNet-Lite1 sees of images of any kind."""

import pytest
import torch
from sklearn.datasets import load_sample_image

import sparring
from sparring.data.pretrained import JUDGING
from sparring.data.source import Finite
from sparring.errors import InputError
from sparring.metrics import lite1, run_scores
from sparring.metrics.features import choose, extract, photos, pixels
from sparring.rng import generator
from sparring.spaces import Images


def images(n=2, channels=3, high=24, wide=24):
    return torch.rand(n, channels, high, wide, generator=generator(0, "images")) * 2 - 1


@pytest.mark.parametrize("channels, high, wide", [(3, 8, 8), (1, 8, 8), (4, 9, 31), (3, 224, 224), (3, 300, 17)])
def test_any_image_is_brought_to_the_size_and_colours_that_the_network_takes(channels, high, wide):
    x = lite1.enlarged(images(2, channels, high, wide))
    assert x.shape == (2, 3, 224, 224) and x.abs().max() <= 1.0001


def test_grey_is_shown_thrice_and_transparency_on_white():
    grey = images(2, 1)
    assert torch.equal(lite1.in_colour(grey), grey.expand(-1, 3, -1, -1))
    colour, clear, full = images(), -torch.ones(2, 1, 24, 24), torch.ones(2, 1, 24, 24)
    assert torch.equal(lite1.in_colour(torch.cat([colour, clear], 1)), torch.ones(2, 3, 24, 24))
    torch.testing.assert_close(lite1.in_colour(torch.cat([colour, full], 1)), colour)
    assert lite1.in_colour(colour) is colour


@pytest.mark.parametrize("picture, is_a", [("china.jpg", 698), ("flower.jpg", 985)], ids=["palace", "daisy"])
def test_it_names_photographs(picture, is_a):
    x = torch.tensor(load_sample_image(picture)).permute(2, 0, 1)[None] / 127.5 - 1
    assert lite1.named(x).tolist() == [is_a]


def test_features_do_not_depend_on_the_company_nor_on_random_numbers(monkeypatch):
    monkeypatch.setattr(lite1, "SIDE", 64)
    monkeypatch.setattr(lite1, "FEW", 2)
    torch.manual_seed(1)
    before, x = torch.get_rng_state(), images(3)
    together = extract(photos(), x)
    assert together.shape == (3, 1280) and together.dtype == torch.float32 and not together.requires_grad
    torch.testing.assert_close(together[2:], extract(photos(), x[2:]), atol=1e-4, rtol=1e-4)
    assert torch.equal(torch.get_rng_state(), before)


def test_gradients_reach_the_images(monkeypatch):
    monkeypatch.setattr(lite1, "SIDE", 64)
    x = images(1, 1, 20, 30).requires_grad_()
    gradient, = torch.autograd.grad(lite1.features(x).sum(), x)
    assert gradient.shape == x.shape and torch.isfinite(gradient).all() and gradient.abs().sum() > 0


@pytest.mark.parametrize("space, features", [
    (Images(3, 64, 64), "lite1"), (Images(4, 32, 48), "lite1"), (Images(1, 64, 64), "lite1"), (Images(3, 8, 8), "lite1"),
    (Images(3, 7, 64), "pixels"), (Images(1, 28, 28), "grey28-v1")], ids=str)
def test_it_is_chosen_for_images_that_are_not_small_and_grey(space, features):
    assert choose(space)[0].name == features


def test_the_name_and_the_protocol_say_whose_features_they_are():
    extractor = photos()
    assert extractor.named("fid") == "fid(lite1)" and len(extractor.sha256) == 64 and extractor.resize.startswith("224x224")


# ------------------------------------------------------------------------------------------------- figures in these features
@pytest.fixture
def small(monkeypatch):
    """A sixteenth of the work: the network takes images of any size."""
    monkeypatch.setattr(lite1, "SIDE", 56)


def photographs(n, seed=0, side=32):
    """Patches of two photographs, cut out at random."""
    rng, found = generator(seed, "patches"), []
    for k, picture in enumerate(("china.jpg", "flower.jpg")):
        x = torch.tensor(load_sample_image(picture)).permute(2, 0, 1)
        places = torch.randint(0, 427 - 4 * side, (n // 2 + k * n % 2, 2), generator=rng).tolist()
        found += [x[:, top:top + 4 * side:4, left:left + 4 * side:4] for top, left in places]
    return torch.stack(found)[torch.randperm(n, generator=rng)]


def test_evaluating_pictures_uses_them_and_finds_copies(small):
    x = photographs(72)
    space = Images(3, 32, 32)
    source = Finite(space, x[:24], held_out=Finite(space, x[24:48]))
    found = sparring.evaluate(real=source, generated=Finite(space, x[48:]))
    assert {"kid(lite1)", "precision(lite1)", "swd(lite1)", "memorization(lite1)"} <= found["metrics"].keys()
    assert found["left_out"]["fid"] == "fid needs at least 1,281 samples a set, one more than it has features (1,280), and there are 24"
    about = found["metrics"]["kid(lite1)"]["protocol"]
    assert (about["extractor"], about["features"], about["sha256"]) == ("lite1", 1280, JUDGING.sha256)
    assert found["metrics"]["memorization(lite1)"]["value"] < 0.5
    copied = sparring.evaluate(real=source, generated=Finite(space, x[:24]), metrics="memorization")["metrics"]
    assert copied["memorization(lite1)"]["value"] == 1.0


def test_a_mirrored_picture_is_nearest_to_itself_which_pixels_do_not_see(small):
    x = photographs(48) / 127.5 - 1
    for extractor, seen in ((photos(), True), (pixels(), False)):
        nearest = torch.cdist(extract(extractor, x.flip(3)), extract(extractor, x)).argmin(1)
        assert ((nearest == torch.arange(48)).float().mean() > (0.9 if seen else 0.5)) == seen


def test_they_prefer_what_is_there_to_its_colours(small):
    """Patches of a photograph beside others of it: in other colours, and as blots of the right ones."""
    real, x = photographs(60, 1), photographs(60, 2)
    blots = torch.nn.functional.interpolate(x.float(), scale_factor=1 / 8, mode="area").repeat_interleave(8, 2).repeat_interleave(8, 3)
    sets = {"recoloured": (x.float() * 0.6 + 50).to(torch.uint8), "blots": blots.to(torch.uint8)}
    found = {(name, features): sparring.evaluate(real=real.numpy(), generated=one.numpy(), metrics="kid", features=features)["metrics"]
             for name, one in sets.items() for features in ("lite1", "pixels")}
    kid = {which: one[f"kid({which[1]})"]["value"] for which, one in found.items()}
    assert kid["recoloured", "lite1"] < kid["blots", "lite1"] and kid["recoloured", "pixels"] > kid["blots", "pixels"]


@pytest.mark.parametrize("metric, samples", [("kid", 500), ("swd", 500), ("fid", 2562)])
def test_scores_of_a_run_take_fewer_samples_where_features_are_slow(small, metric, samples):
    source = Finite(Images(3, 8, 8), torch.zeros(5000, 3, 8, 8, dtype=torch.uint8))
    assert run_scores.enough(source, source, photos(), metric) == (samples, 1280)
    assert run_scores.enough(source, source, pixels(), metric) == (4000, 192)


def test_a_metric_that_the_data_are_too_few_for_is_refused_before_a_run(small):
    source = Finite(Images(3, 8, 8), torch.zeros(50, 3, 8, 8, dtype=torch.uint8))
    run_scores.refuse_metric(source, "kid")
    with pytest.raises(InputError, match="keep_best=fid cannot be computed: fid needs at least 1,281 samples a set"):
        run_scores.refuse_metric(source, "fid")


def test_it_is_said_how_far_slow_features_are(small):
    told = []
    extract(photos(), photographs(70), lambda done, total: told.append((done, total)))
    assert told == [(32, 70), (64, 70), (70, 70)]
