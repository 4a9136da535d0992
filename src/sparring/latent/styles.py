"""Steering by styles: what the space W of a style-based generator allows (Karras et al., 2019; 2020a).

A style is one vector w for all layers; W+ is one for each layer.  Early layers are coarse: they decide poses and outlines.  Late ones are
fine: they decide colours and textures.
"""

import math
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sparring.errors import InputError
from sparring.latent.directions import Directions, facing, refuse_too_many
from sparring.latent.inversion import PIXELS, Seen, Watch, nearest_on_the_way
from sparring.latent.layers import FEW, at_rest
from sparring.nets.style import Modulated, StyleGenerator, StyleLayer

RATE, SECOND = 0.1, 0.999               # of Adam
RISE, FALL = 0.05, 0.25                 # shares of the steps in which its rate rises at first, and falls at the end


def styled(net: nn.Module) -> StyleGenerator:
    """The generator; InputError for one without styles."""
    if not isinstance(net, StyleGenerator):
        raise InputError("this model's generator has no styles. Train recipe stylegan for that, or use what works on latents: "
                         "model.interpolate, model.directions, model.invert.")
    return net


@torch.no_grad()
def styles(net: StyleGenerator, z: Tensor, labels: Tensor | None = None) -> Tensor:
    """The styles of latents float[n, latent]: float[n, latent], on the CPU."""
    place = net.mean.device
    with at_rest(net):
        parts = [net.mapping(part.to(place), None if labels is None else labels[i * FEW:(i + 1) * FEW].to(place)).cpu()
                 for i, part in enumerate(z.split(FEW))]
    return torch.cat(parts)


def fitting(net: StyleGenerator, w: Any) -> Tensor:
    """Styles that were given, float[n, latent] or float[n, layers, latent]; InputError when they are none of this generator's."""
    w, layers, latent = torch.as_tensor(w), net.synthesis.count, len(net.mean)
    if w.ndim == 3 and w.shape[2] == latent and w.shape[1] != layers:
        raise InputError(f"there are {w.shape[1]} styles a sample, and this generator has {layers} layers. Give one for each layer, or one "
                         "for all.")
    if w.ndim not in (2, 3) or w.shape[-1] != latent or not len(w) or not w.is_floating_point():
        raise InputError(f"styles of shape {tuple(w.shape)} and type {w.dtype} do not fit this model, whose styles are {latent} numbers: "
                         f"expected float[n, {latent}], or float[n, {layers}, {latent}] with one for each layer. Styles of another model "
                         "cannot be used here.")
    if not torch.isfinite(w).all():
        raise InputError("the styles contain NaN or infinities. Give finite numbers, as from model.styles(z).")
    return w.detach().float().cpu()


def nearer(net: StyleGenerator, w: Tensor, psi: float) -> Tensor:
    """Styles at psi of their distance from the average: truncation (Karras et al., 2019, appendix B)."""
    mean = net.mean.detach().cpu()
    return w if psi == 1 else mean + psi * (w - mean)


@torch.no_grad()
def drawn(net: StyleGenerator, w: Tensor) -> Tensor:
    """Images of styles float[n, latent], or of one a layer, float[n, layers, latent]: float[n, C, H, W], on the CPU."""
    w = net.everywhere(w) if w.ndim == 2 else w
    with at_rest(net):
        return torch.cat([net.synthesis(part.to(net.mean.device)).float().cpu() for part in w.split(FEW)])


def middle(net: StyleGenerator) -> int:
    """The first of the fine layers: half of all layers are coarse."""
    return net.synthesis.count // 2


def mixed(net: StyleGenerator, coarse: Tensor, fine: Tensor, at: int | None = None) -> Tensor:
    """Every one of the coarse styles float[a, latent] with every one of the fine ones float[b, latent], which hold from layer `at` on:
    float[a, b, layers, latent] (style mixing; Karras et al., 2019, section 3.1).  Styles may be one a layer, float[a, layers, latent].

    InputError for a layer that there is not.
    """
    layers, first = net.synthesis.count, middle(net) if at is None else at
    if not 1 <= first < layers:
        raise InputError(f"at={first}: this generator has {layers} layers. Give the first one with the fine style, from 1 to {layers - 1}.")
    a, b = (net.everywhere(w) if w.ndim == 2 else w for w in (coarse, fine))
    early = (torch.arange(layers) < first)[:, None]
    return torch.where(early, a[:, None], b[None])


def between(w: Tensor, steps: int) -> Tensor:
    """The way through these styles, float[k, ...] with k >= 2, along straight lines, since W has no sphere: `steps` a leg with both ends,
    float[(k - 1) (steps - 1) + 1, ...]."""
    if len(w) < 2 or steps < 2:
        raise InputError(f"{len(w)} styles in {steps} steps: a way needs at least two of each.")
    shares = torch.linspace(0, 1, steps)[:-1].view(-1, *[1] * (w.ndim - 1))
    return torch.cat([torch.cat([torch.lerp(a, b, shares) for a, b in pairwise(w)]), w[-1:]])


