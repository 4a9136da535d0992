"""One-dimensional densities: D against D*, the loss against log 4 - 2 JSD, and what is generated after training."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from record import record
from sparring import theory
from sparring.api import Silent, run
from sparring.data.source import Batch
from sparring.data.synthetic import Mixture, gaussian, mixture
from sparring.game import Game, play
from sparring.metrics.density import cells, judged, mass
from sparring.prepare import Wish, prepare
from sparring.recipes import RECIPES
from sparring.rng import generator, seed_round

FROZEN = {"narrow": (0.3, 0.5), "shifted": (1.6, 0.8)}           # mean and deviation of a frozen generator's Gaussian


def optimum(truth: Mixture, mean: float, deviation: float, seed: int, rounds: int = 6000) -> dict[str, float]:
    """Train D alone against a generator whose density is known, and compare with Proposition 1 and Theorem 1.

    The generator is G(z) = mean + deviation z in user units: its density is a Gaussian, so D* is exact.  The loss is
    taken on the grid, not from a sample, so that its error is that of D alone.
    """
    recipe, space, cpu = RECIPES["gan"], truth.space, torch.device("cpu")
    linear = torch.nn.Linear(1, 1)
    with torch.no_grad():
        linear.weight.fill_(deviation / space.scale[0])
        linear.bias.fill_((mean - space.shift[0]) / space.scale[0])
    settings = recipe.settings(steps=rounds, batch=4096, latent=1, ema=0.999, depth=3, beta1=0.9)
    torch.manual_seed(seed)
    game = recipe.game(settings, space, cpu, {"generator": linear})
    alone = replace(game, turns={"discriminator": game.turns["discriminator"]})
    player = game.players["discriminator"]
    average = torch.optim.swa_utils.AveragedModel(player.net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.999))

    def batches():
        for i in range(rounds):
            yield Batch(space.encode(truth.draw(settings.batch, generator(seed, "data", i))))

    stream = batches()
    for step in range(rounds):
        seed_round(seed, cpu, step)
        play(alone, stream, step)
        average.update_parameters(player.net)
    return against_theory(replace(game, judge=lambda x: average(x).detach()), truth, mean, deviation)


def against_theory(game: Game, truth: Mixture, mean: float, deviation: float) -> dict[str, float]:
    grid = cells(truth)
    p = grid.average(truth)
    q = grid.average(Mixture((1.0,), ((mean,),), (deviation,)))
    d = judged(game, truth, grid.centres)
    error = np.abs(d - theory.optimal_discriminator(p, q))[mass(p, grid.width)]
    return {"max |D - D*|": float(error.max()), "loss": theory.discriminator_loss(p, q, d, grid.width),
            "log 4 - 2 JSD": theory.LOG4 - 2 * theory.jsd(p, q, grid.width)}


def trained(data: str, seed: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        given = {"steps": 5000, "show_every": 10**9, "threads": 1}
        _, outcome = run(prepare(Wish("gan", data, given, seed), Path(folder) / "run"), Silent())
    return {**outcome.scores, "seconds": outcome.seconds}


if __name__ == "__main__":
    truths = {"gaussian": gaussian(), "mixture": mixture()}
    record("density", "optimum: D (three hidden layers of 128, averaged over rounds) trained alone for 6,000 rounds of batch 4,096 against "
           "a frozen Gaussian generator; max |D - D*| over the cells that hold 99 % of the data; losses on the grid. trained: the "
           "recipe's own settings, 5,000 rounds; JSD of 200,000 samples of the averaged generator in 200 cells.",
           {"optimum": "max |D - D*| <= 0.02, |loss - (log 4 - 2 JSD)| <= 0.001", "trained": "jsd <= 0.01"},
           [(f"trained, {name}, seed {seed}", lambda name=name, seed=seed: trained(name, seed))
            for name in truths for seed in (0, 1, 2)] +
           [(f"optimum, {name}, {kind} generator, seed {seed}",
             lambda name=name, kind=kind, seed=seed: optimum(truths[name], *FROZEN[kind], seed))
            for name in truths for kind in FROZEN for seed in (0, 1, 2)])
