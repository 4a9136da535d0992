"""SeqGAN: its turns, that a latent decides its line, and that it learns a grammar."""

from contextlib import closing

import pytest
import torch

import sparring
from conftest import small_lines
from sparring.data.source import batches
from sparring.data.text.lines import TextSettings, open_text
from sparring.errors import InputError
from sparring.game import play
from sparring.metrics.texts import nats
from sparring.recipes.seqgan import SeqganSettings, game
from sparring.rng import generator, seed_round
from sparring.spaces import Texts
from untrained import untrained

CPU = torch.device("cpu")
SMALL = {"width": 16, "latent": 4, "noise": 16, "filters": 5, "rollouts": 2, "batch": 8}


def trained(lines, rounds, **given):
    """A game after so many rounds on these lines, its data, and what it watched last."""
    source = open_text(lines, TextSettings(held_out=0))
    torch.manual_seed(0)
    settings = SeqganSettings(**{**SMALL, **given})
    played, looks = game(settings, source.space, CPU), {}
    with closing(batches(source, settings.batch, 0)) as stream:
        for step in range(rounds):
            seed_round(0, CPU, step)
            looks = {**looks, **{name: look().item() for name, look in play(played, stream, step)[1].items()}}
    return played, source, looks


def test_likelihood_comes_first_then_the_discriminator_then_both():
    played = game(SeqganSettings(**SMALL, pretrain=5, warm=2), small_lines().space, CPU)
    due = [[name for name, turn in played.turns.items() if turn.due(step)] for step in (0, 4, 5, 6, 7, 100)]
    assert due == [["likelihood"]] * 2 + [["discriminator"]] * 2 + [["discriminator", "generator"]] * 2


def test_without_free_bits_there_is_no_encoder():
    space = small_lines().space
    assert game(SeqganSettings(**SMALL, free_bits=0), space, CPU).model.encoder is None
    assert game(SeqganSettings(**SMALL), space, CPU).model.encoder is not None


def test_the_same_latent_writes_the_same_line_in_any_company():
    played = game(SeqganSettings(**SMALL), small_lines().space, CPU)
    z = played.prior(7, generator(0, "test"))
    assert z.shape == (7, 20) and torch.equal(played.sample(z)[2:4], played.sample(z[2:4]))


def test_nats_of_a_uniform_net_are_those_of_its_words():
    source = small_lines()
    net = game(SeqganSettings(**SMALL, free_bits=0), source.space, CPU).model
    for p in net.parameters():
        p.data.zero_()
    assert nats(net, source.values, 0) == pytest.approx(torch.tensor(float(source.space.tokens)).log().item(), rel=1e-5)


GRAMMAR = ["red one end", "green two two end", "blue three three four end", "grey four one one two end"] * 16


def test_it_learns_a_deterministic_grammar_and_the_latent_says_which_line():
    """Four lines, in which all follows from the first word."""
    played, source, looks = trained(GRAMMAR, 260, width=32, batch=16, pretrain=240, warm=10, lr=5e-3, free_bits=4.0, unheard=0.0, ema=0.9)
    known = set(source.space.write(source.values))
    made = source.space.write(played.sample(played.prior(200, generator(0, "test"))))
    assert len(known) == 4 and sum(line in known for line in made) >= 180 and set(made) >= known
    assert nats(played.model, source.values, 0) < 1.0
    assert looks["likelihood/bits"] > 1.5                       # of the two bits that a line has
    z = played.prior(100, generator(1, "test"))
    other = torch.cat([z[:, :4], played.prior(100, generator(2, "test"))[:, 4:]], 1)
    same = (played.sample(z) == played.sample(other)).all(1).double().mean()
    assert same > 0.6                                           # by chance a quarter
    assert "generator/reward" in looks and "discriminator/D(x)" in looks


def test_a_model_gives_strings():
    model = untrained("seqgan", small_lines().space, latent=4, noise=16, filters=5)
    lines = model.sample(70, seed=1)
    assert len(lines) == 70 and all(isinstance(line, str) and line for line in lines) and lines[:5] == model.sample(5, seed=1)
    assert model.space.write(model.generate(model.latents(5, seed=1))) == lines[:5]
    assert all(line.startswith("the cat") for line in model.sample(5, prefix="the cat"))
    assert model.sample(5, temperature=3.0) != model.sample(5) and len(model.interpolate(model.latents(2), steps=4)) == 4


REFUSED = [({"temperature": 0}, "temperature=0: give a number above 0"), ({"temperature": -1}, "above 0"),
           ({"temperature": "x"}, "above 0"), ({"prefix": "the zebra"}, "does not know zebra: its vocabulary has 6 words, such as"),
           ({"prefix": "the " * 9}, "at most 5"),
           ({"prefix": 3}, "give text"), ({"truncation": 0.5}, "truncation: lines of text"), ({"shares": "data"}, "shares: lines of text")]


@pytest.mark.parametrize(("asked", "said"), REFUSED)
def test_what_lines_cannot_be_asked_for(asked, said):
    with pytest.raises(InputError, match=said):
        untrained("seqgan", small_lines().space, latent=4, noise=16, filters=5).sample(3, **asked)


def test_other_models_take_no_temperature_and_other_recipes_no_lines():
    with pytest.raises(InputError, match="draws none"):
        untrained("gan", sparring.data.open_source("ring").space).sample(2, temperature=0.5)
    with pytest.raises(InputError, match="data of this kind"):
        sparring.fit("gan", small_lines(), steps=1)
    for given, said in (({"keep_best": "fid"}, "keep_best=fid: lines of text"), ({"stop_when": "converged"}, "stop_when=converged")):
        with pytest.raises(InputError, match=said):
            sparring.fit("seqgan", small_lines(), steps=1, batch=8, **given)
    with pytest.raises(InputError, match="words have no slopes"):
        untrained("seqgan", Texts(("a",), 3, "word"), latent=4, noise=16).directions()
