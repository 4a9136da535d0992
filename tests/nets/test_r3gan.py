"""R3GAN's networks: what they are before training, in closed form, at any size and depth; and that they learn."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

import sparring
from sparring.data.source import Finite
from sparring.errors import InputError
from sparring.nets.r3gan import Block, Down, R3Discriminator, R3Generator, Up, groups, stages
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.spaces import Images


@settings(max_examples=12, deadline=None)
@given(channels=st.integers(1, 4), height=st.integers(4, 40), width=st.integers(4, 40), classes=st.sampled_from([0, 3]))
def test_they_fit_pictures_of_any_size(channels, height, width, classes):
    torch.manual_seed(0)
    shape, labels = (channels, height, width), (torch.tensor([0, 2]),) if classes else ()
    G, D = R3Generator(5, shape, 2, classes), R3Discriminator(shape, 2, classes)
    made = G(torch.randn(2, 5), *labels)
    assert made.shape == (2, *shape)
    assert D(made, *labels).shape == (2,)
    D(made, *labels).sum().backward()
    assert all(p.grad is not None for net in (G, D) for p in net.parameters())


def test_a_block_adds_nothing_at_first_and_learns_from_its_last_layer():
    torch.manual_seed(0)
    block, x = next(m for m in R3Discriminator((3, 8, 8), 8).modules() if isinstance(m, Block)), torch.randn(2, 8, 5, 7)
    made = block(x)
    assert torch.equal(made, x)
    (made * torch.randn_like(x)).sum().backward()
    assert block.narrow.weight.grad.abs().max() > 0
    assert not block.widen.weight.grad.any() and not block.mix.weight.grad.any()


def test_before_training_the_networks_are_their_skip_paths():
    torch.manual_seed(0)
    shape, z, pictures = (3, 12, 20), torch.randn(4, 6), torch.randn(4, 3, 12, 20)
    G, D = R3Generator(6, shape, 4), R3Discriminator(shape, 4)
    x = G.basis * (z @ G.weigh.weight.T)[:, :, None, None]
    for layer in G.layers:
        x = x if isinstance(layer, Block) else layer(x)
    assert torch.allclose(G(z), x, atol=1e-6)
    assert torch.allclose(G(2 * z), 2 * G(z), atol=1e-5)            # a skip path is linear
    assert torch.allclose(D(2 * pictures), 2 * D(pictures), atol=1e-5)


def test_inner_layers_are_scaled_by_the_fourth_root_of_the_number_of_blocks():
    torch.manual_seed(0)
    for side, count in ((8, 2), (64, 5)):
        D = R3Discriminator((3, side, side), 16)
        found = [module for module in D.modules() if isinstance(module, Block)]
        assert len(found) == 2 * count
        for layer in (found[-1].widen, found[-1].mix):
            fan_in = layer.weight[0].numel()
            expected = (2 / (1 + 0.2**2) / fan_in) ** 0.5 * len(found) ** -0.25
            assert layer.weight.std().item() == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("side", [8, 32, 64])
def test_what_goes_through_keeps_its_scale_at_any_depth(side):
    """Also when no branch is zero any more."""
    torch.manual_seed(0)
    G, D = R3Generator(16, (3, side, side), 4), R3Discriminator((3, side, side), 4)
    for net in (G, D):
        for module in net.modules():
            if isinstance(module, Block):
                torch.nn.init.normal_(module.narrow.weight, 0, 0.5 * module.narrow.in_channels ** -0.5)
    smooth = interpolate(torch.randn(16, 3, 4, 4), (side, side), mode="bilinear").requires_grad_()
    z, logits = torch.randn(16, 16, requires_grad=True), D(smooth)
    made = G(z)
    by_z, by_pictures = torch.autograd.grad(made.square().mean(), z)[0], torch.autograd.grad(logits.sum(), smooth)[0]
    assert 0.2 < made.std() < 3
    assert 0.1 < logits.std() < 5
    assert 0.01 < by_z.norm() < 2
    assert 0.02 < by_pictures.flatten(1).norm(dim=1).mean() * side / 8 < 5


def test_resampling_is_bilinear_with_odd_sides_too():
    ramp = torch.arange(6.0).expand(1, 1, 6, 6)
    assert torch.equal(Down(1, 1)(ramp), interpolate(ramp, scale_factor=0.5, mode="bilinear"))
    assert torch.equal(Down(1, 1)(ramp[..., :5])[0, 0, 0], torch.tensor([0.5, 2.5, 4.0]))
    assert torch.allclose(Up(1, 1, (6, 6))(ramp[..., :3, :3])[0, 0, 0], torch.tensor([0, 0.25, 0.75, 1.25, 1.75, 2]))
    assert Up(1, 1, (5, 5))(ramp[..., :3, :3]).shape == (1, 1, 5, 5)


@pytest.mark.parametrize(("maps", "found"), [(4, 1), (16, 1), (32, 2), (40, 2), (64, 4), (194, 2), (48, 3)])
def test_groups_are_equal_and_of_sixteen_at_least(maps, found):
    assert groups(maps) == found


def test_the_published_network_for_faces_of_256_pixels_has_these_stages():
    assert stages(256, 256, 96)[1] == [96, 192, 384, 768, 768, 768, 768]
    assert [groups(2 * maps) for maps in (96, 192, 384, 768)] == [12, 24, 48, 96]


def test_every_sample_is_made_and_judged_alone():
    torch.manual_seed(0)
    G, D, z, x, y = R3Generator(4, (3, 9, 14), 4, 3), R3Discriminator((3, 9, 14), 4, 3), torch.randn(6, 4), torch.randn(6, 3, 9, 14), \
        torch.arange(6) % 3
    assert torch.allclose(G(z, y)[2], G(z[2:3], y[2:3])[0], atol=1e-5)
    assert torch.allclose(D(x, y)[2], D(x[2:3], y[2:3])[0], atol=1e-5)


def test_a_label_that_is_a_number_is_its_share_of_a_class():
    torch.manual_seed(0)
    D, x, one = R3Discriminator((1, 8, 8), 4, 2), torch.randn(3, 1, 8, 8), torch.zeros(3, dtype=torch.int64)
    G, z = R3Generator(4, (1, 8, 8), 4, 2), torch.randn(3, 4)
    sure = torch.tensor([[1.0, 0.0]]).expand(3, 2)
    assert torch.allclose(D(x, one), D(x, sure), atol=1e-6)
    assert torch.allclose(G(z, one), G(z, sure), atol=1e-6)


def test_it_learns_which_class_is_where():
    """A light square on the left or on the right."""
    rng, y = torch.Generator().manual_seed(0), torch.arange(200) % 2
    x = torch.randint(0, 40, (200, 1, 8, 8), dtype=torch.uint8, generator=rng)
    for picture, label in zip(x, y.tolist(), strict=True):
        picture[:, 2:6, 4 * label:4 * label + 4] += 200
    model = sparring.fit("r3gan", data=Finite(Images(1, 8, 8, ("left", "right")), x, y), steps=80, width=4, latent=4, batch=8, threads=1,
                         seed=0, lr=5e-3, gamma=0.3, backbone="r3gan", ema=0.9, compile="off", precision="fp32")
    left, right = (model.sample(32, positions=i) for i in range(2))
    assert left[..., :4].mean() > left[..., 4:].mean() + 0.4
    assert right[..., 4:].mean() > right[..., :4].mean() + 0.4


@pytest.mark.parametrize(("data", "more", "said"), [("ring", {}, "backbone=r3gan is for images"),
                                                    ("digits", {"residual": True}, "two kinds of networks"),
                                                    ("digits", {"backbone": "r3"}, "backbone")])
def test_what_does_not_go_together(data, more, said, tmp_path):
    with pytest.raises(InputError, match=said):
        prepare(Request("r3gan", data, {"backbone": "r3gan", "cells": 0, "steps": 5} | more), tmp_path / "run")
