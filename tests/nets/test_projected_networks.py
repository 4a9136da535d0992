"""Discriminators that see through a frozen network: any size, every sample by itself, and what they are made of."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparring.nets.efficientnet import MAPS, STRIDES
from sparring.nets.projected import KINDS, Head, Mixing, ProjectedDiscriminator, enlarged


def stages(x):
    """Stands in for the pretrained network: means of the image at its four strides, as many maps as it has."""
    return [torch.nn.functional.avg_pool2d(x, stride).mean(1, keepdim=True).expand(-1, maps, -1, -1) for maps, stride in
            zip(MAPS, STRIDES, strict=True)]


@settings(max_examples=12, deadline=None)
@given(channels=st.sampled_from([1, 3]), height=st.integers(4, 80), width=st.integers(4, 80), classes=st.sampled_from([0, 3]),
       side=st.sampled_from([32, 64, 100]))
def test_images_of_any_size_get_four_scores(channels, height, width, classes, side):
    torch.manual_seed(0)
    labels = (torch.tensor([0, 2]),) if classes else ()
    D = ProjectedDiscriminator((channels, height, width), stages, side, classes)
    x = torch.randn(2, channels, height, width, requires_grad=True)
    scores = D(x, *labels)
    assert scores.shape == (2, 4) and torch.isfinite(scores).all()
    scores.sum().backward()
    assert x.grad is not None and x.grad.any()
    learned = {name for name, p in D.named_parameters() if p.requires_grad}
    assert learned == {name for name, p in D.named_parameters() if p.grad is not None}
    assert not any(name.startswith("mixing") for name in learned)


@pytest.mark.parametrize(("height", "width", "side", "size"), [(64, 64, 128, (128, 128)), (32, 32, 128, (128, 128)),
                                                               (48, 64, 128, (128, 160)),
                                                               (256, 256, 224, (224, 224)), (8, 80, 32, (32, 192)), (5, 5, 40, (32, 32))])
def test_images_are_shown_at_multiples_of_the_largest_stride(height, width, side, size):
    assert enlarged(height, width, side) == size


def test_every_sample_is_judged_alone():
    torch.manual_seed(0)
    D, x = ProjectedDiscriminator((3, 16, 16), stages, 64), torch.randn(6, 3, 16, 16)
    D(x)                                                        # spectral normalization settles a little with every pass in training
    D.eval()
    assert torch.allclose(D(x)[2], D(x[2:3])[0], atol=1e-5)


def test_grey_images_are_shown_in_three_equal_channels():
    torch.manual_seed(0)
    grey, colour = (ProjectedDiscriminator((channels, 16, 16), stages, 32).eval() for channels in (1, 3))
    colour.load_state_dict(grey.state_dict())
    x = torch.rand(2, 1, 16, 16)
    assert torch.equal(grey(x), colour(x.expand(-1, 3, -1, -1)))


def test_mixtures_keep_the_scale_of_features_and_join_coarse_ones_to_finer():
    torch.manual_seed(0)
    mixing = Mixing()
    features = [torch.randn(8, maps, 64 // 2**k, 64 // 2**k) for k, maps in enumerate(MAPS)]
    mixed = mixing(features)
    assert [part.shape for part in mixed] == [(8, 64, 64 // 2**k, 64 // 2**k) for k in range(4)]
    assert all(0.5 < part.std() < 3 for part in mixed)
    features[3] = features[3] + 1
    changed = [not torch.equal(a, b) for a, b in zip(mixed, mixing(features), strict=True)]
    assert changed == [True] * 4, "what is coarse reaches every scale"
    others = [torch.equal(a, b) for a, b in zip(mixing(features), mixing([features[0] + 1, *features[1:]]), strict=True)]
    assert others == [False, True, True, True], "and what is fine reaches no coarser one"


def test_a_class_moves_the_score_by_what_its_projection_says():
    torch.manual_seed(0)
    head, x = Head(16, 16, 3).eval(), torch.randn(2, 64, 16, 16)
    plain = head.score(head.layers(x)).mean((1, 2, 3))
    added = (head.classes.weight[1] * head.described(head.layers(x)).mean((2, 3))).sum(1) / KINDS**0.5
    assert torch.allclose(head(x, torch.tensor([1, 1])), plain + added, atol=1e-6)
