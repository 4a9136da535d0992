"""Train the labelled runs of `doctor_cases`, one after the other; what is there already is not trained again."""

import json
import shutil
import sys
import time

import torch

from benchmarks.doctor.doctor_cases import FOLDER, SHARED, Case, cases, where
from sparring.api import Model, Silent, run
from sparring.data.builtin.synthetic import Mixture
from sparring.data.source import Finite, Source
from sparring.errors import InputError, RunFailed
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.spaces import Images


def train(case: Case) -> None:
    """Run it, and write truth.json into its folder last."""
    out = FOLDER / case.name
    if (out / "truth.json").exists():
        return
    if out.exists() and time.time() - out.stat().st_mtime > 600:     # what was left half done
        shutil.rmtree(out)
    try:
        prepared = prepare(Request(case.recipe, where(case.data), case.given, case.seed), out)
        model, outcome = run(prepared, Silent())
        if not outcome.finished(prepared.plan):                 # someone asked it to stop
            return
        truth = {"scores": outcome.scores | more(model, prepared.source), "nan": False}
    except RunFailed as error:
        truth = {"scores": {}, "nan": True, "why": str(error)}
    except InputError as error:
        if "another process" in str(error):
            return
        if "not finite" not in str(error):
            raise
        truth = {"scores": {}, "nan": True, "why": str(error)}
    for heavy in ("checkpoint", "model", "samples"):
        shutil.rmtree(out / heavy, ignore_errors=True)
    (out / "truth.json").write_text(json.dumps({"family": case.family, "data": case.data, "held_out": case.held_out, **truth}))


def more(model: Model, source: Source) -> dict[str, float]:
    """What the scores leave open: `off`, the share of samples of a mixture in the plane that are farther from every component than a
    quarter of the way to its neighbour; and `copies`, the share of
    samples of a small set that are nearer to one of it than half of the way to its neighbour; `worst_class`, how far the class lies that
    is missed most."""
    made = model.sample(2000, shares="data").float()
    if isinstance(source, Mixture) and source.space.shape == (2,):
        means = torch.tensor(source.means)
        gap = torch.cdist(means, means).fill_diagonal_(torch.inf).min()
        return {"off": float((torch.cdist(made, means).min(1).values > gap / 4).double().mean())}
    if isinstance(source, Finite) and source.labels is not None and model.labels and not isinstance(source.space, Images):
        return {"worst_class": max(far_from_class(model, source, name) for name in model.labels)}
    if isinstance(source, Finite) and len(source) < 100 and isinstance(source.values, torch.Tensor):
        known = source.at(torch.arange(len(source))).x.flatten(1)
        nearest = torch.cdist(known, known).fill_diagonal_(torch.inf).min(1).values.median()
        seen = made if isinstance(source.space, Images) else source.space.encode(made)
        return {"copies": float((torch.cdist(seen.flatten(1), known).min(1).values < nearest / 2).double().mean())}
    return {}


def far_from_class(model: Model, source: Finite, name: str) -> float:
    """How far the mean of samples that were asked to be of a class is from that of the class, in its deviations."""
    assert source.labels is not None
    real = source.at((source.labels == model.labels.index(name)).nonzero().flatten()).x
    made = source.space.encode(model.sample(500, labels=name))
    return float(((made.mean(0) - real.mean(0)) / real.std(0)).abs().max())


if __name__ == "__main__":
    todo = [case for case in cases() if case.data not in ("fashion", "bags") or (SHARED / "fashion-mnist").exists()]
    for i, case in enumerate(reversed(todo) if "--backwards" in sys.argv else todo):     # for two processes at once
        train(case)
        print(f"{i + 1}/{len(todo)} {case.name}", flush=True)
