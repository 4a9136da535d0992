"""The speed benchmarks do what they say; how fast anything is, no test asks."""

import pytest
import torch

from sparring.bench import by_hand, contests
from sparring.bench.arithmetic import game_of_images, peak
from sparring.bench.contests import CONTESTS, Contest, compete
from sparring.bench.overhead import overhead
from sparring.cli.bench import bench, told
from sparring.errors import InputError


def test_pairs_alternate_and_ratios_are_of_pairs():
    played = []

    def contender(name, rate):
        def play(threads, rounds):
            played.append((name, threads, rounds))
            return rate

        return play

    found = compete(Contest("", 40, contender("ours", 6.0), contender("theirs", 3.0)), 2, 3)
    assert [name for name, _, rounds in played if rounds == 40] == ["theirs", "ours", "ours", "theirs", "theirs", "ours"]
    assert found["ratio"] == {"median": 2.0, "least": 2.0, "most": 2.0}
    assert found["pairs"] == 3
    assert found["threads"] == 2


def test_both_contenders_of_curves_play():
    contest = CONTESTS["curves"]
    assert contest.ours(1, 40) > 0
    assert contest.theirs(1, 40) > 0


def test_the_loop_by_hand_learns_what_it_says():
    values = contests.noise_images().values[:64]
    assert by_hand.images(values, 4, 2, 1.0) > 0


def test_a_product_counts_two_operations_a_pair_and_the_engine_a_share(monkeypatch):
    monkeypatch.setattr("sparring.bench.arithmetic.SIZES", (128, 256))
    assert peak(torch.float32, 0.01)["median"] > 0.1
    _, stream = game_of_images("fp32")
    assert next(stream).x.shape == (64, 3, 32, 32)
    monkeypatch.setattr("sparring.bench.overhead.DCGAN", {"batch": 8, "latent": 8, "width": 4, "compile": "off"})
    share = overhead("fp32", 1, 1, rounds=4)["share of the engine"]["median"]
    assert 0 < share < 1


def test_the_table_and_mistakes():
    assert told({"ratio": {"median": 2.0, "least": 1.5, "most": 2.5}, "threads": 2}) == "2.00 x by hand (1.50 to 2.50), 2 thread(s)"
    assert told({"share of the engine": {"median": 0.021, "least": 0.02, "most": 0.03}, "threads": 1}).startswith("2.1 % share of the")
    with pytest.raises(InputError, match=r"no benchmark 'curvs'.*curves"):
        bench(["curvs"], 1, None)
    with pytest.raises(InputError, match="at least one pair"):
        bench([], 0, None)
    with pytest.raises(InputError, match="give 1 to 1024"):
        bench([], 1, 0)
