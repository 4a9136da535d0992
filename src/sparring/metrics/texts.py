"""What is scored of a run on lines of text: likelihood of lines that it never saw, beside copies and variety.  Never one number alone:
a model that writes one good line has few nats a word of its own, and copies look best of all."""

import math
from collections.abc import Set

import torch
from torch import Tensor

from sparring.data.source import Finite
from sparring.game import Game
from sparring.nets.text import Sentences, alive, log_likelihood
from sparring.rng import generator
from sparring.spaces import Texts
from sparring.spaces.texts import END

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


def share(lines: list[tuple[int, ...]], known: Set[tuple[int, ...]]) -> float:
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


@torch.no_grad()
def weighted(net: Sentences, x: Tensor, seed: int, draws: int, temperatures: tuple[float, ...] = (1.0,)) -> tuple[Tensor, Tensor]:
    """-log p(x) of each of the lines int[N, L] at each temperature, and the bound of one latent: float64[T, N] both.

    The first is the importance-weighted bound (Burda et al., 2016, eq. 8) of so many latents from q(z | x), or from the prior without an
    encoder: at least the true value on average, and the nearer to it the more latents.  The second is the same of one latent, the mean
    over `draws`: the bound of Kingma and Welling (2014, eq. 3).
    """
    device, latent, rng = net.writer.score.weight.device, net.writer.begin.in_features, generator(seed, "nats")
    training, found, single = net.training, list[Tensor](), list[Tensor]()
    net.eval()
    for part in x.split(AT_ONCE):
        part, logs = part.to(device), list[Tensor]()
        mean, log_deviation = (torch.zeros(len(part), latent, device=device),) * 2 if net.encoder is None else net.encoder(part)
        for _ in range(draws):
            noise = torch.randn(len(part), latent, generator=rng).to(device)
            z = mean + log_deviation.exp() * noise
            logits, over = net.writer(part, z), ((noise.square() - z.square()) / 2 + log_deviation).sum(1)     # log p(z) - log q(z | x)
            logs.append(torch.stack([log_likelihood(logits / heat, part).sum(1) + over for heat in temperatures]).double())
        every = torch.stack(logs)
        found.append((math.log(draws) - every.logsumexp(0)).cpu())
        single.append(-every.mean(0).cpu())
    net.train(training)
    return torch.cat(found, 1), torch.cat(single, 1)


def known_grams(made: Tensor, train: Tensor, n: int = 4) -> tuple[Tensor, Tensor]:
    """How many n-grams of each of the lines int[N, L], up to its END, stand in the lines int[M, L] too, and how many it has: float64[N]."""
    x = torch.cat([train, made]).long()
    there, ids = (x != END).int().cummin(1).values.bool(), x
    if x.shape[1] < n:
        return (torch.zeros(len(made), dtype=torch.float64),) * 2
    for k in range(1, n):                                       # a number for the k + 1 words that begin at a place
        ids = ids[:, :-1] * (int(x.max()) + 1) + x[:, k:]
        ids = torch.unique(ids, return_inverse=True)[1]
    whole = there[:, n - 1:]
    known = torch.isin(ids[len(train):], ids[:len(train)][whole[:len(train)]].unique())
    whole = whole[len(train):]
    return (known & whole).sum(1).double(), whole.sum(1).double()
