"""First order motion: what it learns, what it says, and that its parts do what they are there for."""

import pytest
import torch

import sparring
from sparring.data.builtin.moving import moving
from sparring.data.settings import ClipSettings
from sparring.data.source import Batch
from sparring.game.accumulate import in_parts
from sparring.game.rounds import play
from sparring.metrics import animated
from sparring.recipes import RECIPES, motion
from sparring.spaces import Clips, Images, from_json, to_json
from untrained import untrained

SPACE = Clips(Images(3, 16, 16))


def test_it_is_chosen_and_told_whether_a_trained_network_judges(monkeypatch):
    monkeypatch.setattr(motion, "installed", lambda: True)
    value, why = motion.choices(None, None, False)["perceptual"]
    assert value == 10 and "installed" in why
    monkeypatch.setattr(motion, "installed", lambda: False)
    value, why = motion.choices(None, None, False)["perceptual"]
    assert value == 0 and "pixels and their gradients alone, since the extra `photos` is not installed" in why


def test_a_space_of_clips_is_kept_in_json():
    assert from_json(to_json(SPACE)) == SPACE
    assert SPACE.shape == (2, 3, 16, 16) and SPACE.labels == ()


def test_without_a_discriminator_there_is_none():
    settings = RECIPES["motion"].settings(adversarial=False, width=4, points=3, blocks=0)
    game = RECIPES["motion"].game(settings, SPACE, torch.device("cpu"))
    assert set(game.players) == set(game.turns) == {"generator"}
    report = game.turns["generator"].loss(Batch(torch.zeros(2, 2, 3, 16, 16)), 0)
    assert set(report.minimize) == {"pixels", "points", "jacobians"}


def test_of_order_zero_there_are_no_jacobians():
    model = untrained("motion", SPACE, jacobian=False)
    assert model.game.animation.points(torch.zeros(1, 3, 16, 16)).slope is None
    assert not any("slopes" in name for name in model.game.model.state_dict())


def test_a_batch_in_parts_gives_each_part_its_own_frames():
    """The generator's turn must not take the frames that were made for another part."""
    settings = RECIPES["motion"].settings(batch=8, width=4, points=3, blocks=0)
    torch.manual_seed(0)
    game = in_parts(RECIPES["motion"].game(settings, SPACE, torch.device("cpu")), 4)
    x = torch.rand(8, 2, 3, 16, 16) * 2 - 1
    terms, watched = play(game, iter([Batch(x)]), 0)
    assert all(torch.isfinite(value) for value in terms.values())
    assert watched["generator/l1_copied"]() == pytest.approx(float((x[:, 0] - x[:, 1]).abs().mean()), rel=1e-5)


@pytest.mark.slow
def test_it_learns_motion(tmp_path):
    """After 250 rounds at 32 pixels, a frame is rebuilt twice as well as by copying the clip's first frame."""
    source = moving(ClipSettings(size="32"), train=40, held_out=8)
    model = sparring.fit("motion", source, steps=250, threads=1, precision="fp32", compile="off", perceptual=0, progress=False)
    scores = animated.score(model.game.animation, source, 0)
    assert scores == pytest.approx(model.scores)
    assert scores["l1"] < 0.5 * scores["l1_copied"], scores
