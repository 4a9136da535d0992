"""What users of the Python functions do wrong, and what a config.json may hold that someone has edited."""

import json
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import sparring
from shell import TINY, Shell, make_runs
from sparring.errors import InputError, RunFailed
from sparring.setup.prepare import prepare
from sparring.setup.request import Request


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    return make_runs(tmp_path_factory.mktemp("runs"))


def net(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers)


class Raises(nn.Linear):
    def forward(self, z):
        raise KeyError("my own mistake")


OWN = [
    ({"generator": nn.Linear(3, 3)}, ("the networks failed on a trial batch", "latent=5", "float[n, 15]")),
    ({"generator": nn.Linear(5, 3)}, ("the generator gives shape (3,)", "(15,)", "last layer")),
    ({"generator": nn.Linear(5, 15).double()}, ("the networks failed on a trial batch",)),
    ({"generator": Raises(5, 15)}, ("the networks failed on a trial batch", "my own mistake")),
    ({"generator": nn.LSTM(5, 15)}, ("the networks failed on a trial batch",)),
    ({"generator": nn.Linear}, ("expected a torch.nn.Module", "generator=Net()")),
    ({"generator": lambda z: z}, ("expected a torch.nn.Module",)),
    ({"generator": nn.ReLU()}, ("generator has no trainable parameters",)),
    ({"generator": nn.LazyLinear(15)}, ("sizes are not known yet", "Call it once")),
    ({"generator": nn.Linear(5, 15).requires_grad_(False)}, ("generator has no trainable parameters",)),
    ({"discriminator": nn.Linear(15, 2)}, ("one logit per sample", "returned 4 numbers")),
    ({"discriminator": nn.Linear(7, 1)}, ("the networks failed on a trial batch", "float[n, 15]")),
    ({"critic": nn.Linear(15, 1)}, ("no setting 'critic'", "Settings: steps")),
    ({"datas": "ring"}, ("no setting 'datas'",)),
    ({"data": None}, ("a NoneType", "expected a name")),
    ({"data": [[1.0, 2.0]] * 20}, ("a list", "np.asarray")),
    ({"data": np.zeros((0, 3))}, ("empty",)),
    ({"data": np.full((32, 2), np.nan)}, ("NaN",)),
    ({"data": torch.zeros(32, 2, 2, 2, 2)}, ("[32, 2, 2, 2, 2]",)),
    ({"data": np.zeros((32, 2), complex)}, ("complex",)),
    ({"data": (np.eye(32), np.zeros(31, int))}, ("31",)),
    ({"data": torch.randn(32, 2), "conditional": True}, ("conditional=true needs labels",)),
    ({"data": torch.randn(8, 2)}, ("8 samples, fewer than one batch of 16",)),
    ({"seed": 1.5}, ("seed=1.5", "whole number")),
    ({"seed": None}, ("seed=None", "whole number")),
    ({"lr": "fast"}, ("lr=fast", "a number above 0 to 1")),
    ({"steps": None}, ("steps=None", "an integer")),
    ({"device": "tpu"}, ("no device 'tpu'", "Devices: auto")),
]


@pytest.mark.parametrize("given, says", OWN, ids=[f"{i} {says[0]}" for i, (_, says) in enumerate(OWN)])
def test_a_mistake_in_python_is_an_input_error(given, says):
    with pytest.raises(InputError) as error:
        sparring.fit("gan", **{"data": "quadratic", "steps": 2, **TINY, **given})
    assert [part for part in says if part not in str(error.value)] == [], str(error.value)


def test_mistakes_with_a_model(runs, tmp_path):
    model = sparring.load(runs / "pictures")
    for given, says in [({"n": 0}, "n=0"), ({"n": 2.5}, "n=2.5"), ({"n": True}, "n=True"), ({"n": 1, "labels": 2}, "no class 2"),
                        ({"n": 1, "labels": -1}, "no class -1"), ({"n": 1, "labels": []}, "labels is empty"),
                        ({"n": 1, "labels": 1.0}, "no class 1.0"), ({"n": 1, "labels": 1}, "no class 1.*positions=1"),
                        ({"n": 1, "labels": "bird"}, "Classes: cat, dog"),
                        ({"n": 1, "seed": "a"}, "seed='a'")]:
        with pytest.raises(InputError, match=says):
            model.sample(**given)
    wanted = model.sample(3, labels=["dog", "dog", "cat"])
    for positions in (np.array([1, 1, 0]), torch.tensor([1, 1, 0]), (1, 1, 0), [1, 1, np.int64(0)]):
        assert torch.equal(model.sample(np.int64(3), positions=positions), wanted)

    with pytest.raises(InputError, match=r"holds other files.*Give a new folder"):
        model.save(runs)
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunFailed, match="could not be written"):
        model.save(tmp_path / "file" / "model")
    with pytest.raises(InputError, match="no device 'tpu'"):
        sparring.load(runs / "pictures", device="tpu")
    with pytest.raises(InputError, match=r"no network 'generatr'.* Did you mean 'generator'"):
        sparring.load(runs / "pictures", generatr=nn.Linear(5, 2))


