"""Which emoji is it, whatever its style: features that learn from real ones alone, whose nearest neighbours are compared.

Two halves: edges and colours, of which the directions are made small that differ between styles; and two networks that have learned to
find an emoji's drawings in other styles among those of others (as SimCLR does with views of a picture; Chen et al., 2020, eq. 1).
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, avg_pool2d, cross_entropy, grid_sample, normalize, pad

from sparring.data.translation.sets import Domains

ORIENTATIONS, CELL = 9, 8
RIDGE = 0.1             # of the mean variance within an emoji, added to each direction's
ROUNDS = {32: 1500, 64: 900}                            # of the networks, by the pixels a side that they see
BATCH, TEMPERATURE = 96, 0.1


# ------------------------------------------------------------------------------------------------- edges and colours
def edges(x: Tensor) -> Tensor:
    """Histograms of oriented gradients (Dalal and Triggs, 2005), of overlapping cells, each normalized: float[N, D]."""
    right = pad(x, (0, 1, 0, 0), mode="replicate")[..., 1:] - pad(x, (1, 0, 0, 0), mode="replicate")[..., :-1]
    down = pad(x, (0, 0, 0, 1), mode="replicate")[..., 1:, :] - pad(x, (0, 0, 1, 0), mode="replicate")[..., :-1, :]
    size, strongest = (right.square() + down.square()).sqrt().max(1, keepdim=True)
    angle = torch.atan2(down.gather(1, strongest), right.gather(1, strongest)) % torch.pi / torch.pi * ORIENTATIONS
    low = angle.floor()
    maps = torch.zeros(len(x), ORIENTATIONS, *x.shape[-2:])
    maps.scatter_add_(1, low.long() % ORIENTATIONS, size * (1 - angle + low))
    maps.scatter_add_(1, (low.long() + 1) % ORIENTATIONS, size * (angle - low))
    cells = avg_pool2d(maps, 2 * CELL, CELL)
    return (cells / (cells.norm(dim=1, keepdim=True) + 0.1)).flatten(1)


def looks(x: Tensor) -> Tensor:
    return torch.cat([edges(x), avg_pool2d(x, CELL).flatten(1) / 2], 1)


@dataclass
class Looks:
    """What emoji look like, with the directions made small in which the styles of one training emoji differ (linear discriminants)."""

    centres: Tensor         # float[styles, D]
    directions: Tensor      # float[D, D]

    def __call__(self, x: Tensor, style: int) -> Tensor:
        """Vectors of length one of images that claim this style, float[N, D]."""
        return normalize((looks(x) - self.centres[style]) @ self.directions)


def looks_of(source: Domains) -> Looks:
    """Learned from the training images, which lie in order of style and then of emoji, as many of each style."""
    seen = looks(source.images.at(torch.arange(len(source.images))).x).unflatten(0, (len(source.space.labels), -1))
    centres = seen.mean(1)
    centred = seen - centres[:, None]
    within = (centred - centred.mean(0)).flatten(0, 1)
    covariance = within.T @ within / len(within)
    values, vectors = torch.linalg.eigh(covariance + RIDGE * covariance.diagonal().mean() * torch.eye(len(covariance)))
    return Looks(centres, vectors * values.rsqrt())


# ------------------------------------------------------------------------------------------------------ the networks
def encoder(side: int) -> nn.Module:
    """float[N, 3, side, side] to float[N, 128]."""
    layers: list[nn.Module] = []
    for maps, out, stride in ((3, 32, 2), (32, 64, side // 32), (64, 128, 2), (128, 256, 2)):
        layers += [nn.Conv2d(maps, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(256 * 16, 128))


def at_side(x: Tensor, side: int) -> Tensor:
    return avg_pool2d(x, x.shape[3] // side)


def varied(x: Tensor) -> Tensor:
    """Turned, stretched, moved on white, and in colours mixed a little: what says nothing about which emoji it is."""
    n = len(x)
    angle, shift, scale = (torch.rand(n) - 0.5) * 0.3, (torch.rand(n, 2) - 0.5) * 0.25, 1 + (torch.rand(n, 2) - 0.5) * 0.3
    across = torch.stack([scale[:, 0] * angle.cos(), -angle.sin(), shift[:, 0]], 1)
    down = torch.stack([angle.sin(), scale[:, 1] * angle.cos(), shift[:, 1]], 1)
    grid = affine_grid(torch.stack([across, down], 1), list(x.shape), align_corners=False)
    colours = torch.eye(3) + 0.12 * torch.randn(n, 3, 3)
    return (1 - torch.einsum("nij,njhw->nihw", colours, grid_sample(1 - x, grid, align_corners=False))).clamp(-1, 1)


def train_encoder(source: Domains, side: int, seed: int) -> nn.Module:
    """Learned from the training images, which lie in order of style and then of emoji."""
    torch.manual_seed(seed)
    styles = len(source.space.labels)
    x = at_side(source.images.at(torch.arange(len(source.images))).x, side).unflatten(0, (styles, -1))
    net, right = encoder(side), torch.arange(BATCH)
    adam = torch.optim.AdamW(net.parameters(), weight_decay=0.05)
    rate = torch.optim.lr_scheduler.OneCycleLR(adam, 3e-3, ROUNDS[side])
    for _ in range(ROUNDS[side]):
        chosen, drawn = torch.randperm(x.shape[1])[:BATCH], torch.rand(BATCH, styles).argsort(1)
        a, b = normalize(net(varied(torch.cat([x[drawn[:, 0], chosen], x[drawn[:, 1], chosen]])))).chunk(2)
        near = a @ b.T / TEMPERATURE
        adam.zero_grad()
        (cross_entropy(near, right) + cross_entropy(near.T, right)).backward()
        adam.step()
        rate.step()
    return net.eval()


# --------------------------------------------------------------------------------------------------------- together
@dataclass
class Features:
    """What is compared, of images that claim a style."""

    looks: Looks
    nets: dict[int, nn.Module]          # by the side that they see

    @torch.no_grad()
    def __call__(self, x: Tensor, style: int) -> Tensor:
        """float[N, 3, 64, 64] to float[N, D], whose products are the cosine of the looks plus the mean of the networks' cosines."""
        learned = [torch.cat([normalize(net(at_side(part, side))) for part in x.split(200)]) for side, net in self.nets.items()]
        return torch.cat([self.looks(x, style), *(one / len(learned)**0.5 for one in learned)], 1)


def features_of(source: Domains, kept: Path) -> Features:
    """Trained once, and kept in this folder."""
    nets = {side: encoder(side).eval() for side in ROUNDS}
    for side, net in nets.items():
        path = kept / f"which emoji at {side}.pt"
        if not path.exists():
            kept.mkdir(parents=True, exist_ok=True)
            torch.save(train_encoder(source, side, 0).state_dict(), path)
        net.load_state_dict(torch.load(path, weights_only=True))
    return Features(looks_of(source), nets)
