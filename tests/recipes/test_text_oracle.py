"""The benchmark of text, on an oracle of seven words: its floor, random words, and one short run."""

import math

import numpy as np
import pytest
import torch
from benchmarks.recipes.text import TEMPERATURES, Oracle, learned


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
    found = learned(few, 0, small, lines=40, words=7)
    assert found["rounds"] == 4 and 0 < found["floor"] < found["NLL_test"]
    assert all(f"NLL_oracle, temperature {heat}" in found for heat in TEMPERATURES) and 0 <= found["short"] <= 1
