"""Models in ONNX: each computes what torch does, for any number of rows, and says how to use it; what cannot be exported is refused."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import sparring
from conftest import CELLS, SOURCES, small_images
from shell import RARELY, TINY, Shell
from small_games import build
from sparring.errors import InputError, RunFailed
from sparring.export import convert, operators
from sparring.export.card import MARK
from sparring.export.convert import LARGEST, onnx_bytes
from sparring.export.files import write
from sparring.export.parts import exported, sampler
from sparring.game import Game, Player
from sparring.spaces import Images, Traits, Vectors
from untrained import untrained

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

MORE = [("r3gan", "table", {"cells": 8}), ("gan", "images", {"residual": True}), ("r3gan", "images", {"backbone": "r3gan"}),
        ("stargan", "images", {"colours": 7, "skip": True}), ("cyclegan", "unpaired", {"doubled": True}),
        ("motion", "clips", {"jacobian": False}), ("stylegan", "images", {"conditional": False}), ("seqgan", "lines", {"ema": 0.0})]
QUICK = ("gan", "pix2pix")          # what `make test` does; the others take up to half a minute each


def rows():
    """Every recipe once, every kind of data once, and what else goes into files in another way."""
    seen, chosen = set(), []
    for recipe, source in CELLS:
        if not {recipe, source} <= seen:
            chosen.append((recipe, source, {}))
            seen |= {recipe, source}
    return [pytest.param(*row, marks=() if row[0] in QUICK and not row[2] else pytest.mark.chaos) for row in [*chosen, *MORE]]


@pytest.fixture
def shell(monkeypatch, capsys, tmp_path) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(monkeypatch, capsys)


def small(recipe, source, **more):
    settings, game = build(recipe, source, **more)
    return sparring.Model(recipe, settings, SOURCES[source].space, game)


def opened(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def code_of(page):
    code, = re.findall(r"```python\n(.*?)```", Path(page).read_text(), re.S)
    return code


@pytest.mark.parametrize(("recipe", "source", "more"), rows(), ids=str)
def test_a_file_computes_what_torch_does_and_its_page_says_how_to_use_it(recipe, source, more, tmp_path, monkeypatch):
    model = small(recipe, source, **more)
    monkeypatch.chdir(tmp_path)
    for file in write(model, "model.onnx"):
        assert file.difference <= LARGEST
        assert str(Path(sparring.__file__).parent).encode() not in file.file.read_bytes()       # nothing of this machine
        names = {}
        exec(code_of(file.page), names)
        assert len(names[file.part.output]) == 16
        about = opened(file.file).get_modelmeta().custom_metadata_map
        assert about["recipe"] == recipe and json.loads(about["settings"])["steps"] == 40
    assert len(list(tmp_path.iterdir())) == (4 if recipe == "cyclegan" else 2)


def test_what_a_file_draws_is_what_the_model_draws(tmp_path):
    """Of each class, in the units of the data, and of what labels ask for."""
    images = untrained("gan", Images(1, 8, 8, ("dark", "bright")))
    traits = Traits(("age", "smiling"), (40.0, 0.5), (10.0, 0.5), ((20.0, 1.0), (60.0, 0.0)))
    faces = untrained("vae", Images(1, 8, 8, ("young", "old"), traits))
    points = untrained("wgan", Vectors((1e6, -3.0), (1e-3, 5.0)))
    for model, asked, given in ((images, ["bright"] * 3, [1] * 3), (faces, [[33.0, 1.0]] * 3, [[33.0, 1.0]] * 3), (points, None, None)):
        file, = write(model, tmp_path / "model.onnx")
        z = model.latents(3)
        inputs = {"z": z.numpy()} | ({} if given is None else {"label": np.array(given)})
        made, = opened(file.file).run(None, inputs)
        expected = model.generate(z, labels=asked).numpy()
        assert made.dtype == expected.dtype
        np.testing.assert_allclose(made, expected, atol=1e-6)


@pytest.mark.chaos
def test_lines_and_rows_are_spelled_by_what_the_file_says(tmp_path):
    model = small("seqgan", "lines")
    file, = write(model, tmp_path / "lines.onnx")
    session = opened(file.file)
    words = json.loads(session.get_modelmeta().custom_metadata_map["vocabulary"])
    tokens, = session.run(None, {"z": model.latents(5).numpy(), "temperature": np.ones(1, np.float32)})
    lines = [" ".join(words[t] for t in row[:np.append(row == 0, True).argmax()]) for row in tokens]
    assert lines == model.sample(5) or json.loads(session.get_modelmeta().custom_metadata_map["unit"]) == "character"
    model = small("tvae", "rows")
    file, = write(model, tmp_path / "rows.onnx")
    session = opened(file.file)
    columns = json.loads(session.get_modelmeta().custom_metadata_map["columns"])
    cells, = session.run(None, {"z": model.game.prior(5, sparring.api.generator(0, "sample", 0)).numpy()})
    assert [column["name"] for column in columns] == [one.name for one in model.space.columns]
    written = model.space.write(torch.from_numpy(cells))
    for k, column in enumerate(columns):
        if column["kind"] != "number":
            assert [column["values"][int(cell)] for cell in cells[:, k]] == [row[k] for row in written]


def test_a_network_with_batch_norm_is_exported_as_it_draws_and_left_in_its_mode(tmp_path):
    model = untrained("gan", Images(1, 8, 8))
    model.game.model.train()
    file, = write(model, tmp_path / "model.onnx")
    assert file.difference <= LARGEST and model.game.model.training


# ------------------------------------------------------------------------------------------------ operators
@pytest.mark.parametrize(("ours", "torchs", "x"), [
    (operators.ndtr, torch.special.ndtr, torch.linspace(-30, 30, 6001)),
    (operators.log_ndtr, torch.special.log_ndtr, torch.linspace(-30, 30, 6001)),
    (operators.ndtri, torch.special.ndtri, torch.cat([torch.linspace(0, 1, 6001)[1:-1], 10.0 ** -torch.arange(1.0, 30.0)])),
], ids=["ndtr", "log_ndtr", "ndtri"])
def test_what_stands_for_an_operator_gives_the_same(ours, torchs, x):
    torch.testing.assert_close(ours(x.double()), torchs(x.double()), rtol=1e-7, atol=1e-15)
    torch.testing.assert_close(ours(x), torchs(x), rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("right", [True, False])
def test_places_in_order_are_found_by_counting(right):
    rng = torch.Generator().manual_seed(0)
    ordered, values = torch.randint(0, 9, (5, 7), generator=rng).sort(1).values, torch.randint(-1, 10, (5, 3), generator=rng)
    assert torch.equal(operators.searchsorted(ordered, values, right=right), torch.searchsorted(ordered, values, right=right))
    one = ordered[0].contiguous()
    assert torch.equal(operators.searchsorted(one, values, right=right), torch.searchsorted(one, values, right=right))


# ------------------------------------------------------------------------------------------------ the command
def test_the_command(shell):
    sparring.fit("gan", small_images(), out="run", steps=1, threads=1, batch=8, width=4, **RARELY)
    said = shell("export", "run", "--to", "onnx")
    assert said.code == 0
    assert re.search(r"run\.onnx: 0\.0\d+ MB\. Over 100 inputs at most \d\.\de-\d\d away from torch, in float32", said.out)
    again = shell("export", "run", "--to", "onnx", "--out", "run.onnx", "--json").json()
    assert again["files"][0]["inputs"] == ["z", "label"] and again["files"][0]["difference"] <= LARGEST
    assert sorted(os.listdir()) == ["run", "run.md", "run.onnx"]


@pytest.mark.parametrize(("words", "said"), [
    (("run", "--to", "onx"), "--to onx: expected onnx. Did you mean 'onnx'?"),
    (("run", "--to", "onnx", "--out", "model.pt"), "model.pt is no name for an ONNX file. Give --out FILE.onnx."),
    (("none", "--to", "onnx"), "there is nothing at none."),
    (("run", "--to", "onnx", "--out", "folder.onnx"), "folder.onnx is a folder."),
    (("run", "--to", "onnx", "--out", "notes.onnx"), "notes.md exists and was not written by this command"),
])
def test_a_mistake_is_one_line(shell, words, said):
    sparring.fit("gan", "ring", out="run", steps=1, **TINY)
    Path("folder.onnx").mkdir()
    Path("notes.md").write_text("my notes\n")
    told = shell("export", *words)
    assert told.code == 2 and said in told.err and len([line for line in told.err.splitlines() if not line.startswith("reading")]) == 1
    assert not list(Path().glob("*model*")) and Path("notes.md").read_text() == "my notes\n"


@pytest.mark.parametrize("module", ["onnx", "onnxscript", "onnxruntime"])
def test_without_the_extra_it_is_said_how_to_get_it(shell, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    told = shell("export", "none", "--to", "onnx")
    assert told.code == 2 and f"needs {module}, which is not installed. Get it: pip install 'sparring[onnx]'" in told.err


def test_systems_of_ones_own_are_exported_when_they_are_named(shell):
    few = {"batch": 16, "steps": 1, "threads": 1, **RARELY}
    sparring.fit(EXAMPLES / "infogan.py", "digits", out="run", **few)
    assert "--recipe" in shell("export", "run", "--to", "onnx").err
    said = shell("export", "run", "--to", "onnx", "--recipe", EXAMPLES / "infogan.py", "--json").json()
    assert said["files"][0]["difference"] <= LARGEST
    latent = json.loads(opened("run.onnx").get_modelmeta().custom_metadata_map["latent"])
    assert {part["kind"] for part in latent} >= {"one-hot"}


# ------------------------------------------------------------------------------------------------ what is refused
def drawing(net, latent=2):
    """A model of a stranger's network."""
    player = Player(net, torch.optim.Adam(net.parameters()))
    game = Game({"generator": player}, {}, model=net, prior=lambda n, rng: torch.randn(n, latent, generator=rng),
                sample=lambda z, labels=None, live=False: net(z))
    return sparring.Model("gan", untrained("gan", Vectors((0.0,), (1.0,))).settings, Vectors((0.0,), (1.0,)), game)


