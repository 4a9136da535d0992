"""Classes are asked for by name, and whatever judges a model mixes them as the data do."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import sparring
from health import CONFIG, GOOD
from made import refused
from sparring.data import open_source
from sparring.data.asked import labels_for, place_of
from sparring.data.labels import read_rows
from sparring.data.source import Finite
from sparring.doctor import diagnose
from sparring.doctor.checkup import checkup, standard
from sparring.evaluation import evaluate
from sparring.metrics.run_scores import score
from sparring.recipes import RECIPES
from sparring.recipes.images import choices
from sparring.spaces import Images, Vectors, from_json, in_shares, shares_of, to_json

NUMBERS = tuple(map(str, range(12)))


@pytest.mark.parametrize("asked, names, place", [
    ("1", ("1", "2", "3"), 0), (1, ("1", "2", "3"), 0), (3, ("1", "2", "3"), 2), (np.int64(2), ("1", "2", "3"), 1),
    (np.uint8(2), ("1", "2", "3"), 1), (2.0, ("1", "2", "3"), 1), (torch.tensor(3), ("1", "2", "3"), 2), (np.array(3), ("1", "2", "3"), 2),
    ("2.0", ("1", "2", "3"), 1), (10, NUMBERS, 10), ("10", NUMBERS, 10), (0, NUMBERS, 0), (-1, ("-1", "1"), 0), (1, ("-1", "1"), 1),
    (7, ("007", "8"), 0), (True, ("False", "True"), 1), (np.bool_(False), ("False", "True"), 0), ("True", ("False", "True"), 1),
    (1, ("False", "True"), 1), (True, ("0", "1"), 1), ("true", ("0", "1"), 1), (0.5, ("0.5", "1"), 0), ("cat", ("cat", "dog"), 0),
    (1, ("1", "01"), 0), (2000, ("1999", "2000"), 1),
])
def test_a_class_is_asked_for_by_its_name_whatever_kind_of_value_says_it(asked, names, place):
    assert place_of(asked, names) == place


@pytest.mark.parametrize("asked, names, message", [
    (0, ("1", "2", "3"), "no class 0.* Classes: 1, 2, 3.* position 0, .*positions=0"), (3, ("1", "2"), "no class 3.* Classes: 1, 2"),
    (0, ("cat", "dog"), "positions=0"), ("cta", ("cat", "dog"), "no class 'cta'.*Did you mean.*cat"),
    (float("nan"), ("1", "2"), "no class nan"), (1, ("01", "001"), "may be the class 01 or 001"),
    (None, ("1", "2"), "no class None"), (True, ("cat", "dog"), "no class True"),
    (1 << 80, ("1", "2"), "no class"), ("", ("1", "2"), "no class ''"),
])
def test_a_class_that_there_is_not_is_refused_with_the_names(asked, names, message):
    refused(message, place_of, asked, names)


@pytest.mark.parametrize("given, expected", [
    ({}, [0, 1, 2, 0, 1]), ({"labels": 3}, [2] * 5), ({"labels": [3, "1"]}, [2, 0, 2, 0, 2]),
    ({"labels": np.array([2, 2, 1])}, [1, 1, 0, 1, 1]),
    ({"positions": 0}, [0] * 5), ({"positions": [2, 1]}, [2, 1, 2, 1, 2]), ({"positions": torch.tensor([0, 2])}, [0, 2, 0, 2, 0]),
    ({"shares": "even"}, [0, 1, 2, 0, 1]), ({"labels": torch.tensor([1, 3])}, [0, 2, 0, 2, 0]), ({"labels": "2"}, [1] * 5),
])
def test_classes_positions_and_turns(given, expected):
    assert labels_for(Vectors((0.0,), (1.0,), ("1", "2", "3")), 5, **given).tolist() == expected


@pytest.mark.parametrize("given, message", [
    ({"positions": 3}, "positions=3: expected whole numbers from 0 to 2"), ({"positions": -1}, "from 0 to 2"),
    ({"positions": True}, "from 0 to 2"),
    ({"labels": 1, "positions": 1}, "both given"), ({"labels": []}, "labels is empty"),
    ({"shares": "datta"}, "even or data.*Did you mean.*data"),
    ({"shares": "data", "labels": 1}, "Give one of them"), ({"positions": "cat"}, "from 0 to 2"),
])
def test_what_cannot_be_asked_for(given, message):
    refused(message, labels_for, Vectors((0.0,), (1.0,), ("1", "2", "3")), 5, **given)


@pytest.mark.parametrize("labels, order", [
    (["2", "10", "1"], ("1", "2", "10")), (["b", "a", "10", "9"], ("9", "10", "a", "b")), (["1", "01", "0"], ("0", "01", "1")),
    ([True, False, True], ("False", "True")), ([11, 3, -2], ("-2", "3", "11")),
])
def test_classes_that_are_numbers_come_in_the_order_of_numbers(labels, order):
    source = open_source((np.random.default_rng(0).normal(size=(len(labels), 2)), labels))
    assert source.space.labels == order
    assert [order[k] for k in source.labels.tolist()] == [str(one) for one in labels]


def test_folders_that_are_numbers_come_in_the_order_of_numbers(tmp_path):
    from PIL import Image
    for k in NUMBERS:
        (tmp_path / k).mkdir()
        for i in range(2):
            Image.new("L", (8, 8), 20 * int(k) + i).save(tmp_path / k / f"{i}.png")
    source = open_source(tmp_path)
    assert source.space.labels == NUMBERS and source.values[source.labels == 10].flatten()[0] == 200


# ------------------------------------------------------------------------------------------------------- shares
@pytest.mark.parametrize("shares, n", [((0.95, 0.05), 1000), ((0.95, 0.05), 40), ((0.5, 0.5), 7), ((0.0, 1.0), 50), ((0.2, 0.3, 0.5), 500)])
def test_classes_are_mixed_as_in_the_data_in_any_first_part(shares, n):
    space = Vectors((0.0,), (1.0,), tuple("abc"[:len(shares)]), shares=shares)
    drawn = in_shares(space, n)
    assert ((torch.bincount(drawn, minlength=len(shares)) - torch.tensor(shares) * n).abs() <= 2.5).all()
    assert drawn[:n // 2].tolist() == in_shares(space, n // 2).tolist()


def test_shares_travel_with_a_model_and_models_without_them_are_even():
    source = open_source((np.arange(20.0).reshape(10, 2), ["a"] * 9 + ["b"]))
    assert source.space.shares == (0.9, 0.1)
    plain = to_json(source.space)
    assert from_json(plain).shares == (0.9, 0.1) and from_json(plain) == source.space
    plain.pop("shares")
    assert shares_of(from_json(plain)).tolist() == [0.5, 0.5]
    refused("shares of the data's classes", from_json, {**plain, "shares": [0.5]})
    refused("shares of the data's classes", from_json, {**plain, "shares": [-1.0, 2.0]})


def test_several_labels_keep_how_often_each_row_comes():
    rows = np.array([[0, 1]] * 6 + [[1, 0]] * 3 + [[1, 1]])
    _, traits = read_rows(rows, ["a", "b"], "rows")
    assert traits.examples == ((0, 1), (1, 0), (1, 1)) and traits.shares == pytest.approx((0.6, 0.3, 0.1))
    _, many = read_rows(np.random.default_rng(0).normal(size=(1000, 1)), ["a"], "rows")
    assert len(many.shares) == 256 and sum(many.shares) == pytest.approx(1) and max(many.shares) < 0.01


class Perfect(nn.Module):
    """G(z, labels) of two classes, exactly: N(-2, 0.5^2) and N(2, 0.5^2), in the units that networks see."""

    def __init__(self, space: Vectors) -> None:
        super().__init__()
        self.unused, self.space = nn.Parameter(torch.zeros(1)), space

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return self.space.encode(4.0 * labels[:, None] - 2 + 0.5 * z) + 0 * self.unused


class Silent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Linear(2, 1)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return self.weights(x)


@pytest.fixture(scope="module")
def uneven():
    """A perfect model of classes of 95 % and 5 %, and its data."""
    rng = np.random.default_rng(0)
    y = (rng.random(4000) < 0.05).astype(int)
    source = open_source((rng.normal(np.where(y, 2.0, -2.0)[:, None], 0.5, (4000, 2)), np.array(["common", "rare"])[y]))
    recipe = RECIPES["gan"]
    settings = recipe.settings(**{**recipe.defaults(source.space), "latent": 2, "batch": 64})
    own = {"generator": Perfect(source.space), "discriminator": Silent()}
    game = recipe.game(settings, source.space, torch.device("cpu"), own)
    return sparring.Model("gan", settings, source.space, game), source


def test_a_perfect_model_of_uneven_classes_is_perfect_to_whatever_judges(uneven):
    model, source = uneven
    found = evaluate(model, real=source, metrics=["fid"], n=2000)["metrics"]["fid(values)"]["value"]
    assert found < 0.02
    without = evaluate(model, real=source.space.decode(source.values).numpy(), metrics=["fid"], n=2000)["metrics"]["fid(values)"]["value"]
    assert without < 0.02                                       # the second set names no classes: the model knows their shares
    scores = score(model.game, source, 0)
    assert scores["swd"] < 2 * scores["swd_floor"]
    row = checkup(model.game, standard(source, 0), 0)
    assert row["distance"] < 2 * row["floor"] and row["missing"] < 0.05 and row["uneven"] < 0.25
    assert set(model.sample(4, shares="even")[:, 0].sign().tolist()) == {-1.0, 1.0}
    assert (model.sample(1000, shares="data")[:, 0] > 0).double().mean() == pytest.approx(0.05, abs=0.02)


def test_a_class_that_is_asked_for_and_not_made_is_seen(uneven):
    model, source = uneven
    generator = model.game.generator
    answered, generator.forward = generator.forward, lambda z, labels: answered(z, torch.zeros_like(labels))
    try:
        assert checkup(model.game, standard(source, 0), 0)["class_lost"] == pytest.approx(0.05, abs=0.02)
    finally:
        generator.forward = answered
    assert checkup(model.game, standard(source, 0), 0)["class_lost"] == 0
    generator.forward = lambda z, labels: answered(z, labels) + 2.0 * labels[:, None]        # the rare class, beside where it should be
    try:
        row = checkup(model.game, standard(source, 0), 0)
    finally:
        generator.forward = answered
    assert row["class_lost"] == 0 and row["class_off"] > 2
    assert "the samples of a class lie" in diagnose([], [{"step": step, **GOOD, "class_off": 2.5} for step in (50, 75, 100)], CONFIG).why
    told = [{"step": step, **GOOD, "class_lost": 0.05} for step in (50, 75, 100)]
    found = diagnose([], told, CONFIG)
    assert found.verdict == "failing" and found.findings[0].name == "mode_collapse" and "look like another" in found.findings[0].explanation


def test_recipe_images_tells_networks_the_class_where_the_smallest_has_enough():
    def chosen(shares, count):
        space = Images(1, 8, 8, ("bags", "shirts"), shares=shares)
        labels = torch.repeat_interleave(torch.arange(2), torch.tensor([round(share * count) for share in shares]))
        source = Finite(space, torch.zeros(count, 1, 8, 8, dtype=torch.uint8), labels)
        return choices(source, RECIPES["images"].settings(), False)["conditional"]

    assert chosen((0.05, 0.95), 2000)[0] and not chosen((0.04, 0.96), 2000)[0]
    assert "bags, has 80 pictures, fewer than 100" in chosen((0.04, 0.96), 2000)[1]
