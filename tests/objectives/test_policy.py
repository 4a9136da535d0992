"""Policy gradient on lines of two words, where every line can be written down: likelihood, worth and gradient in closed form."""

import itertools

import pytest
import torch
from torch import nn

from sparring.nets.text import Memory, alive, drawn, log_likelihood, sayable
from sparring.objectives.policy import free_bits, policy, rewards, rolled_out, written
from sparring.spaces.texts import END, UNKNOWN

A, B, LENGTH = 2, 3, 3


class Chain(nn.Module):
    """A Markov chain over END, UNKNOWN, a and b, in the place of an LSTM: the next token depends on the last one only."""

    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3)))

    def memory(self, z):
        return Memory(torch.zeros(len(z), 1), torch.zeros(len(z), 1))

    def step(self, token, at):
        return self.table[token], at

    def forward(self, x, z=None):
        return self.table[torch.cat([torch.full_like(x[:, :1], END), x[:, :-1]], 1)]


def possible():
    """Every line of at most three words, and at least one."""
    lines = [line for line in itertools.product((END, A, B), repeat=LENGTH) if line[0] != END]
    return torch.tensor([line for line in lines if all(b == END for a, b in itertools.pairwise(line) if a == END)])


def reward(x):
    """Something that depends on the whole line."""
    return torch.sin((x.double() * torch.tensor([1.0, 1.7, 2.9], dtype=torch.float64)).sum(1)) / 2 + 0.5


def log_p(chain, x):
    """The probability of each line when no word is unknown and none is empty."""
    logits = chain(x)
    return log_likelihood(torch.cat([sayable(logits[:, :1], True), sayable(logits[:, 1:])], 1), x).sum(1)


def exact_worth(chain, x):
    """The expected reward of lines that begin like each of x up to each place, by adding all of them up: float64[N, L]."""
    lines = possible()
    p = log_p(chain, lines).exp()
    found = []
    for row in x:
        each = []
        for place in range(1, LENGTH + 1):
            alike = (lines[:, :place] == row[:place]).all(1)
            each.append((p[alike] * reward(lines[alike])).sum() / p[alike].sum())
        found.append(torch.stack(each))
    return torch.stack(found).detach()


def test_the_likelihood_of_a_line_is_the_product_along_the_chain():
    chain = Chain()
    p = chain.table.softmax(1)
    x = torch.tensor([[A, B, B], [A, END, END], [B, A, END]])
    found = log_likelihood(chain(x), x).sum(1).exp()
    assert torch.allclose(found, torch.stack([p[END, A] * p[A, B] * p[B, B], p[END, A] * p[A, END], p[END, B] * p[B, A] * p[A, END]]))
    assert alive(x).tolist() == [[1, 1, 1], [1, 1, 0], [1, 1, 1]]
    assert log_p(chain, possible()).exp().sum().item() == pytest.approx(1)


def test_lines_are_written_as_often_as_they_should_be():
    chain, lines = Chain(), possible()
    torch.manual_seed(0)
    x, _ = written(chain, torch.zeros(40_000, 1), LENGTH)
    share = (x[:, None] == lines).all(2).double().mean(0)
    assert share.sum() == 1 and not (x == UNKNOWN).any()
    assert torch.allclose(share, log_p(chain, lines).exp(), atol=0.012)


def test_roll_outs_keep_their_beginnings_and_ends():
    torch.manual_seed(0)
    chain = Chain()
    x, states = written(chain, torch.zeros(500, 1), LENGTH)
    made = rolled_out(chain, x, states)
    assert made.shape == (500, LENGTH - 1, LENGTH)
    assert all(torch.equal(made[:, k - 1, :k], x[:, :k]) for k in range(1, LENGTH))
    over = x[:, 1] == END
    assert torch.equal(made[over, 1], x[over]) and not (made == UNKNOWN).any()
    assert ((made[..., :-1] != END) | (made[..., 1:] == END)).all()


def test_the_mean_of_roll_outs_is_what_enumeration_gives():
    torch.manual_seed(0)
    chain, line = Chain(), torch.tensor([[A, B, A]])
    many = line.expand(20_000, -1)
    states = Memory(torch.zeros(20_000, LENGTH, 1), torch.zeros(20_000, LENGTH, 1))
    found = rewards(chain, reward, many, states, 2).mean(0)
    assert torch.allclose(found, exact_worth(chain, line)[0], atol=0.01)


def test_the_gradient_has_the_expectation_of_the_exact_one():
    """Over all pairs of lines, each as often as it is drawn: the baseline of the other line takes nothing away from it."""
    chain, lines = Chain(), possible()
    p = log_p(chain, lines).exp()
    exact, = torch.autograd.grad(-(p * reward(lines)).sum(), chain.table)
    worth, p = exact_worth(chain, lines), p.detach()
    total = sum(p[i] * p[j] * policy(chain(lines[[i, j]]), lines[[i, j]], worth[[i, j]])
                for i, j in itertools.product(range(len(lines)), repeat=2))
    found, = torch.autograd.grad(total, chain.table)
    assert torch.allclose(found, exact, atol=1e-12) and exact.abs().max() > 1e-3


def test_drawn_tokens_have_the_shares_of_their_logits():
    torch.manual_seed(0)
    logits = torch.tensor([0.0, -torch.inf, 1.0, 2.0])
    share = torch.bincount(drawn(logits.expand(50_000, 4)), minlength=4) / 50_000
    assert torch.allclose(share, logits.softmax(0), atol=0.01) and share[1] == 0


def test_bits_are_free_up_to_their_number():
    mean, log_deviation = torch.tensor([[2.0, 0.0], [0.0, 0.0]]), torch.zeros(2, 2)
    assert free_bits(mean, log_deviation, 0.0).item() == pytest.approx(1.0)         # 2 nats of one line, none of the other
    bit = torch.log(torch.tensor(2.0)).item()
    assert free_bits(mean, log_deviation, 2.0).item() == pytest.approx(1.0 - bit)   # of the second number nothing is taken
    assert free_bits(mean, log_deviation, 10.0).item() == 0
