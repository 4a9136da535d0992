"""The promises about runs, attacked a few times each; `make chaos` attacks them as often as the published figures say."""

import importlib.util

import pytest
from benchmarks.chaos import disk, endurance, events, kills, nans, nodes, ranks

pytestmark = pytest.mark.chaos


def test_kills(tmp_path):
    found = kills.trials(4, tmp_path)
    assert found.failures == []
    assert found.tried == 4 and found.held == 4


@pytest.mark.parametrize("attack", [ranks, nodes], ids=["ranks", "nodes"])
def test_kills_of_one_of_several_processes(attack, tmp_path, monkeypatch):
    monkeypatch.setattr(ranks, "RUNS", ranks.RUNS[:1])
    found = attack.trials(3, tmp_path)
    assert found.failures == []
    assert found.tried == 3 and found.facts["runs"] >= 1


def test_numbers_that_are_not_finite(tmp_path):
    found = nans.trials(40, tmp_path)
    assert found.failures == []
    assert {f"in {place}" for place in nans.PLACES} <= found.facts.keys()


@pytest.mark.skipif(not disk.possible(), reason="mounting a small file system needs root on Linux")
def test_disks_in_trouble(tmp_path):
    found = disk.trials(6, tmp_path)
    assert found.failures == []
    assert found.tried == 6
    assert found.facts["read-only, and the run was stopped by it"] == found.facts["sync, and the run was stopped by it"] == 2


@pytest.mark.skipif(importlib.util.find_spec("ckpt_chaos") is None, reason="ckpt-chaos is not installed")
def test_file_events(tmp_path):
    found = events.trials(2, tmp_path)
    assert found.failures == []
    assert found.tried == 3                                     # and the control run, which nobody kills


def test_a_long_run_leaves_nothing_behind(tmp_path):
    found = endurance.trials(1000, tmp_path)
    counted = [failure for failure in found.failures if "memory" not in failure]       # too short to judge kilobytes by
    assert counted == []
    assert found.facts["gan on mixture: threads"] == "3 -> 3"


def test_a_leak_is_seen(tmp_path):
    tally = endurance.Tally()
    endurance.judge("leaking", [(100 * i, 50_000 + 40 * i + i % 3, 9 + i // 70, 1, 300) for i in range(100)], tally)
    assert len(tally.failures) == 2
    assert "open files rose from 9 to 10" in tally.failures[0]
    assert "memory rose by" in tally.failures[1]
