"""Features: those that are shipped, those from a file, and what is refused."""

import hashlib
import shutil
import warnings

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from sparring.data import open_source, pretrained
from sparring.errors import InputError
from sparring.metrics import feature_files, grey28
from sparring.metrics.compared_sets import seen
from sparring.metrics.feature_files import find
from sparring.metrics.features import INCEPTION, Extractor, choose, extract, own, pixels
from sparring.rng import generator
from sparring.spaces import Images, Vectors


class Twice(nn.Module):
    """Features of one's own: the mean of every channel, twice."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x.mean((2, 3))] * 2, 1)


class Flat(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean()


class Broken(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3)) / 0


class LikeInception(nn.Module):
    """Called as NVIDIA's file is: uint8 images of three channels, and a word that asks for features."""

    def forward(self, img: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        assert img.dtype == torch.uint8 and img.shape[1] == 3 and return_features
        return img.flatten(1).float()


def scripted(net, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(net).save(str(path))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def images(n=3, channels=1, side=28):
    return torch.rand(n, channels, side, side, generator=generator(0, "images")) * 2 - 1


def test_the_shipped_file_is_the_one_that_is_named():
    assert hashlib.sha256(grey28.FILE.read_bytes()).hexdigest() == grey28.SHA256
    assert grey28.FILE.stat().st_size < 400_000


def test_shipped_features_tell_handwritten_digits_apart():
    """Digits that the network never saw, of other writers and at 16x16: a nearest neighbour reads them by their features."""
    digits = open_source("digits")
    known, asked = (extract(own(), seen(part)) for part in (digits, digits.held_out))
    assert known.shape[1] == grey28.FEATURES
    nearest = torch.cdist(asked, known).argmin(1)
    assert (digits.labels[nearest] == digits.held_out.labels).float().mean() > 0.95


def test_features_do_not_depend_on_the_company_and_leave_random_numbers_alone(monkeypatch):
    monkeypatch.setattr("sparring.metrics.features.NUMBERS", 28 * 28 * 4)
    x = images(10)
    torch.manual_seed(1)
    wanted = torch.rand(2)
    torch.manual_seed(1)
    told = []
    found = extract(own(), x, lambda done, total: told.append((done, total)))
    assert torch.equal(torch.rand(2), wanted)
    assert told == [(4, 10), (8, 10), (10, 10)]
    torch.testing.assert_close(found[:4], extract(own(), x[:4]))
    assert extract(own(), x).dtype == torch.float32


@pytest.mark.parametrize("channels, side", [(1, 16), (3, 28), (4, 64)])
def test_other_images_are_made_grey_and_small(channels, side):
    x = grey28.grey28(images(2, channels, side))
    assert x.shape == (2, 1, 28, 28) and x.abs().max() <= 1
    grey = images(2).expand(-1, 3, -1, -1)
    torch.testing.assert_close(grey28.grey28(grey), images(2))
    clear = torch.cat([grey, -torch.ones(2, 1, 28, 28)], 1)         # wholly transparent: white
    torch.testing.assert_close(grey28.grey28(clear), torch.ones(2, 1, 28, 28))


def test_a_choice_is_made_by_the_kind_of_data_and_says_why():
    assert choose(Images(1, 28, 28))[0].name == "grey28-v1"
    extractor, why = choose(Images(3, 64, 64))
    assert extractor.name == "lite1" and "64x64 with 3 channel(s)" in why
    assert choose(Images(3, 4, 64))[1] == "pixels: in images of 4x64 there is nothing that a network could recognise"
    assert choose(Vectors((0.0,), (1.0,)))[0].name == "values"
    assert pixels().named("fid") == "fid(pixels)"
    assert Extractor(INCEPTION, "", "", pixels().apply).named("fid") == "fid"


def test_without_the_extra_pictures_are_compared_in_pixels_and_it_is_said_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.path", [])
    extractor, why = choose(Images(3, 64, 64))
    assert extractor.name == "pixels" and "pip install 'sparring[photos]'" in why and "64x64 with 3 channel(s)" in why
    assert choose(Images(1, 28, 28))[0].name == "grey28-v1" and choose(Vectors((0.0,), (1.0,)))[0].name == "values"
    pretrained.pretrained.cache_clear()
    with pytest.raises(InputError, match="not installed"):
        find("lite1")
    pretrained.pretrained.cache_clear()


def test_torchscript_is_opened_with_its_hash_only(tmp_path):
    path, sha256 = scripted(Twice(), tmp_path / "mine.pt")
    with pytest.raises(InputError, match=f"is a program, so its sha256 is needed.*--sha256 {sha256}"):
        find(str(path))
    with pytest.raises(InputError, match="and 00 was given"):
        find(str(path), "00")
    extractor = find(str(path), sha256.upper())
    assert extractor.named("kid") == f"kid(mine-{sha256[:8]})" and extractor.sha256 == sha256
    torch.testing.assert_close(extract(extractor, images(3, 3)), images(3, 3).mean((2, 3)).repeat(1, 2))


def test_inception_is_known_by_its_hash_and_called_as_it_is(tmp_path, monkeypatch):
    path, sha256 = scripted(LikeInception(), tmp_path / "anything.pt")
    monkeypatch.setattr(feature_files, "INCEPTION_SHA256", sha256)
    extractor = find(str(path))                                     # a known file needs no word from the user
    assert extractor.name == INCEPTION and extractor.named("fid") == "fid" and "299x299" in extractor.resize
    found = extract(extractor, torch.tensor([-1.0, 0.0, 1.0]).view(1, 1, 1, 3))
    assert found.tolist() == [[0, 128, 255] * 3]                    # grey is shown in three channels, transparency is not
    assert extract(extractor, images(2, 4, 5)).shape == (2, 75)


@pytest.mark.parametrize("net, complaint", [(Flat(), r"have shape \(\); expected \(3, F\)"), (Broken(), "contain NaN or infinities")])
def test_features_of_another_shape_or_without_numbers_are_refused(net, complaint, tmp_path):
    with pytest.raises(InputError, match=complaint):
        extract(find(*map(str, scripted(net, tmp_path / "net.pt"))), images())


def test_a_network_for_other_images_says_so(tmp_path):
    net = nn.Conv2d(3, 4, 3)
    with pytest.raises(InputError, match=r"cannot be computed of samples \[3, 1, 28, 28\]"):
        extract(find(*map(str, scripted(net, tmp_path / "net.pt"))), images())


def test_weights_of_the_same_network_may_come_from_a_file(tmp_path):
    path = tmp_path / "mine.safetensors"
    shutil.copy(grey28.FILE, path)
    extractor = find(str(path), grey28.SHA256)
    assert extractor.name == f"mine-{grey28.SHA256[:8]}"
    assert torch.equal(extract(extractor, images()), extract(own(), images()))


def test_files_of_anything_else_are_refused_in_a_line(tmp_path):
    other = load_file(grey28.FILE)
    del other["head.bias"]
    save_file(other, tmp_path / "other.safetensors")
    (tmp_path / "text.pt").write_text("hello")
    (tmp_path / "text.safetensors").write_text("hello")
    for name, complaint in (("other.safetensors", r"not hold weights for grey28-v1's network \(see 'head.bias'\)"),
                            ("text.pt", "is no TorchScript"), ("text.safetensors", "has no header of safetensors")):
        path = tmp_path / name
        with pytest.raises(InputError, match=complaint) as told:
            find(str(path), hashlib.sha256(path.read_bytes()).hexdigest())
        assert "\n" not in str(told.value)
    with pytest.raises(InputError, match="Did you mean 'pixels'"):
        find("pixel")
    with pytest.raises(InputError, match="not a regular file"):
        find(str(tmp_path), "00")
