"""Embeddings of lines by a small language model, which learns the training lines on the spot, and the Frechet distance of two sets of them.

Such a distance sees quality and variety at once (Semeniuk et al., 2018; de Masson d'Autume et al., 2019, who take large networks that
learned elsewhere).  It means something beside the distance of real lines by the same language model only.
"""

import torch
from torch import Tensor, nn
from torch.optim import Adam

from sparring.data.source import Batch
from sparring.game import Game, Player, Report, Turn, play
from sparring.metrics import fid
from sparring.metrics.intervals import Estimate
from sparring.nets.text import TextGenerator, alive, log_likelihood, through
from sparring.rng import generator
from sparring.spaces.texts import END, FIRST, UNKNOWN

WIDTH, ROUNDS, BATCH, LR, AT_ONCE = 64, 500, 32, 5e-3, 256
MOST = 1000                     # the most frequent words, which are told apart
LEAST = fid.least(WIDTH + 1)    # lines of a set


class Embedder(nn.Module):
    """An LSTM that predicts each word from those before it.  The embedding of a line is the mean of its states over the words, which tells
    what a line is about, and its nats a word, which tells whether words follow each other as they should."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.net = TextGenerator(min(tokens, MOST + FIRST), 1, WIDTH)
        self.middle, self.scale = torch.zeros(WIDTH + 1), torch.ones(WIDTH + 1)     # of the training lines

    def known(self, x: Tensor) -> Tensor:
        """The lines with all rarer words as unknown ones: the tokens of frequent words come first."""
        return x.long().masked_fill(x >= MOST + FIRST, UNKNOWN)

    def forward(self, x: Tensor) -> Tensor:
        """Nats a word of lines int[B, L]: float[]."""
        x = self.known(x)
        return -log_likelihood(self.net(x, torch.zeros(len(x), 1)), x).sum() / alive(x).sum()

    @torch.no_grad()
    def embed(self, x: Tensor) -> Tensor:
        """float[N, WIDTH + 1] of lines int[N, L], in deviations of the training lines from their mean."""
        found = list[Tensor]()
        for part in map(self.known, x.split(AT_ONCE)):
            there = alive(part)
            before, z = nn.functional.pad(part, (1, 0), value=END), torch.zeros(len(part), 1)
            states = through(self.net.lstm, self.net.embed(before), self.net.memory(z))[0]
            nats = -log_likelihood(self.net.score(states[:, :-1]), part).sum(1, keepdim=True)
            heard = (states[:, 1:] * there[..., None]).sum(1)                       # each after its word
            found.append(torch.cat([heard, nats], 1) / there.sum(1, keepdim=True))
        return (torch.cat(found) - self.middle) / self.scale


def learned(train: Tensor, tokens: int) -> Embedder:
    """The language model after some rounds of maximum likelihood on lines int[N, L].  The same lines give the same model, whatever the seed
    of the figures; torch's random numbers are left as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        net = Embedder(tokens)
    player = Player(net, Adam(net.parameters(), LR))
    game = Game({"embedder": player}, {"embedder": Turn(player, lambda batch, step: Report({"nats": net(batch.x)}))}, model=net)
    rows = (torch.randint(len(train), (BATCH,), generator=generator(0, "sentence embeddings", step)) for step in range(ROUNDS))
    stream = (Batch(train[row]) for row in rows)
    for step in range(ROUNDS):
        play(game, stream, step)
    some = net.embed(train[torch.randperm(len(train), generator=generator(0, "embedded lines"))[:10 * AT_ONCE]])
    net.middle, net.scale = some.mean(0), some.std(0, correction=0).clamp(min=1e-6)
    return net


def distance(net: Embedder, real: Tensor, made: Tensor, seed: int) -> Estimate:
    """The Frechet distance between the embeddings of lines int[N, L] and int[M, L], at least LEAST each, with its interval."""
    return fid.measure(net.embed(real), net.embed(made), seed)["fid"]


def value(net: Embedder, real: Tensor, made: Tensor) -> float:
    """The same without an interval."""
    return fid.frechet(fid.gaussian(net.embed(real)), fid.gaussian(net.embed(made)))
