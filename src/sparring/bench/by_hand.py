"""Hand-written training loops: the baselines for speed and for the results of the classic settings."""

import math
import time
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from sparring.nets.dcgan import ConvDiscriminator, ConvGenerator
from sparring.nets.style import StyleDiscriminator, StyleGenerator


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


def styles(values: Tensor, width: int, latent: int, batch: int, steps: int, ema: float = 0.999) -> float:
    """The usual StyleGAN2 loop in float32 with this project's networks; rounds a second.  `values`: uint8[N, C, H, W].

    R1 every 16 rounds and path lengths every 4 (Karras et al., 2020a), with weights of any size, and the moving average of the generator.
    """
    shape = (values.shape[1], values.shape[2], values.shape[3])
    G, D = StyleGenerator(latent, shape, width, 2, mixing=0.9), StyleDiscriminator(shape, width)
    average, lengths = deepcopy(G).requires_grad_(False), torch.zeros(())
    opt_g, opt_d = (torch.optim.Adam(n.parameters(), lr=2e-3, betas=(0.0, 0.99)) for n in (G, D))

    def moved(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    start = time.perf_counter()
    for step in range(steps):
        real = values[torch.randint(len(values), (batch,))].float() / 127.5 - 1
        D.requires_grad_(True)
        with torch.no_grad():
            fake = G(torch.randn(batch, latent))
        moved(opt_d, softplus(-D(real)).mean() + softplus(D(fake)).mean())
        if step % 16 == 0:
            real.requires_grad_(True)
            slope, = torch.autograd.grad(D(real).sum(), real, create_graph=True)
            moved(opt_d, 16 * 0.01 / 2 * slope.square().sum((1, 2, 3)).mean())
        D.requires_grad_(False)
        moved(opt_g, softplus(-D(G(torch.randn(batch, latent)))).mean())
        if step % 4 == 0:
            w = G.mapping(torch.randn(batch, latent))
            images = G.synthesis(G.everywhere(w))
            slope, = torch.autograd.grad((images * torch.randn_like(images)).sum() / math.sqrt(images[0, 0].numel()), w, create_graph=True)
            long = slope.square().sum(1).sqrt()
            lengths = lengths.lerp(long.mean().detach(), 0.01)
            moved(opt_g, 4 * 0.25 * (long - lengths).square().mean())
        with torch.no_grad():
            for kept, now in zip(average.parameters(), G.parameters(), strict=True):
                kept.lerp_(now, 1 - ema)
    return steps / (time.perf_counter() - start)
