"""The perceptual distance: closed forms, its slope, what it orders otherwise than pixels, where it is used, and without its networks."""

import pytest
import torch
from torch.nn.functional import avg_pool2d

import sparring
from conftest import small_pairs
from made import refused
from sparring.data import pretrained as weights
from sparring.data.builtin.scenes import rendered, scenes
from sparring.data.pretrained import JUDGING, TRAINING, pretrained
from sparring.data.source import Finite
from sparring.data.translation.sets import TwoSets
from sparring.objectives.perceptual import apart, as_loss, distance, from_these, shown
from sparring.spaces import Images, TwoDomains

CPU = torch.device("cpu")


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def vectors(*numbers):
    return torch.tensor(numbers)[None, :, None, None].expand(1, len(numbers), 2, 3)


@pytest.fixture
def without(monkeypatch):
    """As where the extra was never installed."""
    monkeypatch.setattr(weights, "place", lambda published: None)
    monkeypatch.setattr(weights, "kept", lambda published: None)
    pretrained.cache_clear()
    yield
    pretrained.cache_clear()


# ------------------------------------------------------------------------------------------------------ the distance
@pytest.mark.parametrize(("a", "b", "far"), [((1.0, 0.0), (1.0, 0.0), 0), ((1.0, 0.0), (0.0, 1.0), 2), ((1.0, 0.0), (-1.0, 0.0), 4),
                                             ((1.0, 0.0), (0.6, 0.8), 0.8)])
def test_a_stage_counts_twice_one_less_the_cosine(a, b, far):
    assert float(apart([vectors(*a)], [vectors(*b)])) == pytest.approx(far, abs=1e-6)
    assert float(apart([vectors(*a), vectors(*a)], [vectors(*b), vectors(*a)])) == pytest.approx(far / 2, abs=1e-6)


@pytest.mark.parametrize("published", [TRAINING, JUDGING], ids=lambda one: one.name)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_equal_images_are_0_apart_and_others_as_far_both_ways(published, channels):
    net, (a, b) = pretrained(published), noise(2, 2, channels, 12, 9)
    there, back = distance(net, a, b), distance(net, b, a)
    assert torch.equal(distance(net, a, a), torch.zeros(2)) and torch.allclose(there, back, atol=1e-6)
    assert there.shape == (2,) and float(there.min()) > 0 and float(there.max()) < 4
    assert torch.allclose(from_these(net, b)(a), there, atol=1e-6)


@pytest.mark.parametrize(("given", "seen"), [((8, 8), (64, 64)), ((8, 12), (64, 96)), ((40, 64), (80, 128)), ((64, 65), (64, 65)),
                                             ((100, 70), (100, 70))])
def test_small_images_are_enlarged_by_a_whole_number(given, seen):
    assert shown(torch.zeros(1, 1, *given)).shape == (1, 3, *seen)


def test_grey_is_seen_in_three_channels_and_transparency_on_white():
    net, grey, colour, other = pretrained(TRAINING), noise(1, 1, 8, 8), noise(1, 3, 8, 8), noise(1, 3, 8, 8, seed=1)
    whole, clear = torch.ones(1, 1, 8, 8), -torch.ones(1, 1, 8, 8)
    assert torch.equal(distance(net, grey.expand(1, 3, 8, 8), grey), torch.zeros(1))
    assert torch.allclose(distance(net, torch.cat([colour, whole], 1), other), distance(net, colour, other), atol=1e-5)
    assert torch.equal(distance(net, torch.cat([colour, clear], 1), torch.ones(1, 3, 8, 8)), torch.zeros(1))


def test_the_slope_is_that_of_a_small_step():
    net, (a, b), step = pretrained(TRAINING), noise(2, 1, 3, 8, 8), 2e-3
    slope, = torch.autograd.grad(distance(net, a.requires_grad_(), b).sum(), a)
    with torch.no_grad():
        way = slope / slope.norm()
        change = float(distance(net, a + step * way, b) - distance(net, a - step * way, b)) / (2 * step)
    assert change == pytest.approx(float(slope.norm()), rel=1e-2)
    assert torch.allclose(torch.func.grad(lambda x: distance(net, x, b).sum())(a.detach()), slope, atol=1e-6)
    assert not any(p.requires_grad for p in net.parameters())


def test_there_is_a_slope_of_0_where_images_are_equal():
    a = noise(1, 3, 8, 8).requires_grad_()
    slope, = torch.autograd.grad(distance(pretrained(TRAINING), a, a.detach()).sum(), a)
    assert torch.isfinite(slope).all() and float(slope.abs().max()) < 1e-5


