"""Looking ahead along Adam, and the consensus penalty: closed forms, the real optimizer, finite differences, and play."""

import copy
from itertools import product

import pytest
import torch
from torch import nn

import sparring
from conftest import SOURCES, small_images
from repeated import once
from sparring.data.source import Batch, batches
from sparring.errors import InputError
from sparring.game import play
from sparring.objectives import losses, penalties
from sparring.objectives.unroll import adam_ahead, weights_of, with_weights
from sparring.recipes import RECIPES
from sparring.rng import seed_round

CPU = torch.device("cpu")


def learner(dtype=torch.float64, fused=False, warm=0, frozen=False):
    """A critic, its Adam after some steps, and the loss that it goes down, for weights and data."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 8), nn.Softplus(), nn.Linear(8, 1)).to(dtype)
    net[0].bias.requires_grad_(not frozen)
    adam = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=0.05, betas=(0.5, 0.9), fused=fused)
    data = torch.randn(16, 3, dtype=dtype)

    def loss(weights, x=data):
        critic = with_weights(net, weights)
        return losses.cross_entropy(critic(x), critic(x.flip(0) * 0.3 + 1))

    step(net, adam, loss, warm)
    return net, adam, loss, data


def step(net, adam, loss, times):
    for _ in range(times):
        adam.zero_grad()
        loss(weights_of(net)).backward()
        adam.step()


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("warm", [0, 3])
@pytest.mark.parametrize("fused", [False, True])
def test_ahead_is_where_adam_would_go_and_nothing_moves(steps, warm, fused):
    net, adam, loss, _ = learner(fused=fused, warm=warm)
    before = copy.deepcopy((net.state_dict(), adam.state_dict()))
    ahead = adam_ahead(loss, net, adam, steps)
    after = net.state_dict(), adam.state_dict()
    assert all(torch.equal(a, b) for a, b in zip(before[0].values(), after[0].values(), strict=True))
    assert before[1]["state"].keys() == after[1]["state"].keys()
    for index, kept in before[1]["state"].items():
        assert all(torch.equal(value, after[1]["state"][index][name]) for name, value in kept.items())
    step(net, adam, loss, steps)
    assert ahead.keys() == dict(net.named_parameters()).keys()
    for name, p in net.named_parameters():
        torch.testing.assert_close(ahead[name], p, rtol=1e-9, atol=1e-10)


def test_no_step_ahead_is_here():
    net, adam, loss, _ = learner(warm=1)
    assert all(torch.equal(ahead, here) for ahead, here in zip(adam_ahead(loss, net, adam, 0).values(), net.parameters(), strict=True))


def test_what_the_optimizer_does_not_hold_stays_where_it_is():
    net, adam, loss, _ = learner(frozen=True, warm=1)
    ahead = adam_ahead(loss, net, adam, 3)
    assert "0.bias" not in ahead
    step(net, adam, loss, 3)
    for name, weight in ahead.items():
        torch.testing.assert_close(weight, net.get_parameter(name), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("warm", [0, 4])
def test_gradients_pass_through_every_step(warm):
    """Through the weights, the moments and the bias correction, against finite differences in the data."""
    net, adam, loss, data = learner(warm=warm)
    probe = torch.randn(5, 3, dtype=torch.float64)

    def score(x):
        return with_weights(net, adam_ahead(lambda weights: loss(weights, x), net, adam, 3))(probe).square().sum()

    x = data.clone().requires_grad_()
    ours, = torch.autograd.grad(score(x), x)
    assert ours.abs().max() > 1e-4
    for i in range(0, data.numel(), 5):
        shift = torch.zeros_like(data)
        shift.view(-1)[i] = 1e-6
        with torch.no_grad():
            slope = (score(data + shift) - score(data - shift)).item() / 2e-6
        assert slope == pytest.approx(ours.view(-1)[i].item(), rel=1e-5, abs=1e-7)


def test_other_weights_leave_no_trace():
    """Batch statistics and the iteration of spectral norm go on inside, and are forgotten."""
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.utils.parametrizations.spectral_norm(nn.Linear(4, 1)))
    before = copy.deepcopy(net.state_dict())
    with_weights(net, {name: p + 1 for name, p in weights_of(net).items()})(torch.randn(8, 3))
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in before.items())


# ------------------------------------------------------------------------------------------------------- in a game
IMAGES = small_images(40, labelled=False)
BOUND = {"wasserstein": {"spectral": True}}
TINY = {"steps": 4, "batch": 8, "width": 8, "latent": 4, "threads": 1}


@pytest.mark.parametrize(("more", "data", "objective"), once(
    product([{"unroll": 2}, {"penalty": "consensus"}], ["points", "images"], sorted(losses.OBJECTIVES)),
    lambda more, data, objective: (str(more), objective), lambda more, data, objective: (str(more), data)), ids=str)
def test_every_objective_plays(more, data, objective):
    given = {"objective": objective, **TINY, **more, **BOUND.get(objective, {})}
    model = sparring.fit("gan", data=IMAGES if data == "images" else "ring", **given)
    assert torch.isfinite(model.sample(4)).all()


@pytest.mark.parametrize("more", [{"spectral": True}, {"discriminator_steps": 2}, {"pack": 2}, {"noise": 0.3}, {"penalty": "r1"},
                                  {"penalty": "gradient", "penalty_every": 2}], ids=str)
def test_unrolling_plays_with_other_rules(more):
    assert torch.isfinite(sparring.fit("gan", data="ring", unroll=2, **TINY, **more).sample(4)).all()


@pytest.mark.parametrize("more", [{"spectral": True}, {"discriminator_steps": 2}, {"pack": 2}, {"noise": 0.3}], ids=str)
def test_consensus_plays_with_other_rules(more):
    assert torch.isfinite(sparring.fit("gan", data="ring", penalty="consensus", **TINY, **more).sample(4)).all()


def two_rounds(**more):
    """The generator's weights after two rounds."""
    settings = RECIPES["gan"].settings(batch=8, width=8, latent=4, **more)
    torch.manual_seed(0)
    game, stream = RECIPES["gan"].game(settings, SOURCES["density"].space, CPU), batches(SOURCES["density"], 8, 0)
    for i in range(2):
        seed_round(0, CPU, i)
        play(game, stream, i)
    return torch.cat([p.flatten() for p in game.players["generator"].net.parameters()])


