"""The rehearsal: a sound system passes it; every fault is told with the turn or the function, and how to mend it."""

import itertools

import pytest
import torch
from torch import nn
from torch.optim import Adam

import sparring
from conftest import small_images, small_table
from sparring.data.builtin.synthetic import Quadratic
from sparring.errors import InputError
from sparring.game import Game, Player, Report, Turn, evaluate
from sparring.objectives import losses
from sparring.recipes import RECIPES
from sparring.settings import Settings

WIDTH = 3


def net(before, after, *between):
    return nn.Sequential(nn.Linear(before, 8), *between, nn.LeakyReLU(0.2), nn.Linear(8, after))


class Parts:
    """A GAN on vectors in pieces: a case changes one."""

    def __init__(self, device=torch.device("cpu")):
        self.device, self.G, self.D = device, net(4, WIDTH).to(device), net(WIDTH, 1).to(device)
        self.sample = lambda z, labels=None, live=False: evaluate(self.G if live else self.generator.average, z.to(device))
        self.prior = lambda n, rng=None: torch.randn(n, 4, generator=rng)
        self.ready()

    def ready(self):
        self.generator = Player(self.G, Adam(self.G.parameters(), 1e-2), ema=0.9)
        self.discriminator = Player(self.D, Adam(self.D.parameters(), 1e-2))
        self.players = {"generator": self.generator, "discriminator": self.discriminator}
        self.turns = {"discriminator": Turn(self.discriminator, self.discriminate), "generator": Turn(self.generator, self.generate)}
        self.judge, self.model = None, self.generator.average

    def discriminate(self, batch, step):
        return Report({"adversarial": losses.nonsaturating.discriminator(self.D(batch.x), self.D(self.fake(batch)))})

    def fake(self, batch):
        return self.G(self.prior(len(batch.x)).to(self.device))

    def generate(self, batch, step):
        return Report({"adversarial": losses.nonsaturating.generator(None, self.D(self.fake(batch)))})

    def before(self, turn, act):
        """Let something be done at the start of a turn's loss."""
        old = self.turns[turn]

        def loss(batch, step):
            act()
            return old.loss(batch, step)

        self.turns[turn] = Turn(old.player, loss)

    def game(self):
        return Game(self.players, self.turns, self.model, self.prior, self.sample, judge=self.judge)


def checked(change, space=None):
    def game(settings, space, device, own=None):
        parts = Parts(device)
        change(parts)
        return parts.game()

    sparring.check(game, small_table().space if space is None else space, Settings(batch=16))


def normalized(parts):
    parts.G = net(4, WIDTH, nn.BatchNorm1d(8)).to(parts.device)
    parts.ready()


def dropped(parts):
    parts.G = net(4, WIDTH, nn.Dropout(0.5)).to(parts.device)
    parts.ready()


def plainly(parts):
    parts.sample = torch.no_grad()(lambda z, labels=None, live=False: (parts.G if live else parts.generator.average)(z))


def moves_its_rival(parts):
    def act():
        with torch.no_grad():
            parts.D[0].weight.sub_(0.01)
    parts.before("generator", act)


numbers = itertools.count()


def clamps_its_rival(parts):
    def act():
        with torch.no_grad():
            parts.D[0].weight.clamp_(-0.01, 0.01)
    parts.before("generator", act)


