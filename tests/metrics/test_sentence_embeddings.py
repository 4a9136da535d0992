"""Embeddings of lines by a small language model: which sets of lines they find near, and that they are the same every time."""

import pytest
import torch

from sparring.metrics import sentence_embeddings
from sparring.metrics.sentence_embeddings import LEAST, WIDTH, distance, learned, value
from sparring.spaces.texts import END, FIRST

KINDS, LENGTH = 20, 6


def lines(n, seed):
    """Of a grammar: each word is one of the two that may follow the one before it; 3 to 6 words."""
    rng = torch.Generator().manual_seed(seed)
    x = [torch.randint(KINDS, (n,), generator=rng)]
    for _ in range(LENGTH - 1):
        x.append((3 * x[-1] + 1 + torch.randint(2, (n,), generator=rng)) % KINDS)
    long = torch.randint(3, LENGTH + 1, (n, 1), generator=rng)
    return torch.where(torch.arange(LENGTH) < long, torch.stack(x, 1) + FIRST, END).int()


@pytest.fixture(scope="module")
def net():
    return learned(lines(2000, 0), KINDS + FIRST)


def test_lines_of_the_same_grammar_are_near_and_others_are_not(net):
    real, same = lines(300, 1), lines(300, 2)
    backwards = torch.where(same > 0, same[:, :3].flip(1).repeat(1, 2), END)
    near, far, one = value(net, real, same), value(net, real, backwards), value(net, real, same[:1].repeat(300, 1))
    assert 3 * near < far and 10 * near < one
    found = distance(net, real, same, 0)
    assert found.value == pytest.approx(near) and found.low <= near <= found.high


def test_an_embedding_does_not_depend_on_what_follows_the_end_and_has_the_scale_of_the_data(net):
    x = lines(600, 3)
    found = net.embed(x)
    assert found.shape == (600, WIDTH + 1) and float(found.std()) == pytest.approx(1, abs=0.2) and float(found.mean().abs()) < 0.2
    assert torch.equal(net.embed(x[:5]), net.embed(torch.nn.functional.pad(x[:5], (0, 3)))) and LEAST == WIDTH + 2


def test_the_same_lines_give_the_same_model_and_no_random_number_is_taken(monkeypatch):
    monkeypatch.setattr(sentence_embeddings, "ROUNDS", 3)
    x = lines(100, 0)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again = learned(x, KINDS + FIRST).embed(x), learned(x, KINDS + FIRST).embed(x)
    assert torch.equal(first, again) and torch.equal(before, torch.get_rng_state())


def test_rare_words_are_one(monkeypatch):
    monkeypatch.setattr(sentence_embeddings, "ROUNDS", 1)
    monkeypatch.setattr(sentence_embeddings, "MOST", 5)
    net = learned(lines(100, 0), KINDS + FIRST)
    assert torch.equal(net.embed(torch.tensor([[2, 10, 12]])), net.embed(torch.tensor([[2, 11, 19]])))
