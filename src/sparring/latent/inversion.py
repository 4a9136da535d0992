"""From a sample back to a latent: gradient descent on how far G(z) is from it, from several starts (Zhu et al., 2016, section 3.1)."""

import math
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sparring.latent.layers import FEW, at_rest, run
from sparring.latent.parts import Parts, of_normal, steady, within

PIXELS = 2**18                      # of the images that the perceptual distance sees at once
POOL = 512                          # latents among which starts are looked for
RATE, FIRST, SECOND, TINY = 0.1, 0.9, 0.99, 1e-8        # of Adam
Watch = Callable[[int, int], None]


class Inversion(NamedTuple):
    """What was found for each of n samples: the best of all starts, and the error that each start ended with, the best first.

    Errors are root mean squares over a sample's numbers, as networks see them: images in [-1, 1], columns in their deviations.  The best
    has the smallest error; where the perceptual distance had a weight, the smallest sum that was minimized.
    """

    z: Tensor                       # float[n, latent]
    labels: Tensor | None           # int64[n], or as networks take them, float[n, K]: what was given, or the best
    samples: Tensor                 # float[n, *shape]
    errors: Tensor                  # float[n, starts]
    perceptual: Tensor | None = None    # float[n, starts], by another network than the one that was minimized; None without a weight

    @property
    def error(self) -> Tensor:
        """That of the best start, float[n]."""
        return self.errors[:, 0]

    @property
    def points(self) -> Tensor:
        """What was looked for: latents here, and styles in W."""
        return self.z


class Seen(NamedTuple):
    """A perceptual distance that is minimized beside the mean squared error, and the one that is reported."""

    weight: float
    from_these: Callable[[Tensor], Callable[[Tensor], Tensor]]     # of images that are looked for: how far others are, float[rows]
    measured: Callable[[Tensor, Tensor], Tensor]


@cache
def radius(latent: int) -> float:
    """The length that one in a thousand latents exceeds: the square root of the chi-squared quantile."""
    from scipy.special import gammaincinv

    return math.sqrt(2 * float(gammaincinv(latent / 2, 0.999)))


