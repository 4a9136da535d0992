"""Hand-written training loops: the baselines for speed and for the results of the classic settings."""

import time

import numpy as np
import torch
from torch import Tensor, nn

from sparring.nets.dcgan import ConvDiscriminator, ConvGenerator


def curves(steps: int) -> tuple[nn.Module, float]:
    """The well-known tutorial loop for quadratic curves; the generator, and rounds a second.

    It generates once a round, detaches for the discriminator, and logs nothing.
    """
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
    return G, steps / (time.perf_counter() - start)


def images(values: Tensor, width: int, steps: int, r1: float = 0.0) -> float:
    """The usual DCGAN loop in float32 with this project's networks; rounds a second.  `values`: uint8[N, C, H, W].

    With `r1`, the zero-centred penalty of that weight on real samples in every step, as it is usually written.
    """
    shape = (values.shape[1], values.shape[2], values.shape[3])
    G, D = ConvGenerator(32, shape, width), ConvDiscriminator(shape, width)
    opt_g, opt_d = (torch.optim.Adam(n.parameters(), lr=5e-4, betas=(0.5, 0.999)) for n in (G, D))
    criterion, ones, zeros = nn.BCEWithLogitsLoss(), torch.ones(64), torch.zeros(64)
    start = time.perf_counter()
    for _ in range(steps):
        real = values[torch.randint(len(values), (64,))].float() / 127.5 - 1
        D.zero_grad()
        real.requires_grad_(r1 > 0)
        judged = D(real)
        loss = criterion(judged, ones)
        if r1:
            slope, = torch.autograd.grad(judged.sum(), real, create_graph=True)
            loss = loss + r1 / 2 * slope.square().flatten(1).sum(1).mean()
        loss.backward()
        fake = G(torch.randn(64, 32))
        criterion(D(fake.detach()), zeros).backward()
        opt_d.step()
        G.zero_grad()
        criterion(D(fake), ones).backward()
        opt_g.step()
    return steps / (time.perf_counter() - start)