def test_looking_ahead_changes_where_the_generator_goes():
    here, one, two = (two_rounds(unroll=k) for k in (0, 1, 2))
    assert not torch.equal(here, one)
    assert not torch.equal(one, two)


# ------------------------------------------------------------------------------------------------------- consensus
def test_consensus_on_a_bilinear_game_is_half_the_squared_radius():
    """L_G = x y and L_D = -x y: v = (y, -x), and |v|^2 / 2 = (x^2 + y^2) / 2, whose gradient is (x, y)."""
    x, y = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (3.0, -0.5))
    value = penalties.consensus(lambda g, d: (g["x"] * d["y"], -g["x"] * d["y"]), {"x": x}, {"y": y})
    assert value.item() == pytest.approx((9 + 0.25) / 2)
    assert [g.item() for g in torch.autograd.grad(value, (x, y))] == pytest.approx([3.0, -0.5])


def test_the_gradient_of_consensus_is_that_of_finite_differences():
    torch.manual_seed(0)
    G, D = (nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, size)).double() for size in (3, 1))
    D[0] = nn.Linear(3, 4).double()
    z, real = torch.randn(6, 2, dtype=torch.float64), torch.randn(6, 3, dtype=torch.float64)

    def both(generator, discriminator):
        critic = with_weights(D, discriminator)
        fake = critic(with_weights(G, generator)(z))
        return losses.nonsaturating.generator(None, fake), losses.nonsaturating.discriminator(critic(real), fake)

    def value():
        return penalties.consensus(both, weights_of(G), weights_of(D))

    parameters = [*G.parameters(), *D.parameters()]
    slopes = torch.autograd.grad(value(), parameters)
    for p, slope in zip(parameters, slopes, strict=True):
        flat = p.data.view(-1)
        for i in range(0, len(flat), 3):
            kept, found = flat[i].item(), []
            for shift in (1e-6, -1e-6):
                flat[i] = kept + shift
                found.append(value().item())
            flat[i] = kept
            assert (found[0] - found[1]) / 2e-6 == pytest.approx(slope.view(-1)[i].item(), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("source", ["density", "images"])
def test_both_players_pay_for_consensus_and_feel_it(source):
    space = SOURCES[source].space
    settings = RECIPES["gan"].settings(batch=8, width=8, latent=4, penalty="consensus", penalty_weight=2.0, conditional=bool(space.labels))
    torch.manual_seed(0)
    game = RECIPES["gan"].game(settings, space, CPU)
    batch = Batch(*next(batches(SOURCES[source], 8, 0)))
    for name, turn in game.turns.items():
        for player in game.players.values():
            player.thaw(player is turn.player)
        term = turn.loss(batch, 0).minimize["consensus"]
        assert term.item() > 0
        slopes = torch.autograd.grad(term, turn.player.parameters, allow_unused=True, materialize_grads=True)
        assert sum(slope.abs().sum() for slope in slopes).item() > 1e-6, name


# ------------------------------------------------------------------------------------------------------- mistakes
@pytest.mark.parametrize(("given", "reason"), [
    ({"unroll": -1}, "unroll=-1.*an integer from 0 to 100"), ({"unroll": 1.5}, "unroll=1.5.*an integer from 0 to 100"),
    ({"discriminator_steps": 0}, "discriminator_steps=0.*an integer from 1"),
    ({"penalty": "r1", "penalty_every": 0}, "penalty_every=0.*an integer from 1"),
    ({"penalty": "agreement"}, "penalty=agreement.*or consensus"),
    ({"penalty": "consensus", "penalty_every": 2}, "applies to both players in every round"),
    ({"penalty": "consensus", "objective": "wasserstein"}, "bounded critic"),
    ({"penalty": "consensus", "unroll": 2}, "another loss"),
    ({"objective": "wasserstein", "unroll": 2}, "bounded critic"),
    ({"objective": "wasserstein", "unroll": 2, "clip": 0.01}, "does not clip the weights of its look-ahead steps"),
    ({"penalty": "r1", "penalty_weight": 0, "penalty_every": 2}, "penalty_every=2 is given, but there is no penalty.*weight above 0"),
], ids=str)
def test_what_makes_no_sense_is_refused_in_one_line(given, reason):
    with pytest.raises(InputError, match=reason) as refusal:
        sparring.fit("gan", data="ring", **{**TINY, **given})
    assert "\n" not in str(refusal.value)


class Blocked(nn.Module):
    """A discriminator that does something to its input before it looks at it."""

    def __init__(self, how, last=None):
        super().__init__()
        self.how, self.last = how, last or nn.Linear(2, 1)

    def forward(self, x):
        return self.last(self.how(x))


def off(x):
    return (x - 1e4).relu()


def in_numpy(x):
    return torch.from_numpy(x.detach().numpy() * 2)


HOWS = {"round": torch.round, "compare": lambda x: (x > 0).float(), "detach": torch.detach, "off": off, "numpy": in_numpy}
RULES = [{"penalty": "r1"}, {"penalty": "gradient"}, {"penalty": "r1+r2", "penalty_every": 2}, {"penalty": "consensus"}, {"unroll": 1}]


@pytest.mark.parametrize(("how", "rule"), [(how, {}) for how in HOWS] + 
                         [(how, rule) for how in ("round", "numpy") for rule in RULES], ids=str)
def test_a_discriminator_that_lets_no_gradient_through_is_refused(how, rule):
    with pytest.raises(InputError, match=r"no gradient of turn .*: rounding, argmax|does not work through numpy") as refusal:
        sparring.fit("gan", data="ring", discriminator=Blocked(HOWS[how]), **TINY, **rule)
    assert "\n" not in str(refusal.value)


def test_a_discriminator_of_indices_is_refused():
    with pytest.raises(InputError, match="argmax"):
        sparring.fit("gan", data="ring", discriminator=Blocked(lambda x: x.argmax(1), nn.Embedding(2, 1)), **TINY)


@pytest.mark.parametrize("rule", [{}, {"penalty": "r1"}, {"penalty": "one_sided"}, {"unroll": 1}], ids=str)
def test_a_last_layer_that_begins_at_zero_is_no_mistake(rule):
    """At first nothing passes it, and after one step everything does; nor is rounding one whose gradient is passed straight through."""
    D = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
    nn.init.zeros_(D[2].weight)
    assert torch.isfinite(sparring.fit("gan", data="ring", discriminator=D, **TINY, **rule).sample(2)).all()
    straight = Blocked(lambda x: x + (x.round() - x).detach())
    assert torch.isfinite(sparring.fit("gan", data="ring", discriminator=straight, **TINY, **rule).sample(2)).all()


def test_a_generator_that_lets_no_gradient_through_is_refused():
    class Rounded(nn.Linear):
        def forward(self, z):
            return super().forward(z).round()

    with pytest.raises(InputError, match="no gradient of turn 'generator' reaches the generator"):
        sparring.fit("gan", data="ring", generator=Rounded(4, 2), **TINY)


def test_networks_that_are_partly_frozen_play_with_both():
    for rule in ({"unroll": 2}, {"penalty": "consensus"}):
        D = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
        D[0].requires_grad_(False)
        kept = D[0].weight.clone()
        assert torch.isfinite(sparring.fit("gan", data="ring", discriminator=D, **TINY, **rule).sample(2)).all()
        assert torch.equal(D[0].weight, kept)
