"""bf16, workers and deterministic algorithms: what they change, and what they leave as it is."""

import itertools
import threading
from contextlib import closing
from itertools import islice

import pytest
import torch

import sparring
from conftest import CELLS, SOURCES, alike
from small_games import CPU, build, rounds
from sparring.data.source import batches
from sparring.errors import InputError, RunFailed
from sparring.game.precision import in_bfloat16
from sparring.setup.autotune import in_precision
from sparring.training.exactness import broken, conditions, deterministic

TINY = {"batch": 8, "width": 8, "depth": 1, "threads": 1, "show_every": 10**6, "score_every": 10**6}


@pytest.mark.parametrize(("recipe", "source"), [cell for cell in CELLS if cell[1] not in ("density", "table")])
def test_bf16_is_near_fp32_and_not_the_same(recipe, source):
    (settings, low), (_, high) = build(recipe, source, precision="bf16"), build(recipe, source)
    rows = [rounds(game, source, settings, 0, 1)[0] for game in (low, high)]
    assert rows[0] != rows[1]
    assert rows[0] == pytest.approx(rows[1], rel=0.05, abs=0.05)
    for player in low.players.values():
        held = [v for state in player.optimizer.state.values() for v in state.values() if isinstance(v, torch.Tensor)]
        assert {t.dtype for t in [*player.net.parameters(), *player.average.parameters(), *held]} == {torch.float32}


@pytest.mark.parametrize(("recipe", "more"), [("r3gan", {}), ("wgan-gp", {}), ("gan", {"penalty": "consensus"})])
def test_penalties_stay_in_float32(recipe, more):
    """A critic that tells the dtype it is asked in."""
    seen = []
    settings, game = build(recipe, "curves", **more)
    game.players["discriminator"].net.register_forward_hook(lambda module, given, made: seen.append(made.dtype))
    rounds(in_precision(game, "bf16", CPU), "curves", settings, 0, 1)
    assert set(seen) == {torch.bfloat16, torch.float32}


def test_terms_come_out_in_float32():
    from sparring.game import Report

    def loss(batch, step):
        return Report({"term": (batch @ batch.T).mean()})

    report = in_bfloat16(loss, CPU)(torch.ones(4, 4), 0)
    assert report.minimize["term"].dtype == torch.float32


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("start", [0, 3, 70])
def test_workers_give_the_same_batches_in_the_same_order(source, start):
    streams = [batches(SOURCES[source], 8, 1, start, workers) for workers in (0, 1, 4)]
    for plain, *others in islice(zip(*streams, strict=True), 80):
        for other in others:
            assert alike(plain, other)
    for stream in streams:
        stream.close()


def test_workers_leave_with_their_stream():
    meeting, drawn = threading.Barrier(3), itertools.count()

    class Meeting:
        """Whose first three draws wait for each other: an executor starts no thread while another is idle."""

        space, fingerprint = SOURCES["density"].space, ""

        def draw(self, n, rng):
            if next(drawn) < 3:
                meeting.wait(60)
            return SOURCES["density"].draw(n, rng)

    others = set(threading.enumerate())         # some of which may leave meanwhile
    with closing(batches(Meeting(), 8, 0, 0, 3)) as stream:
        next(stream)
        assert len(set(threading.enumerate()) - others) == 3
    assert not set(threading.enumerate()) - others


def test_what_a_worker_raises_is_raised_here():
    class Failing:
        space, fingerprint = SOURCES["density"].space, ""

        def draw(self, n, rng):
            raise ZeroDivisionError("the simulator failed")

    with closing(batches(Failing(), 4, 0, 0, 2)) as stream, pytest.raises(ZeroDivisionError, match="the simulator failed"):
        next(stream)


def test_deterministic_algorithms_are_asked_for_and_given_back():
    assert not torch.are_deterministic_algorithms_enabled()
    with deterministic(True):
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
    with pytest.raises(RunFailed, match=r"exact=true: .*deterministic.*Use exact=false"), deterministic(True):
        raise RuntimeError("max_unpool does not have a deterministic implementation")


def test_a_run_may_be_exact_and_in_bf16(tmp_path):
    given = {**TINY, "steps": 4, "exact": True, "precision": "bf16", "workers": 2}
    whole = sparring.fit("gan", "ring", out=tmp_path / "a", **given)
    again = sparring.fit("gan", "ring", out=tmp_path / "b", **given)
    assert torch.equal(whole.sample(5), again.sample(5))


def test_another_precision_is_another_run_and_another_number_of_workers_is_not(tmp_path):
    sparring.fit("gan", "ring", out=tmp_path, steps=2, **TINY)
    with pytest.raises(InputError, match="precision: fp32 -> bf16"):
        sparring.fit("gan", "ring", out=tmp_path, steps=2, precision="bf16", **TINY)
    sparring.fit("gan", "ring", out=tmp_path, steps=2, workers=3, **TINY)


def test_conditions_that_no_longer_hold_are_named():
    now = conditions(CPU, "fp32", exact=False)
    assert now["torch"] == torch.__version__ and now["threads"] == "1" and now["processes"] == "1"
    assert broken(now, now) == []
    assert broken({**now, "torch": "2.0", "unknown": "x"}, now) == [f"torch: 2.0 -> {torch.__version__}"]