class Branching(nn.Linear):
    """Decides by its numbers, which no graph can hold."""

    def forward(self, z):
        return super().forward(z) if float(z.sum()) > 0 else -super().forward(z)


class Counting(nn.Linear):
    """Its numbers depend on how many rows there are, by len, which torch takes as fixed where it runs a network to note what it does."""

    def forward(self, z):
        return super().forward(z) + len(z)


def test_a_network_that_is_no_graph_is_refused_with_what_torch_says():
    with pytest.raises(InputError, match=r"^this model cannot be written as ONNX: .*\. Use it with sparring\.load, or change the network"):
        onnx_bytes(sampler(drawing(Branching(2, 1))), {})


def test_the_number_of_rows_is_free_or_the_file_is_refused():
    assert onnx_bytes(sampler(drawing(Counting(2, 1))), {})[1] <= LARGEST


def test_a_file_that_computes_something_else_is_refused_and_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setitem(operators.TABLE, torch.ops.aten.special_ndtr.default, lambda x: operators.ndtr(x) + 1e-2)
    (tmp_path / "model.onnx").write_bytes(b"before")
    with pytest.raises(RunFailed, match=r"up to .* away from torch's, over 100 inputs, and 1e-04 is allowed\. It was not written"):
        write(untrained("r3gan", Vectors((0.0, 0.0), (1.0, 1.0)), cells=8), tmp_path / "model.onnx")
    assert os.listdir(tmp_path) == ["model.onnx"] and (tmp_path / "model.onnx").read_bytes() == b"before"


