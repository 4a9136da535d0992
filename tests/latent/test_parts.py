"""Latents of several parts: each is drawn, moved and bounded in its own way, by what the game says."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import sparring
from sparring.errors import InputError
from sparring.game import Normal, OneHot, Uniform, draw
from sparring.latent.directions import closed_form, principal
from sparring.latent.inversion import invert
from sparring.latent.parts import between, codes, path, refuse_others, steady, within
from sparring.latent.slerp import slerp
from sparring.latent.truncation import asked, of_latents, truncated
from sparring.rng import generator

PARTS = Normal(4), Uniform(2, 0.0, 3.0), OneHot(3), Normal(2)
SIZE = 11


def drawn(n, seed=0, parts=PARTS):
    return draw(parts, n, generator(seed, "test"))


def test_what_is_drawn_is_what_was_said():
    z = drawn(4000)
    refuse_others(PARTS, z)
    assert z.shape == (4000, SIZE)
    assert z[:, 4:6].mean().item() == pytest.approx(1.5, abs=0.05)
    assert z[:, 6:9].mean(0).tolist() == pytest.approx([1 / 3] * 3, abs=0.03)
    assert torch.cat([z[:, :4], z[:, 9:]], 1).std().item() == pytest.approx(1, abs=0.02)


@given(share=st.floats(0, 1), seed=st.integers(0, 50))
def test_the_way_goes_part_by_part(share, seed):
    a, b = drawn(3, seed), drawn(3, seed + 100)
    made = between(PARTS)(a, b, share)
    assert torch.allclose(made[:, :4], slerp(a[:, :4], b[:, :4], share))
    assert torch.allclose(made[:, 4:6], a[:, 4:6] + share * (b[:, 4:6] - a[:, 4:6]), atol=1e-5)
    assert torch.equal(made[:, 6:9], (a if share < 0.5 else b)[:, 6:9])
    refuse_others(PARTS, made)


def test_a_game_that_says_nothing_goes_along_the_sphere():
    z = torch.randn(3, 5, generator=generator(0, "test"))
    assert torch.equal(path(z, 4), path(z, 4, (Normal(5),)))
    assert torch.equal(between(())(z[:1], z[1:2], 0.3), slerp(z[:1], z[1:2], 0.3))


def test_truncation_bounds_normal_numbers_alone():
    z = drawn(500)
    cut = truncated(z, 0.5, PARTS)
    assert cut[:, :4].abs().max() <= 0.5 and cut[:, 9:].abs().max() <= 0.5
    assert torch.equal(cut[:, 4:9], z[:, 4:9])
    assert truncated(z, math.inf, PARTS) is z
    for call in (asked, of_latents):
        with pytest.raises(InputError, match=r"truncation=0.5 cuts off the tails of normal numbers, and this model's latent is 2 uniform"):
            call(None, 0.5, (Uniform(2),))
        call(None, None, (Uniform(2),))


def test_directions_leave_codes_alone():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(SIZE, 16), nn.Tanh(), nn.Linear(16, 2))
    free = steady(PARTS, SIZE)
    assert free.tolist() == [True] * 6 + [False] * 3 + [True] * 2
    for found in (closed_form(net, SIZE, 8, None, free), principal(net, drawn(2000), 5, None, free)):
        assert not found.vectors[:, 6:9].any()
        assert torch.allclose(found.vectors.norm(dim=1), torch.ones(len(found.vectors)), atol=1e-5)
    A = net[0].weight.detach()[:, free].double()
    values = torch.linalg.eigvalsh(A.T @ A).flip(0)
    assert torch.allclose(closed_form(net, SIZE, 8, None, free).shares.double(), (values / values.sum())[:8], atol=1e-5)
    with pytest.raises(InputError, match="from 1 to 8 directions"):
        closed_form(net, SIZE, 9, None, free)
    with pytest.raises(InputError, match=r"latent is a code of 3, and no number in it can be moved a little"):
        steady((OneHot(3),), 3)


def test_inversion_finds_what_could_have_been_drawn():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(SIZE, 32), nn.Tanh(), nn.Linear(32, 12))
    pool, truth = drawn(512), drawn(4, 7)
    found = invert(net, net(truth).detach(), pool, None, None, 4, 60, parts=PARTS)
    refuse_others(PARTS, found.z)
    assert torch.equal(found.z[:, 6:9], truth[:, 6:9])
    assert (found.error < 0.1).all()
    assert within(PARTS, 9 * truth)[:, 4:6].max() <= 3


def test_every_value_of_a_code():
    z = drawn(5)
    made, = codes(PARTS, z)
    assert made.shape == (5, 3, SIZE)
    assert torch.equal(made[:, 1, 6:9], torch.tensor([0.0, 1.0, 0.0]).expand(5, 3))
    assert torch.equal(made[:, 1, :6], z[:, :6])
    assert codes((), z) == []


@pytest.mark.parametrize(("parts", "says"), [((Normal(3),), "3 normal, 3 numbers, and prior gives 11"),
                                             ((Normal(9), Uniform(2)), r"numbers 9 to 10 of its latent are uniform from -1 to 1"),
                                             ((OneHot(11),), "numbers 0 to 10 of its latent are a one-hot code")])
def test_a_prior_that_draws_others_is_named(parts, says):
    with pytest.raises(InputError, match=says):
        refuse_others(parts, drawn(50))


def test_a_system_whose_latent_is_said(tmp_path):
    """The rehearsal holds the prior against it, and what steers goes by it."""
    from sparring.cli.explore import explore

    file = tmp_path / "infogan.py"
    own = sparring.__file__.replace("src/sparring/__init__.py", "examples/infogan.py")
    file.write_text(Path(own).read_text())
    model = sparring.fit(file, "digits", steps=2, batch=16, out=tmp_path / "run", progress=False, threads=1)
    assert model.game.latent == (Normal(16), OneHot(10))
    z = model.latents(2, truncation=0.5)
    assert z[:, :16].abs().max() <= 0.5 and z[:, 16:].sum().item() == 2
    told = explore(tmp_path / "run", None, None, 2, 3, 3.0, None, None, 0, 0.0, recipe=str(file))
    assert any(picture.endswith("code-1.png") for picture in told["pictures"])
    file.write_text(file.read_text().replace("OneHot(c.codes)   #", "Normal(c.codes)   #").replace(
        "latent=latent", "latent=(Normal(3),), prior=lambda n, rng=None: draw(latent, n, rng)"))
    with pytest.raises(InputError, match="the game says that its latent is 3 normal, 3 numbers, and prior gives 26"):
        sparring.check(file, "digits")
