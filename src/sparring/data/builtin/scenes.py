"""Made scenes whose every pixel has a known label: a paired set, and the same scenes in several tints, with the truth at hand.

A scene is sky, ground, a disc and a box.  Domain A paints each label in a flat colour of its own; domain B renders it: other colours,
lit from above, with noise.  What a translator made can therefore be read back, pixel by pixel.
"""

import torch
from torch import Tensor

from sparring.data.settings import DomainSettings, parse_size
from sparring.data.source import Finite
from sparring.data.translation.sets import Domains, TwoSets
from sparring.rng import generator
from sparring.spaces import Images, TwoDomains

LABELS = ("sky", "ground", "disc", "box")
FLAT = torch.tensor([[0, 0, 0], [0, 170, 0], [220, 0, 0], [0, 60, 220]], dtype=torch.float32)               # domain A, RGB 0 to 255
LIT = torch.tensor([[150, 205, 250], [150, 110, 60], [250, 200, 60], [170, 60, 130]], dtype=torch.float32)  # domain B, before light
NOISE = 4.0                             # deviation of the noise on what is rendered, in 256ths
TINTS = {"red-green-blue": (0, 1, 2), "green-blue-red": (1, 2, 0), "blue-red-green": (2, 0, 1)}
TRAIN, HELD_OUT = 400, 100
SIDE = 32


def scenes(n: int, height: int, width: int, rng: torch.Generator) -> Tensor:
    """Labels int64[n, height, width] of n random scenes."""
    def between(low: float, high: float) -> Tensor:
        return (low + (high - low) * torch.rand(n, generator=rng)).view(n, 1, 1)

    y = (torch.arange(height) + 0.5).view(1, height, 1) / height
    x = (torch.arange(width) + 0.5).view(1, 1, width) / width
    labels = torch.where(y > between(0.6, 0.8), 1, 0).expand(n, height, width)
    left, wide, top, tall = between(0.05, 0.6), between(0.2, 0.35), between(0.3, 0.5), between(0.25, 0.4)
    labels = torch.where((x > left) & (x < left + wide) & (y > top) & (y < top + tall), 3, labels)
    radius, across, down = between(0.08, 0.16), between(0.15, 0.85), between(0.15, 0.45)
    return torch.where((x - across).square() + (y - down).square() < radius.square(), 2, labels)


def light(height: int) -> Tensor:
    """How much of a colour is left at each height: all at the top, 60 % at the bottom; float[height, 1]."""
    return torch.linspace(1.0, 0.6, height).view(height, 1)


def flat(labels: Tensor) -> Tensor:
    """Labels int64[n, H, W] to domain A, uint8[n, 3, H, W]."""
    return FLAT[labels].permute(0, 3, 1, 2).to(torch.uint8)


def rendered(labels: Tensor, rng: torch.Generator) -> Tensor:
    """Labels int64[n, H, W] to domain B, uint8[n, 3, H, W]."""
    values = LIT[labels].permute(0, 3, 1, 2) * light(labels.shape[1])
    return (values + NOISE * torch.randn(values.shape, generator=rng)).round().clamp(0, 255).to(torch.uint8)


def read_flat(x: Tensor) -> Tensor:
    """The labels of images of domain A, float[n, 3, H, W] in [-1, 1] to int64[n, H, W]: those of the nearest colour."""
    return _nearest((x + 1) * 127.5, FLAT.view(-1, 3, 1, 1))


def read_rendered(x: Tensor) -> Tensor:
    """The labels of images of domain B, as `read_flat`, with the light taken into account."""
    return _nearest((x + 1) * 127.5, LIT.view(-1, 3, 1, 1) * light(x.shape[2]))


def _nearest(values: Tensor, colours: Tensor) -> Tensor:
    return torch.stack([(values - colour).square().sum(1) for colour in colours], 1).argmin(1)


def shapes(settings: DomainSettings, aligned: bool) -> TwoSets:
    """400 pairs of labels and renderings, and 100 held out; not `aligned`, of 400 scenes the first half's labels and the other's
    renderings, so that no pair is there to be seen."""
    height, width = parse_size(settings.size) or (SIDE, SIDE)
    rng = generator(0, "shapes", height, width)
    labels = scenes(TRAIN + HELD_OUT, height, width, rng)
    a, b = flat(labels), rendered(labels, rng)
    space = Images(3, height, width)
    first, second = (slice(TRAIN), slice(TRAIN)) if aligned else (slice(TRAIN // 2), slice(TRAIN // 2, TRAIN))
    held_out = Finite(space, a[TRAIN:]), Finite(space, b[TRAIN:])
    return TwoSets(Finite(space, a[first]), Finite(space, b[second]), TwoDomains(space, space, ("labels", "rendered"), aligned),
                   flip=settings.flip, held_out=held_out)


def tints(settings: DomainSettings) -> Domains:
    """600 renderings in three domains, whose colours have other places in each, and 150 held out: 50 scenes in every tint."""
    height, width = parse_size(settings.size) or (SIDE, SIDE)
    rng = generator(0, "tints", height, width)
    values = rendered(scenes(650, height, width, rng), rng)
    space = Images(3, height, width, tuple(TINTS))
    order = torch.tensor(list(TINTS.values()))
    domain = torch.arange(600) % len(TINTS)
    train = torch.stack([one[order[d]] for one, d in zip(values[:600], domain, strict=True)])
    rest = torch.cat([values[600:, places] for places in order])
    held_out = Finite(space, rest, torch.arange(len(TINTS)).repeat_interleave(50))
    return Domains(Finite(space, train, domain), space, flip=settings.flip, held_out=held_out)
