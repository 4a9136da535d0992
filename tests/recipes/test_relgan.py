"""RelGAN: its turns, its temperature, slopes through drawn words, several views of a line, and that both players learn."""

from contextlib import closing

import pytest
import torch

from conftest import small_lines
from sparring.data.source import batches
from sparring.data.text.lines import TextSettings, open_text
from sparring.game import play
from sparring.nets.text import TextGenerator, TextViews, relaxed
from sparring.recipes.relgan import RelganSettings, game, laid_out, temperature
from sparring.rng import generator, seed_round
from sparring.spaces.texts import END, UNKNOWN
from untrained import untrained

CPU = torch.device("cpu")
SMALL = {"width": 16, "latent": 4, "noise": 16, "filters": 5, "views": 3, "batch": 8}


def test_likelihood_comes_first_then_both():
    played = game(RelganSettings(**SMALL, pretrain=5), small_lines().space, CPU)
    due = [[name for name, turn in played.turns.items() if turn.due(step)] for step in (0, 4, 5, 100)]
    assert due == [["likelihood"]] * 2 + [["discriminator", "generator"]] * 2


def test_the_temperature_falls_by_the_same_factor():
    c = RelganSettings(steps=30, pretrain=10, coldest=0.01)
    at = temperature(c, c.steps)
    assert [at(step) for step in (0, 10, 20, 30, 99)] == pytest.approx([1, 1, 0.1, 0.01, 0.01])
    assert laid_out(c, 50) == ["coldest=0.01 lets the temperature fall to 0.01 at round 30; in a run of 50 rounds it would still be 0.1 by "
                               "then"]
    assert laid_out(RelganSettings(coldest=1.0), 9000) == []


def test_words_are_drawn_in_their_shares_and_none_follows_an_end():
    torch.manual_seed(0)
    G = TextGenerator(6, 3, 8)
    shares, hard = relaxed(G, torch.zeros(20_000, 3), 4, 0.5)
    assert torch.allclose(shares.sum(2), torch.ones(20_000, 4), atol=1e-5) and torch.equal(shares.argmax(2), hard.argmax(2))
    assert torch.allclose(hard, hard.round(), atol=1e-5)
    x = hard.argmax(2)
    assert not (x == UNKNOWN).any() and not (x[:, 0] == END).any() and not ((x[:, :-1] == END) & (x[:, 1:] != END)).any()
    logits = G(x[:1], torch.zeros(1, 3))[0, 0]
    p = logits.index_fill(0, torch.tensor([END, UNKNOWN]), -torch.inf).softmax(0)
    assert torch.allclose(torch.bincount(x[:, 0], minlength=6) / 20_000, p, atol=0.012)


@pytest.mark.parametrize("which", [0, 1])
def test_slopes_come_through_the_draw_and_not_from_after_the_end(which):
    torch.manual_seed(0)
    G = TextGenerator(6, 3, 8)
    x = relaxed(G, torch.randn(64, 3), 5, 0.7)[which]
    weight = torch.randn(5, 6)
    G.zero_grad()
    (x * weight).sum().backward(retain_graph=True)
    assert float(G.embed.weight.grad.abs().sum()) > 0 and float(G.begin.weight.grad.abs().sum()) > 0
    ended = (x.argmax(2) == END).cumsum(1) > 1                  # after the first END
    slope, = torch.autograd.grad((x * weight)[ended].sum(), G.score.weight)
    assert ended.any() and float(slope.abs().sum()) == 0
    assert torch.equal(x[ended], torch.nn.functional.one_hot(torch.tensor(END), 6).float().expand(int(ended.sum()), 6))


def test_a_view_does_not_depend_on_the_others_and_words_are_shares_of_one():
    torch.manual_seed(0)
    D, x = TextViews(9, 6, 4, 3, 5), torch.randint(0, 9, (7, 6))
    logits = D(x)
    assert logits.shape == (7, 3) and torch.allclose(D(torch.nn.functional.one_hot(x, 9).float()), logits, atol=1e-5)
    with torch.no_grad():
        D.embed.weight[:, 4:8] += 1.0                           # the second view
    assert torch.equal(D(x)[:, [0, 2]], logits[:, [0, 2]]) and not torch.equal(D(x)[:, 1], logits[:, 1])
    assert TextViews(9, 1, 4, 3, 5)(x[:, :1]).shape == (7, 3)


GRAMMAR = ["red one end", "green two two end", "blue three three four end", "grey four one one two end"] * 16


def test_the_two_players_mend_what_little_likelihood_left():
    """Four lines; after 50 rounds of likelihood less than half of what is drawn is one of them."""
    source = open_text(GRAMMAR, TextSettings(held_out=0))
    torch.manual_seed(0)
    c = RelganSettings(width=32, latent=4, noise=16, filters=20, batch=16, pretrain=50, steps=120, lr=5e-3, adversarial_lr=2e-3, views=4,
                       free_bits=4.0, unheard=0.0, ema=0.9, coldest=0.1, discriminator_steps=2, anchor=0.3)
    played, right = game(c, source.space, CPU), []
    known = set(source.space.write(source.values))
    with closing(batches(source, c.batch, 0)) as stream:
        for step in range(c.steps):
            seed_round(0, CPU, step)
            terms, looks = play(played, stream, step)
            if step in (c.pretrain - 1, c.steps - 1):
                made = source.space.write(played.sample(played.prior(300, generator(0, "test"))))
                right.append(sum(line in known for line in made) / 300)
                assert set(made) >= known
    assert right[0] < 0.5 and right[1] > 0.75, right
    assert terms.keys() == {"discriminator/adversarial", "generator/adversarial", "generator/words", "generator/kl"}
    assert 0 < looks["discriminator/accuracy"]().item() <= 1 and looks["generator/temperature"]().item() == pytest.approx(0.1, rel=0.1)


def test_a_model_gives_strings():
    model = untrained("relgan", small_lines().space, latent=4, noise=16, filters=5)
    assert all(line.startswith("the cat") for line in model.sample(5, prefix="the cat", temperature=0.7))
    assert model.space.write(model.generate(model.latents(5, seed=1))) == model.sample(5, seed=1)
