"""Steering by styles, on small untrained generators."""

import pytest
import torch
from torch import nn

from sparring.errors import InputError
from sparring.latent import styles
from sparring.metrics.path_length import estimated, path_lengths
from sparring.nets.style import StyleGenerator


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return StyleGenerator(8, (3, 16, 16), 4, 2).requires_grad_(False)


def some(net, n, seed=0):
    return styles.styles(net, torch.randn(n, 8, generator=torch.Generator().manual_seed(seed)))


def test_styles_draw_what_latents_draw(net):
    z = torch.randn(5, 8)
    with styles.at_rest(net):
        wanted = net(z)
    torch.testing.assert_close(styles.drawn(net, styles.styles(net, z)), wanted)
    assert net.training


def test_mixing_takes_coarse_layers_from_rows_and_fine_ones_from_columns(net):
    a, b = some(net, 3), some(net, 2, seed=1)
    grid, at = styles.mixed(net, a, b), styles.middle(net)
    assert grid.shape == (3, 2, net.synthesis.count, 8)
    assert all(torch.equal(grid[i, j, :at], a[i].expand(at, -1)) and torch.equal(grid[i, j, at:], b[j].expand(len(grid[i, j]) - at, -1))
               for i in range(3) for j in range(2))
    torch.testing.assert_close(styles.drawn(net, styles.mixed(net, a, a)[range(3), range(3)]), styles.drawn(net, a))


@pytest.mark.parametrize("at", [0, -1, 6, 100])
def test_a_layer_that_there_is_not_is_refused(net, at):
    with pytest.raises(InputError, match=r"has 6 layers\. Give the first one with the fine style, from 1 to 5"):
        styles.mixed(net, some(net, 1), some(net, 1), at)


def test_a_generator_without_styles_is_refused():
    with pytest.raises(InputError, match="has no styles"):
        styles.styled(nn.Linear(2, 2))


def test_the_way_through_styles_is_straight(net):
    w = some(net, 3)
    way = styles.between(w, 5)
    assert len(way) == 9 and torch.equal(way[0], w[0]) and torch.equal(way[8], w[2])
    torch.testing.assert_close(way[4], w[1])
    torch.testing.assert_close(way[2], (w[0] + w[1]) / 2)
    with pytest.raises(InputError, match="at least two"):
        styles.between(w[:1], 5)


def test_directions_in_closed_form_are_those_that_move_scales_farthest(net):
    found, A = styles.closed_form(net, 8), styles.affine(net)
    moved = (A @ found.vectors.T).square().sum(0)
    assert (moved[:-1] >= moved[1:] - 1e-5).all()
    torch.testing.assert_close(moved / A.square().sum(), found.shares)
    at, rest = styles.middle(net), net.synthesis.count
    assert len(styles.affine(net, range(at))) + len(styles.affine(net, range(at, rest))) == len(A)
    with pytest.raises(InputError, match="from 1 to 8 directions"):
        styles.closed_form(net, 9)


def test_components_of_styles_are_those_of_their_covariance():
    w = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 3.0, 2.0]) + 5
    found = styles.principal(w, 3)
    assert found.vectors.abs().argmax(1).tolist() == [1, 2, 0]
    torch.testing.assert_close(found.shares, torch.tensor([9.0, 4.0, 1.0]) / 14, atol=0.02, rtol=0)


@pytest.mark.parametrize("plus", [False, True])
def test_images_of_its_own_are_inverted_and_W_plus_is_nearer_to_others(net, plus):
    known = some(net, 64)
    x = styles.drawn(net, known[:2])
    found = styles.inverted(net, x, known, plus, 60)
    before = (styles.drawn(net, known.mean(0)[None]) - x).square().mean((1, 2, 3)).sqrt()
    assert (found.error < 0.4 * before).all()
    torch.testing.assert_close(styles.drawn(net, found.styles), found.samples)
    torch.testing.assert_close((found.samples - x).square().mean((1, 2, 3)).sqrt(), found.error)


def test_inversion_tells_every_step_and_begins_where_it_is_told(net):
    known, told = some(net, 16), list[tuple[int, int]]()
    x = styles.drawn(net, known[:3])
    found = styles.inverted(net, x, known, False, 4, begin=known[:3], watch=lambda done, total: told.append((done, total)))
    assert told == [(3, 12), (6, 12), (9, 12), (12, 12)]
    assert (found.error < 1e-6).all() and torch.allclose(found.styles, known[:3])       # the best on the way is where it began


def test_styles_of_each_layer_can_be_mixed(net):
    a, b = some(net, 2), some(net, 1, seed=1)
    assert torch.equal(styles.mixed(net, net.everywhere(a), b), styles.mixed(net, a, b))


@pytest.mark.parametrize(("shape", "said"), [((2, 9, 8), "9 styles a sample, and this generator has 6 layers"),
                                             ((2, 12), r"whose styles are 8 numbers.*float\[n, 6, 8\].*another model cannot be used"),
                                             ((0, 8), "do not fit"), ((8,), "do not fit")])
def test_styles_that_do_not_fit_are_refused(net, shape, said):
    with pytest.raises(InputError, match=said):
        styles.fitting(net, torch.zeros(shape))
    with pytest.raises(InputError, match="NaN or infinities"):
        styles.fitting(net, torch.full((1, 8), torch.nan))
    assert styles.fitting(net, torch.zeros(2, 6, 8)).shape == (2, 6, 8)


def test_images_of_another_size_are_refused(net):
    with pytest.raises(InputError, match=r"\(3, 8, 8\) cannot be inverted by a generator of \(3, 16, 16\)"):
        styles.inverted(net, torch.zeros(1, 3, 8, 8), some(net, 4), True, 2)


def test_the_path_of_what_is_linear_in_w_has_the_length_of_its_ends_difference():
    torch.manual_seed(0)
    A = torch.randn(40, 6, dtype=torch.float64)
    a, b = torch.randn(2, 20_000, 6, dtype=torch.float64)
    lengths = path_lengths(lambda w: w @ A.T, lambda x, y: (x - y).square().sum(1), (a, b), torch.rand(20_000, dtype=torch.float64))
    torch.testing.assert_close(lengths, ((b - a) @ A.T).square().sum(1), rtol=1e-6, atol=0)
    found = estimated(lengths)
    assert abs(found.value / (2 * float(A.square().sum())) - 1) < 0.02 and found.low < found.value < found.high
    with pytest.raises(InputError, match="at least 2 pairs"):
        estimated(lengths[:1])
