"""Networks that keep what no checkpoint holds, or layers where torch does not find them."""

import random
import threading

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from own_networks import Counts, Ends, Keeps, generator, tried
from sparring.errors import InputError
from sparring.setup.unregistered import refuse_unregistered

MODULE_WIDE = torch.Generator().manual_seed(0)


class Averages(nn.Module):
    """A generator that keeps a running mean in a plain tensor, and uses it where nobody trains."""

    def __init__(self):
        super().__init__()
        self.body, self.mean = generator(), torch.zeros(2)

    def forward(self, z):
        out = self.body(z)
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * out.detach().mean(0)
            return out
        return out - self.mean


class Recalls(nn.Module):
    """A generator with an average of its weights in a dictionary, which it mixes in."""

    def __init__(self):
        super().__init__()
        self.body, self.shadow = generator(), {}

    def forward(self, z):
        weight = self.body[0].weight
        self.shadow["weight"] = 0.5 * self.shadow.get("weight", weight.detach()) + 0.5 * weight.detach()
        return self.body[2](torch.relu(F.linear(z, weight + 0.1 * self.shadow["weight"])))


class Everywhere(Ends):
    calls = 0

    def forward(self, x):
        Everywhere.calls += 1
        return self.body(x) + 0.01 * Everywhere.calls


def replay(net, x):
    net.old.append(x.detach().mean())
    return 0.1 * torch.stack(net.old[-50:]).mean()


def transient():
    net = Counts()
    del net.calls
    net.register_buffer("calls", torch.zeros(()), persistent=False)
    return net


UNSAVED = [
    ("a counter", {"discriminator": Counts}, ("kept in discriminator.calls", "register_buffer")),
    ("a running mean that is no buffer", {"generator": Averages}, ("samples", "generator.mean")),
    ("averaged weights in a dictionary", {"generator": Recalls}, ("generator.shadow",)),
    ("a list of old samples", {"discriminator": lambda: Keeps("old", [], replay)}, ("discriminator.old",)),
    ("a buffer that is not saved", {"discriminator": transient}, ("discriminator.calls",)),
    ("a random generator of its own",
     {"discriminator": lambda: Keeps("rng", torch.Generator().manual_seed(1), lambda net, x: torch.randn(1, generator=net.rng))},
     ("discriminator.rng",)),
    ("numpy's random numbers", {"discriminator": lambda: Ends(lambda x: x + float(np.random.rand()))},
     ("two runs from the same start", "numpy")),
    ("Python's random numbers", {"discriminator": lambda: Ends(lambda x: x + random.random())}, ("two runs from the same start",)),
    ("a random generator of the module", {"discriminator": lambda: Ends(lambda x: x + torch.randn(1, generator=MODULE_WIDE))},
     ("two runs from the same start",)),
    ("a class attribute", {"discriminator": Everywhere}, ("two runs from the same start", "class attribute")),
    ("a state with its history", {"discriminator": lambda: Keeps("state", torch.zeros(1), carried)}, ("on trial failed", "turn '")),
    ("a lock", {"discriminator": lambda: Keeps("lock", threading.Lock(), lambda net, x: None)}, ("discriminator cannot be copied", "lock")),
]


def carried(net, x):
    net.state = 0.5 * net.state + 0.1 * net.body(x).mean()
    return net.state


@pytest.mark.parametrize(("own", "says"), [case[1:] for case in UNSAVED], ids=[case[0] for case in UNSAVED])
def test_state_that_no_checkpoint_holds_is_refused(own, says):
    with pytest.raises(InputError) as error:
        tried(**own)
    assert [part for part in says if part not in str(error.value)] == [], str(error.value)


def test_state_without_an_effect_is_told():
    with pytest.warns(UserWarning, match=r"in no checkpoint: discriminator.calls"):
        tried(discriminator=lambda: Counts(used=False))


class Holds(nn.Module):
    """A generator that keeps something more under a name: what `more` makes, or gives it."""

    def __init__(self, more, adds=lambda net, z: 0.0):
        super().__init__()
        self.body, self.adds = generator(), adds
        kept = more(self) if callable(more) else more
        for name, value in (kept or {}).items():
            setattr(self, name, value)

    def forward(self, z):
        return self.body(z) + self.adds(self, z)


class Block:
    """A layer as somebody writes it who forgets nn.Module."""

    def __init__(self):
        self.inner = nn.Linear(4, 2)

    def __call__(self, z):
        return self.inner(z)


def wanted(*shape):
    return torch.randn(*shape, requires_grad=True)


def layer():
    return nn.Linear(4, 2)


