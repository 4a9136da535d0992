"""Steps a second against the loop a person would write: same networks, batch and optimizer, alternated in one process.

The hand-written loops generate once a round, detach for the discriminator, and log nothing; `sparring` is the whole
trainer with its log on.  On a noisy machine only the ratio within a pair means something.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from record import record, spread
from torch import Tensor, nn

from sparring.api import Silent, run
from sparring.data.source import Finite
from sparring.data.space import Images
from sparring.nets.dcgan import ConvDiscriminator, ConvGenerator
from sparring.prepare import Wish, prepare

PAIRS = 3 if "--quick" in sys.argv else 9


def trainer(data: object, given: dict[str, object]) -> float:
    """Rounds a second of training as `sparring train` counts them: logging included, pictures and scores not."""
    with tempfile.TemporaryDirectory() as folder:
        given = {**given, "show_every": 10**9, "score_every": 10**9}
        _, outcome = run(prepare(Wish("gan", data, given), Path(folder) / "run"), Silent())
    return outcome.step / outcome.seconds


def curves_by_hand(steps: int) -> float:
    """The well-known tutorial loop for quadratic curves."""
    points = np.vstack([np.linspace(-1, 1, 15) for _ in range(64)])
    G = nn.Sequential(nn.Linear(5, 128), nn.ReLU(), nn.Linear(128, 15))
    D = nn.Sequential(nn.Linear(15, 128), nn.ReLU(), nn.Linear(128, 1), nn.Sigmoid())
    opt_g, opt_d = torch.optim.Adam(G.parameters(), lr=1e-4), torch.optim.Adam(D.parameters(), lr=1e-4)
    start = time.perf_counter()
    for _ in range(steps):
        a = np.random.uniform(1, 2, size=64)[:, None]
        real = torch.from_numpy(a * np.power(points, 2) + (a - 1)).float()
        fake = G(torch.randn(64, 5))
        g_loss = torch.log(1 - D(fake)).mean()
        opt_g.zero_grad()
        g_loss.backward()
        opt_g.step()
        d_loss = -(torch.log(D(real)) + torch.log(1 - D(fake.detach()))).mean()
        opt_d.zero_grad()
        d_loss.backward()
        opt_d.step()
    return steps / (time.perf_counter() - start)


def images_by_hand(values: Tensor, width: int, steps: int) -> float:
    """The usual DCGAN loop in float32, with the same networks and a DataLoader-free batch."""
    shape = tuple(values.shape[1:])
    G, D = ConvGenerator(32, shape, width), ConvDiscriminator(shape, width)
    opt_g, opt_d = (torch.optim.Adam(n.parameters(), lr=5e-4, betas=(0.5, 0.999)) for n in (G, D))
    criterion, ones, zeros = nn.BCEWithLogitsLoss(), torch.ones(64), torch.zeros(64)
    start = time.perf_counter()
    for _ in range(steps):
        real = values[torch.randint(len(values), (64,))].float() / 127.5 - 1
        D.zero_grad()
        criterion(D(real), ones).backward()
        fake = G(torch.randn(64, 32))
        criterion(D(fake.detach()), zeros).backward()
        opt_d.step()
        G.zero_grad()
        criterion(D(fake), ones).backward()
        opt_g.step()
    return steps / (time.perf_counter() - start)


def pairs(ours: Callable[[], float], theirs: Callable[[], float]) -> dict[str, object]:
    ours(), theirs()                                             # warm up
    rates = [(ours(), theirs()) if i % 2 else (theirs(), ours())[::-1] for i in range(PAIRS)]
    return {"sparring, steps/s": spread([a for a, _ in rates]), "by hand, steps/s": spread([b for _, b in rates]),
            "ratio": spread([a / b for a, b in rates]), "pairs": PAIRS}


def curves() -> dict[str, object]:
    torch.set_num_threads(1)
    classic = {"steps": 1500, "batch": 64, "latent": 5, "width": 128, "depth": 1, "slope": 0, "objective": "minimax", "lr": 1e-4,
               "beta1": 0.9, "decay": 0, "ema": 0, "threads": 1, "log_every": 10}
    return pairs(lambda: trainer("quadratic", classic), lambda: curves_by_hand(1500))


def images(threads: int) -> dict[str, object]:
    torch.set_num_threads(threads)
    values = torch.randint(0, 256, (2000, 3, 32, 32), dtype=torch.uint8)
    given = {"steps": 30, "batch": 64, "latent": 32, "width": 64, "ema": 0, "threads": threads, "log_every": 1}
    source = Finite(Images(3, 32, 32), values)
    return pairs(lambda: trainer(source, given), lambda: images_by_hand(values, 64, 30))


if __name__ == "__main__":
    record("speed", "curves: classic settings, one thread, 1,500 rounds a turn. images: 32x32 RGB DCGAN, width 64, batch 64, 30 rounds a "
           "turn, no average. Each pair alternates both in one process; spreads are over the pairs.",
           {"curves": "ratio >= 1.0, aim 1.3", "images": "ratio >= 1.0"},
           [("curves, 1 thread", curves), ("images, 2 threads", lambda: images(2)), ("images, 1 thread", lambda: images(1))])
