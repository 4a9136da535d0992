"""What the systems learn that are told the class: the conditional GAN, AC-GAN and SN-GAN with projection."""

import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from benchmarks.systems.trained import Claims, at_least, at_most, real, trained
from sparring.api import Model


def agreement(model: Model, name: str) -> float:
    """How often a classifier that learned from real digits names the class that was asked for."""
    x, labels = real(name, 1400)
    asked = model.labels_for(1000)
    judge = LogisticRegression(max_iter=300).fit(x.flatten(1), labels)
    return judge.score(model.sample_at(asked).flatten(1), asked)


def cgan(seed: int) -> Claims:
    """Samples are of the class that was asked for, and good enough to learn real digits from."""
    model = trained("cgan", 1500, seed)
    return (at_least("a classifier of real digits names the class that was asked for", agreement(model, "cgan"), 0.9),
            at_least("a classifier that learned from samples alone names real digits", model.scores["svc_accuracy"], 0.75))


def acgan(seed: int) -> Claims:
    """Samples are of the class that was asked for."""
    agreed = agreement(trained("acgan", 600, seed), "acgan")
    return at_least("a classifier of real digits names the class that was asked for", agreed, 0.95),


def sngan(seed: int) -> Claims:
    """The largest singular value of every layer of D, which an SVD finds, is 1; and samples are as asked."""
    model = trained("sngan", 800, seed)
    layers = [one.weight for one in model.game.players["discriminator"].net.eval().modules() if isinstance(one, nn.Linear | nn.Embedding)]
    norms = torch.stack([torch.linalg.matrix_norm(weight.detach(), 2) for weight in layers])
    assert len(norms) == 5
    return (at_most("largest distance of a layer's spectral norm from 1", (norms - 1).abs().max(), 0.05),
            at_least("a classifier of real digits names the class that was asked for", agreement(model, "sngan"), 0.95),
            at_least("a classifier that learned from samples alone names real digits", model.scores["svc_accuracy"], 0.75))
