"""The networks of translators: what a patch sees, sizes, checkerboards, and what they begin with."""

import pytest
import torch
from torch import nn

from sparring.nets.patch import FIELDS, PatchDiscriminator, fitting_field
from sparring.nets.resnet_translator import Doubled, ResNetTranslator
from sparring.nets.skip import onto
from sparring.nets.stargan import DomainGenerator
from sparring.nets.unet import UNet


@pytest.mark.parametrize("field", [1, 16, 34, 70])
def test_a_patch_sees_its_field_and_no_more(field):
    """The gradient of one logit; norms, which see the whole image, are left out."""
    net = PatchDiscriminator(1, 2, field)
    net.layers = torch.nn.Sequential(*(layer for layer in net.layers if not isinstance(layer, torch.nn.InstanceNorm2d)))
    x = torch.randn(1, 1, 3 * field + 16, 3 * field + 16, requires_grad=True)
    logits = net(x)
    slope, = torch.autograd.grad(logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2], x)
    for line in (slope[0, 0].any(0), slope[0, 0].any(1)):
        at = line.nonzero().flatten()
        assert at[-1] - at[0] + 1 == field


def test_the_field_follows_the_size():
    assert [fitting_field(side, 2 * side) for side in (8, 16, 32, 64, 128, 256, 512)] == [1, 16, 16, 16, 34, 70, 70]
    assert set(FIELDS) == {1, 16, 34, 70, 142, 286}


def test_the_papers_u_net_has_its_number_of_weights():
    """54.4 million for 256 pixels and width 64, as the authors' network."""
    with torch.device("meta"):
        assert sum(p.numel() for p in UNet(3, 3, 256, 256, 64).parameters()) == pytest.approx(54.4e6, rel=0.002)


def test_doubling_leaves_no_checkerboard():
    """The same weights everywhere on the same colour everywhere: every pixel is alike, which a transposed convolution does not give."""
    flat = torch.ones(1, 2, 5, 7)
    doubled, transposed = Doubled(2, 3), nn.ConvTranspose2d(2, 3, 3, 2, 1, bias=False)
    for net in (doubled, transposed):
        for p in net.parameters():
            nn.init.ones_(p)
    with torch.no_grad():
        size = torch.Size([9, 14])
        assert doubled(flat, size).shape[2:] == size and doubled(flat, size).unique().numel() == 1
        assert transposed(flat, output_size=torch.Size([10, 14])).unique().numel() > 1


@pytest.mark.parametrize("net", [lambda skip: ResNetTranslator(3, 3, 4, 1, skip=skip),
                                 lambda skip: DomainGenerator(3, 4, 4, 1, doubled=True, skip=skip)])
def test_with_a_skip_a_translator_begins_with_what_is_there(net):
    """tanh(atanh(0.95 x)) = 0.95 x, in the same precision, and a gradient even where a colour is at its end."""
    x = torch.rand(2, 3, 19, 24) * 2 - 1
    x[0, 0, 0, 0], x[0, 0, 0, 1] = 1.0, -1.0
    rest = (torch.tensor([1, 3]),) if isinstance(net(True), DomainGenerator) else ()
    assert torch.allclose(net(True)(x, *rest), 0.95 * x, atol=1e-6)
    assert not torch.allclose(net(False)(x, *rest), 0.95 * x, atol=0.1)
    change = torch.zeros_like(x, requires_grad=True)
    onto(x, change).sum().backward()
    assert float(change.grad.min()) > 0.09 and float(change.grad.max()) <= 1


def test_noise_is_drawn_only_when_asked_for():
    torch.manual_seed(0)
    net, x = UNet(1, 1, 16, 16, 4).eval(), torch.randn(2, 1, 16, 16)
    assert torch.equal(net(x), net(x))
    assert not torch.equal(net(x, True), net(x, True))