FAULTS = {
    "seeds": (lambda parts: parts.before("generator", lambda: torch.manual_seed(0)), "the loss of turn 'generator' seeds torch's random"),
    "moves its rival": (moves_its_rival, "the loss of turn 'generator' moved the weights of 'discriminator'"),
    "thaws its rival": (lambda parts: parts.before("generator", lambda: parts.D.requires_grad_(True)),
                        "made 'discriminator' gather gradients"),
    "other names": (lambda parts: parts.players.update({f"extra {next(numbers)}": parts.players.pop("discriminator")}),
                    "gave players of other names"),
    "other shapes": (lambda parts: (setattr(parts, "D", nn.Sequential(nn.Linear(WIDTH, 5 + next(numbers)), nn.LazyLinear(1))), parts.D(
        torch.zeros(1, WIDTH)), parts.ready()), "gave networks of other shapes: discriminator/net/0"),
    "samples in training mode": (lambda parts: (normalized(parts), plainly(parts)), "sampling.*training mode|evaluation mode"),
    "samples with dropout": (lambda parts: (dropped(parts), plainly(parts)), "gave other samples for the same latents"),
    "samples with a gradient": (lambda parts: setattr(parts, "sample", lambda z, labels=None, live=False: parts.G.eval()(z)),
                                "has a gradient"),
    "leaves another mode": (lambda parts: setattr(parts, "sample", torch.no_grad()(lambda z, labels=None, live=False: parts.G.eval()(z))),
                            "left in another mode"),
    "samples of another shape": (lambda parts: (setattr(parts, "G", net(4, WIDTH + 1)), setattr(parts, "D", net(WIDTH, 1)), parts.ready()),
                                 r"gives shape \(4,\) for one sample"),
    "no live": (lambda parts: setattr(parts, "sample", lambda z, labels=None: evaluate(parts.generator.average, z)),
                "sample does not take what it is given.*live=False"),
    "a prior of its own": (lambda parts: setattr(parts, "prior", lambda n, rng=None: torch.randn(n, 4)),
                           "does not draw from the generator"),
    "a model without the generator": (lambda parts: setattr(parts, "model", parts.D),
                                      "a finished model holds the networks in `model` alone"),
    "not finite": (lambda parts: parts.turns.update(generator=Turn(parts.generator, lambda batch, step: Report(
        {"log": parts.G(parts.prior(len(batch.x))).mean().log() * float("nan")}))), "on trial, generator/log became nan"),
    "two logits": (lambda parts: setattr(parts, "judge", lambda x, labels=None: torch.zeros(len(x), 2)), "one logit"),
}


@pytest.mark.parametrize(("change", "says"), FAULTS.values(), ids=FAULTS)
def test_every_fault_is_told(change, says):
    with pytest.raises(InputError, match=says):
        checked(change)


def test_a_sound_system_passes():
    checked(lambda parts: None)
    checked(normalized, small_table())
    checked(dropped)
    checked(clamps_its_rival)                                   # as in a WGAN


def test_it_leaves_no_trace():
    parts = Parts()
    game, rng = parts.game(), torch.get_rng_state()
    before = {name: value.clone() for name, value in parts.G.state_dict().items()}
    sparring.check(game, small_table().space)
    assert all(torch.equal(value, before[name]) for name, value in parts.G.state_dict().items())
    assert torch.equal(rng, torch.get_rng_state()) and not parts.generator.optimizer.state
    parts.before("generator", lambda: torch.manual_seed(3))
    with pytest.raises(InputError, match="seeds torch's random numbers"):
        sparring.check(parts.game(), small_table().space)


def test_what_may_be_given():
    sparring.check("gan", small_images().space)
    sparring.check(RECIPES["gan"], "ring")
    sparring.check("gan", Quadratic())
    for given, says in ((3, "was given a int"), (lambda *given: None, "needs its settings")):
        with pytest.raises(InputError, match=says):
            sparring.check(given, Quadratic().space)
    with pytest.raises(InputError, match="no data can be made up for a Table"):
        sparring.check("table", sparring.recipes.find("table").reads.open("people", sparring.recipes.find("table").reads.settings()).space)


def test_a_run_does_not_begin_with_a_fault(tmp_path):
    from sparring.cli.new import START

    path = tmp_path / "mine.py"
    line = "    def fake(n: int) -> Tensor:\n"
    path.write_text(START.read_text().replace(line, f"{line}        torch.manual_seed(0)\n"))
    with pytest.raises(InputError, match="the loss of turn 'discriminator' seeds torch's random numbers itself"):
        sparring.fit(path, "ring", out=tmp_path / "run", steps=4, threads=1, progress=False)
    assert not (tmp_path / "run").exists()


def test_what_would_stop_on_a_gpu_is_told(tmp_path):
    """With the turn and the line; and nothing of what would not."""
    from sparring.cli.new import START
    from sparring.setup.own import named
    from sparring.setup.prepare import try_resuming
    from sparring.setup.request import Request, resolve

    def told(text):
        (tmp_path / "mine.py").write_text(text)
        request = Request("mine", "ring", {"batch": 16}, device="cpu", system=named(tmp_path / "mine.py")[1])
        return try_resuming(request, resolve(request))

    text = START.read_text()
    assert told(text) == ()
    line = 1 + text.splitlines().index("        return G(prior(n).to(device))")
    note, = told(text.replace("G(prior(n).to(device))", "G(prior(n))"))
    assert "would stop on a GPU, in turn 'discriminator'" in note and f"mine.py, line {line})" in note
    note, = told(text.replace("generator.average, z.to(device)", "generator.average, z"))
    assert "would stop on a GPU (" in note
