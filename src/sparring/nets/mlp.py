"""Multilayer perceptrons for vectors and curves."""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot


def mlp(inputs: int, width: int, depth: int, outputs: int, slope: float) -> nn.Sequential:
    """`depth` hidden layers of `width` units, each followed by a leaky ReLU of this negative slope (0: a ReLU)."""
    layers: list[nn.Module] = []
    for i in range(depth):
        layers += [nn.Linear(inputs if i == 0 else width, width), nn.LeakyReLU(slope) if slope else nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, outputs))


class MLPGenerator(nn.Module):
    """float[B, latent] (and int64[B] class indices) to float[B, outputs]; the class joins the input as a one-hot."""

    def __init__(self, latent: int, outputs: int, width: int, depth: int, slope: float, classes: int = 0) -> None:
        super().__init__()
        self.classes = classes
        self.layers = mlp(latent + classes, width, depth, outputs, slope)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layers(with_class(z, labels, self.classes))


class MLPDiscriminator(nn.Module):
    """float[B, inputs] (and int64[B] class indices) to logits float[B]."""

    def __init__(self, inputs: int, width: int, depth: int, slope: float, classes: int = 0) -> None:
        super().__init__()
        self.classes = classes
        self.layers = mlp(inputs + classes, width, depth, 1, slope)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layers(with_class(x, labels, self.classes)).squeeze(1)


def projection(classes: nn.Embedding, labels: Tensor) -> Tensor:
    """The direction in feature space of each label, float[B, N]: V y of Miyato and Koyama (2018, eq. 4), with y a one-hot of a class in
    int64[B], or the labels themselves, float[B, K]."""
    return labels @ classes.weight.to(labels.dtype) if labels.is_floating_point() else classes(labels)


def with_class(x: Tensor, labels: Tensor | None, classes: int) -> Tensor:
    """x with its class as a one-hot beside it (Mirza and Osindero, 2014), or its labels where they are numbers, float[B, classes]; x
    itself when there are no classes."""
    if not classes:
        return x
    assert labels is not None
    if labels.is_floating_point():
        return torch.cat([x, labels.to(x.dtype)], 1)
    return torch.cat([x, one_hot(labels, classes).to(x.dtype)], 1)
