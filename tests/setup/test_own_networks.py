"""Networks as people write them: those that give probabilities by mistake, and those that are sound."""

import random
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import sparring
from own_networks import POINTS, Counts, Ends, Keeps, generator, said_of, tried
from sparring.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 255, (40, 8, 8), np.uint8)


class Tutorial(nn.Module):
    """The discriminator of PyTorch's DCGAN tutorial, for small images."""

    def __init__(self, *end):
        super().__init__()
        self.main = nn.Sequential(nn.Conv2d(1, 8, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True),
                                  nn.Conv2d(8, 16, 4, 2, 1, bias=False), nn.BatchNorm2d(16), nn.LeakyReLU(0.2, inplace=True),
                                  nn.Conv2d(16, 1, 2, 1, 0, bias=False), *end)

    def forward(self, input):
        return self.main(input)


PROBABILITIES = [
    ("nn.Sequential", lambda: nn.Sequential(nn.Linear(2, 1), nn.Sigmoid()), "ends in a Sigmoid"),
    ("a class", lambda: Ends(nn.Sigmoid()), "ends in a Sigmoid"),
    ("functional", lambda: Ends(torch.sigmoid), "ends in a Sigmoid"),
    ("a method, flattened", lambda: Ends(lambda x: x.sigmoid().view(-1)), "ends in a Sigmoid"),
    ("squeezed and clamped", lambda: Ends(lambda x: x.sigmoid().squeeze(1).clamp(1e-7, 1 - 1e-7)), "ends in a Sigmoid"),
    ("the mean of patches", lambda: Ends(lambda x: x.sigmoid().mean(1, keepdim=True), out=4), "ends in a Sigmoid"),
    ("softmax", lambda: Ends(lambda x: F.softmax(x, 1)[:, 1], out=2), "ends in a Softmax"),
    ("softmax of one", lambda: Ends(nn.Softmax(1)), "ends in a Softmax"),
    ("log softmax", lambda: Ends(lambda x: F.log_softmax(x, 1)[:, 1], out=2), "ends in a LogSoftmax"),
    ("log sigmoid", lambda: Ends(nn.LogSigmoid()), "ends in a LogSigmoid"),
    ("hard sigmoid", lambda: Ends(nn.Hardsigmoid()), "ends in a Hardsigmoid"),
    ("by hand", lambda: Ends(lambda x: 1 / (1 + torch.exp(-x))), "between 0 and 1 only"),
    ("tanh moved", lambda: Ends(lambda x: (torch.tanh(x) + 1) / 2), "between 0 and 1 only"),
    ("one minus", lambda: Ends(lambda x: 1 - torch.sigmoid(x)), "between 0 and 1 only"),
    ("clamped", lambda: Ends(lambda x: x.clamp(0, 1)), "between 0 and 1 only"),
    ("a script", lambda: torch.jit.script(nn.Sequential(nn.Linear(2, 1), nn.Sigmoid())), "ends in a Sigmoid"),
    ("in another network", lambda: nn.Sequential(Ends(nn.Sigmoid()), nn.Flatten(0)), "ends in a Sigmoid"),
]


OLD = pytest.mark.filterwarnings("ignore:.*(norm|jit).*deprecated")


@OLD
@pytest.mark.parametrize(("net", "says"), [case[1:] for case in PROBABILITIES], ids=[case[0] for case in PROBABILITIES])
def test_a_discriminator_that_gives_probabilities_is_refused_whatever_its_class(net, says):
    with pytest.raises(InputError, match=says):
        tried(discriminator=net)


@pytest.mark.parametrize(("recipe", "given"), [("wgan", {}), ("wgan-gp", {}), ("r3gan", {}), ("gan", {"objective": "least_squares"}),
                                               ("gan", {"unroll": 2}), ("gan", {"pack": 2}), ("gan", {"penalty": "consensus"})], ids=str)
def test_whatever_the_objective(recipe, given):
    with pytest.raises(InputError, match="ends in a Sigmoid"):
        tried(recipe, given=given, discriminator=lambda: Ends(torch.sigmoid, size=2 * given.get("pack", 1)))


def test_the_discriminator_of_the_tutorial():
    tried(data=IMAGES, discriminator=lambda: Tutorial(nn.Flatten(0)))
    with pytest.raises(InputError, match="ends in a Sigmoid"):
        tried(data=IMAGES, discriminator=lambda: Tutorial(nn.Sigmoid()))


def test_a_discriminator_that_is_told_the_class():
    class Told(nn.Module):
        def __init__(self, end):
            super().__init__()
            self.body, self.end = nn.Linear(3, 1), end

        def forward(self, x, labels):
            return self.end(self.body(torch.cat([x, labels[:, None].float()], 1)))

    data = POINTS, np.arange(len(POINTS)) % 3
    tried(data=data, given={"conditional": True}, discriminator=lambda: Told(nn.Identity()))
    with pytest.raises(InputError, match="ends in a Sigmoid"):
        tried(data=data, given={"conditional": True}, discriminator=lambda: Told(torch.sigmoid))


