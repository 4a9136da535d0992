"""What the systems in examples/ learn that are told the class: the conditional GAN and SN-GAN with projection (`make examples`)."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from example_systems import real, trained


def agreement(model, name):
    """How often a classifier that learned from real digits names the class that was asked for."""
    x, labels = real(name, 1400)
    asked = model.labels_for(1000)
    judge = LogisticRegression(max_iter=300).fit(x.flatten(1), labels)
    return judge.score(model.sample_at(asked).flatten(1), asked)


@pytest.mark.examples
def test_cgan_draws_the_class_that_it_is_asked_for():
    """A classifier that learned from real digits agrees in nine of ten (chance: one), and one that learned from samples alone names three
    of four real digits."""
    model = trained("cgan", 1500)
    agreed = agreement(model, "cgan")
    print(f"cgan: agreement {agreed:.4f}, {model.scores}")
    assert agreed > 0.9
    assert model.scores["svc_accuracy"] > 0.75


@pytest.mark.examples
def test_sngan_bounds_every_layer_and_draws_the_class_that_it_is_asked_for():
    """Every layer's largest singular value, which an SVD finds, is 1 within a twentieth; samples are as asked in nineteen of twenty."""
    model = trained("sngan", 800)
    layers = [one.weight for one in model.game.players["discriminator"].net.eval().modules() if isinstance(one, nn.Linear | nn.Embedding)]
    norms = torch.stack([torch.linalg.matrix_norm(weight.detach(), 2) for weight in layers])
    agreed = agreement(model, "sngan")
    print(f"sngan: norms {norms.tolist()}, agreement {agreed:.4f}, {model.scores}")
    assert len(norms) == 5 and (norms - 1).abs().max() < 0.05
    assert agreed > 0.95
    assert model.scores["svc_accuracy"] > 0.75
