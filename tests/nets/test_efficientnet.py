"""EfficientNet-Lite, frozen: any size, gradients to the images, alone or in company, inside torch.func, in bf16."""

import math

import pytest
import torch
from sklearn.datasets import load_sample_image
from torch.func import grad, vmap
from torch.nn.functional import batch_norm, conv2d, cosine_similarity, interpolate, pad

from sparring.data.pretrained import TRAINING, pretrained
from sparring.nets import efficientnet
from sparring.nets.efficientnet import LITE0, LITE1, MAPS, STRIDES, EfficientNet, SameConv, built, names, shapes, variant

TINY = variant((1,) * 7, 32)


def published(form, seed=0):
    """Weights as they are published, drawn at random so that all layers pass on about as much as they are given."""
    rng, found = torch.Generator().manual_seed(seed), {}
    for name, shape in shapes(form).items():
        values = torch.randn(shape, generator=rng)
        found[name] = values / math.sqrt(math.prod(shape[1:]) / 2) if len(shape) > 1 else \
            values.abs() + 0.5 if name.endswith(("running_var", "weight")) else values / 4
    return found


@pytest.fixture(scope="module")
def net():
    return built(TINY, published(TINY))


def images(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("high, wide", [(1, 1), (8, 8), (9, 17), (33, 64), (31, 100)])
def test_images_of_any_size_give_stages_of_sides_rounded_up(net, high, wide):
    x = images(2, 3, high, wide)
    stages = net.stages(x)
    wanted = [(2, m, math.ceil(high / k), math.ceil(wide / k)) for m, k in zip(MAPS, STRIDES, strict=True)]
    assert [tuple(stage.shape) for stage in stages] == wanted
    assert net.features(x).shape == (2, efficientnet.HEAD) and net(x).shape == (2, efficientnet.CLASSES)
    assert all(torch.isfinite(s).all() for s in stages)


@pytest.mark.parametrize("side, kernel, stride, edges", [
    (224, 3, 2, (0, 1)), (225, 3, 2, (1, 1)), (8, 5, 2, (1, 2)), (7, 5, 2, (2, 2)), (1, 3, 2, (1, 1)),
    (1, 5, 2, (2, 2)), (2, 3, 2, (0, 1))])
def test_the_odd_place_of_padding_is_at_the_end(side, kernel, stride, edges):
    conv = SameConv(3, 3, kernel, stride)
    assert tuple(conv.edges(images(1, 3, side, 6))[2:]) == edges
    assert conv(images(1, 3, side, side)).shape[-1] == math.ceil(side / stride)


def test_pixels_are_given_as_the_network_learned_them_and_batch_norms_are_folded(net):
    """The stem, step by step: (pixel - 127) / 128, the convolution, its batch norm."""
    given, pixels = published(TINY), torch.randint(0, 256, (1, 3, 8, 8), generator=torch.Generator().manual_seed(1)).float()
    seen = net.stem((pixels / 127.5 - 1) * (127.5 / 128) + 0.5 / 128)
    wanted = conv2d(pad((pixels - 127) / 128, (0, 1, 0, 1)), given["_conv_stem.weight"], stride=2)
    wanted = batch_norm(wanted, *(given[f"_bn0.{part}"] for part in ("running_mean", "running_var", "weight", "bias")), eps=1e-3)
    torch.testing.assert_close(seen, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("form, blocks, millions", [(LITE0, 16, 4.6), (LITE1, 21, 5.4)])
def test_the_networks_are_as_large_as_published(form, blocks, millions):
    """Tan and Le's own count; batch norms are folded here, so a hundredth fewer."""
    with torch.device("meta"):
        net = EfficientNet(form)
    assert len(net.blocks) == blocks and [net.ends[-1] + 1, len(net.ends)] == [blocks, 4]
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.1)
    assert len(names(form)) == sum(name.endswith("conv.weight") for name in net.state_dict())


def test_it_is_frozen_and_draws_nothing():
    before = torch.get_rng_state()
    net = built(TINY, published(TINY))
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(p.requires_grad for p in net.parameters()) and not any(m.training for m in net.modules())
    assert not any(True for _ in net.buffers()), "nothing that could move"


def test_an_image_has_the_same_features_alone_and_in_company(net):
    x = images(5, 3, 20, 28)
    torch.testing.assert_close(net.features(x)[3:4], net.features(x[3:4]), atol=1e-5, rtol=1e-4)


def test_gradients_reach_the_images(net):
    """Along a direction, beside the difference of two values."""
    double, (x, along) = built(TINY, published(TINY)).double(), (images(1, 3, 40, 24, seed=k).double() for k in (1, 2))
    step = 1e-6
    slope = ((double(x + step * along) - double(x - step * along)) / (2 * step)).sum()
    x.requires_grad_()
    gradient, = torch.autograd.grad(double(x).sum(), x)
    torch.testing.assert_close((gradient * along).sum(), slope, rtol=1e-4, atol=1e-6)
    assert (gradient != 0).float().mean() > 0.5


def test_it_works_inside_torch_func(net):
    x = images(3, 3, 24, 24)
    y = x.clone().requires_grad_()
    wanted, = torch.autograd.grad(net.features(y).sum(), y)
    torch.testing.assert_close(grad(lambda images: net.features(images).sum())(x), wanted)
    torch.testing.assert_close(vmap(lambda image: net.features(image[None])[0])(x), net.features(x), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(vmap(grad(lambda image: net.features(image[None]).sum()))(x), wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("side, kernel", [(8, 3), (9, 5), (1, 3)])
def test_in_bf16_a_filter_of_every_place_gives_what_one_of_every_second_gives(side, kernel):
    """Which of the two is taken depends on whether a gradient is asked for: values and gradients may not."""
    torch.manual_seed(0)
    conv, x = SameConv(6, 6, kernel, 2, groups=6).bfloat16().requires_grad_(False), images(2, 6, side, side).bfloat16()
    y = x.clone().requires_grad_()
    torch.testing.assert_close(conv(y), conv(x), atol=1e-2, rtol=1e-2)
    plain = conv.float()
    z = x.float().requires_grad_()
    wanted, = torch.autograd.grad(plain(z).square().sum(), z)
    found, = torch.autograd.grad(conv.bfloat16()(y).float().square().sum(), y)
    torch.testing.assert_close(found.float(), wanted, atol=0.05, rtol=0.05)


def test_in_bf16_features_are_those_of_float32_and_gradients_point_the_same_way():
    """The network itself, of a photograph.  Rounding moves what a ReLU6 cuts off, so that gradients agree less than values do."""
    exact = pretrained(TRAINING)
    photo = torch.tensor(load_sample_image("flower.jpg")).permute(2, 0, 1)[None] / 127.5 - 1
    x, found = interpolate(photo, (64, 64), mode="bilinear", antialias=True), []
    along = [torch.randn(s.shape, generator=torch.Generator().manual_seed(0)) for s in exact.stages(x)]
    for low in (False, True):
        y = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            stages = [stage.float() for stage in exact.stages(y)]
        total = sum((stage * direction).mean() for stage, direction in zip(stages, along, strict=True))
        found.append([*stages, torch.autograd.grad(total, y)[0].float()])
    alike = [cosine_similarity(a.flatten(), b.flatten(), 0).item() for a, b in zip(*found, strict=True)]
    assert min(alike[:-1]) > 0.998 and alike[-1] > 0.9
