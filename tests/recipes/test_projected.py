"""The recipe `projected`, with the real pretrained network: what it refuses, what it needs, and that it learns."""

import numpy as np
import pytest
import torch
from test_images import squares

import sparring
import sparring.cli.show
from made import refused
from sparring.cli.before_training import facts
from sparring.data import pretrained
from sparring.data.images.findings import HANDFUL
from sparring.data.source import Finite
from sparring.errors import InputError
from sparring.nets.projected import enlarged
from sparring.recipes import RECIPES, images, projected
from sparring.recipes.images import ImagesSettings
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.spaces import Images

CPU = torch.device("cpu")
FEW = {"steps": 2, "batch": 4, "width": 4, "seen": 32, "latent": 8, "threads": 1}


def coloured(n=60, side=16):
    """Red squares on blue, at one of two places."""
    labels = torch.arange(n) % 2
    x = torch.randint(0, 30, (n, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    x[:, 2] += 150
    for picture, label in zip(x, labels.tolist(), strict=True):
        picture[0, side // 4:-side // 4, label * side // 2:(label + 1) * side // 2] += 200
    return Finite(Images(3, side, side, ("left", "right")), x, labels)


@pytest.fixture
def absent(monkeypatch):
    """A machine without the extra."""
    monkeypatch.setattr(pretrained, "place", lambda weights: None)
    monkeypatch.setattr(pretrained, "kept", lambda weights: None)
    pretrained.pretrained.cache_clear()
    yield
    pretrained.pretrained.cache_clear()


def test_it_learns_colours_and_places_by_class():
    model = sparring.fit("projected", data=coloured(), steps=60, width=8, latent=8, batch=8, seen=32, lr=2e-3, ema=0.9, threads=1, seed=0)
    left, right = (model.sample(16, positions=i).float() for i in range(2))
    assert left[:, 2].mean() > left[:, 1].mean() + 0.1, "blue before green"
    red = [(made[:, 0, 4:-4, :8].mean() - made[:, 0, 4:-4, 8:].mean()).item() for made in (left, right)]
    assert red[0] > 0.1 > -0.1 > red[1]


def test_a_finished_model_draws_without_the_extra_and_training_says_what_to_type(tmp_path, absent):
    sparring_install = r"pip install 'sparring\[photos\]'"
    refused(sparring_install, sparring.fit, "projected", data=coloured(), **FEW)
    refused(sparring_install, sparring.fit, "images", data=coloured(), projected=True, **FEW)


def test_a_model_draws_where_nothing_is_installed(tmp_path, request):
    run = sparring.fit("projected", data=coloured(), out=tmp_path / "run", **FEW)
    request.getfixturevalue("absent")
    assert torch.equal(torch.as_tensor(sparring.load(tmp_path / "run" / "model").sample(3, seed=1)), torch.as_tensor(run.sample(3, seed=1)))


@pytest.mark.parametrize(("data", "given", "said"), [
    (np.random.default_rng(0).integers(0, 256, (20, 8, 8, 4), np.uint8), {"channels": 4}, "sees no transparency"),
    (np.random.default_rng(0).normal(size=(50, 3)), {}, "cannot train on data of this kind")])
def test_what_it_cannot_see_is_refused(data, given, said):
    refused(said, sparring.fit, "projected", data=data, **FEW, **given)


@pytest.mark.parametrize("data", [squares(20), coloured(5, side=8), coloured(9, side=21)], ids=["grey", "five of 8 px", "odd sides"])
def test_grey_few_and_odd_images_train(data):
    made = sparring.fit("projected", data=data, **FEW).sample(2)
    assert tuple(made.shape[1:]) == data.space.shape


def test_a_batch_of_one_trains():
    sparring.fit("projected", data=coloured(), **{**FEW, "batch": 1})


# ----------------------------------------------------------------------------------------------------------- `images` chooses
def chosen(source, fast=False, **given):
    found = images.choices(source, ImagesSettings(**given), fast)
    assert all(reason for name, (_, reason) in found.items() if name not in given)
    return {name: value for name, (value, _) in found.items()}


@pytest.mark.parametrize(("given", "wanted"), [({}, True), ({"projected": False}, None), ({"penalty": "r1"}, False), ({"pack": 2}, False),
                                               ({"residual": True}, False),
                                               ({"augment": "ada"}, False), ({"lr": 1e-3}, True), ({"augment": "diff"}, True)], ids=str)
def test_pictures_in_colour_are_projected_unless_the_settings_are_of_the_other_discriminator(given, wanted):
    assert chosen(coloured(), **given).get("projected") is wanted


@pytest.mark.parametrize(("source", "given", "said"), [
    (coloured(), {"projected": False}, "judged without one. Leave it out, or give projected=true"),
    (squares(), {}, r"judged without one \(pictures in grey: the network .* in colour\). Leave it out"),
    (coloured(), {"penalty": "r1"}, r"judged without one \(penalty is of the other discriminator\). Leave it out")],
    ids=["projected=false", "grey", "a penalty"])
def test_seen_is_refused_where_nothing_is_shown_to_a_pretrained_network(source, given, said):
    with pytest.raises(InputError, match=f"seen=64 is the size .*{said}"):
        chosen(source, seen=64, **given)
    assert chosen(coloured(), seen=64)["projected"] and chosen(source, **given)


def test_transparency_is_not_offered():
    told = sparring.cli.show.show("projected", None, every=True)
    channels = next(row for row in told["data_settings"] if row["name"] == "channels")
    assert channels["bounds"] == "auto or 1 or 3" and "channels=4" not in told["text"]
    assert "channels=4" in sparring.cli.show.show("gan", "digits", every=True)["text"]


def test_what_will_be_learned_by_heart_is_said_in_one_line(tmp_path):
    told = {}
    for count in (3, HANDFUL + 1):
        prepared = prepare(Request("projected", coloured(count), FEW | {"batch": 2}), tmp_path / str(count))
        prepared.folder.unlock()
        told[count] = [line for line in facts(prepared) if "learned by heart: samples" in line]
    assert [len(lines) for lines in told.values()] == [1, 0] and told[3][0].startswith("3 images are so few")


def test_grey_pictures_are_not_projected_and_it_says_why():
    value, why = images.choices(squares(), ImagesSettings(), False)["projected"]
    assert not value and "pictures in grey" in why


def test_without_the_extra_it_says_what_is_missed(absent):
    value, why = images.choices(coloured(), ImagesSettings(), False)["projected"]
    assert not value and "pip install 'sparring[photos]'" in why


def test_choices_suit_the_machine():
    here, there = chosen(coloured()), chosen(coloured(), fast=True)
    assert here["batch"] < there["batch"] and here["width"] < there["width"] and here["seen"] < there["seen"]
    assert chosen(coloured(500))["conditional"] and not chosen(coloured(60))["conditional"]
    assert chosen(coloured(5))["batch"] == 5


@pytest.mark.parametrize(("side", "fast", "seen"), [(32, False, 128), (64, False, 128), (128, False, 128), (256, False, 256),
                                                    (64, True, 224), (256, True, 256), (1024, True, 512)])
def test_images_are_enlarged_for_the_pretrained_network_and_reduced_only_when_they_are_large(side, fast, seen):
    source = Finite(Images(3, side, side), torch.zeros(1, dtype=torch.uint8).expand(500, 3, side, side))
    assert chosen(source, fast)["seen"] == seen


@pytest.mark.parametrize(("given", "said"), [({"penalty": "r1"}, "no penalty"), ({"pack": 2}, "no pack"),
                                           ({"spectral": True}, "no spectral"), ({"augment": "ada"}, "no augment=ada")])
def test_settings_of_the_other_discriminator_are_refused_beside_projected(given, said):
    with pytest.raises(InputError, match=said):
        sparring.fit("images", data=coloured(), projected=True, **FEW, **given)


def test_a_discriminator_of_ones_own_is_refused_beside_projected():
    with pytest.raises(InputError, match=r"one of yours was given\. Give projected=false"):
        sparring.fit("images", data=coloured(), discriminator=torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(768, 1)), **FEW)


def test_both_recipes_play_the_same_game():
    both = {}
    for name, more in (("projected", {}), ("images", {"projected": True})):
        settings = RECIPES[name].settings(**{**projected.DEFAULTS, "batch": 4, "width": 4, "seen": 32, "latent": 8, **more})
        torch.manual_seed(0)
        both[name] = RECIPES[name].game(settings, coloured().space, CPU).players["generator"].net.state_dict()
    assert all(torch.equal(a, b) for a, b in zip(both["projected"].values(), both["images"].values(), strict=True))


def test_a_run_keeps_what_was_chosen_when_it_began(tmp_path, request, monkeypatch):
    """Resuming does not choose again: not for another machine, and not where something is no longer installed."""
    few = {name: value for name, value in FEW.items() if name not in ("batch", "seen")}
    sparring.fit("images", data=coloured(), out=tmp_path / "run", **few)
    with monkeypatch.context() as patch:
        patch.setattr(images, "choices", lambda source, given, fast: {"batch": (2, "another time")})
        sparring.fit("images", data=coloured(), out=tmp_path / "run", **few)
    refused("holds a run with other settings", sparring.fit, "images", data=coloured(), out=tmp_path / "run", **few, lr=0.1)
    request.getfixturevalue("absent")
    refused(r"pip install 'sparring\[photos\]'", sparring.fit, "images", data=coloured(), out=tmp_path / "run", **few)


def test_a_strip_is_shown_at_four_times_the_area_of_a_square_at_most():
    assert enlarged(32, 32, 128) == (128, 128) and enlarged(32, 64, 128) == (128, 256)
    assert enlarged(4, 64, 128) == (64, 1024)


def test_a_finished_model_draws_beside_a_damaged_file(tmp_path, monkeypatch):
    """As it does without any: only its discriminators need it."""
    model = sparring.fit("images", data=coloured(), out=tmp_path / "run", steps=2, batch=4, width=8, seen=32, threads=1)
    damaged = tmp_path / pretrained.TRAINING.package / pretrained.TRAINING.file
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"not it")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(pretrained.cache, "place", lambda *names: tmp_path / "nowhere" / "weights")
    pretrained.pretrained.cache_clear()
    try:
        again = sparring.load(tmp_path / "run")
        assert torch.equal(again.sample(2, seed=1), model.sample(2, seed=1)) and again.game.judge is None
    finally:
        pretrained.pretrained.cache_clear()
