"""Pictures: residual networks of any size, a recipe that chooses for itself, and runs that fit into a time."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sparring
from sparring.api import Silent, run
from sparring.cli.before_training import facts
from sparring.data.source import Finite
from sparring.errors import InputError
from sparring.nets.dcgan import ConvDiscriminator
from sparring.nets.residual_gan import Modulated, ResidualDiscriminator, ResidualGenerator
from sparring.recipes import RECIPES, images
from sparring.recipes.images import ImagesSettings
from sparring.setup import forecast
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.spaces import Images

CPU = torch.device("cpu")


def squares(n=400):
    """8 x 8 pictures: a light square on the left or on the right, by class."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % 2
    x = torch.randint(0, 40, (n, 1, 8, 8), dtype=torch.uint8, generator=rng)
    for picture, label in zip(x, labels.tolist(), strict=True):
        picture[:, 2:6, 4 * label:4 * label + 4] += 200
    return Finite(Images(1, 8, 8, ("left", "right")), x, labels)


# ------------------------------------------------------------------------------------------------ residual networks
@settings(max_examples=12, deadline=None)
@given(channels=st.sampled_from([1, 3, 4]), height=st.integers(4, 40), width=st.integers(4, 40), classes=st.sampled_from([0, 3]))
def test_residual_networks_fit_pictures_of_any_size(channels, height, width, classes):
    torch.manual_seed(0)
    shape, labels = (channels, height, width), (torch.tensor([0, 2]),) if classes else ()
    G, D = ResidualGenerator(5, shape, 2, classes), ResidualDiscriminator(shape, 2, classes)
    made = G(torch.randn(2, 5), *labels)
    assert made.shape == (2, *shape) and made.abs().max() <= 1
    assert D(made, *labels).shape == (2,)
    D(made, *labels).sum().backward()
    reached = {name for net in (G, D) for name, p in net.named_parameters() if p.grad is not None}
    assert reached == {name for net in (G, D) for name, _ in net.named_parameters()}


def test_a_residual_discriminator_judges_every_sample_alone():
    torch.manual_seed(0)
    D, x = ResidualDiscriminator((3, 12, 20), 4), torch.randn(6, 3, 12, 20)
    assert torch.allclose(D(x)[2], D(x[2:3])[0], atol=1e-5)


def test_modulation_is_batch_normalization_with_gain_and_bias_from_the_latents():
    torch.manual_seed(0)
    layer, x, z = Modulated(3, 2), torch.randn(64, 3, 4, 4), torch.randn(64, 2)
    torch.nn.init.zeros_(layer.gain.weight), torch.nn.init.zeros_(layer.gain.bias)
    layer.bias.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    torch.nn.init.zeros_(layer.bias.bias)
    plain = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
    expected = plain + torch.stack([z[:, 0], z[:, 1], z.sum(1)], 1)[:, :, None, None]
    assert torch.allclose(layer(x, z), expected, atol=1e-5)


def test_residual_networks_are_for_images(tmp_path):
    with pytest.raises(InputError, match="residual=true is for images"):
        prepare(Request("gan", "ring", {"residual": True, "steps": 5}), tmp_path / "run")


def test_a_deep_discriminator_has_two_convolutions_at_every_resolution(tmp_path):
    shallow, deep = (ConvDiscriminator((3, 32, 48), 4, 5, deep=deep) for deep in (False, True))
    count = [sum(isinstance(m, torch.nn.Conv2d) for m in net.modules()) for net in (shallow, deep)]
    assert count == [3, 6]
    assert deep(torch.randn(2, 3, 32, 48), torch.tensor([0, 4])).shape == (2,)
    for data, residual in (("ring", False), ("digits", True)):
        with pytest.raises(InputError, match="deep=true is for"):
            prepare(Request("gan", data, {"deep": True, "steps": 5, "residual": residual}), tmp_path / "run")


# ---------------------------------------------------------------------------------------------- the recipe's choices
@pytest.mark.parametrize("residual", [False, True])
def test_images_learns_which_class_is_where(residual):
    model = sparring.fit("images", data=squares(), steps=100 if residual else 150, width=8, latent=4, batch=32, threads=1, seed=0,
                         lr=2e-3, residual=residual, augment="none", ema=0.9)
    left, right = (model.sample(32, positions=i) for i in range(2))
    assert left[..., :4].mean() > left[..., 4:].mean() + 0.5
    assert right[..., 4:].mean() > right[..., :4].mean() + 0.5


