"""Recipes `table` and `tvae` on densities that are known: ring, grid, and grid with its modes moved at random.

    python -m benchmarks.recipes.table_densities [WORD...]      # the cases that begin with one of these words
"""

import sys
from functools import partial
from statistics import mean
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import sparring
from benchmarks.record import record
from sparring.latent.where import Drawn
from sparring.spaces import Table

N, VARIANCE = 10_000, 0.05
Floats = NDArray[np.float64]


def modes(name: str) -> Floats:
    """Of SDGym's simulators: 8 on a circle of radius 1; 25 on a grid two apart; the same, each moved by up to a half."""
    if name == "ring":
        angles = np.arange(8) * 2 * np.pi / 8
        return np.stack([np.cos(angles), np.sin(angles)], 1)
    grid = np.array([(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)], float)
    return grid if name == "grid" else grid + np.random.default_rng(0).uniform(-0.5, 0.5, grid.shape)


def draw(name: str, seed: int) -> Floats:
    rng, places = np.random.default_rng(seed), modes(name)
    return places[rng.integers(len(places), size=N)] + np.sqrt(VARIANCE) * rng.normal(size=(N, 2))


def likelihoods(made: Floats, test: Floats) -> dict[str, float]:
    """SDGym's two: a diagonal mixture fitted on the test rows, of the generated ones, and the other way round; the mean of 10 and 30
    components."""
    from sklearn.mixture import GaussianMixture

    def of(fitted: Floats, judged: Floats) -> float:
        return mean(float(GaussianMixture(k, covariance_type="diag", random_state=0).fit(fitted).score(judged)) for k in (10, 30))

    return {"L_syn": of(test, made), "L_test": of(made, test)}


def truth(name: str, x: Floats) -> float:
    """The mean log density of rows under the simulator itself."""
    away = ((x[:, None] - modes(name))**2).sum(2) / (2 * VARIANCE)
    return float(np.mean(np.log(np.exp(-away).mean(1) / (2 * np.pi * VARIANCE) + 1e-300)))


def identity(name: str) -> dict[str, Any]:
    train, test = draw(name, 1), draw(name, 2)
    return {**likelihoods(train, test), "simulator": truth(name, train)}


def case(recipe: str, name: str, seed: int) -> dict[str, Any]:
    train, test = draw(name, 1), draw(name, 2)
    rows = [{"x": f"{x:.5f}", "y": f"{y:.5f}"} for x, y in train]
    begun = perf_counter()
    model = sparring.fit(recipe, data=rows, seed=seed, show_every=10**6, score_every=10**6, check_every=10**6, threads=1, held_out=0)
    assert isinstance(model.space, Table)
    made = torch.cat(list(Drawn(model.game, model.space, seed).cells(N))).numpy()
    return {**likelihoods(made, test), "simulator": truth(name, made), "seconds": round(perf_counter() - begun)}


CASES = {f"{name}, identity": partial(identity, name) for name in ("ring", "grid", "gridr")}
CASES |= {f"{name}, {recipe}, seed {seed}": partial(case, recipe, name, seed)
          for recipe in ("table", "tvae") for name in ("ring", "grid", "gridr") for seed in (0, 1, 2)}

if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    record("table_densities", f"{N:,} training rows, as many generated and test rows; modes of variance {VARIANCE}. L_syn: mean log "
           "likelihood of generated rows under a mixture fitted on test rows; L_test: of test rows under a mixture fitted on generated "
           "ones (10 and 30 diagonal components). simulator: of generated rows under the true density. Default settings.",
           {"ring": "CTGAN in SDGym's re-runs: L_syn -7.06, L_test -2.74 (paper -3.43, -2.19); identity -1.70, -1.70",
            "grid": "-9.16, -5.07 (paper -5.63, -3.69); identity -3.06, -3.06", "gridr": "paper -8.11, -4.31; identity -3.06, -3.07"},
           [(name, one) for name, one in CASES.items() if not words or any(name.startswith(word) for word in words)])
