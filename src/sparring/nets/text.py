"""Networks for lines of text: an LSTM that writes from a latent, its encoder, and a convolutional discriminator.

Tokens are int[B, L] such as `sparring.spaces.texts` has: END from the end of a line on, UNKNOWN for a word that is not in the vocabulary.
"""

from contextlib import nullcontext
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparring.nets.equalized import exact
from sparring.rng import generator
from sparring.spaces.texts import END, UNKNOWN

# Filters by their width, as many as for 100 of width 1 (Yu et al., 2017, section 5.2 and table 3 of the longer version).
FILTERS = {1: 100, 2: 200, 3: 200, 4: 200, 5: 200, 6: 100, 7: 100, 8: 100, 9: 100, 10: 100, 15: 160, 20: 160}


class Memory(NamedTuple):
    """The state of an LSTM, each float[..., H]."""

    h: Tensor
    c: Tensor


def through(lstm: nn.LSTM, x: Tensor, at: Memory | None = None) -> tuple[Tensor, Memory]:
    """What an LSTM gives for float[B, L, W], and its state after it, from that before it (None: zeros).  Not in bf16 on processors: many
    have no such LSTM, and torch raises."""
    with torch.autocast("cpu", enabled=False) if x.device.type == "cpu" else nullcontext():
        out, (h, c) = lstm(x, None if at is None else (at.h[None].contiguous(), at.c[None].contiguous()))
    return out, Memory(exact(h)[0], exact(c)[0])


