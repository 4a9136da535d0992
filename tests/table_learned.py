"""A table whose columns belong together, and a recipe that learns it: for the tests of every recipe for tables."""

import torch

from sparring.data.source import batches
from sparring.data.tables.mixed import TableSettings
from sparring.game import play
from sparring.metrics.rows import associations, binned, marginal_distances
from sparring.rng import generator, seed_round

CPU = torch.device("cpu")


def learned(open_, game, settings):
    """The worst distance of a column's marginal after `settings.steps` rounds, and the association of town and pay over that of the data,
    where one says the other."""
    rng = torch.Generator().manual_seed(0)
    town = torch.multinomial(torch.tensor([0.6, 0.3, 0.1]), 2000, True, generator=rng)
    pay = torch.tensor([100.0, 300.0, 700.0])[town] + 20 * torch.randn(2000, generator=rng)
    source = open_([{"town": "abc"[t], "pay": f"{p:.2f}"} for t, p in zip(town.tolist(), pay.tolist(), strict=True)],
                   TableSettings(held_out=0))
    torch.manual_seed(0)
    played, stream = game(settings, source.space, CPU), batches(source, settings.batch, 0)
    for step in range(settings.steps):
        seed_round(0, CPU, step)
        play(played, stream, step)
    made = source.space.decode(played.sample(played.prior(2000, generator(0, "test"))))
    real = source.space.decode(source.values[torch.arange(2000)])
    share = associations(binned(source.space, made, real))[0] / associations(binned(source.space, real, real))[0]
    return max(marginal_distances(source.space, real, made).values()), share