def starts_at(value):
    net = Ends()
    with torch.no_grad():
        net.body[-1].weight.mul_(1e-3)
        net.body[-1].bias.fill_(value)
    return net


class Normalized(Ends):
    def __init__(self):
        super().__init__()
        for i in (0, 2):
            nn.utils.parametrizations.spectral_norm(self.body[i])


class Empty(Ends):
    def __len__(self):
        return 0


class Gated(Ends):
    """A sigmoid inside, as in attention, and SiLU."""

    def forward(self, x):
        return self.body(F.silu(x)) * torch.sigmoid(self.body(x))


SOUND = [
    ("outputs near 0.5 by chance", lambda: starts_at(0.5)),
    ("outputs of zero at first", lambda: starts_at(0.0)),
    ("a gate", Gated),
    ("a script", lambda: torch.jit.script(nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1)))),
    ("a network of length zero", Empty),
    ("spectral norm", Normalized),
    ("an absolute value", lambda: Ends(torch.abs)),
    ("layer norm", lambda: nn.Sequential(nn.Linear(2, 16), nn.LayerNorm(16), nn.ReLU(), nn.Linear(16, 1))),
    ("a scaled sigmoid", lambda: Ends(lambda x: 8 * torch.sigmoid(x) - 4)),
    ("dropout", lambda: nn.Sequential(nn.Linear(2, 16), nn.Dropout(0.5), nn.ReLU(), nn.Linear(16, 1))),
    ("batch norm", lambda: nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1))),
    ("old weight norm", lambda: nn.Sequential(nn.utils.weight_norm(nn.Linear(2, 16)), nn.ReLU(), nn.utils.weight_norm(nn.Linear(16, 1)))),
    ("old spectral norm, called", lambda: called(nn.Sequential(nn.utils.spectral_norm(nn.Linear(2, 16)), nn.ReLU(), nn.Linear(16, 1)))),
    ("frozen in part", lambda: frozen(Ends())),
    ("noise of torch", lambda: Ends(lambda x: x + 0.1 * torch.randn_like(x))),
    ("features kept to look at", lambda: Keeps("features", None, lambda net, x: setattr(net, "features", x.detach()))),
    ("a fixed kernel", lambda: Keeps("kernel", torch.ones(1), lambda net, x: None)),
    ("a counter in a buffer", lambda: Counts(buffer=True)),
]


def called(net):
    net(torch.randn(4, 2))
    return net


def frozen(net):
    net.body[0].weight.requires_grad_(False)
    return net


@OLD
@pytest.mark.parametrize("net", [net for _, net in SOUND], ids=[name for name, _ in SOUND])
def test_a_sound_discriminator_is_accepted(net):
    tried(discriminator=net)


@pytest.mark.parametrize(("recipe", "given"), [
    ("gan", {"penalty": "r1", "penalty_every": 8}), ("gan", {"spectral": True, "noise": 0.3}), ("gan", {"penalty": "consensus"}),
    ("gan", {"discriminator_steps": 5, "objective": "hinge"}), ("gan", {"unroll": 2}), ("gan", {"ema": 0.0}), ("gan", {"accumulate": 2}),
    ("wgan", {}), ("wgan-gp", {"ema": 0.9}), ("r3gan", {})], ids=str)
def test_every_recipe_takes_sound_networks(recipe, given):
    tried(recipe, given=given, generator=generator, discriminator=Ends)


def test_sound_networks_for_pictures():
    def draws():
        return nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))

    for recipe, given in (("images", {"augment": "ada"}), ("gan", {"augment": "diff", "penalty": "r1"}), ("vae", {})):
        told = {} if recipe == "vae" else {"discriminator": lambda: nn.Sequential(nn.Flatten(), Ends(size=64))}
        tried(recipe, IMAGES, given, generator=draws, **told)


@OLD
@pytest.mark.parametrize("end", [nn.utils.weight_norm, nn.utils.spectral_norm])
def test_old_forms_of_norms_train_and_average(end):
    tried("gan", given={"ema": 0.9}, generator=lambda: nn.Sequential(end(nn.Linear(4, 16)), nn.ReLU(), nn.Linear(16, 2)))


def test_a_tanh_at_the_end_is_said():
    assert [note[:35] for note in said_of(discriminator=lambda: Ends(torch.tanh))[1]] == ["the discriminator ends in a tanh, s"]


def pixels(*end):
    return nn.Sequential(nn.Linear(4, 64), *end, nn.Unflatten(1, (1, 8, 8)))


class Moved(nn.Module):
    """Between 0 and 1 by no operation of that name."""

    def forward(self, x):
        return (torch.tanh(x) + 1) / 2