def test_own_networks_are_asked_for_again(tmp_path):
    def discriminator() -> nn.Module:
        return net(nn.Linear(15, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))

    out = tmp_path / "run"
    given = {name: value for name, value in TINY.items() if name not in ("width", "depth")}     # which would do nothing, and say so
    sparring.fit("gan", generator=nn.Linear(5, 15), discriminator=discriminator(), out=out, steps=2, **given)
    with pytest.raises(InputError, match=r"your own networks; give them again: sparring.load\(path, generator=\.\.\."):
        sparring.load(out)
    with pytest.raises(InputError, match="the networks failed on a trial batch"):
        sparring.load(out, generator=nn.Linear(3, 15))
    with pytest.raises(RunFailed, match=r"is missing from it|not expected in it"):
        sparring.load(out, generator=net(nn.Linear(5, 8), nn.Linear(8, 15)))
    wanted = sparring.load(out, generator=nn.Linear(5, 15)).sample(3)           # sampling needs no discriminator
    shutil.rmtree(out / "model")
    with pytest.raises(InputError, match="give them again"):
        sparring.load(out, generator=nn.Linear(5, 15))                          # a checkpoint holds both
    again = sparring.load(out, generator=nn.Linear(5, 15), discriminator=discriminator())
    assert torch.equal(again.sample(3), wanted)


ABSENT = object()
VALUES = (ABSENT, None, True, -1, 10**30, 1.5, "", "x", "../x", [], [1], ["a", "b"], [[1.0]], {}, {"kind": "images"}, {"a": 1})


@pytest.mark.parametrize("among", [8, pytest.param(1, marks=pytest.mark.chaos)])
def test_no_config_makes_more_than_a_message(runs, tmp_path, monkeypatch, capsys, among):
    """config.json is a file that anyone may edit: every value in it may be anything, or not there.

    In short, every place has one value in eight, each time another one, and is absent; in full, every place has every value.
    """
    monkeypatch.setattr("sparring.cli.train.album", lambda *given: [])
    shell, run = Shell(monkeypatch, capsys), tmp_path / "run"
    again = ["train", "gan", "--data", "ring", "--steps", 6, "--out", run, *(f"{name}={value}" for name, value in TINY.items())]
    shutil.copytree(runs / "unfinished", run)
    config = json.loads((run / "config.json").read_text())
    places = [(name,) for name in config] + [(name, part) for name in ("settings", "space", "run_settings") for part in config[name]]
    for at, place in enumerate(places):
        for value in VALUES[:1] + VALUES[1 + at % among::among]:
            changed = json.loads(json.dumps(config))
            target = changed if len(place) == 1 else changed[place[0]]
            target[place[-1]] = value
            if value is ABSENT:
                del target[place[-1]]
            (run / "config.json").write_text(json.dumps(changed))
            with suppress(InputError, RunFailed):               # nothing else may come out
                sparring.load(run).sample(1)
            if len(place) == 1 and value in (ABSENT, "x"):
                assert shell("show", run).code in (0, 2), (place, value)
                assert value == "x" or shell(*again).code in (0, 2), (place, value)
                shutil.rmtree(run / "model", ignore_errors=True)


def test_a_full_accelerator_is_told_with_a_batch_that_takes_half(tmp_path):
    says = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.10 GiB of which 1.20 GiB is free. More."

    class Full(nn.Linear):
        def forward(self, x):
            if len(x) > 8:                                      # the check of the shapes, and the rehearsal of the losses, pass
                raise torch.OutOfMemoryError(says)
            return super().forward(x)

    with pytest.raises(RunFailed, match=r"batch=8 does not fit .* Tried to allocate 2.00 GiB.*1.20 GiB is free\. Add accumulate=2"):
        sparring.fit("gan", "quadratic", discriminator=Full(15, 1), steps=2, batch=8, out=tmp_path / "run")


def test_a_full_accelerator_is_told_by_the_run_and_not_while_its_cost_is_measured(tmp_path, monkeypatch):
    def full(*given):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("sparring.setup.forecast.seconds_a_round", full)
    prepared = prepare(Request("gan", "quadratic", {"steps": 60, **TINY}), tmp_path / "run")
    prepared.folder.unlock()
    assert "forecast" not in prepared.config["reasons"]


def test_data_that_is_given_as_a_path_is_found_again(tmp_path):
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(40, 3)))
    sparring.fit("gan", data=tmp_path / "rows.npy", out=tmp_path / "run", steps=2, batch=8, width=4)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["data"] == str(tmp_path / "rows.npy")
    assert "kid(values)" in sparring.evaluate(tmp_path / "run", metrics="kid")["metrics"]
