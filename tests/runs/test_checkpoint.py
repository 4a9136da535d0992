"""Checkpoints are whole or not there, and never take a damaged file for a good one."""

import errno
import json
import os
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import SOURCES
from sparring.data.source import batches
from sparring.errors import RunFailed
from sparring.game import play
from sparring.recipes import RECIPES
from sparring.runs import checkpoint


def new_game(seed=0, **kwargs):
    torch.manual_seed(seed)
    recipe = RECIPES["gan"]
    return recipe.game(recipe.settings(steps=10, batch=8, width=8, **kwargs), SOURCES["curves"].space, torch.device("cpu"))


def played(rounds=3, **kwargs):
    game, source = new_game(**kwargs), batches(SOURCES["curves"], 8, 0)
    for step in range(rounds):
        play(game, source, step)
    return game


TREES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2**40, 2**40), st.floats(allow_nan=False), st.text(max_size=5),
              st.lists(st.floats(-1, 1), max_size=3).map(torch.tensor)),
    lambda inner: st.one_of(st.lists(inner, max_size=3),
                            st.dictionaries(st.one_of(st.integers(0, 9), st.text(max_size=3)), inner, max_size=3)),
    max_leaves=12)


def same(a, b):
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b and type(a) is type(b)


@settings(deadline=None)
@given(TREES)
def test_trees_come_back_as_they_were(tree):
    tensors = {}
    plain = json.loads(json.dumps(checkpoint.flatten(tree, tensors, "root")))
    assert same(checkpoint.unflatten(plain, tensors), tree)


def test_round_trip_is_exact(tmp_path):
    game = played()
    checkpoint.save(tmp_path, game, 3, {"seconds": 1.5})
    files, complaints = checkpoint.newest(tmp_path)
    other = new_game(seed=9)
    assert checkpoint.restore(files, other) == (3, {"seconds": 1.5})
    assert complaints == []
    for name in game.players:
        a, b = game.players[name], other.players[name]
        for part in ("net", "average"):
            state = getattr(b, part).state_dict()
            assert all(torch.equal(v, state[k]) for k, v in getattr(a, part).state_dict().items())
        assert same(a.optimizer.state_dict()["state"], b.optimizer.state_dict()["state"])


