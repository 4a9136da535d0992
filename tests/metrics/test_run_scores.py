"""How many samples the scores of a run are of: they follow what a sample costs and how long the run is, and nothing else."""

import json

import pytest
import torch
from torch import nn

import sparring
from sparring.data.source import Finite
from sparring.metrics import run_scores
from sparring.metrics.cost import multiplications
from sparring.metrics.features import pixels
from sparring.metrics.run_scores import DEAR, FEW, SAMPLES, at_most
from sparring.recipes import RECIPES
from sparring.spaces import Images

CPU = torch.device("cpu")
SPACE = Images(3, 8, 8)
DATA = Finite(SPACE, torch.randint(0, 256, (60, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)))


def made(generator=None, **given):
    recipe = RECIPES["gan"]
    return recipe.game(recipe.settings(**{"latent": 4, "width": 4, **given}), SPACE, CPU, generator and {"generator": generator})


@pytest.fixture
def dear(monkeypatch):
    """Where every generator is dear."""
    monkeypatch.setattr(run_scores, "DEAR", 0)


class Multiplies(nn.Module):
    """By a matrix, without a layer."""

    def forward(self, x):
        return x @ torch.ones(192, 192)


@pytest.mark.parametrize(("layers", "wanted"), [
    ([nn.Linear(4, 192)], 4 * 192),
    ([nn.Linear(4, 192), Multiplies()], 4 * 192 + 192**2),
    ([nn.Linear(4, 64), nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 3, 3, padding=1)], 4 * 64 + 64 * 3 * 9),
    ([nn.Linear(4, 32), nn.Unflatten(1, (2, 4, 4)), nn.ConvTranspose2d(2, 3, 2, 2)], 4 * 32 + 32 * 3 * 4),
    ([nn.Linear(4, 192), nn.Unflatten(1, SPACE.shape), nn.Conv2d(3, 3, 3, padding=1, groups=3)], 4 * 192 + 192 * 9),
])
def test_multiplications_are_counted_and_take_no_random_numbers(layers, wanted):
    game = made(nn.Sequential(*layers, nn.Unflatten(-1, SPACE.shape) if len(layers) < 3 else nn.Identity()))
    before = torch.get_rng_state()
    assert multiplications(game) == wanted
    assert torch.equal(before, torch.get_rng_state())


def test_a_cheap_generator_is_scored_by_as_many_in_any_run():
    assert [at_most(made(), DATA, learned) for learned in (1, 5000)] == [SAMPLES, SAMPLES]


@pytest.mark.parametrize(("learned", "count"), [(1, FEW), (FEW, FEW), (1234, 1234), (SAMPLES, SAMPLES), (10 * SAMPLES, SAMPLES)])
def test_a_dear_generator_is_scored_by_no_more_than_it_learned_from(learned, count, dear):
    assert at_most(made(), DATA, learned) == count


def test_which_generators_are_dear():
    photos, digits = Images(3, 64, 64), Images(1, 28, 28)
    for name, space, given, wanted in (("projected", photos, {}, True), ("gan", photos, {"residual": True}, True),
                                       ("gan", digits, {}, False), ("images", photos, {"width": 16}, False)):
        recipe = RECIPES[name]
        game = recipe.game(recipe.settings(**{**recipe.defaults(space), **given}), space, CPU)
        assert (multiplications(game) > DEAR) is wanted, name


@pytest.mark.parametrize("metric", ["none", "kid"])
def test_a_short_run_draws_as_few_and_a_long_one_scores_the_same_bits_as_ever(metric, dear, monkeypatch, tmp_path):
    drawn, draw = [], run_scores.draw
    monkeypatch.setattr(run_scores, "draw", lambda game, source, n, seed: drawn.append(n) or draw(game, source, n, seed))
    monkeypatch.setattr(run_scores, "choose", lambda space: (pixels(), ""))
    monkeypatch.setattr(run_scores, "FEW", 8)
    monkeypatch.setattr(run_scores, "SAMPLES", 50)
    given = {"data": DATA, "latent": 4, "width": 4, "batch": 4, "steps": 10, "threads": 1, "keep_best": metric, "seed": 0}
    sparring.fit("gan", **given, score_every=5, out=tmp_path / "short")
    assert drawn and set(drawn) == {20}
    drawn.clear()
    sparring.fit("gan", **given, score_every=10, out=tmp_path / "less often")
    assert set(drawn) == {40}
    long = sparring.fit("gan", **given | {"steps": 13}, score_every=13, out=tmp_path / "long")
    row = json.loads((tmp_path / "long" / "scores.jsonl").read_text().splitlines()[-1])
    assert row == {"step": 13, **run_scores.score(long.game, DATA, 0, metric)}
