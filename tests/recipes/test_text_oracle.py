"""The benchmark of text: an oracle of seven words, its floor, random words and one short run; and what quatrains are measured by."""

import math

import numpy as np
import pytest
import torch
from benchmarks.recipes.oracle import Oracle
from benchmarks.recipes.quatrains import Grams, distance, formed, verses
from benchmarks.recipes.text import TEMPERATURES, cases, latents, learned, verdict

from conftest import small_lines
from untrained import untrained


@pytest.fixture
def small(tmp_path):
    rng = np.random.default_rng(0)
    part = {"embedding": rng.normal(size=(7, 4)), "W_out": rng.normal(size=(4, 7)) * 2, "b_out": rng.normal(size=7)}
    for gate in "ifoc":
        part |= {f"W_{gate}": rng.normal(size=(4, 4)), f"U_{gate}": rng.normal(size=(4, 4)), f"b_{gate}": rng.normal(size=4)}
    np.savez(tmp_path / "oracle.npz", **{name: array.astype(np.float32) for name, array in part.items()})
    return Oracle(tmp_path / "oracle.npz")


def test_an_oracle_knows_its_own_lines_best(small):
    x, floor = small.lines(3000, 0, "test", 5)
    assert x.shape == (3000, 5) and small.nats(x) == pytest.approx(floor, rel=1e-5)
    assert floor < small.nats(torch.randint(7, (3000, 5), generator=torch.Generator().manual_seed(0)))
    blind = small
    blind.part |= {"W_out": torch.zeros(4, 7), "b_out": torch.zeros(7)}
    assert blind.nats(x) == pytest.approx(math.log(7))


def test_a_case_has_the_floor_and_a_temperature_curve(small):
    few = {"steps": 4, "pretrain": 2, "warm": 1, "rollouts": 1, "width": 8, "filters": 5, "batch": 8, "free_bits": 0.0, "latent": 2}
    found = learned("seqgan", few, 0, small, lines=40, words=7, drawn=64)
    assert found["rounds"] == 4 and 0 < found["floor"] < found["NLL_test, temperature 1.0"]
    assert all(f"NLL_oracle, temperature {heat}" in found for heat in TEMPERATURES) and 0 <= found["short"] <= 1


def curve(shift=0.0):
    """NLL_oracle falls and NLL_test rises with a lower temperature."""
    return {f"NLL_test, temperature {heat}": 3 / heat for heat in TEMPERATURES} | {
        f"NLL_oracle, temperature {heat}": 8 * heat - shift for heat in TEMPERATURES}


def test_a_curve_is_beaten_where_it_lies_below_at_the_same_likelihood():
    assert verdict(curve(0.3), curve())["said"].startswith("4 of the 4 points")
    assert verdict(curve(-0.3), curve())["said"].startswith("0 of the 4 points")
    assert [v for name, v in verdict(curve(0.3), curve()).items() if name != "said"] == pytest.approx([0.3] * 4)
    moved = {name: value + 100 if "test" in name else value for name, value in curve().items()}
    assert verdict(moved, curve())["said"].startswith("0 of the 0 points")


def test_the_form_of_quatrains():
    five, seven = "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。", "朝辞白帝彩云间，千里江陵一日还。两岸猿声啼不住，轻舟已过万重山。"
    for poem in (five, seven):
        assert formed(poem)
    for poem in (five[:12], five[1:], five.replace("鸟。", "鸟，"), five.replace("声，花", "声花，"),
                 five[:12] + seven[:16]):
        assert not formed(poem)
    assert verses(["春眠不觉晓，处处闻啼鸟。"]) == ["春眠不觉晓", "处处闻啼鸟"]
    assert [distance(*pair) for pair in (("", ""), ("ab", ""), ("kitten", "sitting"), ("abc", "abc"), ("ab", "ba"))] == [0, 2, 3, 0, 2]


def test_an_n_gram_model_is_a_distribution_and_knows_its_own_lines():
    lines = ["abc", "abd", "bca", "cab", "dab"]
    for order in (1, 2, 3):
        model = Grams(lines, "abcde", order)
        for before in ({()}, {("a",), ("",), ("e",)}, {("", ""), ("a", "b"), ("e", "e")})[order - 1]:
            assert sum(model.p(before, word) for word in ["a", "b", "c", "d", "e", ""]) == pytest.approx(1.0)
            assert min(model.p(before, word) for word in "abcde") > 0
    assert Grams(lines, "abcde", 2).nats(lines) < Grams(lines, "abcde", 1).nats(lines) < math.log(6)


def test_what_a_latent_decides_is_measured():
    found = latents(untrained("seqgan", small_lines().space, latent=4, noise=16, filters=5), 0, 20)
    assert found["the same latent writes the same poem"] and found["edit distance, near"] < found["edit distance, any"]
    assert cases().keys() > cases(toy=True).keys() and len(cases()) == 39