def test_the_last_three_are_kept(tmp_path):
    game = played()
    for step in (1, 2, 30, 4, 50):
        checkpoint.save(tmp_path, game, step, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["000000004", "000000030", "000000050"]


def damage(path, rnd):
    data = bytearray(path.read_bytes())
    if rnd.random() < 0.3:
        path.write_bytes(data[:rnd.randrange(len(data))])
    else:
        data[rnd.randrange(len(data))] ^= 1 << rnd.randrange(8)
        path.write_bytes(data)


def test_any_damage_is_seen_and_the_one_before_is_used(tmp_path):
    game, rnd = played(), random.Random(0)
    checkpoint.save(tmp_path, game, 1, {"seconds": 1.0})
    for trial in range(60):
        newest = checkpoint.save(tmp_path, game, 2, {"seconds": 2.0})
        name = rnd.choice([checkpoint.MODEL, checkpoint.OPTIMIZER, checkpoint.STATE, checkpoint.MANIFEST])
        damage(newest / name, rnd)
        files, complaints = checkpoint.newest(tmp_path)
        assert len(complaints) == 1, (trial, name)
        assert "000000002" in complaints[0]
        assert checkpoint.restore(files, new_game())[0] == 1


def test_every_byte_of_a_manifest_counts(tmp_path):
    manifest = checkpoint.save(tmp_path, played(), 1, {}) / checkpoint.MANIFEST
    good = manifest.read_bytes()
    for at in range(len(good)):
        bad = bytearray(good)
        bad[at] ^= 1 << at % 8
        manifest.write_bytes(bad)
        assert checkpoint.newest(tmp_path)[0] is None, bytes(bad)
    for bad in (good + b"\n", good.replace(b"\n", b""), good.replace(b'"state.json"', b'"../state.json"'), b"[]", b"{}", good[:-1]):
        manifest.write_bytes(bad)
        assert "manifest.json" in checkpoint.newest(tmp_path)[1][0]


@pytest.mark.parametrize("change, why", [
    (lambda state: state.update(step=-1), "step"), (lambda state: state.update(step="2"), "step"),
    (lambda state: state.pop("facts"), "facts"), (lambda state: state.update(more=1), "more"),
    (lambda state: state["facts"].update(seconds="long"), "seconds"), (lambda state: state["facts"].update(rollbacks=[3]), "rollbacks"),
    (lambda state: state["facts"].update(seconds=float("nan")), "facts"),
    (lambda state: state.update(optimizers={"dict": []}), "other players"),
    (lambda state: state.update(memory={"what": 1}), "no part of a tree"),
    (lambda state: moments(state, 0)[0].__setitem__(0, 99), "other parameters"),
    (lambda state: moments(state, 0)[0][1]["dict"].pop(), "belong to nobody"),
    (lambda state: moments(state, 0)[0][1]["dict"][1].__setitem__(1, {"value": None}), "belong to nobody"),
    (lambda state: exchange(moments(state, 0)[0][1]["dict"][1], moments(state, 0)[1][1]["dict"][1]), "of another kind, shape or dtype"),
    (lambda state: moments(state, 0)[0][1]["dict"].append(["more", {"value": 1}]), "of another kind, shape or dtype"),
    (lambda state: moments(state, 0)[0][1]["dict"][1].__setitem__(1, moments(state, 0)[0][1]["dict"][2][1]), "exp_avg_sq"),
    (lambda state: moments(state, 0)[0][1]["dict"][0].__setitem__(1, moments(state, 0)[0][1]["dict"][1][1]), "exp_avg"),
])
def test_a_state_that_is_not_one_of_this_game_is_refused(tmp_path, change, why):
    game = played()
    folder = checkpoint.save(tmp_path, game, 3, {"seconds": 1.5, "rollbacks": []})
    files, _ = checkpoint.newest(tmp_path, game)
    state = json.loads(files[checkpoint.STATE])
    change(state)
    files[checkpoint.STATE] = json.dumps(state).encode()
    with pytest.raises(checkpoint.Damaged, match=f"^{folder} is not of the form that is written here: .*{why}.*Remove {folder}"):
        checkpoint.restore(files, game)


def moments(state, player):
    """The optimizer's state of each parameter, as it stands in state.json."""
    return dict(state["optimizers"]["dict"][player][1]["dict"])["state"]["dict"]


def exchange(a, b):
    a[1], b[1] = b[1], a[1]


@pytest.mark.parametrize("missing", [checkpoint.MODEL, checkpoint.OPTIMIZER, checkpoint.STATE, checkpoint.MANIFEST])
def test_a_missing_file_is_seen(tmp_path, missing):
    checkpoint.save(tmp_path, played(), 1, {})
    (tmp_path / "000000001" / missing).unlink()
    files, complaints = checkpoint.newest(tmp_path)
    assert files is None
    assert missing in complaints[0] or "000000001" in complaints[0]


def test_a_full_disk_leaves_the_old_checkpoint_whole(tmp_path, monkeypatch):
    game = played()
    checkpoint.save(tmp_path, game, 1, {})
    calls = []

    def full(handle):
        calls.append(handle)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(tmp_path, game, 2, {})
    assert [p.name for p in tmp_path.iterdir()] == ["000000001"]
    assert checkpoint.newest(tmp_path)[1] == []


def test_a_half_written_checkpoint_is_not_seen(tmp_path):
    checkpoint.save(tmp_path, played(), 1, {})
    (tmp_path / ".writing-000000002").mkdir()
    files, complaints = checkpoint.newest(tmp_path)
    assert files is not None
    assert complaints == []


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    game = played()
    with torch.no_grad():
        next(game.players["generator"].net.parameters())[0] = float("nan")
    with pytest.raises(RunFailed, match=r"generator/net/.* holds NaN"):
        checkpoint.save(tmp_path, game, 1, {})
    assert list(tmp_path.iterdir()) == []


def test_another_architecture_is_refused_and_nothing_is_changed(tmp_path):
    checkpoint.save(tmp_path, played(), 1, {})
    files, _ = checkpoint.newest(tmp_path)
    wider = new_game(depth=3)
    before = {k: v.clone() for k, v in wider.model.state_dict().items()}
    with pytest.raises(checkpoint.Damaged, match="does not fit these networks"):
        checkpoint.restore(files, wider)
    assert all(torch.equal(v, before[k]) for k, v in wider.model.state_dict().items())
