"""Small networks as people write them, and what the rehearsal says about them."""

import numpy as np
import torch
from torch import nn

from sparring.setup.prepare import try_resuming
from sparring.setup.request import Request, resolve

POINTS = np.random.default_rng(0).normal(size=(200, 2))


class Ends(nn.Module):
    """A small discriminator whose logits go through `end`."""

    def __init__(self, end=lambda x: x, out=1, size=2):
        super().__init__()
        self.body, self.end = nn.Sequential(nn.Linear(size, 16), nn.LeakyReLU(0.2), nn.Linear(16, out)), end

    def forward(self, x):
        return self.end(self.body(x))


def generator(*more):
    return nn.Sequential(nn.Linear(4, 16), *more, nn.ReLU(), nn.Linear(16, 2))


def tried(recipe="gan", data=POINTS, given=None, **own):
    """These networks, about which the rehearsal says nothing."""
    own, said = said_of(recipe, data, given, **own)
    assert said == ()
    return own


def said_of(recipe="gan", data=POINTS, given=None, **own):
    """The networks, and what the rehearsal says about them."""
    own = {name: net() for name, net in own.items()}
    request = Request(recipe, data, {"latent": 4, "batch": 16, "threads": 1, **(given or {})}, own=own)
    return own, try_resuming(request, resolve(request))


class Keeps(Ends):
    """Keeps something under a name, changes it in every call, and adds what `does` returns to its logits."""

    def __init__(self, name, value, does):
        super().__init__()
        setattr(self, name, value)
        self.does = does

    def forward(self, x):
        more = self.does(self, x)
        return self.body(x) if more is None else self.body(x) + more


class Counts(Ends):
    def __init__(self, buffer=False, used=True):
        super().__init__()
        self.used = used
        if buffer:
            self.register_buffer("calls", torch.zeros(()))
        else:
            self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.body(x) * (1 + 0.1 * self.calls if self.used else 1)
