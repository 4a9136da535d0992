"""Inversion: what of real digits can a generator that learned from others make, and how alike are the directions of two methods?

The run is of the plain `gan` recipe on the digits that are shipped, 1,437 to learn from and 360 held out.
"""

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import sparring
from benchmarks.record import record, spread
from sparring.api import Silent, run
from sparring.data import open_source
from sparring.data.source import Finite
from sparring.evaluation.inversion import nearest
from sparring.latent.inversion import radius
from sparring.rng import generator
from sparring.setup.prepare import prepare
from sparring.setup.request import Request

MANY, STARTS, STEPS = 48, 4, 200


def trained(seed: int, steps: int = 1500) -> tuple[sparring.Model, Finite, dict[str, Any]]:
    """A finished model, its data, and what training scored and took."""
    given = {"steps": steps, "threads": 1, "show_every": 10**9, "score_every": 10**9}
    with tempfile.TemporaryDirectory() as folder:
        model, outcome = run(prepare(Request("gan", "digits", given, seed), Path(folder) / "run"), Silent())
    source = open_source("digits")
    assert isinstance(source, Finite) and source.held_out is not None
    return model, source, {"steps": steps, "seconds": outcome.seconds, "svc_accuracy": outcome.scores["svc_accuracy"]}


def case(seed: int) -> dict[str, Any]:
    """Errors of MANY digits of each set, all with their true class; medians over digits, of the best start and of the worst."""
    model, source, result = trained(seed)
    assert source.held_out is not None
    rows = {name: torch.randperm(len(part), generator=generator(seed, name))[:MANY]
            for name, part in (("training", source), ("held out", source.held_out))}
    sets: dict[str, tuple[Tensor, Tensor, Tensor | None]] = {"generated": (model.sample(MANY, seed=seed), model.labels_for(MANY), None)}
    for name, part in (("training", source), ("held out", source.held_out)):
        batch = part.at(rows[name])
        assert batch.labels is not None
        sets[name] = (batch.x, batch.labels, rows[name] if name == "training" else None)
    for name, (x, labels, own) in sets.items():
        found = model.invert(x, labels=labels.tolist(), starts=STARTS, steps=STEPS, seed=seed)
        far, _ = nearest(source, x, own)
        result |= {f"{name}: error": found.error.median().item(), f"{name}: worst start": found.errors[:, -1].median().item(),
                   f"{name}: nearest training digit": far.median().item(),
                   f"{name}: share nearer than it": (found.error < far).double().mean().item(),
                   f"{name}: share at the bound": (found.z.norm(dim=1) > 0.999 * radius(found.z.shape[1])).double().mean().item()}
    x, labels, _ = sets["held out"]
    free = model.invert(x, starts=STARTS, steps=STEPS, seed=seed)
    assert free.labels is not None
    result |= {"held out, class not told: error": free.error.median().item(),
               "held out, class not told: share of classes found": (free.labels == labels).double().mean().item()}
    closed, pca = (model.directions(method, n=6).vectors for method in ("closed_form", "pca"))
    return result | {"directions: |cosine| of both methods": spread((closed * pca).sum(1).abs().tolist())}


if __name__ == "__main__":
    record("latent",
           f"`gan` with its defaults on digits (16x16, 1,437 to learn from, 360 held out), 1,500 rounds, one thread. {MANY} digits "
           f"of each set are inverted by Adam, {STEPS} steps from each of {STARTS} starts, the class told; errors are root mean "
           "squares over pixels in [-1, 1], medians over digits. `nearest training digit` is the distance to the nearest one "
           "other than itself; `share nearer than it` how many inversions are nearer. `class not told`: the class comes with the "
           "start. `share at the bound`: latents as long as the search allows. Directions: cosines of the k-th direction of each "
           "method, k = 1 to 6. Nothing was tuned on the held-out digits. The seconds are of training alone, on a machine that "
           "was busy with other work.",
           {"held out: error": "no aim; far above that of training digits if these were learned by heart"},
           [(f"seed {seed}", lambda seed=seed: case(seed)) for seed in (0, 1, 2)])
