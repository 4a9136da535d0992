"""Penalties against closed forms, and their gradients against double backward and finite differences."""

import math
from itertools import product

import pytest
import torch
from torch import nn

import sparring
from conftest import small_images
from repeated import once
from sparring.errors import InputError
from sparring.objectives import losses, penalties
from sparring.objectives.penalties import PENALTIES

DIRECTION = torch.tensor([3.0, 4.0])                            # a slope of 5


def plane(x):
    return x @ DIRECTION.to(x.dtype)


def test_on_a_plane_every_slope_is_known():
    torch.manual_seed(0)
    real, fake = torch.randn(50, 2), torch.randn(50, 2)
    assert penalties.r1(plane, real).item() == pytest.approx(25 / 2)
    assert penalties.r2(plane, fake).item() == pytest.approx(25 / 2)
    assert penalties.r1_and_r2(plane, real, fake).item() == pytest.approx(25)
    assert penalties.lipschitz(plane, real, fake).item() == pytest.approx(16, rel=1e-5)
    assert penalties.lipschitz_one_sided(plane, real, fake).item() == pytest.approx(16, rel=1e-5)
    assert penalties.dragan(plane, real).item() == pytest.approx(16, rel=1e-5)


def test_gentle_slopes_are_only_punished_by_the_two_sided_penalty():
    real, fake = torch.randn(50, 2), torch.randn(50, 2)
    gentle = lambda x: plane(x) / 10  # noqa: E731
    assert penalties.lipschitz(gentle, real, fake).item() == pytest.approx(0.25, rel=1e-5)
    assert penalties.lipschitz_one_sided(gentle, real, fake).item() == 0


def test_a_quadratic_has_its_own_gradient_at_each_sample():
    x = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    assert penalties.r1(lambda v: v.square().sum(1), x).item() == pytest.approx((4 + 36) / 2 / 2)


def test_each_pair_is_mixed_by_a_weight_of_its_own():
    torch.manual_seed(0)
    mixed = penalties._between(torch.zeros(1000, 1, 2, 2), torch.ones(1000, 1, 2, 2))
    shares = mixed[:, 0, 0, 0]
    assert torch.equal(mixed, shares[:, None, None, None].expand_as(mixed))      # one for all of a sample
    assert len(shares.unique()) > 900                                            # another for the next
    assert shares.mean().item() == pytest.approx(0.5, abs=0.05)


def smooth_critic(dtype):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 16), nn.Softplus(), nn.Linear(16, 1)).to(dtype)


def eager(name, critic, real, fake):
    """The same penalties with create_graph=True, as they are usually written."""
    def slopes(x):
        x = x.clone().requires_grad_()
        gradient, = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
        return gradient

    def slope(x):
        return (slopes(x).square().sum(1) + 1e-12).sqrt()

    if name == "r1+r2":
        return (slopes(real).square().sum(1).mean() + slopes(fake).square().sum(1).mean()) / 2
    if name == "r1":
        return slopes(real).square().sum(1).mean() / 2
    if name == "r2":
        return slopes(fake).square().sum(1).mean() / 2
    if name == "dragan":
        return (slope(real + 0.5 * real.std() * torch.rand_like(real)) - 1).square().mean()
    over = slope(torch.lerp(real, fake, torch.rand(len(real), 1, dtype=real.dtype))) - 1
    return (over if name == "gradient" else over.relu()).square().mean()


@pytest.mark.parametrize("name", [name for name, terms in PENALTIES.items() if terms])
def test_gradients_of_penalties_are_those_of_double_backward_and_of_finite_differences(name):
    critic, rng = smooth_critic(torch.float64), torch.Generator().manual_seed(1)
    real, fake = (4 * torch.randn(8, 3, generator=rng, dtype=torch.float64) for _ in range(2))
    parameters = list(critic.parameters())
    with torch.no_grad():
        parameters[0].mul_(3)                                   # slopes on both sides of one

    def value():
        torch.manual_seed(2)
        return PENALTIES[name][name](critic, real, fake)

    ours = torch.autograd.grad(value(), parameters, allow_unused=True, materialize_grads=True)
    torch.manual_seed(2)
    theirs = torch.autograd.grad(eager(name, critic, real, fake), parameters, allow_unused=True, materialize_grads=True)
    assert sum(g.abs().sum() for g in ours).item() > 1e-3
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)
    for p, g in zip(parameters, ours, strict=True):
        flat, h = p.data.view(-1), 1e-6
        for i in range(0, len(flat), 7):
            kept = flat[i].item()
            flat[i] = kept + h
            above = value().item()
            flat[i] = kept - h
            below = value().item()
            flat[i] = kept
            assert (above - below) / (2 * h) == pytest.approx(g.view(-1)[i].item(), rel=1e-5, abs=1e-7)