DARK, LOW = ("images are in [-1, 1]", "End it in a tanh"), ("vectors are standardized", "End it in a linear layer")
REACH = [                                                       # recipe, data, end of the generator, what is said
    ("gan", IMAGES, nn.Sigmoid, ("ends in a Sigmoid", *DARK)), ("gan", POINTS, nn.Sigmoid, ("ends in a Sigmoid", *LOW)),
    ("gan", IMAGES, Moved, ("between 0 and 1 only", *DARK)), ("gan", POINTS, Moved, ("between 0 and 1 only", *LOW)),
    ("gan", IMAGES, nn.ReLU, ("ends in a Relu", *DARK)), ("gan", POINTS, nn.Softplus, ("ends in a Softplus", *LOW)),
    ("vae", IMAGES, nn.Sigmoid, ("ends in a Sigmoid", *DARK)), ("r3gan", POINTS, nn.Sigmoid, ("ends in a Sigmoid", *LOW)),
    ("wgan", IMAGES, nn.Sigmoid, ("ends in a Sigmoid", *DARK)), ("gan", POINTS, nn.Tanh, ("ends in a tanh", "one standard deviation")),
    ("gan", IMAGES, nn.Tanh, ()), ("gan", IMAGES, nn.Identity, ()), ("gan", POINTS, nn.Identity, ()), ("gan", "quadratic", nn.Sigmoid, ()),
]


@pytest.mark.parametrize(("recipe", "data", "end", "says"), REACH)
def test_a_generator_that_cannot_reach_the_data_is_said_once(recipe, data, end, says):
    ends = {"quadratic": lambda: nn.Sequential(nn.Linear(4, 15), end())} if isinstance(data, str) else {}
    made = ends["quadratic"] if ends else (lambda: pixels(end())) if data is IMAGES else (lambda: nn.Sequential(generator(), end()))
    notes = said_of(recipe, data, generator=made)[1]
    assert len(notes) == bool(says) and all(part in notes[0] for part in says), notes


BOTH, ONE = {"generator": generator, "discriminator": Ends}, {"discriminator": Ends}
IDLE = [                                                        # recipe, settings, networks, what is said
    ("gan", {"width": 64}, BOTH, ["both networks are your own, so width does nothing"]),
    ("gan", {"width": 64, "depth": 5, "slope": 0.5}, BOTH, ["both networks are your own, so width, depth and slope do nothing"]),
    ("wgan", {"depth": 2}, BOTH, ["so depth does nothing"]), ("r3gan", {"cells": 9}, BOTH, ["the generator is your own, so cells does"]),
    ("r3gan", {"cells": 9, "width": 8}, BOTH, ["so width does", "so cells does"]),
    ("r3gan", {"cells": 9}, {"generator": generator}, ["so cells does nothing"]), ("gan", {"deep": False}, ONE, ["so deep does nothing"]),
    ("gan", {"width": 64}, ONE, []), ("gan", {"lr": 1e-3}, BOTH, []), ("vae", {"width": 8}, {"generator": generator}, []),
    ("r3gan", {"cells": 9}, ONE, []),
]


@pytest.mark.parametrize(("recipe", "given", "own", "says"), IDLE)
def test_settings_that_do_nothing_beside_networks_of_ones_own_are_said(recipe, given, own, says):
    notes = said_of(recipe, POINTS, given, **own)[1]
    assert len(notes) == len(says) and all(part in note for part, note in zip(says, notes, strict=True)), notes


def test_fit_says_it_once_to_who_watches_or_as_one_warning_from_the_line_that_calls_it():
    class Watching:
        def __init__(self):
            self.said = []

        def say(self, message):
            self.said.append(message)

        def update(self, step, steps, values):
            pass

    def fitted(progress):
        sparring.fit("gan", POINTS, latent=4, batch=16, steps=1, threads=1, width=9, generator=generator(), discriminator=Ends(torch.tanh),
                     progress=progress)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted(False)
    assert [(str(one.message)[:25], one.filename) for one in caught] == [("the discriminator ends in", __file__),
                                                                        ("both networks are your ow", __file__)]
    fitted(watching := Watching())
    assert [one[:13] for one in watching.said if "own" in one or "tanh" in one] == ["the discrimin", "both networks"]


def test_nothing_of_the_rehearsal_is_left():
    """Weights, buffers, attributes and everyone's random numbers are as they were."""
    torch.manual_seed(3)
    G, D = generator(nn.BatchNorm1d(16)), Counts(used=False)
    states = [{name: tensor.clone() for name, tensor in net.state_dict().items()} for net in (G, D)]
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist(), torch.get_num_threads()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tried(generator=lambda: G, discriminator=lambda: D)
    after = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist(), torch.get_num_threads()
    assert torch.equal(before[0], after[0]) and before[1:] == after[1:]
    assert D.calls == 0 and all(p.requires_grad and p.grad is None for net in (G, D) for p in net.parameters())
    for net, state in zip((G, D), states, strict=True):
        assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())


def test_no_bit_of_a_run_depends_on_the_rehearsal(monkeypatch):
    found = []
    for rehearsed in (True, False):
        if not rehearsed:
            monkeypatch.setattr("sparring.setup.prepare.try_resuming", lambda request, wanted: ())
        torch.manual_seed(0)
        own = {"generator": generator(nn.BatchNorm1d(16), nn.Dropout(0.2)), "discriminator": Ends()}
        sparring.fit("gan", POINTS, latent=4, batch=16, steps=3, threads=1, **own)
        found.append([*own["generator"].state_dict().values(), *own["discriminator"].state_dict().values()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
