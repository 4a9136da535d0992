"""The networks of CTGAN, for rows of one-hots and numbers (Xu et al., 2019, section 4.4)."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from sparring.spaces import Table


class TableGenerator(nn.Module):
    """float[B, latent] and conditions, float[B, conditions], to the raw row, float[B, outputs]; each layer sees what all before it did."""

    def __init__(self, latent: int, conditions: int, outputs: int, width: int, depth: int) -> None:
        super().__init__()
        inputs = [latent + conditions + k * width for k in range(depth + 1)]
        self.layers = nn.ModuleList(nn.Linear(size, width, bias=False) for size in inputs[:-1])
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(depth))
        self.last = nn.Linear(inputs[-1], outputs)

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        x = torch.cat([z, condition], 1)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = torch.cat([x, relu(norm(layer(x)))], 1)
        return self.last(x)


class TableCritic(nn.Module):
    """Packs of rows with their conditions, float[B, inputs], to scores, float[B]."""

    def __init__(self, inputs: int, width: int, depth: int, slope: float, dropout: float) -> None:
        super().__init__()
        sizes = [inputs, *[width] * depth]
        hidden = [[nn.Linear(a, b), nn.LeakyReLU(slope), nn.Dropout(dropout)] for a, b in pairwise(sizes)]
        self.layers = nn.Sequential(*(layer for some in hidden for layer in some), nn.Linear(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).squeeze(1)


class Blocks:
    """Which numbers of a row are one-hots: blocks of these widths, one after the other, before numbers in [-1, 1].

    Places are drawn by a softmax of logits over `chance`: 1 is the usual draw; with less of it more is left to z, which all blocks share.
    """

    def __init__(self, widths: tuple[int, ...], device: torch.device, chance: float = 1.0) -> None:
        self.widths, self.hot, self.chance = list(widths), sum(widths), chance
        block = torch.repeat_interleave(torch.arange(len(widths), device="cpu"), torch.tensor(widths, device="cpu"))
        self.block = block.to(device)                                           # of each place
        self.member = torch.nn.functional.one_hot(block, len(widths)).float().to(device)

    def logs(self, logits: Tensor) -> Tensor:
        """A log-softmax in each block, float[B, places]; in full precision, whatever networks are computed in."""
        with torch.autocast(logits.device.type, enabled=False):
            at = self.block.expand(logits.shape[0], -1)
            most = torch.full((logits.shape[0], len(self.widths)), -torch.inf, device=logits.device, dtype=logits.dtype)
            member = self.member.to(logits.dtype)
            below = logits - most.scatter_reduce(1, at, logits.detach(), "amax")[:, self.block]
            return below - (below.exp() @ member).log() @ member.T

    def soft(self, raw: Tensor, temperature: float) -> Tensor:
        """A row of which gradients can be taken: in each block a Gumbel-softmax (Jang et al., 2017), and tanh of numbers."""
        logits, numbers = raw[:, :self.hot], raw[:, self.hot:]
        noise = -torch.empty_like(logits).exponential_().clamp(min=1e-30).log()
        return torch.cat([self.logs((logits + self.chance * noise) / temperature).exp(), numbers.tanh()], 1)

    def straight(self, raw: Tensor, temperature: float) -> Tensor:
        """The same with one place in each block, as real rows have, and with the gradients of the soft one (straight-through; Bengio et
        al., 2013), so that softness does not give rows away."""
        soft = self.soft(raw, temperature)
        places, first = soft[:, :self.hot], 0
        exact = torch.zeros_like(places)
        for part in places.detach().split(self.widths, 1):
            exact.scatter_(1, first + part.argmax(1, keepdim=True), 1.0)
            first += part.shape[1]
        return torch.cat([places + (exact - places).detach(), soft[:, self.hot:]], 1)

    def hard(self, raw: Tensor, chance: Tensor, cool: float = 1.0) -> Tensor:
        """A row as the data have them: in each block one place, drawn by the softmax with a number in [0, 1], float[B, blocks]; the same
        numbers give the same row.  `cool`: with so much of the usual chance."""
        shares, made = self.logs(raw[:, :self.hot].double() / (cool * self.chance)).exp(), torch.zeros_like(raw)
        first = 0
        for part, u in zip(shares.split(self.widths, 1), chance.unbind(1), strict=True):
            upper = part.cumsum(1)
            at = torch.searchsorted(upper, (u[:, None] * upper[:, -1:]).double(), right=True).clamp(max=part.shape[1] - 1)
            made.scatter_(1, first + at, 1.0)
            first += part.shape[1]
        made[:, self.hot:] = raw[:, self.hot:].tanh()
        return made


def uniform(z: Tensor) -> Tensor:
    """Normal numbers to their quantiles, float64 in [0, 1]."""
    return torch.special.ndtr(z.double())


class Conditions:
    """What the generator may be asked for: each place of each column of categories, counted through over these columns."""

    def __init__(self, space: Table, device: torch.device) -> None:
        first = [sum(space.blocks[:block]) for block in space.conditions]
        at = [begin + k for begin, block in zip(first, space.conditions, strict=True) for k in range(space.blocks[block])]
        self.device, self.count = device, len(at)
        self.where = torch.tensor(at, dtype=torch.int64, device=device)                 # the place of each condition in a row
        self.upper = torch.tensor(space.condition_shares, dtype=torch.float64, device="cpu").cumsum(0)

    def hot(self, condition: Tensor | None, n: int) -> Tensor:
        """The conditional vector, float[n, conditions], of int64[n]; all zeros where nothing is asked for."""
        vector = torch.zeros(n, self.count, device=self.device)
        return vector if condition is None or not self.count else vector.scatter_(1, condition[:, None].to(self.device), 1.0)

    def at(self, z: Tensor) -> Tensor | None:
        """The conditions of normal numbers: quantiles of the shares that conditions have in the data."""
        if not self.count:
            return None
        return torch.searchsorted(self.upper, uniform(z).cpu() * self.upper[-1:], right=True).clamp(max=self.count - 1)