# -------------------------------------------------------------------------------------------------------- directions
def affine(net: StyleGenerator, layers: range | None = None) -> Tensor:
    """What the layers multiply a style by to scale their maps, one below the other: float[maps of all, latent]; of `layers` alone, by the
    number of the style that they take."""
    takes = list[tuple[int, nn.Module]](enumerate(net.synthesis.layers))
    takes += [(2 * i + 1, image) for i, image in enumerate(net.synthesis.images)]
    convolutions = [(i, layer.convolution if isinstance(layer, StyleLayer) else layer) for i, layer in takes]
    chosen = [layer.style for i, layer in convolutions if isinstance(layer, Modulated) and (layers is None or i in layers)]
    if not chosen:
        raise InputError(f"there is no layer among {layers}: this generator has {net.synthesis.count}.")
    return torch.cat([layer.weight.detach() * layer.scale for layer in chosen]).cpu()


def closed_form(net: StyleGenerator, n: int, layers: range | None = None) -> Directions:
    """The n directions in W along which the layers' scales move farthest: eigenvectors of A^T A, A as in `affine` (Shen and Zhou, 2021,
    section 2, for style-based generators).  InputError when n is more than there are."""
    A = affine(net, layers).double()
    refuse_too_many(n, A.shape[1])
    values, vectors = torch.linalg.eigh(A.T @ A)
    values = values.flip(0).clamp_min(0)
    return Directions(facing(vectors.flip(1).T)[:n].float(), (values / values.sum())[:n].float(), torch.ones(n), "styles")


def principal(w: Tensor, n: int) -> Directions:
    """The n main components of styles float[N, latent] (Haerkoenen et al., 2020, section 3).  InputError when n is more than there are."""
    refuse_too_many(n, w.shape[1])
    centred = w.double() - w.double().mean(0)
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(w))
    values = values.flip(0).clamp_min(0)
    return Directions(facing(vectors.flip(1).T)[:n].float(), (values / values.sum())[:n].float(), torch.ones(n), "w")


# --------------------------------------------------------------------------------------------------------- inversion
class Inverted(NamedTuple):
    """The styles that were found for n images, what they draw, and its root mean squared error."""

    styles: Tensor                      # float[n, latent], or in W+ float[n, layers, latent]
    samples: Tensor                     # float[n, C, H, W]
    errors: Tensor                      # float[n, 1]: there is one start
    labels: Tensor | None = None        # of the class whose average style was begun from, as networks take them
    perceptual: Tensor | None = None    # float[n, 1], as in `Inversion`

    @property
    def error(self) -> Tensor:
        return self.errors[:, 0]

    @property
    def points(self) -> Tensor:
        return self.styles


def nearest_of(net: StyleGenerator, x: Tensor, w: Tensor) -> Tensor:
    """Which of the styles float[k, latent] draws what is nearest to each image of x: int64[n]."""
    return torch.cdist(x.flatten(1), drawn(net, w).flatten(1)).argmin(1)


def inverted(net: StyleGenerator, x: Tensor, known: Tensor, plus: bool, steps: int, seen: Seen | None = None,
             begin: Tensor | None = None, watch: Watch = lambda done, total: None) -> Inverted:
    """The styles whose images are nearest to x, float[n, C, H, W] in [-1, 1], by gradient descent from the mean of `known` styles, or from
    where each is to `begin`, float[n, latent] (Abdal et al., 2019; Karras et al., 2020a, appendix D); `plus`: a style a layer.

    The loss is the mean squared error, plus a perceptual distance where one is `seen`.  Adam's rate rises over the first steps and falls
    along a cosine over the last.  The noise is that of evaluation mode and is not moved: nothing of an image can hide in it.  The best on
    the way is kept.  `watch(done, total)` counts the steps of all images.  InputError for images of another size.
    """
    if x.shape[1:] != (own := drawn(net, known[:1]).shape[1:]):
        raise InputError(f"images of shape {tuple(x.shape[1:])} cannot be inverted by a generator of {tuple(own)}. Bring them to that size "
                         "first.")
    place, centre = net.mean.device, known.mean(0)
    scale = float((known - centre).square().sum(1).mean().sqrt()) / math.sqrt(known.shape[1])      # steps as large as W is wide
    starts = centre.expand(len(x), -1) if begin is None else begin
    few, found = FEW if seen is None else max(1, min(FEW, PIXELS // x[0, 0].numel())), list[tuple[Tensor, ...]]()

    def so_far(done: int, step: int) -> None:
        watch(done * steps + min(few, len(x) - done) * step, len(x) * steps)

    with at_rest(net):
        for done in range(0, len(x), few):
            goal, w = x[done:done + few].to(place), starts[done:done + few].to(place)
            best, made, _, error = nearest_on_the_way(
                lambda w: net.synthesis(net.everywhere(w) if w.ndim == 2 else w), goal, net.everywhere(w).clone() if plus else w, steps,
                lambda step: scale * RATE * ramp(step / steps), lambda w: w, None if seen is None else seen.from_these(goal),
                0.0 if seen is None else seen.weight, SECOND, partial(so_far, done))
            found.append((best, made, error[:, None], *([] if seen is None else [seen.measured(made, goal.cpu())[:, None]])))
    best, made, errors, *distances = (torch.cat(part) for part in zip(*found, strict=True))
    return Inverted(best, made, errors, None, *distances)


def ramp(share: float) -> float:
    """Of the rate, by the share of steps that are done: from near 0 to 1 over RISE, to 0 along a cosine over FALL."""
    falling = (1 - math.cos(math.pi * min(1.0, (1 - share) / FALL))) / 2
    return falling * min(1.0, share / RISE)
