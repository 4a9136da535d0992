"""Networks for text: an LSTM step by step and at once, noise that follows from a latent, and a discriminator of short lines."""

import pytest
import torch

from sparring.nets.text import Gumbels, TextDiscriminator, TextEncoder, TextGenerator, continued, follow, sayable
from sparring.spaces.texts import END, UNKNOWN


def test_step_by_step_and_at_once_are_the_same():
    torch.manual_seed(0)
    G, x, z = TextGenerator(9, 3, 8), torch.randint(2, 9, (4, 5)), torch.randn(4, 3)
    whole, at, token = G(x, z), G.memory(z), torch.full((4,), END)
    for place in range(5):
        logits, at = G.step(token, at)
        assert torch.allclose(logits, whole[:, place], atol=1e-5)
        token = x[:, place]
    some, at = G.step(x[:, :2], type(at)(at.h[:, None].repeat(1, 2, 1), at.c[:, None].repeat(1, 2, 1)))
    assert some.shape == (4, 2, 9) and at.h.shape == (4, 2, 8)


def test_words_that_are_not_told_are_unknown_to_it():
    torch.manual_seed(0)
    G, x, z = TextGenerator(9, 3, 8), torch.randint(2, 9, (4, 5)), torch.randn(4, 3)
    heard = torch.rand(4, 5) > 0.5
    assert torch.allclose(G(x, z, heard), G(torch.where(heard, x, UNKNOWN), z))


def test_noise_of_few_words_is_independent_and_draws_from_the_softmax():
    logits = torch.tensor([0.5, 0.0, 1.0, -1.0, 2.0])
    noise = Gumbels(5, 16)
    assert torch.allclose(noise.directions.T @ noise.directions, torch.eye(5), atol=1e-5)
    latent = torch.randn(40_000, 16, generator=torch.Generator().manual_seed(0))
    for place in (0, 3, 17):
        share = torch.bincount((logits + noise.at(latent, place)).argmax(1), minlength=5) / 40_000
        assert torch.allclose(share, logits.softmax(0), atol=0.01)


def test_noise_of_many_words_draws_nearly_from_the_softmax():
    logits = torch.randn(2000, generator=torch.Generator().manual_seed(1)).mul(1.5)
    latent = torch.randn(20_000, 96, generator=torch.Generator().manual_seed(0))
    noise = Gumbels(2000, 96)
    share = sum(torch.bincount((logits + noise.at(part, 2)).argmax(1), minlength=2000) for part in latent.split(500)) / 20_000
    p = logits.softmax(0)
    exact = torch.bincount(torch.multinomial(p, 20_000, True, generator=torch.Generator().manual_seed(2)), minlength=2000) / 20_000
    apart, chance = ((one - p).abs().sum() / 2 for one in (share, exact))
    assert apart < 1.35 * chance


def test_near_latents_draw_the_same_words():
    rng = torch.Generator().manual_seed(0)
    latent, logits, noise = torch.randn(500, 96, generator=rng), torch.zeros(500), Gumbels(500, 96)
    near = latent + 0.1 * torch.randn(500, 96, generator=rng)
    first, second = ((logits + noise.at(one, 0)).argmax(1) for one in (latent, near))
    assert (first == second).double().mean() > 0.7
    assert (first == (logits + noise.at(latent, 1)).argmax(1)).double().mean() < 0.05       # another place, other noise


def test_lines_follow_from_latents_and_begin_as_asked_for():
    torch.manual_seed(0)
    G, noise = TextGenerator(9, 3, 8), Gumbels(9, 16)
    z, n = torch.randn(6, 3), torch.randn(6, 16)
    made = follow(G, noise, z, n, 5)
    assert torch.equal(made, follow(G, noise, z, n, 5)) and torch.equal(made[:2], follow(G, noise, z[:2], n[:2], 5))
    assert not (made == UNKNOWN).any() and not (made[:, 0] == END).any()
    begun = follow(G, noise, z, n, 5, prefix=torch.tensor([4, 7]))
    assert (begun[:, :2] == torch.tensor([4, 7])).all()
    cold = follow(G, noise, z, n, 5, 1e-6)
    assert torch.equal(cold, follow(G, noise, z, torch.randn(6, 16), 5, 1e-6)), "at a low temperature z decides alone"


@pytest.mark.parametrize("length", [1, 2, 7, 25])
def test_discriminator_and_encoder_take_lines_of_any_length(length):
    D, E, x = TextDiscriminator(9, length, 8, 5, 0.0), TextEncoder(9, 3, 8), torch.randint(0, 9, (4, length))
    assert D(x).shape == (4,) and E(x)[0].shape == (4, 3)


def test_what_may_be_written():
    logits = sayable(torch.zeros(2, 5), True)
    assert logits.isinf().sum(1).tolist() == [2, 2] and sayable(torch.zeros(5)).isinf().nonzero().tolist() == [[UNKNOWN]]
    assert continued(torch.tensor([3, 3]), torch.tensor([END, 4])).tolist() == [END, 3]
