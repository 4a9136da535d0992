"""Table 1 of Goodfellow et al. (2014): the log-likelihood of MNIST under a Parzen window on generated digits.

    python -m benchmarks.metrics.parzen FOLDER      with MNIST's four IDX files; or SPARRING_MNIST=FOLDER

The run is kept in runs/parzen, so a benchmark that was stopped goes on from its last thousand rounds.  It reached 172 of the
published 225, and rose by half a nat in ten thousand rounds at the end; what else their figure came from is not known.
"""

import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.record import record
from sparring.api import Silent, run
from sparring.data import open_source
from sparring.data.source import Batch, Finite, batches
from sparring.errors import InputError
from sparring.game import Game, Player, Report, Turn, play_at_once
from sparring.metrics import parzen
from sparring.objectives import losses
from sparring.rng import generator, seed_round
from sparring.runs import checkpoint
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.spaces import Images, Vectors

CPU, SEED = torch.device("cpu"), 0
TRAIN, VALID, CENTRES, BATCH, LATENT = 50_000, 1_000, 10_000, 100, 100
EPOCH = TRAIN // BATCH                                           # rounds; the published run is 250 epochs, 125,000 rounds
MILESTONES = (5_000, 12_500, 25_000, 50_000, 90_000, 125_000)
CHECKPOINTS = Path("runs/parzen")


class Maxout(nn.Module):
    """The largest of five linear pieces for every unit (Goodfellow et al., 2013): float[B, inputs] -> float[B, units]."""

    def __init__(self, inputs: int, units: int, pieces: int = 5) -> None:
        super().__init__()
        self.pieces, self.linear = pieces, nn.Linear(inputs, units * pieces)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).unflatten(1, (-1, self.pieces)).amax(2)


def spread_weights(net: nn.Module, most: float, stream: str) -> None:
    """Weights from U(-most, most), biases zero."""
    rng = generator(SEED, stream)
    for module in net.modules():
        if isinstance(module, nn.Linear):
            nn.init.uniform_(module.weight, -most, most, generator=rng)
            nn.init.zeros_(module.bias)