def invert(net: nn.Module, x: Tensor, pool: Tensor, classes: Tensor | None, wanted: Tensor | None, starts: int, steps: int,
           watch: Watch = lambda done, total: None, seen: Seen | None = None, parts: Parts = ()) -> Inversion:
    """The latents whose samples are nearest to x, float[n, *shape] in network units.

    Each sample starts from the `starts` nearest of a pool of latents float[m, latent] with their `classes` int64[m], of its own class
    where `wanted` int64[n] says which.  Adam then takes `steps` steps down the mean squared error, plus a weighted perceptual distance
    where one is given, at a rate that falls along a cosine, and the best on the way is kept.  Latents stay as short as 999 of 1,000 that
    are drawn, so what is found could have been drawn.  `watch` is told the steps of all starts, of how many.
    """
    few = FEW if seen is None else max(1, min(FEW, PIXELS // x[0, 0].numel()))

    def so_far(done: int, step: int) -> None:
        watch(done * steps + min(few, len(z) - done) * step, len(z) * steps)

    with at_rest(net):
        chosen = nearest(net, x, pool, classes, wanted, starts)
        z, goal = pool[chosen].flatten(0, 1), x.repeat_interleave(starts, 0)
        labels = None if classes is None else classes[chosen].flatten(0, 1) if wanted is None else wanted.repeat_interleave(starts, 0)
        found = list[tuple[Tensor, ...]]()
        watch(0, len(z) * steps)
        for done in range(0, len(z), few):
            rows = slice(done, done + few)
            own = None if labels is None else labels[rows]
            found.append(descend(net, goal[rows], z[rows], own, steps, seen, partial(so_far, done), parts))
    latents, made, whole, errors, *distances = (torch.cat(part) for part in zip(*found, strict=True))
    order = whole.view(len(x), starts).argsort(1) + starts * torch.arange(len(x))[:, None]
    best = order[:, 0]
    return Inversion(latents[best], None if labels is None else labels[best], made[best], errors[order], *(far[order] for far in distances))


@torch.no_grad()
def nearest(net: nn.Module, x: Tensor, pool: Tensor, classes: Tensor | None, wanted: Tensor | None, starts: int) -> Tensor:
    """Which of the pool's latents make what is nearest to each sample, int64[n, starts]."""
    kinds, index = wanted.unique(dim=0, return_inverse=True) if wanted is not None else (torch.zeros(0), torch.zeros(0))
    groups = [(torch.arange(len(x)), classes)] if wanted is None else \
        [(torch.nonzero(index == k).flatten(), label.repeat_interleave(len(pool), 0)) for k, label in enumerate(kinds.split(1))]
    chosen = torch.empty(len(x), starts, dtype=torch.int64)
    for rows, labels in groups:
        made = [run(net, z, None if labels is None else labels[k * FEW:(k + 1) * FEW]).float().cpu().flatten(1)
                for k, z in enumerate(pool.split(FEW))]
        chosen[rows] = torch.cdist(x[rows].flatten(1), torch.cat(made)).topk(starts, largest=False).indices
    return chosen


def descend(net: nn.Module, goal: Tensor, z: Tensor, labels: Tensor | None, steps: int, seen: Seen | None,
            told: Callable[[int], None], parts: Parts = ()) -> tuple[Tensor, ...]:
    """The best latents on the way, what they make, the loss and the root mean squared error, float[rows], and the perceptual distance
    that is reported, if one is; all on the CPU."""
    place = next(net.parameters()).device
    goal, begin = goal.to(place), z.to(place)
    free = steady(parts, z.shape[1]).to(place)

    def kept(z: Tensor) -> Tensor:
        """Such as could have been drawn: normal parts no longer than nearly all are, even ones within their bounds, codes as they began."""
        return within(parts, of_normal(parts, torch.where(free, z, begin), lambda numbers: shortened(numbers, radius(numbers.shape[1]))))

    z = kept(begin)
    found = nearest_on_the_way(lambda z: run(net, z, labels), goal, z, steps,
                               lambda step: RATE * (1 + math.cos(math.pi * step / (steps + 1))) / 2,
                               kept, None if seen is None else seen.from_these(goal),
                               0.0 if seen is None else seen.weight, told=told)
    return found if seen is None else (*found, seen.measured(found[1], goal.cpu()))


def nearest_on_the_way(draw: Callable[[Tensor], Tensor], goal: Tensor, begin: Tensor, steps: int, rate: Callable[[int], float],
                       kept: Callable[[Tensor], Tensor], apart: Callable[[Tensor], Tensor] | None = None, weight: float = 0.0,
                       second: float = SECOND, told: Callable[[int], None] = lambda step: None
                       ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Adam's way (Kingma and Ba, 2015) from points float[rows, ...] down the mean squared error to the goal, plus a weighted distance:
    the best points on it, what they draw, the loss and the root mean squared error, float[rows], all on the CPU.

    `rate` goes by the step, from 1; `kept` brings points back to where they may be; `told` is given every step that was taken."""
    z, mean, square = begin, torch.zeros_like(begin), torch.zeros_like(begin)
    least = torch.full((len(begin),), torch.inf, device=begin.device)
    best, made_best, error_best = z, goal, least
    for step in range(1, steps + 2):
        z = z.detach().requires_grad_()
        made = draw(z).float()
        errors = (made - goal).square().flatten(1).mean(1)
        loss = errors if apart is None else errors + weight * apart(made)
        better = loss.detach() < least
        least, error_best = torch.where(better, loss.detach(), least), torch.where(better, errors.detach(), error_best)
        best = torch.where(better.view(-1, *[1] * (z.ndim - 1)), z.detach(), best)
        made_best = torch.where(better.view(-1, *[1] * (goal.ndim - 1)), made.detach(), made_best)
        if step > steps:
            break
        slope, = torch.autograd.grad(loss.sum(), z)             # each row has its own: nothing mixes them
        mean, square = torch.lerp(slope, mean, FIRST), torch.lerp(slope.square(), square, second)
        move = mean / (1 - FIRST**step) / ((square / (1 - second**step)).sqrt() + TINY)
        z = kept(z.detach() - rate(step) * move)
        told(step)
    return best.cpu(), made_best.cpu(), least.cpu(), error_best.sqrt().cpu()


def shortened(z: Tensor, longest: float) -> Tensor:
    """The latents, those that are longer brought to this length."""
    return z * (longest / z.norm(dim=1, keepdim=True).clamp_min(longest))