class TextGenerator(nn.Module):
    """p(x | z), token by token; the latent z is what the LSTM begins from (Bowman et al., 2016)."""

    def __init__(self, tokens: int, latent: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(tokens, width)
        self.begin = nn.Linear(latent, 2 * width)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.score = nn.Linear(width, tokens)

    def memory(self, z: Tensor) -> Memory:
        """float[B, latent] to the first state."""
        h, c = exact(self.begin(z)).chunk(2, -1)
        return Memory(h.tanh(), c)

    def forward(self, x: Tensor, z: Tensor, heard: Tensor | None = None) -> Tensor:
        """Logits of every token given those before it, float[B, L, tokens].  `heard`, bool[B, L], says which tokens the net is told of as
        they are; the others it is told of as unknown."""
        told = x if heard is None else torch.where(heard, x, UNKNOWN)
        before = F.pad(told[:, :-1], (1, 0), value=END)             # a line begins after the end of another
        h, c = self.memory(z)
        return exact(self.score(through(self.lstm, self.embed(before), Memory(h, c))[0]))

    def step(self, token: Tensor, at: Memory) -> tuple[Tensor, Memory]:
        """The logits of the next token, float[..., tokens], and the state after this one, int[...]."""
        flat = self.embed(token).flatten(0, -2)[:, None]
        out, (h, c) = through(self.lstm, flat, Memory(at.h.flatten(0, -2), at.c.flatten(0, -2)))
        return exact(self.score(out[:, 0])).unflatten(0, token.shape), Memory(h.view(at.h.shape), c.view(at.h.shape))


class TextEncoder(nn.Module):
    """int[B, L] to mean and log deviation of q(z | x), each float[B, latent]: an LSTM, averaged over the line."""

    def __init__(self, tokens: int, latent: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(tokens, width)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.head = nn.Linear(width, 2 * latent)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        there = alive(x)[..., None]
        out = exact(through(self.lstm, self.embed(x))[0])
        mean, log_deviation = exact(self.head((out * there).sum(1) / there.sum(1))).chunk(2, 1)
        return mean, log_deviation


class Sentences(nn.Module):
    """A generator, and the encoder that it learned with; None where the latent was left to chance."""

    def __init__(self, writer: TextGenerator, encoder: TextEncoder | None) -> None:
        super().__init__()
        self.writer, self.encoder = writer, encoder


class TextDiscriminator(nn.Module):
    """Filters of many widths over the words, the maximum of each over the line, and a highway layer (Yu et al., 2017, eq. 9 to 12; Kim,
    2014; Srivastava et al., 2015): logits float[B] of int[B, L]."""

    def __init__(self, tokens: int, length: int, width: int, filters: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(tokens, width)
        counts = {size: max(1, count * filters // 100) for size, count in FILTERS.items() if size <= length}
        self.filters = nn.ModuleList(nn.Conv1d(width, count, size) for size, count in counts.items())
        many = sum(counts.values())
        self.transform, self.gate = nn.Linear(many, many), nn.Linear(many, many)
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Linear(many, 1)

    def forward(self, x: Tensor) -> Tensor:
        words = self.embed(x.long()).transpose(1, 2)
        found = torch.cat([exact(conv(words)).amax(2).relu() for conv in self.filters], 1)
        gate = exact(self.gate(found)).sigmoid()
        mixed = gate * exact(self.transform(found)).relu() + (1 - gate) * found
        return exact(self.score(self.dropout(mixed)))[:, 0]


class TextViews(nn.Module):
    """Several embeddings of each word, filters of a few widths over each, the maximum of each filter over the line, a highway layer and a
    hidden one: a logit for each view, float[B, views], since what fools one view need not fool another (Nie et al., 2019, section 4.3).

    Takes tokens int[B, L], or shares of each token, float[B, L, tokens].
    """

    def __init__(self, tokens: int, length: int, width: int, views: int, filters: int) -> None:
        super().__init__()
        self.views = views
        self.embed = nn.Embedding(tokens, views * width)
        sizes = [size for size in (2, 3, 4, 5) if size <= length] or [1]
        self.filters = nn.ModuleList(nn.Conv1d(width, filters, size) for size in sizes)
        many = filters * len(sizes)
        self.transform, self.gate = nn.Linear(many, many), nn.Linear(many, many)
        self.hidden, self.score = nn.Linear(many, 100), nn.Linear(100, 1, bias=False)    # a relativistic loss sees no bias

    def forward(self, x: Tensor) -> Tensor:
        words = exact(x @ self.embed.weight if x.is_floating_point() else self.embed(x.long()))
        apart = words.unflatten(2, (self.views, -1)).permute(0, 2, 3, 1).flatten(0, 1)             # float[B * views, width, L]
        found = torch.cat([exact(conv(apart)).amax(2).relu() for conv in self.filters], 1)
        gate = exact(self.gate(found)).sigmoid()
        mixed = gate * exact(self.transform(found)).relu() + (1 - gate) * found
        return exact(self.score(exact(self.hidden(mixed)).relu())).unflatten(0, (-1, self.views))[..., 0]


# ---------------------------------------------------------------------------------------------- of tokens
def alive(x: Tensor) -> Tensor:
    """1 for the tokens of a line and its first END, 0 after that: float[B, L]."""
    over = (x == END).long().cumsum(1)
    return (over - (x == END).long() == 0).float()


def sayable(logits: Tensor, first: bool = False) -> Tensor:
    """The logits of what may be written, the last dimension being tokens: never an unknown word, and at the beginning no END."""
    barred = torch.arange(logits.shape[-1], device=logits.device) == UNKNOWN
    if first:
        barred = barred | (torch.arange(logits.shape[-1], device=logits.device) == END)
    return logits.masked_fill(barred, -torch.inf)


def log_likelihood(logits: Tensor, x: Tensor) -> Tensor:
    """log p of each token of x, int[B, L], 0 after the end of a line: float[B, L]."""
    each = logits.log_softmax(-1).gather(-1, x.long()[..., None])[..., 0]
    return torch.where(alive(x) > 0, each, 0.0)


def drawn(logits: Tensor) -> Tensor:
    """Tokens in the shares that logits, float[..., tokens], give them: int64[...].  A number in [0, 1) each, and where it falls among the
    shares laid end to end; torch's own way draws a number for every word."""
    upper = logits.softmax(-1).cumsum(-1)
    at = torch.rand(logits.shape[:-1], device=logits.device)[..., None] * upper[..., -1:]
    return torch.searchsorted(upper, at, right=True)[..., 0].clamp(max=logits.shape[-1] - 1)


def continued(token: Tensor, before: Tensor) -> Tensor:
    """The token, or END where that before it is END: both int64[...]."""
    return torch.where(before == END, END, token)


def relaxed(writer: TextGenerator, z: Tensor, length: int, temperature: float) -> tuple[Tensor, Tensor]:
    """Lines drawn from the generator with slopes: shares of each word, softmax((logits + Gumbel noise) / temperature) (Jang et al., 2017;
    Maddison et al., 2017), and the words drawn, which are those of the largest shares, with the slopes of the shares (straight-through;
    Bengio et al., 2013): float[B, L, tokens] both.  The generator goes on from the words drawn, through which no slope goes."""
    token, at, soft, hard = torch.full((len(z),), END, device=z.device), writer.memory(z), list[Tensor](), list[Tensor]()
    for place in range(length):
        logits, at = writer.step(token, at)
        chance = torch.rand(logits.shape, device=z.device).clamp(min=1e-30)
        noisy = sayable(logits, place == 0) - (-chance.log()).log()
        over = (token == END)[:, None] if place else torch.zeros(len(z), 1, dtype=torch.bool, device=z.device)
        token = noisy.argmax(1)
        token = torch.where(over[:, 0], END, token)
        one = F.one_hot(token, logits.shape[-1]).to(logits.dtype)
        shares = torch.where(over, one, (noisy / temperature).softmax(1))
        soft.append(shares)
        hard.append(one + (shares - shares.detach()))               # exactly one-hot, so that places alike stay alike to the last bit
    return torch.stack(soft, 1), torch.stack(hard, 1)


class Gumbels:
    """Noise for each word that follows from a latent, so that a latent decides its line, and near latents write similar lines.

    The largest of logits plus independent Gumbel noise is a draw from their softmax (Gumbel, 1954).  Here a word has a direction; how far
    the latent lies along it is a normal number, and its quantile is that of the noise.  Directions are at right angles, and the noise is
    independent, where there are no more words than numbers in the latent; otherwise nearly so.  Each place of a line sees the latent with
    its numbers moved on by one.
    """

    def __init__(self, tokens: int, size: int) -> None:
        self.tokens, self.size = tokens, size

    @cached_property
    def directions(self) -> Tensor:
        """float[size, tokens], columns of length 1; the same for all models of these sizes."""
        normal = torch.randn(self.size, max(self.size, self.tokens), generator=generator(0, "directions of words"), device="cpu")
        if self.tokens <= self.size:
            return torch.linalg.qr(normal)[0][:, :self.tokens].contiguous()
        return normal / normal.norm(dim=0)

    def at(self, latent: Tensor, place: int) -> Tensor:
        """The noise of each word at this place of the line, float[B, tokens], of float[B, size] ~ N(0, I)."""
        along = latent.roll(place, 1) @ self.directions.to(latent.device)
        return -(-torch.special.log_ndtr(along)).log()


@torch.no_grad()
def follow(writer: TextGenerator, gumbels: Gumbels, z: Tensor, noise: Tensor, length: int, temperature: float = 1.0,
           prefix: Tensor | None = None) -> Tensor:
    """The lines int64[B, length] that follow from latents float[B, latent] and noise float[B, size]; they begin with the tokens int64[P]
    of a `prefix`.  Logits are divided by the temperature, so that at a low one the likeliest word is taken whatever the noise is."""
    token, at, made = torch.full((z.shape[0],), END, device=z.device), writer.memory(z), list[Tensor]()
    for place in range(length):
        logits, at = writer.step(token, at)
        token = (sayable(logits, place == 0) / temperature + gumbels.at(noise, place)).argmax(1)
        if prefix is not None and place < len(prefix):
            token = prefix[place].to(z.device).expand(len(z))
        token = continued(token, made[-1]) if made else token
        made.append(token)
    return torch.stack(made, 1)
