"""A system of one's own that draws no samples, such as a classifier: trained, resumed, loaded and reported on like others."""

import numpy as np
import pytest
import torch

import sparring
from shell import Shell
from sparring.errors import InputError

CLASSIFIER = '''
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import Adam

from sparring.game import Game, Player, Report, Turn

SUMMARY = "a classifier"


def game(c, space, device, own=None):
    net = nn.Linear(*space.shape, len(space.labels)).to(device)
    player = Player(net, Adam(net.parameters(), 1e-2), ema=0.9)
    return Game({"classifier": player}, {"classifier": Turn(player, lambda batch, step: Report({"error": cross_entropy(net(batch.x),
                batch.labels)}))}, model=player.average)
'''


@pytest.fixture
def system(tmp_path):
    file, x = tmp_path / "classifier.py", torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    file.write_text(CLASSIFIER)
    return file, (x.numpy(), (x[:, 0] > 0).long().numpy())


def test_it_is_checked_and_trained_with_nothing_to_draw_or_to_score(system, tmp_path):
    file, data = system
    sparring.check(file, data)
    model = sparring.fit(file, data, out=tmp_path / "run", steps=6, show_every=2, score_every=2, check_every=2, threads=1, progress=False)
    assert not model.game.draws and not model.game.shows and model.scores == {}
    assert not list((tmp_path / "run").glob("samples/*.png")) and not (tmp_path / "run" / "health.jsonl").exists()
    again = sparring.load(tmp_path / "run", recipe=file).game
    assert not again.shows and torch.equal(again.model.weight, model.game.model.weight)


def test_drawing_from_it_is_refused_in_a_sentence(system, tmp_path):
    file, data = system
    model = sparring.fit(file, data, out=tmp_path / "run", steps=1, threads=1, progress=False)
    for drawing in (model, sparring.load(tmp_path / "run", recipe=file)):
        with pytest.raises(InputError, match=r"this model does not sample from noise\..* use its networks, model\.game\.model"):
            drawing.sample(3)


def test_the_command_line_says_what_to_do_with_it(system, tmp_path, monkeypatch, capsys):
    shell, (file, (x, labels)) = Shell(monkeypatch, capsys), system
    np.savez(tmp_path / "data.npz", x=x, y=labels)
    said = shell("train", file, "--data", tmp_path / "data.npz", "--steps", "3", "--out", tmp_path / "run")
    assert said.code == 0 and "Use its networks in Python: sparring.load(" in said.out + said.err
    said = shell("report", tmp_path / "run", "--recipe", file)
    assert said.code == 0, said.err
    assert "This model draws no samples" in next((tmp_path / "run").glob("*.html")).read_text()