def networks(data: Tensor) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator of the published mnist.yaml."""
    G = nn.Sequential(nn.Linear(LATENT, 1200), nn.ReLU(), nn.Linear(1200, 1200), nn.ReLU(), nn.Linear(1200, 784), nn.Sigmoid())
    D = nn.Sequential(nn.Dropout(0.2), Maxout(784, 240), nn.Dropout(0.5), Maxout(240, 240), nn.Dropout(0.5), nn.Linear(240, 1))
    spread_weights(G, 0.05, "generator")
    spread_weights(D, 0.005, "discriminator")
    last = G[4]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():                                        # the output's bias gives each pixel its mean
        last.bias.copy_(data.mean(0).clamp(1e-7, 1 - 1e-7).logit())
    return G, D


def game(data: Tensor) -> Game:
    """The published game: D minimizes half its cross-entropy, G -log D, and both move at once under one SGD with momentum."""
    G, D = networks(data)
    generating, judging = (Player(net, torch.optim.SGD(net.parameters(), 0.1, momentum=0.5),
                                  learning_rate=lambda step: max(1e-6, 0.1 / 1.000004**step)) for net in (G, D))
    made: dict[int, Tensor] = {}                                 # both turns are about the same samples

    def noise(n: int, rng: torch.Generator | None = None) -> Tensor:
        return (2 * torch.rand(n, LATENT, generator=rng) - 1) * math.sqrt(3)

    def generate(batch: Batch, step: int) -> Report:
        made.clear()
        made[step] = G(noise(len(batch.x)))
        return Report({"adversarial": losses.nonsaturating.generator(None, D(made[step]))})

    def discriminate(batch: Batch, step: int) -> Report:
        real, fake = D(torch.cat([batch.x, made[step].detach()])).flatten().chunk(2)
        return Report({"adversarial": losses.nonsaturating.discriminator(real, fake) / 2})

    @torch.no_grad()
    def sample(z: Tensor, labels: Tensor | None = None, live: bool = False) -> Tensor:
        return G(z)

    return Game({"generator": generating, "discriminator": judging},
                {"generator": Turn(generating, generate), "discriminator": Turn(judging, discriminate)},
                model=G, prior=noise, sample=sample)


def momentum(step: int) -> float:
    """0.5 in the first epoch, then a straight line to 0.7 in the 250th."""
    return 0.5 + 0.2 * min(1.0, max(0.0, (step // EPOCH - 1) / 249))


def train(data: Tensor, rounds: int) -> tuple[Game, float]:
    """The game after so many rounds, from its last checkpoint on, and the seconds that all of its rounds took."""
    torch.set_num_threads(1)
    table, step, seconds = game(data), 0, 0.0
    saved, _ = checkpoint.newest(CHECKPOINTS)
    if saved is not None:
        step, facts = checkpoint.restore(saved, table)
        seconds = facts["seconds"]
        if step > rounds:
            sys.exit(f"parzen: {CHECKPOINTS} holds {step:,} rounds already, and {rounds:,} are wanted: remove it to begin anew.")
    source = Finite(Vectors((0.0,) * 784, (1.0,) * 784), data)
    stream: Iterator[Batch] = batches(source, BATCH, SEED, table.drawn(step))
    while step < rounds:
        began = time.perf_counter()
        for _ in range(min(1000, rounds - step)):
            seed_round(SEED, CPU, step)
            for player in table.players.values():
                player.optimizer.param_groups[0]["momentum"] = momentum(step)
            terms, _ = play_at_once(table, stream, step)
            step += 1
        seconds += time.perf_counter() - began
        checkpoint.save(CHECKPOINTS, table, step, {"seconds": seconds})
        print(f"  {step} rounds, {seconds:.0f} s, " + ", ".join(f"{name} {value.item():.3f}" for name, value in terms.items()), flush=True)
    return table, seconds


def published(digits: "Digits", rounds: int) -> dict[str, float]:
    table, seconds = train(digits.train, rounds)
    centres = table.sample(table.prior(CENTRES, generator(SEED, "centres")))
    return {"rounds": rounds, "epochs": rounds / EPOCH, "seconds": seconds, **digits.score(centres)}


def recipe(digits: "Digits", steps: int) -> dict[str, float]:
    """`gan` with its defaults for images (a DCGAN), which are about other networks and another optimizer."""
    with tempfile.TemporaryDirectory() as folder:
        images = Finite(Images(1, 28, 28), (digits.train.view(-1, 1, 28, 28) * 255).round().to(torch.uint8))
        prepared = prepare(Request("gan", images, {"steps": steps, "threads": 1, "show_every": 10**9, "score_every": 10**9}, SEED),
                           Path(folder) / "run")
        prepared = replace(prepared, plan=replace(prepared.plan, show_every=0, score_every=0))
        model, outcome = run(prepared, Silent())
        centres = (model.sample(CENTRES) + 1) / 2
    return {"rounds": steps, "seconds": outcome.seconds, **digits.score(centres.flatten(1))}


class Digits:
    """MNIST in [0, 1] as float[N, 784]: 50,000 to train on, 1,000 to choose sigma on, 10,000 to be measured on."""

    def __init__(self, path: str) -> None:
        source = open_source(path)
        if not isinstance(source, Finite) or source.held_out is None or source.space.shape != (1, 28, 28) or len(source) != 60_000:
            raise InputError(f"{path} should hold MNIST: train-images and t10k-images IDX files, 60,000 and 10,000 of 28x28 pixels.")
        both = [part.values.flatten(1).float() / 255 for part in (source, source.held_out)]
        self.train, self.valid, self.test = both[0][:TRAIN], both[0][TRAIN:][:VALID], both[1]

    def score(self, centres: Tensor) -> dict[str, float]:
        return parzen.score(self.test, self.valid, centres)


def cases(digits: Digits) -> list[tuple[str, Any]]:
    return [("real training images as centres", lambda: digits.score(digits.train[:CENTRES])),
            *((f"published networks, {n:,} rounds", lambda n=n: published(digits, n)) for n in MILESTONES),
            ("recipe gan, its defaults for images, 2,000 rounds", lambda: recipe(digits, 2_000))]


if __name__ == "__main__":
    path = next((word for word in sys.argv[1:] if not word.startswith("--")), os.environ.get("SPARRING_MNIST"))
    if path is None:
        print("parzen: skipped; give the folder with MNIST's IDX files as the first argument or in SPARRING_MNIST.")
        sys.exit()
    try:
        digits = Digits(path)
    except InputError as error:
        sys.exit(f"parzen: {error}")
    record("parzen", "Goodfellow et al. (2014), section 5: mean log-likelihood in nats of MNIST's 10,000 test images, pixels in [0, 1], "
           "under a Gaussian Parzen window on 10,000 samples; sigma from ten values between 0.1 and 1, evenly spread in the logarithm, "
           "by 1,000 validation images; standard error over test images. Networks, initial weights, dropout, learning rate and momentum "
           "of the published mnist.yaml; both players move at once and D minimizes half of its loss, as in its code; noise "
           "U(-sqrt 3, sqrt 3). The published run is 250 epochs, 125,000 rounds; how many were played here stands in each case, all of "
           "one run, and none is the best of several. Seed 0, one thread, on a machine that was busy with other work, which the seconds "
           "include.", {"published networks": "225 +- 2 after 125,000 rounds (Table 1)"}, cases(digits))
