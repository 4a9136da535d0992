"""A look ahead: where a network would be after a few more steps of its optimizer, as a function that can be differentiated."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad
from torch.optim import Adam

from sparring.objectives.penalties import Weights


def weights_of(net: nn.Module, among: Iterable[Tensor] | None = None) -> Weights:
    """The parameters by name; only those `among` these, when given: what an optimizer does not hold never moves."""
    held = None if among is None else set(map(id, among))
    return {name: p for name, p in net.named_parameters() if held is None or id(p) in held}


def with_weights(net: nn.Module, weights: Weights) -> Callable[..., Tensor]:
    """The network with other weights.  What it counts or iterates on the way (BatchNorm, spectral norm) it forgets again."""
    def call(*inputs: Tensor) -> Tensor:
        buffers = {name: buffer.clone() for name, buffer in net.named_buffers()}
        return functional_call(net, {**weights, **buffers}, inputs)

    return call


def adam_ahead(loss: Callable[[Weights], Tensor], net: nn.Module, adam: Adam, steps: int) -> Weights:
    """The weights after `steps` more steps of this Adam down `loss`, from its present state (Metz et al., 2017, eq. 5 to 8).

    Neither the network nor its optimizer is moved; gradients pass through every step.
    """
    group = adam.param_groups[0]
    weights = weights_of(net, group["params"])
    device = next(iter(weights.values())).device.type
    first, second = group["betas"]
    states = {name: adam.state.get(p, {}) for name, p in weights.items()}
    mean = {name: s["exp_avg"].clone() if s else torch.zeros_like(weights[name]) for name, s in states.items()}
    square = {name: s["exp_avg_sq"].clone() if s else torch.zeros_like(weights[name]) for name, s in states.items()}
    before = next((int(s["step"]) for s in states.values() if s), 0)
    for t in range(before + 1, before + steps + 1):
        with torch.autocast(device, enabled=False):             # slopes of slopes need more than two digits
            slope = grad(loss)(weights)
        mean = {name: torch.lerp(g, mean[name], first) for name, g in slope.items()}
        square = {name: torch.lerp(g.square(), square[name], second) for name, g in slope.items()}
        weights = {name: w - group["lr"] * (mean[name] / (1 - first**t)) /
                   ((square[name] / (1 - second**t) + 1e-20).sqrt() + group["eps"]) for name, w in weights.items()}
    return weights
