"""What networks of one's own give: a discriminator logits, as every objective expects, or probabilities, by mistake; a generator values
that reach as far as the data, or fewer.

Two looks, at whatever class of network: which operation made its outputs, by the graph that torch keeps for gradients, and whether its
outputs stay between 0 and 1 with any weights and inputs.  Outputs that happen to lie there prove nothing.
"""

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor

from sparring.errors import InputError
from sparring.game.copies import copied
from sparring.spaces import Images, Space, Vectors

PROBABILITIES = ("Sigmoid", "Softmax", "LogSoftmax", "LogSigmoid", "Hardsigmoid")        # operations that give them, or their logarithms
BETWEEN = ("View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Expand", "Permute", "Transpose", "T", "Alias", "Clone", "Slice",
           "Select", "Index", "Split", "Unbind", "ToCopy", "Mean", "Clamp", "Cat", "Stack")     # operations that leave probabilities such
POSITIVE = ("Sigmoid", "Softmax", "Hardsigmoid", "Relu", "Softplus")                     # operations that give nothing below zero
TRIALS, FAR = 4, 10.0   # of other weights and inputs, and how far from zero these are


class Listening:
    """In its body, remembers the first plain call of a network whose output has a gradient: what it was given, and what made the output."""

    def __init__(self, net: nn.Module) -> None:
        self.net, self.last = net, ""
        self.given: tuple[Any, ...] = ()

    def __enter__(self) -> "Listening":
        if isinstance(self.net, torch.jit.ScriptModule):        # which takes no hooks of its own
            self.handle = nn.modules.module.register_module_forward_hook(self.hear)
        else:
            self.handle = self.net.register_forward_hook(self.hear)
        return self

    def __exit__(self, *error: object) -> None:
        self.handle.remove()

    def hear(self, net: nn.Module, given: tuple[Any, ...], made: Any) -> None:
        wanted = net is self.net and not self.given and isinstance(made, Tensor)
        if wanted and made.grad_fn is not None and not any(map(wrapped, (*given, made))):
            self.given = tuple(x.detach().clone() if isinstance(x, Tensor) else x for x in given)
            self.last = last_operation(made.grad_fn)


def wrapped(x: Any) -> bool:
    """Whether this is no plain tensor, but one in a gradient of torch.func."""
    return isinstance(x, Tensor) and is_functorch_wrapped_tensor(x)


def last_operation(node: Any) -> str:
    """The name of the last operation that is more than a change of shape, such as Sigmoid; empty where there are several or none."""
    while node is not None:
        name = node.name().split("::")[-1].rsplit("Backward", 1)[0]
        if name not in BETWEEN:
            return str(name)
        before = [one for one, _ in node.next_functions if one is not None]
        if len(before) > 1:
            names = {last_operation(one) for one in before}
            return names.pop() if len(names) == 1 else ""
        node = before[0] if before else None
    return ""


def refuse_probabilities(heard: Listening) -> str:
    """InputError for a discriminator that gives probabilities; what to warn of for one whose logits a tanh bounds, or nothing."""
    end = heard.last if heard.last in PROBABILITIES else ""
    if end or bounded(heard):
        what = f"ends in a {end}" if end else "gives numbers between 0 and 1 only, whatever its weights and inputs are"
        raise InputError(f"the discriminator {what}, so it returns probabilities, but the losses expect logits, scores without bounds, and "
                         f"apply the sigmoid where there has to be one. {'Remove it.' if end else 'Remove what bounds them.'}")
    return "the discriminator ends in a tanh, so its logits stay between -1 and 1; as probabilities, between 0.27 and 0.73. Remove it " \
        "unless you want that." if heard.last == "Tanh" else ""


def out_of_range(heard: Listening, space: Space) -> str:
    """What to warn of when a generator cannot reach all values of images or vectors, or nothing; curves are in units of their own."""
    if not isinstance(space, Images | Vectors):
        return ""
    lacks = f"ends in a {heard.last}" if heard.last in POSITIVE else "gives numbers between 0 and 1 only" if bounded(heard) else ""
    if lacks and isinstance(space, Images):
        return f"the generator {lacks}, but images are in [-1, 1], so no pixel can be darker than the middle. End it in a tanh."
    if lacks:
        return f"the generator {lacks}, but vectors are standardized, so no value can be below the mean of the data. End it in a " \
            "linear layer."
    return "the generator ends in a tanh, but vectors are standardized, so no value can be further from the mean than one standard " \
        "deviation. End it in a linear layer." if heard.last == "Tanh" and isinstance(space, Vectors) else ""


@torch.no_grad()
def bounded(heard: Listening) -> bool:
    """Whether the outputs stay between 0 and 1, and are not all the same, in every trial with other weights and inputs far from zero."""
    found = []
    with suppress(Exception):                                   # they may not suit a stranger's network: nothing is known then
        for trial in range(TRIALS):
            net, x, rest = copied(heard.net, "the network"), heard.given[0], heard.given[1:]
            for p in net.parameters():
                p.add_(torch.randn_like(p) * FAR ** (trial % 2))
            made = net(FAR * torch.randn_like(x), *rest).float()
            made = made[made.isfinite()]
            if bool(((made < 0) | (made > 1)).any()):
                return False
            found += [bool(made.numel() > 1 and made.max() > made.min())]
    return sum(found) >= TRIALS // 2