def test_in_bfloat16_it_points_the_same_way():
    a, b = noise(2, 2, 3, 16, 16)
    slopes = []
    for enabled in (False, True):
        x = a.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            far = distance(pretrained(TRAINING), x, b)
        assert far.dtype == torch.float32
        slopes.append(torch.autograd.grad(far.sum(), x)[0].flatten())
    assert float(torch.cosine_similarity(*slopes, dim=0)) > 0.9


def test_a_picture_that_moved_or_got_darker_is_nearer_than_a_blurred_one_which_pixels_deny():
    rng = torch.Generator().manual_seed(0)
    x = rendered(scenes(8, 64, 64, rng), rng) / 127.5 - 1
    moved, darker = torch.cat([x[..., :1], x[..., :-1]], 3), x * 0.6 - 0.3
    blurred = avg_pool2d(x, 5, 1, 2, count_include_pad=False)
    for net in map(pretrained, (TRAINING, JUDGING)):
        near, far = (distance(net, x, y).mean() for y in (moved, blurred))
        assert near < far and distance(net, x, darker).mean() < far
    assert (x - blurred).square().mean() < (x - darker).square().mean()
    assert (x - blurred).square().mean() < (x - moved).square().mean()


# ----------------------------------------------------------------------------------------------------------- in use
def test_pix2pix_minimizes_it(tmp_path):
    given = {"data": small_pairs(), "steps": 4, "width": 4, "threads": 1, "perceptual": 1.0, "save_every": 2, "score_every": 1000}
    whole = sparring.fit("pix2pix", out=tmp_path / "run", **given)
    assert all('"generator/perceptual"' in row for row in (tmp_path / "run/log.jsonl").read_text().splitlines())
    plain = sparring.fit("pix2pix", **(given | {"perceptual": 0.0}))
    x = small_pairs().examples(4, 0).a
    assert not torch.equal(whole.translate(x), plain.translate(x))


@pytest.mark.parametrize(("channels", "precision"), [(1, "fp32"), (4, "fp32"), (4, "bf16")])
def test_pix2pix_takes_it_for_small_images_of_any_channels(channels, precision):
    halves = [torch.randint(0, 256, (6, n, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(n)) for n in (3, channels)]
    a, b = (Images(*half.shape[1:]) for half in halves)
    source = TwoSets(Finite(a, halves[0]), Finite(b, halves[1]), TwoDomains(a, b, ("x", "y")))
    made = sparring.fit("pix2pix", data=source, steps=2, batch=2, width=4, threads=1, perceptual=1.0, precision=precision)
    assert made.translate(noise(1, 3, 8, 8)).shape == (1, channels, 8, 8)


def test_a_finished_model_needs_no_network_and_training_says_what_to_type(tmp_path, without):
    line = r"perceptual=2: .*pip install 'sparring\[photos\]'"
    refused(line, sparring.fit, "pix2pix", data=small_pairs(), steps=2, width=4, perceptual=2.0, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    pictures = sparring.fit("pix2pix", data=small_pairs(), steps=1, width=4, threads=1)
    pictures.settings = pictures.settings.model_copy(update={"perceptual": 2.0})
    x = noise(1, 1, 16, 16)
    assert torch.equal(sparring.load(pictures.save(tmp_path / "model")).translate(x), pictures.translate(x))
    refused("pip install", as_loss(CPU), x, x)
    found = sparring.evaluate(pictures, real=small_pairs())
    assert found["metrics"].keys() == {"l1", "psnr", "ssim"} and "pip install" in found["left_out"]["perceptual"]
    refused("perceptual: this needs .*pip install", sparring.evaluate, pictures, real=small_pairs(), metrics="perceptual")


def test_pairs_are_measured_through_the_network_that_nothing_is_trained_by():
    model, pairs = sparring.fit("pix2pix", data=small_pairs(), steps=1, width=4, threads=1), small_pairs()
    found = sparring.evaluate(model, real=pairs, metrics="perceptual")["metrics"]
    examples = pairs.examples(1000, 0)
    with torch.no_grad():
        wanted = float(distance(pretrained(JUDGING), model.translate(examples.a), examples.b).mean())
    assert found.keys() == {"perceptual(lite1)"} and found["perceptual(lite1)"]["value"] == pytest.approx(wanted, rel=1e-4)
    assert found["perceptual(lite1)"]["protocol"]["sha256"] == JUDGING.sha256