def test_choices_follow_the_data_and_have_reasons():
    def chosen(n, side, classes=0, fast=False, **given):
        space = Images(3, side, side, tuple(map(str, range(classes))))
        labels = torch.arange(n) % classes if classes else None
        found = images.choices(Finite(space, torch.zeros(1, dtype=torch.uint8).expand(n, 3, side, side), labels),
                               ImagesSettings(projected=False, **given), fast)
        assert all(reason for name, (_, reason) in found.items() if name not in given)
        return {name: value for name, (value, _) in found.items()}

    assert chosen(500, 16)["augment"] == "ada" and chosen(images.PLENTY, 4)["augment"] == "none"
    assert chosen(500, 64)["batch"] < chosen(500, 16)["batch"]
    assert chosen(500, 64)["penalty_weight"] > chosen(500, 16)["penalty_weight"]
    assert chosen(500, 16, 2)["conditional"] and not chosen(500, 16, 50)["conditional"]
    assert chosen(500, 16, fast=True)["residual"] and not chosen(500, 16)["residual"]
    assert "conditional" not in chosen(500, 16)
    assert chosen(20, 64)["batch"] == 20 and chosen(20, 64, batch=4)["batch"] == 4
    assert chosen(500, 64)["lr"] < chosen(500, 16)["lr"] and chosen(500, 64)["width"] < chosen(500, 16)["width"]
    assert chosen(500, 16, batch=16)["penalty_weight"] > chosen(500, 16, batch=64)["penalty_weight"]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_handful_of_pictures_is_enough_to_begin(count, tmp_path):
    prepared = prepare(Request("images", squares(count), {"steps": 4, "threads": 1, "width": 4, "check_every": 2}), tmp_path / "run")
    run(prepared, Silent())
    with pytest.raises(InputError, match="the data has only 1 sample"):
        prepare(Request("images", squares(1), {"steps": 4, "batch": 1}), tmp_path / "one")


def test_several_labels_are_learned_and_scored_without_being_asked_for(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), np.uint8)
    y = np.stack([np.arange(40) % 2, np.linspace(0, 1, 40)], 1).astype(np.float32)
    request = Request("images", (x, y), {"steps": 4, "threads": 1, "width": 4, "batch": 8, "keep_best": "kid", "score_every": 2})
    prepared = prepare(request, tmp_path / "run")
    assert prepared.config["settings"]["conditional"]
    assert not any("classes" in line for line in facts(prepared))
    run(prepared, Silent())
    assert (tmp_path / "run" / "best").exists()


@pytest.mark.parametrize("given", [{"penalty": "none"}, {"clip": 0.1}, {"penalty": "consensus"}, {"objective": "hinge"}, {"pack": 2},
                                   {"objective": "wasserstein", "penalty": "gradient"}, {"batch": 8}, {"spectral": True}], ids=str)
def test_choices_go_together_with_what_was_asked_for(given, tmp_path):
    prepared = prepare(Request("images", squares(), {"steps": 5, "threads": 1, "width": 8, "batch": 16} | given), tmp_path / "run")
    prepared.folder.unlock()
    assert prepared.config["settings"].items() >= given.items()


def test_choices_are_told_and_kept_and_what_was_asked_for_is_neither(tmp_path):
    request = Request("images", squares(), {"steps": 5, "batch": 16, "threads": 1})
    prepared = prepare(request, tmp_path / "run")
    prepared.folder.unlock()
    assert prepared.config["settings"]["augment"] == "ada"
    assert any(line.startswith("augment=ada (400 pictures") for line in facts(prepared))
    assert not any(line.startswith("batch=") for line in facts(prepared))
    again = prepare(request, tmp_path / "run")
    again.folder.unlock()
    assert again.resumed and facts(again) == facts(prepared)


def test_images_is_for_images(tmp_path):
    with pytest.raises(InputError, match="cannot train on data of this kind"):
        prepare(Request("images", "ring", {}), tmp_path / "run")


# ------------------------------------------------------------------------------------------------- minutes for rounds
def test_rounds_that_fit_into_minutes():
    assert forecast.rounds_within(10, 0.1) == 5400
    assert forecast.rounds_within(0.001, 100.0) == 1


def test_a_plan_by_minutes_is_kept_when_the_run_resumes(tmp_path, monkeypatch):
    monkeypatch.setattr(forecast, "seconds_a_round", lambda trial, rounds, patience=0.0: 0.01)
    request = Request("gan", "ring", {"threads": 1, "compile": "off"}, minutes=1.0)
    first = prepare(request, tmp_path / "run")
    first.folder.unlock()
    assert first.plan.steps == 5400 and first.plan.log_every == 11
    assert any("5,400 rounds: about 1 min" in line for line in facts(first))
    monkeypatch.setattr(forecast, "seconds_a_round", lambda trial, rounds, patience=0.0: 0.02)
    again = prepare(request, tmp_path / "run")
    again.folder.unlock()
    assert again.resumed and again.plan.steps == 5400
    assert json.loads((tmp_path / "run" / "config.json").read_text())["minutes"] == 1.0
    with pytest.raises(InputError, match="planned for 1 minutes, and --minutes 4"):
        prepare(Request("gan", "ring", {"threads": 1, "compile": "off"}, minutes=4.0), tmp_path / "run")


@pytest.mark.parametrize(("minutes", "given", "said"), [(-1, {}, "is out of range"), (float("nan"), {}, "is out of range"),
                                                        (5, {"steps": 100}, "both say how long")])
def test_minutes_that_cannot_be(minutes, given, said, tmp_path):
    with pytest.raises(InputError, match=said):
        prepare(Request("gan", "ring", given, minutes=minutes), tmp_path / "run")


def test_a_rehearsal_leaves_the_random_numbers_alone():
    settings_ = RECIPES["gan"].settings(batch=8, width=8)
    source = squares(20)
    torch.manual_seed(3)
    game = RECIPES["gan"].game(settings_, source.space, CPU)
    before = torch.random.get_rng_state()
    from sparring.data.source import batches
    assert forecast.seconds_a_round(lambda: game, lambda: batches(source, 8, 0)) > 0
    assert torch.equal(before, torch.random.get_rng_state())