def test_nan_is_no_difference_that_is_small():
    net = nn.Linear(2, 1)
    nn.init.constant_(net.weight, torch.inf)
    with pytest.raises(RunFailed, match="away from torch"):
        onnx_bytes(sampler(drawing(net)), {})


def test_a_model_that_only_classifies_has_nothing_to_export():
    net = nn.Linear(2, 1)
    model = drawing(net)
    model.game = Game({"classifier": Player(net, torch.optim.Adam(net.parameters()))}, {}, model=net)
    with pytest.raises(InputError, match="neither samples nor translates, so there is nothing to export"):
        exported(model)


# ------------------------------------------------------------------------------------------------ writing
def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    model = drawing(nn.Linear(2, 1))
    write(model, tmp_path / "model.onnx")
    before = (tmp_path / "model.onnx").read_bytes()

    def full(path, data):
        if path.suffix == ".onnx":
            path.write_bytes(data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        path.write_bytes(data)

    monkeypatch.setattr(convert, "write_synced", full)
    with pytest.raises(RunFailed, match=r"model\.onnx could not be written: No space left on device\."):
        write(model, tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_bytes() == before and sorted(os.listdir(tmp_path)) == ["model.md", "model.onnx"]


KILLED = """
import os, sys
from pathlib import Path
from sparring.export import convert
convert.os.replace = lambda *names: os.kill(os.getpid(), 9)
convert.put(Path(sys.argv[1]), b"new")
"""


def test_a_process_killed_while_it_writes_leaves_no_half_of_a_file(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"before")
    ended = subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    assert ended.returncode == -signal.SIGKILL and path.read_bytes() == b"before" and len(os.listdir(tmp_path)) == 2
    convert.put(path, b"new")                                   # what it left is in nobody's way
    assert path.read_bytes() == b"new" and os.listdir(tmp_path) == ["model.onnx"]


def test_a_card_holds_nothing_that_a_page_would_obey(tmp_path):
    model = untrained("gan", Images(1, 8, 8, ("<script>alert(1)</script>", "a|b")), "/home/somebody/PHOTOS")
    file, = write(model, tmp_path / "model.onnx")
    page = file.page.read_text()
    assert page.startswith(MARK) and "<script>" not in page.removeprefix(MARK)
    assert "somebody" not in page and "PHOTOS" in page and b"somebody" not in file.file.read_bytes()
