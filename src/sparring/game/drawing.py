"""How samples are drawn: in evaluation mode and without gradients, by averaged networks or by those that play."""

from collections.abc import Callable, Iterable
from typing import Protocol

import torch
from torch import Tensor, nn

from sparring.errors import InputError


class Averaged(Protocol):
    """A network and its averaged copy, such as a player has."""

    net: nn.Module
    average: nn.Module


@torch.no_grad()
def evaluate(net: nn.Module, *inputs: Tensor | float | None) -> Tensor:
    """The net's output in evaluation mode (BatchNorm by its running statistics), its mode left as it was."""
    training = net.training
    net.eval()
    try:
        return net(*inputs)
    finally:
        net.train(training)


def as_it_plays(players: Iterable[Averaged], average: nn.Module) -> nn.Module:
    """The network of which this is the averaged copy: a player's, or a part of it.  InputError where no player has it."""
    for player in players:
        for name, part in player.average.named_modules():
            if part is average:
                return player.net.get_submodule(name)
    raise InputError("the game's `generator` is in no player's averaged networks, so how to draw is not known. Give a part of "
                     "player.average as `generator`, or give `sample`.")


def drawing(players: Iterable[Averaged], average: nn.Module, told: bool) -> Callable[..., Tensor]:
    """The function `sample` of a game whose generator makes samples of latents alone, or of latents and labels where it is `told` them."""
    playing = as_it_plays(players, average)

    def sample(z: Tensor, labels: Tensor | None = None, live: bool = False) -> Tensor:
        device = next(average.parameters()).device
        given = (labels.to(device),) if told and labels is not None else ()
        return evaluate(playing if live else average, z.to(device), *given)

    return sample