def test_penalties_stay_in_float32_under_autocast():
    critic = smooth_critic(torch.float32)
    x = torch.randn(8, 3)
    wanted = penalties.r1(critic, x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(penalties.r1(critic, x), wanted)


def test_clip_and_pack():
    net = nn.Linear(3, 3)
    penalties.clip(net.parameters(), 0.01)
    assert max(p.abs().max().item() for p in net.parameters()) <= 0.01
    x = torch.arange(12.0).view(6, 2)
    assert torch.equal(penalties.packed(x, 3), torch.arange(12.0).view(2, 6))
    images = torch.randn(4, 3, 5, 5)
    joined = penalties.packed(images, 2)
    assert joined.shape == (2, 6, 5, 5)
    assert torch.equal(joined[1, 3:], images[3])


def test_the_other_losses_in_closed_form():
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-1.0, 0.0])
    assert losses.least_squares.discriminator(real, fake).item() == pytest.approx((0.625 + 0.5) / 2)
    assert losses.least_squares.generator(None, fake).item() == pytest.approx((4 + 1) / 2 / 2)
    assert losses.hinge.discriminator(real, fake).item() == pytest.approx(0.25 + 0.5)
    assert losses.hinge.generator(None, fake).item() == pytest.approx(0.5)
    assert losses.wasserstein.discriminator(real, fake).item() == pytest.approx(-0.5 - 1.25)
    assert losses.wasserstein.generator(None, fake).item() == pytest.approx(0.5)
    pairs = [math.log1p(math.exp(-3.0)), math.log1p(math.exp(-0.5))]
    assert losses.relativistic.discriminator(real, fake).item() == pytest.approx(sum(pairs) / 2)
    assert losses.relativistic.generator(real, fake).item() == pytest.approx((math.log1p(math.exp(3.0)) + math.log1p(math.exp(0.5))) / 2)


@pytest.mark.parametrize(("every", "penalty", "objective"), once(
    product([1, 3], sorted(PENALTIES.keys() - {"consensus"}), sorted(losses.OBJECTIVES)),
    lambda every, penalty, objective: (penalty, objective),
    lambda every, penalty, objective: (every, penalty)))
def test_any_objective_plays_with_any_penalty(objective, penalty, every):
    if (penalty == "none" and every > 1) or (objective == "wasserstein" and penalty == "none"):
        with pytest.raises(InputError, match=r"there is no penalty|bounded critic"):
            sparring.fit("gan", data="ring", steps=2, batch=8, width=8, objective=objective, penalty=penalty, penalty_every=every)
        return
    model = sparring.fit("gan", data="ring", steps=5, batch=8, width=8, objective=objective, penalty=penalty, penalty_every=every)
    assert torch.isfinite(model.sample(4)).all()


@pytest.mark.parametrize("more", [{"pack": 4}, {"noise": 0.5}, {"spectral": True}, {"clip": 0.01, "objective": "wasserstein"},
                                  {"discriminator_steps": 3, "penalty": "gradient"}], ids=str)
@pytest.mark.parametrize("data", ["ring", small_images(40, labelled=False)], ids=["points", "images"])
def test_other_rules_play(more, data):
    model = sparring.fit("gan", data=data, steps=4, batch=8, width=8, latent=4, **more)
    assert torch.isfinite(model.sample(4)).all()
    if "clip" in more:                                          # clamped before every use, so all but the last step is
        weights = [p.abs().max().item() for p in model.game.players["discriminator"].net.parameters()]
        assert max(weights) < 0.02


@pytest.mark.parametrize(("more", "reason"), [
    ({"clip": 0.01, "penalty": "r1"}, "both bound"), ({"clip": 0.01, "spectral": True}, "both bound"),
    ({"pack": 3}, "cannot be packed by 3.*batch=6"),
    ({"objective": "wasserstein"}, "bounded critic"),
    ({"objective": "wasserstein", "penalty": "r1", "penalty_weight": 0}, "bounded critic"),
    ({"penalty_every": 2}, "penalty_every=2 is given, but there is no penalty"),
    ({"discriminator": nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)), "penalty": "r1"}, "BatchNorm1d.*GroupNorm"),
], ids=lambda v: v if isinstance(v, str) else "")
def test_nonsense_is_refused_with_the_reason(more, reason):
    with pytest.raises(InputError, match=reason):
        sparring.fit("gan", data="ring", steps=2, **{"batch": 8, "width": 8, **more})


def test_packs_do_not_mix_classes():
    with pytest.raises(InputError, match="different classes"):
        sparring.fit("gan", data=small_images(), steps=2, batch=8, width=8, pack=2)


def test_a_lazy_penalty_stands_for_every_step_of_several():
    model = sparring.fit("gan", data="ring", steps=2, batch=8, width=8, penalty="r1", penalty_every=4, discriminator_steps=5, lr=0.01,
                         decay=0)
    pair = model.game.turns["penalty"].loss.__self__
    assert pair.rules.every * pair.rules.steps == 20
    group = model.game.players["discriminator"].optimizer.param_groups[0]
    assert group["lr"] == pytest.approx(0.01 * 20 / 21)


@pytest.mark.parametrize(("recipe", "more"), [("gan", {"clip": 0.01}), ("wgan", {}), ("wgan-gp", {}), ("r3gan", {})])
def test_layers_that_a_user_froze_stay_and_the_rest_comes_back_free(recipe, more):
    torch.manual_seed(0)
    D = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
    D[0].requires_grad_(False)
    before = D[0].weight.clone()
    sparring.fit(recipe, data="ring", steps=3, batch=8, width=8, discriminator=D, **more)
    assert torch.equal(D[0].weight, before)
    assert D[2].weight.requires_grad and not D[0].weight.requires_grad


def test_a_lazy_penalty_corrects_adam():
    model = sparring.fit("gan", data="ring", steps=2, batch=8, width=8, penalty="r1", penalty_every=4, lr=0.01, beta1=0.5, decay=0)
    group = model.game.players["discriminator"].optimizer.param_groups[0]
    assert group["lr"] == pytest.approx(0.01 * 4 / 5)
    assert group["betas"] == pytest.approx((0.5**0.8, 0.999**0.8))
    assert model.game.players["generator"].optimizer.param_groups[0]["lr"] == 0.01
