"""Where a latent goes in a network: the first layer that it reaches, and what that makes of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sparring.errors import InputError

KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
FEW = 64                # latents that go through a network at once
ROUNDING = 1e-3         # of a change: more than this is no rounding


class Layer(NamedTuple):
    """A linear or convolutional layer, as the network calls them: whether z reaches it, and whether what it takes and what it gives
    are affine in z."""

    name: str
    reached: bool
    affine_in: bool
    affine_out: bool


class Enough(Exception):
    """What was looked for was seen, and the rest of the network need not be computed."""


@contextmanager
def at_rest(net: nn.Module) -> Iterator[None]:
    """Evaluation mode (BatchNorm by its running statistics); afterwards the modes are what they were."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def watched(layers: list[nn.Module], look: Callable[[nn.Module, Tensor, Tensor], None]) -> Iterator[None]:
    """While it lasts, `look(layer, given, made)` is called whenever one of these layers is."""
    def hook(layer: nn.Module, given: tuple[Any, ...], made: Tensor) -> None:
        look(layer, given[0], made)

    handles = [layer.register_forward_hook(hook) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def run(net: nn.Module, z: Tensor, labels: Tensor | None) -> Tensor:
    """G(z), or G(z, labels), where the network is."""
    place = next(net.parameters()).device
    return net(z.to(place)) if labels is None else net(z.to(place), labels.to(place))


@torch.no_grad()
def trace(net: nn.Module, latent: int, label: Tensor | None = None) -> list[Layer]:
    """The layers in the order in which the network first calls them, for latents of so many numbers, at one class or row of
    labels, [1, ...], where there are any."""
    a, b = torch.randn(2, latent, generator=torch.Generator().manual_seed(0))
    z = torch.stack([torch.zeros(latent), a, b, a + b])
    names: dict[nn.Module, str] = {module: name for name, module in net.named_modules() if isinstance(module, KINDS)}
    found: dict[str, Layer] = {}

    def look(layer: nn.Module, given: Tensor, made: Tensor) -> None:
        if names[layer] not in found and len(given) == len(made) == len(z):
            moves = float((made[1:] - made[:1]).abs().amax())
            found[names[layer]] = Layer(names[layer], moves > 0, affine(given), affine(made))

    with at_rest(net), watched(list(names), look):
        run(net, z, None if label is None else label.repeat_interleave(len(z), 0))
    return list(found.values())


def affine(values: Tensor) -> bool:
    """Whether values at 0, a, b and a + b, float[4, ...], are those of an affine function: f(a + b) - f(a) - f(b) + f(0) = 0."""
    zero, a, b, both = values.double()
    moves = max(float((a - zero).abs().amax()), float((b - zero).abs().amax()))
    return float((both - a - b + zero).abs().amax()) <= ROUNDING * moves


def first(layers: list[Layer]) -> Layer:
    """The first layer that z reaches; InputError when there is none."""
    found = next((layer for layer in layers if layer.reached), None)
    if found is None:
        raise InputError("the latent reaches no linear or convolutional layer of this generator, and directions need one. Use nn.Linear or "
                         "a convolution.")
    return found


def activations(layers: list[Layer]) -> tuple[str, bool]:
    """Where activations of the first layer are seen: the next layer that is given something not affine in z, and True, for what it is
    given; the first layer itself, and False, for what it gives, when there is none."""
    start = layers.index(first(layers))
    after = next((layer for layer in layers[start + 1:] if layer.reached and not layer.affine_in), None)
    return (layers[start].name, False) if after is None else (after.name, True)


@torch.no_grad()
def at_layer(net: nn.Module, name: str, before: bool, z: Tensor, labels: Tensor | None) -> Tensor:
    """What the layer of this name gives for latents float[n, latent], or is given when `before`: float[n, d] on the CPU."""
    layer, seen = net.get_submodule(name), list[Tensor]()

    def look(layer: nn.Module, given: Tensor, made: Tensor) -> None:
        seen.append((given if before else made).flatten(1).float().cpu())
        raise Enough

    with at_rest(net), watched([layer], look):
        for start in range(0, len(z), FEW):
            try:
                run(net, z[start:start + FEW], None if labels is None else labels[start:start + FEW])
            except Enough:
                continue
    return torch.cat(seen)
