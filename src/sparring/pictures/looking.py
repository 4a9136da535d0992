"""Looking at a game without touching it: samples, real data to hold beside them, and the discriminator's opinion."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from sparring.data.source import Batch, Endless, Finite, Source
from sparring.game import Game
from sparring.objectives.losses import cross_entropy
from sparring.rng import generator, key
from sparring.spaces import Space

CHUNK = 20_000   # samples made at once: enough to be fast, little enough to fit


@contextmanager
def undisturbed(game: Game, seed: int) -> Iterator[None]:
    """Networks in eval mode and no gradients; afterwards modes and torch's random state are what they were.

    Inside, torch's own randomness is keyed by the seed, for networks that draw noise of their own.
    """
    nets = [net for player in game.players.values() for net in (player.net, player.average)] + [game.model]
    modes = [(module, module.training) for net in nets for module in net.modules()]
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices), torch.no_grad():
        torch.manual_seed(key(seed, "show noise"))
        try:
            for net in nets:
                net.eval()
            yield
        finally:
            for module, training in modes:
                module.training = training


def generated(game: Game, space: Space, latents: Tensor, labels: Tensor | None = None, *, live: bool = False) -> Tensor:
    """Samples in user units, on the CPU, float[B, *space.shape]; without labels, existing classes take turns."""
    if labels is None and space.labels:
        labels = torch.arange(len(latents)) % len(space.labels)
    classes = torch.split(labels, CHUNK) if labels is not None else [None] * -(-len(latents) // CHUNK)
    parts = [game.sample(z, y, live=live).cpu() for z, y in zip(torch.split(latents, CHUNK), classes, strict=True)]
    return space.decode(torch.cat(parts).float())


def real(source: Source, n: int, seed: int) -> Batch:
    """At most n real samples in network units, the same at every step; held-out ones where there are any."""
    rng = generator(seed, "show data")
    if isinstance(source, Finite):
        data = source.held_out or source
        return data.at(torch.randperm(len(data), generator=rng)[:n])
    assert isinstance(source, Endless), "translations are looked at in pictures/translations.py"
    return Batch(source.space.encode(source.draw(n, rng)))


class Opinion(NamedTuple):
    """What the discriminator thinks: the mean of D(x) on real data, and its loss (log 4 when it cannot tell)."""

    real: float
    loss: float


def opinion(game: Game, batch: Batch, latents: Tensor) -> Opinion | None:
    """The discriminator as it plays, against the generator as it plays; None when the game has none."""
    if game.judge is None:
        return None
    fakes = game.sample(latents[:len(batch.x)], batch.labels, live=True)
    on_real, on_fake = game.judge(batch.x, batch.labels), game.judge(fakes, batch.labels)
    return Opinion(on_real.sigmoid().mean().item(), cross_entropy(on_real, on_fake).item())


def judged(game: Game, space: Space, points: Tensor) -> Tensor | None:
    """D at these points in user units, float[B] in [0, 1]; None without a discriminator or when it needs a class."""
    if game.judge is None or space.labels:
        return None
    return game.judge(space.encode(points.float())).sigmoid().cpu().flatten()