UNREGISTERED = [
    ("a list of layers", lambda: {"ls": [nn.ReLU(), layer()]}, ("generator.ls[1] is a Linear", "plain list", "the list an nn.ModuleList")),
    ("a tuple of layers", lambda: {"ls": (layer(),)}, ("generator.ls[0]", "plain tuple", "nn.ModuleList")),
    ("a dict of layers", lambda: {"ls": {"a": layer()}}, ("generator.ls['a']", "plain dict", "Make the dict an nn.ModuleDict")),
    ("lists in a list", lambda: {"ls": [[layer()]]}, ("generator.ls[0][0]", "nn.ModuleList")),
    ("a block in a list", lambda: {"ls": [nn.Sequential(layer())]}, ("generator.ls[0] is a Sequential", "nn.ModuleList")),
    ("lazy layers in a list", lambda: {"ls": [nn.LazyLinear(2)]}, ("generator.ls[0] is a LazyLinear", "nn.ModuleList")),
    ("an object", lambda: {"block": Block()}, ("generator.block.inner is a Linear", "Make Block an nn.Module")),
    ("objects in a list", lambda: {"blocks": [Block()]}, ("generator.blocks[0].inner", "Make Block an nn.Module")),
    ("a list of parameters", lambda: {"ps": [nn.Parameter(torch.zeros(2))]}, ("generator.ps[0] is a tensor", "nn.ParameterList")),
    ("a dict of parameters", lambda: {"ps": {"a": nn.Parameter(torch.zeros(2))}}, ("generator.ps['a']", "nn.ParameterDict")),
    ("a tensor", lambda: {"w": wanted(2)}, ("generator.w is a tensor that requires a gradient", "self.w = nn.Parameter(tensor)")),
    ("a layer set past torch", lambda: lambda net: net.__dict__.update(l=layer()), ("generator.l is a Linear", "self.l = layer")),
    ("tensors in a list", lambda: {"ws": [wanted(2)]}, ("generator.ws[0]", "nn.ParameterList")),
]


@pytest.mark.parametrize(("more", "says"), [case[1:] for case in UNREGISTERED], ids=[case[0] for case in UNREGISTERED])
def test_layers_that_torch_does_not_find_are_refused(more, says):
    with pytest.raises(InputError) as error:
        tried(generator=lambda: Holds(more()))
    assert [part for part in (*says, "nn.ModuleList") if part not in str(error.value)] == [], str(error.value)


def test_they_are_found_in_layers_and_where_nothing_else_could_learn():
    with pytest.raises(InputError, match=r"generator\.0\.ls\[0\] is a Linear"):
        tried(generator=lambda: nn.Sequential(Holds({"ls": [layer()]})))
    bare = nn.Module()
    bare.ls = [layer()]
    with pytest.raises(InputError, match=r"discriminator\.ls\[0\]"):
        tried(discriminator=lambda: bare)


def beside(net):
    """Registered layers, kept in other ways too."""
    net.a = layer()
    return {"ls": [net.body, net.a], "by_name": {"a": net.a}, "ps": list(net.body.parameters()), "up": (net,), "f": net.a.forward}


def moved_by_itself(net):
    optimizer = torch.optim.Adam([*net.parameters(), wanted(3)])
    return {"optimizer": optimizer, "later": [torch.optim.lr_scheduler.StepLR(optimizer, 2)]}


class Recurrent(nn.Module):
    def __init__(self, norm=lambda net: net):
        super().__init__()
        self.cell, self.out = norm(nn.LSTM(4, 8)), nn.Linear(8, 2)

    def forward(self, z):
        return self.out(self.cell(z[None])[0][0])


REGISTERED = [
    ("registered layers in lists", lambda: Holds(beside)),
    ("layers without weights", lambda: Holds({"ls": [nn.ReLU(), nn.Flatten()]})),
    ("an nn.ModuleList", lambda: Holds({"ls": nn.ModuleList([layer()])}, lambda net, z: net.ls[0](z))),
    ("an nn.ParameterList", lambda: Holds({"ps": nn.ParameterList([torch.zeros(2)])}, lambda net, z: net.ps[0])),
    ("constants", lambda: Holds({"c": torch.ones(2), "cs": [torch.ones(2)]}, lambda net, z: net.c + net.cs[0])),
    ("an optimizer", lambda: Holds(moved_by_itself)),
    ("an LSTM", Recurrent),
    ("the class and functions", lambda: Holds({"kind": Block, "fs": [torch.relu, F.silu]})),
    ("itself in a circle", lambda: Holds(lambda net: {"ring": (ring := [net]), "again": [ring, ring]})),
]


@pytest.mark.parametrize("net", [net for _, net in REGISTERED], ids=[name for name, _ in REGISTERED])
def test_what_torch_finds_is_accepted_however_else_it_is_kept(net):
    tried(generator=net)


def test_a_recurrent_layer_whose_weights_were_replaced_is_accepted():
    refuse_unregistered({"generator": Recurrent(lambda net: nn.utils.parametrizations.weight_norm(net, "weight_hh_l0"))})


def test_networks_that_share_parameters_are_refused():
    shared = nn.Linear(2, 2)
    with pytest.raises(InputError, match=r"generator and discriminator share 2 parameters \(2x2, 2\)"):
        tried(generator=lambda: nn.Sequential(nn.Linear(4, 2), shared), discriminator=lambda: nn.Sequential(shared, nn.Linear(2, 1)))
