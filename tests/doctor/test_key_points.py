"""The doctor on a model that animates: what it measures, and what it says of it."""

from dataclasses import replace

import pytest
import torch

from sparring.data.builtin.moving import moving
from sparring.data.settings import ClipSettings
from sparring.doctor import diagnose
from sparring.doctor.clips import checkup_clips, standard_clips
from sparring.errors import InputError
from sparring.nets.motion import KeyPoints
from sparring.runs.folder import read_lines
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from untrained import untrained

GOOD = {"points_apart": 0.5, "points_move": 0.2, "points_outside": 0.0, "rebuilt": 0.4}
CONFIG = {"recipe": "motion", "space": {"kind": "clips"}, "settings": {"steps": 100, "lr": 5e-4, "equivariance": 10.0}}
TINY = {"size": 16, "width": 4, "points": 3, "perceptual": 0, "threads": 1, "precision": "fp32", "compile": "off", "batch": 2}


def told(row, looks=10):
    steps = range(10, 10 * looks + 1, 10)
    return diagnose([{"step": s} for s in steps], [{"step": s, **row} for s in steps], CONFIG)


def test_points_that_tell_what_moves_are_well():
    assert told(GOOD).verdict == "healthy" and not told(GOOD).findings
    assert told(GOOD, looks=2).verdict == "unclear"
    assert told(GOOD | {"gradient/generator": 1.0}).verdict == "healthy"


@pytest.mark.parametrize(("row", "name", "action"), [
    ({"points_apart": 0.01}, "points_together", "lr=5e-05"), ({"points_outside": 0.9}, "points_together", "lr=5e-05"),
    ({"points_move": 0.001}, "points_still", "equivariance=100"), ({"rebuilt": 1.1}, "no_better_than_copying", None),
    ({"points_apart": 0.01, "points_move": 0.0, "rebuilt": 1.2}, "points_together", "lr=5e-05")])
def test_each_trouble_is_told_by_name_with_what_to_try(row, name, action):
    found = told(GOOD | row)
    assert found.verdict == "failing" and [finding.name for finding in found.findings] == [name]
    assert action is None or found.findings[0].actions[0] == action


def test_what_is_measured_in_closed_form():
    source = moving(ClipSettings(size="16"), train=4, held_out=3)
    data, game = standard_clips(source, 0), untrained("motion", source.space, points=2).game
    assert tuple(data.frames.shape[:2]) == (3, 5)

    def points(x, live=False):
        """Two points half a frame apart; the first goes from -0.2 to 0.2 over every clip."""
        x_of_first = torch.linspace(-0.2, 0.2, 5).repeat(len(x) // 5)
        first, other = torch.stack([x_of_first, torch.zeros(len(x))], 1), torch.tensor([0.5, 0.99]).expand(len(x), 2)
        return KeyPoints(torch.stack([first, other], 1), None)

    still = replace(game.animation, points=points, render=lambda x, source, driving, live=False: x)
    row = checkup_clips(replace(game, animation=still), data)
    assert row["points_move"] == pytest.approx(0.02 ** 0.5) and row["points_outside"] == 0.5 and row["rebuilt"] == pytest.approx(1)
    assert row["points_apart"] == pytest.approx((((0.5**2 + 0.02) + 0.99**2) / 4) ** 0.5, abs=1e-6)


def test_a_run_writes_its_health_and_settings_that_need_samples_are_refused(tmp_path):
    import sparring

    sparring.fit("motion", data="moving", steps=4, check_every=2, out=tmp_path / "run", progress=False, **TINY)
    rows = read_lines(tmp_path / "run" / "health.jsonl")
    assert [row["step"] for row in rows] == [2, 4] and "rebuilt" in rows[0] and "data/clips" in rows[0]
    for given in ({"keep_best": "l1"}, {"stop_when": "converged"}):
        with pytest.raises(InputError):
            prepare(Request("motion", "moving", given | TINY, 0), tmp_path / "other")
