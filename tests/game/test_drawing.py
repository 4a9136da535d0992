"""What a game draws by when only its latent and its generator are given."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.optim import Adam

from sparring.errors import InputError
from sparring.game import Game, Normal, Player, Report, Turn, Uniform, draw, evaluate

LATENT = Normal(3), Uniform(1)


class Told(nn.Module):
    """float[B, 4] and int64[B] to float[B, 2]; with dropout, which no sample should have."""

    def __init__(self):
        super().__init__()
        self.layers, self.classes = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2)), nn.Embedding(3, 2)

    def forward(self, z, labels=None):
        return self.layers(z) if labels is None else self.layers(z) + self.classes(labels)


def game(**more):
    player = Player(both := nn.ModuleDict({"G": Told()}), Adam(both.parameters()), ema=0.9)
    with torch.no_grad():
        for p in player.net.parameters():       # so that the networks differ from their average
            p.add_(1)
    turn = Turn(player, lambda batch, step: Report())
    return Game({"generator": player}, {"generator": turn}, player.average, latent=LATENT, **{"generator": player.average["G"]} | more)


def test_latents_are_the_parts_drawn_one_after_the_other():
    one, other = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)
    assert torch.equal(game().prior(5, one), draw(LATENT, 5, other))


@pytest.mark.parametrize("classes", [0, 3])
def test_samples_are_what_the_generator_makes_averaged_or_as_it_plays(classes):
    built = game(classes=classes)
    z, labels = built.prior(5), torch.tensor([0, 1, 2, 0, 1])
    given = (labels,) if classes else ()
    player = built.players["generator"]
    assert torch.equal(built.sample(z, labels), evaluate(player.average["G"], z, *given))
    assert torch.equal(built.sample(z, labels, live=True), evaluate(player.net["G"], z, *given))
    assert not torch.equal(built.sample(z, labels), built.sample(z, labels, live=True))
    assert built.draws


def test_a_game_that_is_changed_draws_as_before():
    built = game()
    z = built.prior(5)
    assert torch.equal(replace(built, turns={}).sample(z), built.sample(z))
    with pytest.raises(InputError, match="only the averaged networks"):
        built.only_averaged().sample(z, live=True)


def test_what_is_given_is_used():
    built = game(prior=lambda n, rng=None: torch.zeros(n, 4), sample=lambda z, labels=None, live=False: z)
    assert built.sample(built.prior(2)).tolist() == [[0.0] * 4] * 2


def test_a_generator_that_no_player_has_is_refused():
    with pytest.raises(InputError, match="in no player's averaged networks"):
        game(generator=Told())


def test_without_a_generator_nothing_is_drawn():
    assert not game(generator=None).draws
