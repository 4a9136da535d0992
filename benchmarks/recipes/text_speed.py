"""Rounds a second of the recipes for text against the loops that a person would write with the same networks, in float32, on one thread.

    python -m benchmarks.recipes.text_speed         # in processor time; some minutes

By hand, lines are drawn word by word with torch.multinomial.  Roll-outs begin anew from each prefix, as in Yu et al. (2017).  Each pair
runs alternately in one process: only the ratio within a pair means much.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot, softplus

from benchmarks.record import record, spread
from sparring.api import Silent, run
from sparring.data.source import Finite
from sparring.nets.text import Memory, TextDiscriminator, TextGenerator, TextViews
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.spaces import Texts
from sparring.spaces.texts import END, FIRST, UNKNOWN

WORDS, LENGTH, BATCH, WIDTH, LATENT, ROLLOUTS, FILTERS = 1000, 16, 64, 64, 8, 2, 20
TOKENS, PAIRS = WORDS + FIRST, 3 if "--quick" in sys.argv else 5
ROUNDS = {"likelihood": 60, "seqgan": 3, "relgan": 10}          # a run: a few seconds each
SETTINGS: dict[str, dict[str, Any]] = {
    "likelihood": {"pretrain": 1000},
    "seqgan": {"pretrain": 0, "warm": 0, "discriminator_steps": 1, "rollouts": ROLLOUTS, "filters": FILTERS},
    "relgan": {"pretrain": 0, "discriminator_steps": 1, "filters": FILTERS, "coldest": 1.0}}
SPACE = Texts(tuple(map(str, range(WORDS))), LENGTH, "word")
LINES = torch.randint(FIRST, TOKENS, (5000, LENGTH), generator=torch.Generator().manual_seed(0), dtype=torch.int32)


class Clock(Silent):
    """Notes when each round ended."""

    def __init__(self) -> None:
        self.times = list[float]()

    def update(self, done: int, total: int, values: Mapping[str, float]) -> None:
        self.times.append(time.process_time())


def rate(times: list[float]) -> float:
    """Rounds a second of processor time, after the first."""
    return (len(times) - 1) / (times[-1] - times[0])


def ours(name: str) -> float:
    given = {"batch": BATCH, "width": WIDTH, "latent": LATENT, "free_bits": 0.0, "unheard": 0.0, "ema": 0.0, "threads": 1,
             "precision": "fp32", "compile": "off", "steps": 1000, "log_every": 1, **SETTINGS[name]}
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(Request("seqgan" if name == "likelihood" else name, Finite(SPACE, LINES), given), Path(folder) / "run")
        plan = replace(prepared.plan, show_every=0, score_every=0, save_every=0, check_every=0, steps=ROUNDS[name])
        clock = Clock()
        run(replace(prepared, plan=plan), clock)
        prepared.folder.unlock()
    return rate(clock.times)


def real() -> Tensor:
    return LINES[torch.randint(len(LINES), (BATCH,))].long()


def adam(net: nn.Module, rate: float) -> torch.optim.Adam:
    return torch.optim.Adam(net.parameters(), rate, fused=True)


def barred(logits: Tensor) -> Tensor:
    """An unknown word is never drawn."""
    logits[:, UNKNOWN] = -torch.inf
    return logits


@torch.no_grad()
def drawn(G: TextGenerator, z: Tensor, prefix: Tensor | None = None) -> Tensor:
    """Lines word by word, after the words of a prefix, int64[B, P], where there is one."""
    at, token, made = G.memory(z), torch.full((len(z),), END), list[Tensor]()
    for place in range(LENGTH):
        logits, at = G.step(token, at)
        if prefix is not None and place < prefix.shape[1]:
            token = prefix[:, place]
        else:
            following = torch.multinomial(barred(logits).softmax(1), 1)[:, 0]
            token = torch.where(token == END, END, following) if place else following
        made.append(token)
    return torch.stack(made, 1)


def by_hand_likelihood(rounds: int) -> float:
    G = TextGenerator(TOKENS, LATENT, WIDTH)
    optimizer = adam(G, 1e-3)
    clock = list[float]()
    for _ in range(rounds):
        x = real()
        loss = cross_entropy(G(x, torch.randn(BATCH, LATENT)).transpose(1, 2), x, reduction="sum") / BATCH
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        clock.append(time.process_time())
    return rate(clock)


def by_hand_seqgan(rounds: int) -> float:
    G, D = TextGenerator(TOKENS, LATENT, WIDTH), TextDiscriminator(TOKENS, LENGTH, WIDTH, FILTERS, 0.25)
    opt_g, opt_d = adam(G, 1e-4), adam(D, 1e-4)
    clock = list[float]()
    for _ in range(rounds):
        D.train()
        real_logits, fake_logits = D(torch.cat([real(), drawn(G, torch.randn(BATCH, LATENT))])).chunk(2)
        loss = binary_cross_entropy_with_logits(real_logits, torch.ones(BATCH)) + binary_cross_entropy_with_logits(
            fake_logits, torch.zeros(BATCH)) + 0.1 * D.score.weight.square().sum()
        opt_d.zero_grad()
        loss.backward()
        opt_d.step()
        D.eval()
        z = torch.randn(BATCH, LATENT)
        x = drawn(G, z)
        with torch.no_grad():
            worth = [sum((D(drawn(G, z, x[:, :k])).sigmoid() for _ in range(ROLLOUTS)), torch.zeros(BATCH)) / ROLLOUTS
                     for k in range(1, LENGTH)]
            reward = torch.stack([*worth, D(x).sigmoid()], 1)
        said = G(x, z).log_softmax(2).gather(2, x[..., None])[..., 0]
        policy = -((reward - reward.mean(0)) * said).sum(1).mean()
        opt_g.zero_grad()
        policy.backward()
        opt_g.step()
        clock.append(time.process_time())
    return rate(clock)


def straight_through(G: TextGenerator, z: Tensor) -> Tensor:
    """One-hot words with the slopes of a Gumbel-softmax at temperature 1: float[B, L, TOKENS]."""
    at: Memory = G.memory(z)
    token, made = torch.full((len(z),), END), list[Tensor]()
    for _ in range(LENGTH):
        logits, at = G.step(token, at)
        bars = torch.zeros(TOKENS).index_fill_(0, torch.tensor([UNKNOWN]), -torch.inf)
        noisy = logits + bars - (-torch.rand_like(logits).clamp(min=1e-30).log()).log()
        token = noisy.argmax(1)
        one, shares = one_hot(token, TOKENS).float(), noisy.softmax(1)
        made.append(one + shares - shares.detach())
    return torch.stack(made, 1)


def by_hand_relgan(rounds: int) -> float:
    G, D = TextGenerator(TOKENS, LATENT, WIDTH), TextViews(TOKENS, LENGTH, 8, 8, FILTERS)
    opt_g, opt_d = adam(G, 1e-4), adam(D, 1e-4)
    clock = list[float]()
    for _ in range(rounds):
        D.requires_grad_(True)
        loss = softplus(D(drawn(G, torch.randn(BATCH, LATENT))) - D(real())).mean()
        opt_d.zero_grad()
        loss.backward()
        opt_d.step()
        D.requires_grad_(False)
        loss = softplus(D(real()) - D(straight_through(G, torch.randn(BATCH, LATENT)))).mean()
        opt_g.zero_grad()
        loss.backward()
        opt_g.step()
        clock.append(time.process_time())
    return rate(clock)


def pairs(name: str) -> dict[str, object]:
    by_hand: Callable[[int], float] = {"likelihood": by_hand_likelihood, "seqgan": by_hand_seqgan, "relgan": by_hand_relgan}[name]
    torch.set_num_threads(1)
    by_hand(2)                                                  # warm up
    rates = [(ours(name), by_hand(ROUNDS[name])) if i % 2 else (by_hand(ROUNDS[name]), ours(name))[::-1] for i in range(PAIRS)]
    return {"sparring, rounds/s": spread([a for a, _ in rates]), "by hand, rounds/s": spread([b for _, b in rates]),
            "ratio": spread([a / b for a, b in rates]), "pairs": PAIRS}


if __name__ == "__main__":
    record("text_speed", f"Vocabulary {WORDS:,}, length {LENGTH}, batch {BATCH}, width {WIDTH}, one step of each player a round, "
           f"{ROLLOUTS} roll-outs, {FILTERS} filters, fp32, one thread, {ROUNDS} rounds a run, alternated, in processor time; sparring is "
           "its whole trainer, logging each round.", {"ratio": "at least 1"}, [(name, lambda name=name: pairs(name)) for name in ROUNDS])
