"""What strangers and accidents leave: model folders that ask for too much, files that would be lost, names that are not words."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

import sparring
from conftest import small_images
from shell import RARELY, TINY, Shell
from sparring.data.source import Finite
from sparring.errors import InputError, RunFailed
from sparring.latent import portions
from sparring.metrics import run_scores
from sparring.spaces import Images

QUICK = ["width=4", "threads=1", *(f"{name}={value}" for name, value in RARELY.items())]


@pytest.fixture
def shell(monkeypatch, capsys, tmp_path) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch, capsys)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """A model of points and one of images."""
    folder = tmp_path_factory.mktemp("models")
    sparring.fit("gan", data="ring", steps=1, **TINY).save(folder / "points")
    sparring.fit("gan", data=small_images(40, labelled=False), steps=1, batch=8, width=4, latent=4, threads=1).save(folder / "images")
    return folder


def edited(model: Path, folder: Path, change) -> Path:
    """A copy of the model with a changed config.json and a manifest that agrees with it."""
    shutil.copytree(model, folder)
    config = json.loads((folder / "config.json").read_text())
    change(config)
    data = json.dumps(config).encode()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["config.json"] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "config.json").write_bytes(data)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
    return folder


@pytest.mark.parametrize("change", [
    lambda c: c["space"].update(channels=4, height=8192, width=8192), lambda c: c["settings"].update(width=4096),
    lambda c: c["settings"].update(latent=4096),
    lambda c: (c["settings"].update(conditional=True), c["space"].update(labels=["a"] * 10_000)),
], ids=["huge images", "huge layers", "huge latents", "classes"])
def test_a_model_that_asks_for_more_than_its_tensors_is_refused_before_memory_is_taken(models, tmp_path, change, monkeypatch):
    folder = edited(models / "images", tmp_path / "model", change)
    monkeypatch.setattr("sparring.setup.rebuild.build", lambda *given: pytest.fail("networks with weights were built"))
    with pytest.raises((InputError, RunFailed)):
        sparring.load(folder)


@pytest.mark.parametrize("change, why", [
    (lambda c: c.update(recipe=3), "recipe"), (lambda c: c.pop("space"), "space"), (lambda c: c.update(settings=[1]), "settings"),
    (lambda c: c.update(scores={"a": "b"}), "scores"), (lambda c: c.update(scores={"a": 10**400}), "scores"),
    (lambda c: c.update(trained="x"), "trained"), (lambda c: c.update(own_networks={"G": "x"}), "no network 'G'"),
    (lambda c: c.update(recipe="x" * 10**6), "no recipe"), (lambda c: c["settings"].update({f"s{i}": 1 for i in range(99_999)}), "s0"),
    (lambda c: c["settings"].update(width="wide\x1b[31m"), "width"), (lambda c: c["space"].update(shift=[float("nan"), 1]), "shift"),
    (lambda c: c["space"].update(scale=[0, 1]), "scale"), (lambda c: c["space"].update(scale=[1]), "shape"),
    (lambda c: c["space"].update(labels=["a", "a"]), "a class twice"), (lambda c: c["space"].update(labels="ab"), "list of names"),
    (lambda c: c["space"].update(kind=[]), "kind"), (lambda c: c["space"].update(shift=[10**400, 1]), "kind 'vectors'"),
    (lambda c: c.update(space={"kind": "images", "channels": 2, "height": 8, "width": 8}), "channels"),
    (lambda c: c.update(space={"kind": "images", "channels": 1, "height": 1025, "width": 8}), "sides"),
])
def test_a_config_that_cannot_be_understood_is_refused_by_name(models, tmp_path, change, why):
    folder = edited(models / "points", tmp_path / "model", change)
    with pytest.raises(InputError) as refused:
        sparring.load(folder)
    said = str(refused.value)
    assert said.startswith(f"{folder / 'config.json'} does not describe a model: ") and why in said
    assert "Get it again from where it came" in said and len(said) < 1000 and said.replace("\n", "").isprintable()


def test_a_run_whose_newest_checkpoint_is_damaged_is_loaded_from_the_one_before_and_says_so(tmp_path):
    sparring.fit("gan", data="ring", steps=4, out=tmp_path / "run", **TINY)
    shutil.rmtree(tmp_path / "run" / "model")
    (tmp_path / "run" / "checkpoint" / "000000004" / "state.json").write_bytes(b"{}")
    with pytest.warns(UserWarning, match=r"000000004/state.json is damaged.*Using the checkpoint before it"):
        assert sparring.load(tmp_path / "run").trained["steps"] == 2


def test_data_that_could_not_be_described_is_refused_before_training(tmp_path):
    source = Finite(Images(1, 1032, 8), torch.randint(0, 256, (20, 1, 1032, 8), dtype=torch.uint8))
    with pytest.raises(InputError, match="sides of 2 to 1024"):
        sparring.fit("gan", data=source, out=tmp_path / "run", steps=1, batch=2, width=2, threads=1)


def test_samples_that_are_not_finite_are_refused():
    model = sparring.fit("gan", data="ring", steps=1, **TINY)
    with torch.no_grad():
        for p in model.game.model.parameters():
            p.fill_(3e38)
    with pytest.raises(InputError, match="samples are NaN or infinite: its weights are finite but too large"):
        model.sample(2)


def test_large_samples_are_made_a_few_at_a_time(monkeypatch):
    model = sparring.fit("gan", data=small_images(40), steps=2, batch=8, width=16, threads=1)
    assert portions.at_once(model.space, model.settings) == portions.CHUNK
    whole = model.sample(70, seed=3)
    monkeypatch.setattr(portions, "NUMBERS", 4 * 16 * 64)
    assert portions.at_once(model.space, model.settings) == 4
    few = model.sample(70, seed=3)
    torch.testing.assert_close(few, whole, atol=1e-5, rtol=1e-4)
    assert torch.equal(model.sample(5, seed=3), few[:5])


def test_saving_never_replaces_what_is_not_a_model(tmp_path):
    model = sparring.fit("gan", data="ring", steps=1, **TINY)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "model.safetensors").write_bytes(b"mine")
    (precious / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"holds other files \(thesis.txt\)"):
        model.save(precious)
    assert (precious / "thesis.txt").read_text() == "years of work"
    first = model.save(tmp_path / "model")
    assert model.save(first) == first                           # its own it may replace
    (tmp_path / "link").symlink_to(first, target_is_directory=True)
    model.save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "model", "precious"]


def test_a_sample_does_not_depend_on_how_many_are_asked_for():
    for data in ("ring", small_images(40)):
        model = sparring.fit("gan", data=data, steps=2, batch=8, width=16, threads=1)
        many = model.sample(150, seed=3)
        assert all(torch.equal(model.sample(n, seed=3), many[:n]) for n in (1, 5, 64, 65))


def test_scoring_large_images_stays_small(monkeypatch):
    values = torch.zeros(20, 3, 256, 256, dtype=torch.uint8)
    values[::2] = 255
    source = Finite(Images(3, 256, 256), values)
    assert 2 <= run_scores.affordable(source, 4000) <= run_scores.NUMBERS // (3 * 256 * 256)   # 4,000 such images are 3 GB
    values = values[:, :, ::2, ::2]                             # a quarter of the numbers, with room for fewer images
    source = Finite(Images(3, 128, 128), values)
    monkeypatch.setattr(run_scores, "NUMBERS", 10 * 3 * 128 * 128)
    drawn, draw = [], run_scores.draw
    monkeypatch.setattr(run_scores, "draw", lambda game, data, n, seed: drawn.append(n) or draw(game, data, n, seed))
    model = sparring.fit("gan", data=source, steps=1, batch=2, width=2, latent=4, threads=1)
    assert "swd" in model.scores
    assert drawn == [run_scores.affordable(source, run_scores.SAMPLES)] == [10]


def test_names_with_brackets_and_escapes_are_printed_as_they_are(shell):
    assert shell("train", "gan", "--data", "ring", "--steps", 1, "--out", "we[/a]ird", *QUICK).code == 0
    assert "we[/a]ird" in shell("show", "we[/a]ird").out
    said = shell("train", "\x1b[31mred")
    assert "\x1b" not in said.err
    assert "\\x1b[31mred" in said.err


def test_pictures_that_a_stop_left_undrawn_are_drawn_by_the_next_call(shell):
    words = ("train", "gan", "--data", "ring", "--steps", 2, "--out", "run", *QUICK)
    assert shell(*words).code == 0
    Path("run/losses.png").unlink()
    assert "nothing to do" in shell(*words).out
    assert Path("run/losses.png").exists()
    Path("run/losses.png").unlink()
    Path("run/log.jsonl").unlink()
    assert shell(*words).code == 0


def test_fork_goes_on_from_the_default_folder(shell):
    assert shell("train", "gan", "--data", "ring", "--steps", 2, *QUICK).code == 0
    said = shell("train", "gan", "--data", "ring", "--steps", 4, *QUICK, "--fork", "longer", "--json")
    assert said.json()["step"] == 4


def test_a_discriminator_with_a_sigmoid_is_refused():
    with pytest.raises(InputError, match="the losses expect logits"):
        sparring.fit("gan", data="ring", steps=1, discriminator=nn.Sequential(nn.Linear(2, 1), nn.Sigmoid()), **TINY)


@pytest.mark.parametrize("recipe", ["gan", "wgan", "wgan-gp"])
def test_networks_that_do_not_fit_are_told_before_training(recipe):
    with pytest.raises(InputError, match=r"failed on a trial batch|one logit"):
        sparring.fit(recipe, data="ring", steps=1, batch=8, width=8, discriminator=nn.Linear(7, 1))


def test_a_device_object_is_a_device():
    assert sparring.fit("gan", data="ring", steps=1, device=torch.device("cpu"), **TINY).sample(1).shape == (1, 2)
