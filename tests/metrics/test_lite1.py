"""What EfficientNet-Lite1 sees of images of any kind."""

import pytest
import torch
from sklearn.datasets import load_sample_image

from sparring.metrics import lite1
from sparring.metrics.features import choose, extract, photos
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
