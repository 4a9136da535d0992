"""What is scored of a run on lines of text: likelihood of lines that it never saw, beside copies and variety.  Never one number alone:
a model that writes one good line has few nats a word of its own, and copies look best of all."""

import torch
from torch import Tensor

from sparring.data.source import Finite
from sparring.game import Game
from sparring.nets.text import Sentences, alive, log_likelihood
from sparring.rng import generator
from sparring.spaces import Texts

LINES, DRAWN, AT_ONCE = 2000, 1000, 64     # lines that are read, lines that are drawn, and how many at a time


@torch.no_grad()
def score(game: Game, source: Finite, seed: int) -> dict[str, float]:
    """`nats`: at most so many nats a word has a held-out line, or a training line where none are held out; its END counts as a word.
    `repeated`: share of drawn lines that stand among the others too; `copied`: share that stands in the training text; `copied_real`:
    share of held-out lines that does."""
    space, real = source.space, source.held_out or source
    assert isinstance(space, Texts) and isinstance(source.values, Tensor)
    rows = torch.randperm(len(real), generator=generator(seed, "lines"))[:LINES]
    x = real.at(rows).x
    made = torch.cat([game.sample(z).cpu() for z in game.prior(DRAWN, generator(seed, "score")).split(AT_ONCE)])
    known, drawn = set(map(tuple, source.values.tolist())), list(map(tuple, made.tolist()))
    found = {"repeated": 1 - len(set(drawn)) / len(drawn), "copied": share(drawn, known)}
    found |= {"copied_real": share(list(map(tuple, x.tolist())), known)} if source.held_out is not None else {}
    return ({"nats": nats(game.model, x, seed)} if isinstance(game.model, Sentences) else {}) | found


def share(lines: list[tuple[int, ...]], known: set[tuple[int, ...]]) -> float:
    return sum(line in known for line in lines) / len(lines)


def nats(net: Sentences, x: Tensor, seed: int) -> float:
    """At most so many nats a word, END included, have the lines int[N, L]: the bound of Kingma and Welling (2014, eq. 3), one latent a
    line; of a net without an encoder at a latent from the prior, which is a bound too, by Jensen's inequality."""
    device, latent, rng = net.writer.score.weight.device, net.writer.begin.in_features, generator(seed, "nats")
    found = words = 0.0
    training = net.training
    net.eval()
    for part in x.split(AT_ONCE):
        part, z = part.to(device), torch.randn(len(part), latent, generator=rng).to(device)
        if net.encoder is not None:
            mean, log_deviation = net.encoder(part)
            z = mean + log_deviation.exp() * z
            found += float(((mean.square() + (2 * log_deviation).exp() - 1) / 2 - log_deviation).sum())
        found -= float(log_likelihood(net.writer(part, z), part).sum())
        words += float(alive(part).sum())
    net.train(training)
    return found / words
