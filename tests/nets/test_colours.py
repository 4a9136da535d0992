"""Networks that paint in learned colours."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sparring
from made import refused
from sparring.nets.colours import PACE, Colours


def test_pixels_take_the_nearest_of_their_domains_learned_colours():
    net = Colours(1, 2, 3)
    with torch.no_grad():
        net.colours.copy_(torch.tensor([[-1.0, 0.0, 1.0], [-0.5, 0.5, 3.0]])[:, :, None] / PACE)
    q = torch.tensor([-0.9, -0.3, 0.2, 0.6]).repeat(2, 1).view(2, 1, 2, 2).requires_grad_()
    y = net(q, torch.tensor([0, 1]))
    assert torch.allclose(y.flatten(1), torch.tensor([[-1.0, 0.0, 0.0, 1.0], [-0.5, -0.5, 0.5, 0.5]]), atol=0.005)   # 3 is held at 1
    slope = torch.randn_like(y)
    y.backward(slope)
    assert torch.equal(q.grad, slope)                           # as if nothing had been chosen
    middle = net(torch.full((1, 1, 1, 1), 0.5), torch.tensor([0]))
    assert middle.item() == pytest.approx(0.5, abs=1e-4)         # between two colours: both


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(2, 90), st.floats(-40, 40))
def test_learned_colours_stay_within_the_range_of_pixels(channels, domains, count, far):
    net = Colours(channels, domains, count)
    with torch.no_grad():
        net.colours.mul_(far)
    y = net(torch.rand(2, channels, 3, 5) * 2 - 1, torch.randint(domains, (2,)))
    assert y.shape == (2, channels, 3, 5) and y.abs().max() <= 1


def test_learned_colours_come_to_lie_on_those_of_a_flat_drawing():
    """L1 pulls them to medians, whatever they begin with, and little noise does not move those."""
    torch.manual_seed(0)
    truth = torch.tensor([[0.31, -0.77, 0.5], [-0.9, -0.9, 0.93]])
    net = Colours(3, 1, 16)
    adam = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(200):
        x = truth[torch.randint(2, (2, 8, 8))].permute(0, 3, 1, 2)
        x = torch.where(torch.rand(2, 1, 8, 8) < 0.1, x + 0.1 * torch.randn_like(x), x)
        adam.zero_grad()
        (net(x, torch.zeros(2, dtype=torch.int64)) - x).abs().mean().backward()
        adam.step()
    drawn = net(truth.T[None, :, :, None], torch.tensor([0]))
    assert (drawn - truth.T[None, :, :, None]).abs().max() < 0.03


def test_one_colour_is_refused():
    refused("colours=1 leaves a single colour", sparring.fit, "stargan", data="tints", steps=1, size=16, colours=1)
