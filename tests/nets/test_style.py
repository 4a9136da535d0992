"""The style-based networks against closed forms: of modulation, of the filter, of what is drawn at random, and of path lengths."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from sparring.nets.equalized import EqualConv, EqualLinear
from sparring.nets.filtered import Filter
from sparring.nets.style import Mapping, Modulated, StyleDiscriminator, StyleGenerator, StyleLayer, deviation, with_deviation
from sparring.objectives.path_length import PathLength, path_lengths, weight

SHAPES = [(1, 8, 8), (3, 48, 64), (4, 37, 53)]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def small(shape=(3, 16, 16), **more) -> StyleGenerator:
    return StyleGenerator(6, shape, 4, 2, **more)


# ------------------------------------------------------------------------------------------------------------ modulation
def grouped(layer: Modulated, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """The same by the paper's weights, one set a sample, as one convolution with a group for each sample."""
    n, maps, height, width = x.shape
    own = layer.scale * layer.weight * layer.style(w)[:, None, :, None, None]                    # [B, outputs, inputs, k, k]
    if layer.demodulated:
        own = own * (own.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    flat = x.reshape(1, n * maps, height, width)
    if layer.up:
        made = layer.filter.smooth(F.conv_transpose2d(flat, own.transpose(1, 2).flatten(0, 1), stride=2, groups=n), 1, 4.0)
    else:
        made = F.conv2d(flat, own.flatten(0, 1), padding=own.shape[3] // 2, groups=n)
    return made.reshape(n, -1, *made.shape[2:])


@pytest.mark.parametrize("how", [{}, {"up": True}, {"demodulated": False}], ids=str)
def test_modulation_is_that_of_a_grouped_convolution_with_slopes_and_slopes_of_slopes(how):
    layer = Modulated(5, 4, 3, 6, **how).double()
    x, w = torch.randn(3, 5, 7, 6, dtype=torch.float64, requires_grad=True), torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    inputs, found = [x, w, *layer.parameters()], []
    for made in (layer(x, w), grouped(layer, x, w)):
        first = torch.autograd.grad(made.pow(3).sum(), inputs, create_graph=True)
        second = torch.autograd.grad(sum(slope.square().sum() for slope in first), inputs)
        found.append([made, *first, *second])
    for ours, theirs in zip(*found, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-9)
    single = layer.float()
    assert torch.allclose(single(x.float(), w.float()), grouped(single, x.float(), w.float()), atol=1e-5)


@pytest.mark.parametrize("inputs", [3, 40])
def test_a_modulated_convolution_has_a_deviation_of_one(inputs):
    layer = Modulated(inputs, 16, 3, 6)
    made = layer(torch.randn(8, inputs, 32, 32), 3 * torch.randn(8, 6))
    assert made[:, :, 1:-1, 1:-1].std((0, 2, 3)).tolist() == pytest.approx([1.0] * 16, abs=0.05)


@pytest.mark.parametrize("layer,x", [(EqualLinear(300, 200), (100, 300)), (EqualLinear(300, 200, rate=0.01), (100, 300)),
                                     (EqualConv(40, 30, 3), (4, 40, 20, 20))], ids=["linear", "slow", "convolution"])
def test_equalized_layers_keep_the_deviation(layer, x):
    made = layer(torch.randn(x))
    assert (made if made.ndim == 2 else made[:, :, 1:-1, 1:-1]).std().item() == pytest.approx(1, abs=0.05)


# ------------------------------------------------------------------------------------------------------------ the filter
@pytest.mark.parametrize("size", [(8, 8), (7, 5)])
def test_the_filter_has_a_gain_of_exactly_one(size):
    filtered, ones = Filter(), torch.ones(1, 2, *size)
    assert float(filtered.taps.sum()) == 1
    larger, smaller = filtered.larger(ones), filtered.smaller(ones)
    assert torch.equal(larger, torch.ones(1, 2, 2 * size[0], 2 * size[1]))
    assert torch.equal(smaller, torch.ones(1, 2, size[0] // 2, size[1] // 2))
    assert torch.equal(filtered.smooth(ones, 1)[..., 2:-2, 2:-2], torch.ones(1, 2, size[0] - 5, size[1] - 5))
    assert filtered.smooth(ones, 2).shape[2:] == (size[0] + 1, size[1] + 1)


def test_twice_as_large_is_linear_interpolation():
    x = torch.randn(2, 3, 7, 9)
    assert torch.allclose(Filter().larger(x), F.interpolate(x, scale_factor=2, mode="bilinear"), atol=1e-6)


def test_stripes_of_one_pixel_vanish_where_sides_are_halved():
    stripes = torch.tensor([1.0, -1.0]).repeat(8).expand(1, 1, 16, 16)
    assert Filter().smaller(stripes)[..., 1:-1].abs().max() == 0


# ------------------------------------------------------------------------------------------------- what is drawn, and how
@settings(max_examples=10)
@given(st.integers(8, 40), st.integers(8, 40), st.integers(1, 4), st.integers(0, 3))
def test_any_size(height, width, channels, classes):
    G, D = StyleGenerator(4, (channels, height, width), 2, 1, classes, 0.9), StyleDiscriminator((channels, height, width), 2, classes)
    labels = (torch.tensor([0, classes - 1, 0]),) if classes else ()
    made = G(torch.randn(3, 4), *labels)
    assert made.shape == (3, channels, height, width) and D(made, *labels).shape == (3,)
    assert bool(torch.isfinite(D(made, *labels)).all())


@pytest.mark.parametrize("shape", SHAPES)
def test_every_sample_is_drawn_by_itself_and_always_the_same(shape):
    G = small(shape, classes=2, mixing=0.9)
    torch.nn.init.ones_(G.synthesis.layers[1].strength)
    z, y = torch.randn(4, 6), torch.tensor([0, 1, 1, 0])
    drawn = G(z, y)
    assert not torch.allclose(drawn, G(z, y)), "training draws noise and mixes styles"
    G.eval()
    together = G(z, y)
    assert torch.equal(together, G(z, y))
    assert torch.allclose(together[2:3], G(z[2:3], y[2:3]), atol=1e-5)


def test_a_latent_of_any_length_makes_the_same_style():
    mapping, z = Mapping(6, 3), torch.randn(5, 6)
    assert torch.allclose(mapping(z), mapping(10 * z), atol=1e-5)


def test_noise_is_one_number_a_pixel_and_begins_at_nothing():
    layer, x, w = StyleLayer(3, 4, 6, (8, 8)), torch.randn(2, 3, 8, 8), torch.randn(2, 6)
    assert torch.equal(layer(x, w), layer.eval()(x, w))
    before = layer.convolution(x, w)
    torch.nn.init.constant_(layer.strength, 0.5)
    after = F.leaky_relu(before + 0.5 * layer.always, 0.2) * math.sqrt(2)
    assert torch.allclose(layer(x, w), after, atol=1e-5)


@pytest.mark.parametrize("mixing", [0.0, 0.5, 1.0])
def test_so_many_samples_have_another_style_from_a_random_layer_on(mixing):
    G, n = small(mixing=mixing), 400
    z = torch.randn(n, 6)
    w = G.mapping(z)
    own = (G.mixed(w, z, None) == w[:, None]).all(2)                            # bool[n, layers]
    assert own[:, 0].all() and (own[:, 1:] <= own[:, :-1]).all(), "one change, from the own style to the other"
    assert (~own[:, -1]).float().mean().item() == pytest.approx(mixing, abs=0.08)
    if mixing == 1:
        first = own.sum(1).bincount(minlength=G.synthesis.count)[1:]            # at which layer, from 1 on
        assert first.min() > 0.5 * n / (G.synthesis.count - 1)


def test_the_mean_of_styles_follows_in_training_alone():
    G = small()
    w = torch.randn(7, 6)
    G.follow(w)
    assert torch.allclose(G.mean, w.mean(0)) and G.seen == 1
    G.follow(w + 1)
    assert torch.allclose(G.mean, w.mean(0) + 0.5)
    G.eval()(torch.randn(2, 6))
    assert G.seen == 2


def test_truncation_draws_styles_to_their_mean():
    G, z = small().eval(), torch.randn(3, 6)
    G.mean.normal_()
    w = G.mapping(z)
    assert torch.equal(G(z, None, 1.0), G(z))
    assert torch.allclose(G(z, None, 0.3), G.synthesis(G.everywhere(0.7 * G.mean + 0.3 * w)), atol=1e-5)
    assert torch.allclose(G(z, None, 0.0)[0], G(-z, None, 0.0)[2], atol=1e-5)


def test_the_deviation_is_that_of_each_group_and_the_last_group_is_filled_up():
    x = torch.randn(10, 3, 2, 2)
    seen = with_deviation(x, 4)
    assert torch.equal(seen[:, :3], x) and (seen[:, 3] == seen[:, 3, :1, :1]).all()
    expected = [x[a:a + 4].std(0, correction=0).mean().item() for a in (0, 4, 6)]
    assert seen[:, 3, 0, 0].tolist() == pytest.approx([expected[0]] * 4 + [expected[1]] * 4 + [expected[2]] * 2, abs=1e-5)
    assert with_deviation(x[:1], 4)[0, 3].max() < 1e-3 and deviation(x[None, :2]).shape == (1,)


# ---------------------------------------------------------------------------------------------------------- path lengths
def linear(latent: int, shape: tuple[int, int, int], length: float):
    """x = A' w, where the columns of A' are at right angles and of this length."""
    rows = length * torch.linalg.qr(torch.randn(math.prod(shape), latent))[0].T
    return lambda w: (w @ rows).view(-1, *shape)


def test_path_lengths_of_a_linear_generator():
    """|A y| with y ~ N(0, I / (H W)) is length / sqrt(H W) times a number from the chi distribution."""
    d, shape, length = 8, (3, 4, 5), 2.5
    draw, w = linear(d, shape, length), torch.randn(20_000, d)
    found = path_lengths(draw, w)
    chi = math.sqrt(2) * math.exp(math.lgamma((d + 1) / 2) - math.lgamma(d / 2))
    unit = length / math.sqrt(20)
    assert found.mean().item() == pytest.approx(unit * chi, rel=0.01)
    assert found.square().mean().item() == pytest.approx(unit**2 * d, rel=0.01)
    penalty = PathLength()
    assert penalty(draw, w).item() == pytest.approx(unit**2 * (d - chi**2), rel=0.03)
    assert penalty.mean.item() == pytest.approx(unit * chi, rel=0.01)
    penalty(lambda w: 2 * draw(w), w)
    assert penalty.mean.item() == pytest.approx(1.5 * unit * chi, rel=0.01)


def test_a_path_length_has_a_slope_for_all_that_draws():
    G = small((1, 8, 8))
    PathLength()(lambda w: G.synthesis(G.everywhere(w)), G.mapping(torch.randn(4, 6))).backward()
    without = {name for name, p in G.named_parameters() if p.grad is None or not p.grad.abs().any()}
    assert without == {"synthesis.bias"}                        # which no style changes


def test_the_weight_of_path_lengths_is_the_papers():
    assert weight(256, 256) / 256**2 == pytest.approx(math.log(2) / (256**2 * (math.log(256) - math.log(2))))
    assert weight(2, 2) == weight(8, 8)
