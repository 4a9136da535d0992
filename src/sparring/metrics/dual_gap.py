"""The duality gap of a game between two players, plain and perturbed: how much each could still gain alone.

DG(G, D) = max_D' V(G, D') - min_G' V(G', D) is never negative, and zero at an equilibrium (Grnarova et al., 2019, section 3);
an estimate of it can be, since searches are short and end on other samples than they were made on.
The two searches are played for a number of steps from where the players stand.  A player who stands on a stationary point
that is no equilibrium never leaves it, which the perturbed gap mends by starting beside it (Sidheekh et al., 2021, section 4).
Copies are searched with; the players themselves are never moved.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from sparring.game import Game, Player, Report, Turn, play
from sparring.game.copies import copied
from sparring.rng import generator, seed_round

Value = Callable[[nn.Module, nn.Module, int], Tensor]       # (minimizer, maximizer, step) -> V, from the samples of that step


@dataclass(frozen=True)
class Search:
    """How a worst opponent is looked for."""

    steps: int = 300
    lr: float = 5e-4
    betas: tuple[float, float] = (0.5, 0.999)
    spread: float = 0.0     # deviation of what is added to each tensor of weights, in its own deviations; 0: the plain gap
    seed: int = 0

    def optimizer(self, net: nn.Module) -> Optimizer:
        return Adam(net.parameters(), self.lr, self.betas)


Perturb = Callable[[nn.Module, Search, str], None]          # moves the copy of the "maximizer" or "minimizer" before its search


@dataclass(frozen=True)
class Gap:
    """What the worst opponents reach: `highest` = max_D' V(G, D'), `lowest` = min_G' V(G', D)."""

    highest: float
    lowest: float

    @property
    def gap(self) -> float:
        return self.highest - self.lowest


def dual_gap(minimizer: nn.Module, maximizer: nn.Module, value: Value, search: Search, *, judged: Value | None = None,
             minimized: Value | None = None, perturb: Perturb | None = None) -> Gap:
    """The gap of V = `value` at these two players.

    `judged` is the V that is reported, such as the same over held-out samples; without it, `value` is.  `minimized` is
    what the minimizer goes down in its place, such as -log D instead of log(1 - D), whose optimum is the same.
    `perturb` moves a copy before its search; without it, each tensor of weights by Search.spread of its own deviations.
    """
    judged, minimized, perturb = judged or value, minimized or value, perturb or spread_weights
    worst_d = best_response(maximizer, lambda net, step: -value(minimizer, net, step), search, perturb, "maximizer", (minimizer,))
    worst_g = best_response(minimizer, lambda net, step: minimized(net, maximizer, step), search, perturb, "minimizer", (maximizer,))
    return Gap(_number(judged, minimizer, worst_d, search.seed), _number(judged, worst_g, maximizer, search.seed))


def best_response(net: nn.Module, loss: Callable[[nn.Module, int], Tensor], search: Search,
                  perturb: Perturb, role: str, others: tuple[nn.Module, ...] = ()) -> nn.Module:
    """A copy of the net after a search that minimizes `loss`: a game of one player, in which `others` only look on."""
    copy = copied(net, "the network").requires_grad_(True)
    perturb(copy, search, role)
    player = Player(copy, search.optimizer(copy))

    def minimize(batch: None, step: int) -> Report:
        return Report({role: loss(copy, step)})

    alone = Game({role: player}, {role: Turn(player, minimize)}, model=copy, prior=lambda n, rng: torch.zeros(n, 1),
                 sample=lambda z, labels=None, live=False: z)
    flags = [(p, p.requires_grad) for other in others for p in other.parameters()]
    device = next(copy.parameters()).device
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):                # whoever asks for the gap in mid-run draws on as if nothing had been
        try:
            for p, _ in flags:
                p.requires_grad_(False)
            for step in range(search.steps):
                seed_round(search.seed, device, step)
                play(alone, repeat(None), step)
        finally:
            for p, wanted in flags:
                p.requires_grad_(wanted)
    return copy


@torch.no_grad()
def spread_weights(net: nn.Module, search: Search, role: str) -> None:
    """Add N(0, (spread * deviation of the tensor)^2) to every tensor of weights (Sidheekh et al., 2021, supplement)."""
    if not search.spread:
        return
    rng = generator(search.seed, f"perturb {role}")
    for p in net.parameters():
        if p.numel() > 1:                                       # a single number has no deviation
            p.add_(search.spread * p.std() * torch.randn(p.shape, generator=rng).to(p))


@torch.no_grad()
def _number(value: Value, minimizer: nn.Module, maximizer: nn.Module, seed: int) -> float:
    with torch.random.fork_rng():
        seed_round(seed, torch.device("cpu"), -1)
        return value(minimizer, maximizer, -1).item()


def of_game(game: Game, value: Value, search: Search, minimizer: str = "generator", maximizer: str = "discriminator",
            **more: Any) -> Gap:
    """The gap at two players of a game, as they play."""
    return dual_gap(game.players[minimizer].net, game.players[maximizer].net, value, search, **more)
