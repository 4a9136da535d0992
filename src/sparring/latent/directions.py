"""Directions in the latent space that change samples most, found without labels: by weights alone, and by activations."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sparring.errors import InputError
from sparring.latent.layers import activations, at_layer, first, trace

LEAST, MOST = 512, 4096     # latents whose activations are looked at, unless they have more numbers than a quarter of that
NUMBERS = 2**25             # in their activations together
SMALL = 256                 # numbers of one latent's activations of which all components are found
FLAT = 1e-9                 # share of the variance below which a component is rounding


class Directions(NamedTuple):
    """Directions in the latent space, those that change most first.

    `shares` are of the change that all directions make together, by the closed form: eigenvalues over their sum; or of the variance of
    the activations, by PCA.  `linear` is how much of a component's variance a linear function of z accounts for: 1 by the closed form.
    Where it is small, the component is made by z otherwise, and moving along its direction does something else.
    """

    vectors: Tensor             # float[k, latent], of length 1
    shares: Tensor              # float[k]
    linear: Tensor              # float[k]
    layer: str                  # the network's name of the layer that was looked at


def closed_form(net: nn.Module, latent: int, n: int, classes: Tensor | None = None, free: Tensor | None = None) -> Directions:
    """The n directions along which the first layer's output moves farthest: eigenvectors of A^T A (Shen and Zhou, 2021, section 2),
    where the first layer that z reaches makes A z + b of it.

    A is read off the layer's outputs at zero and at every axis, so it is right whatever kind the layer is, and whatever scales or joins
    z before it.  With `classes`, A^T A is the mean over them, which often have the same.  Only numbers that are `free`, bool[latent], move.
    InputError when the first layer is not affine in z, or n is more than there are.
    """
    refuse_too_many(n, latent if free is None else int(free.sum()))
    total, layer = torch.zeros(latent, latent, dtype=torch.float64), ""
    for label in [None] if classes is None else classes.split(1):
        found = first(trace(net, latent, label))
        if not found.affine_out:
            raise InputError(f"the output of layer '{found.name}' is not affine in z, because z passes through something nonlinear first. "
                             "The closed form does not apply. Use method='pca'.")
        probes = torch.cat([torch.zeros(1, latent), torch.eye(latent)])
        made = at_layer(net, found.name, False, probes, None if label is None else label.repeat_interleave(len(probes), 0)).double()
        columns, layer = made[1:] - made[:1], found.name        # of A, one a row
        total += columns @ columns.T
    free = torch.ones(latent, dtype=torch.bool) if free is None else free
    values, some = torch.linalg.eigh(total[free][:, free])
    values, vectors = values.flip(0).clamp_min(0), torch.zeros(len(some), latent, dtype=torch.float64)
    vectors[:, free] = some.flip(1).T
    return Directions(facing(vectors)[:n].float(), (values / values.sum())[:n].float(), torch.ones(n), layer)


def principal(net: nn.Module, z: Tensor, n: int, labels: Tensor | None = None, free: Tensor | None = None) -> Directions:
    """The directions of the n main components of activations over latents z ~ N(0, I), float[N, latent] (Haerkoenen et al., 2020).

    The activations are those of the first layer that z reaches, as the next layer is given them, after the nonlinearity: before it,
    their components are the closed form's.  Component k has coordinates x_k over the latents, and its direction is where z goes with
    it, u_k = argmin sum_j |u_k x_jk - z_j|^2 (section 2), brought to length 1.  With `labels`, components are those within classes.
    InputError when n is more than there are.
    """
    refuse_too_many(n, z.shape[1] if free is None else int(free.sum()))
    layers = trace(net, z.shape[1], None if labels is None else labels[:1])
    name, before = activations(layers)
    width = at_layer(net, name, before, z[:1], None if labels is None else labels[:1]).shape[1]
    z = z[:max(LEAST, 4 * z.shape[1], NUMBERS // width)]
    labels = None if labels is None else labels[:len(z)]
    values = about_their_mean(at_layer(net, name, before, z, labels), labels)
    x, variances = components(values, n)
    total = values.double().square().mean(0).sum()
    keep = int((variances > FLAT * total).sum())
    around = about_their_mean(z, labels).double()
    around = around if free is None else around * free
    u = (x[:, :keep].T @ around) / x[:, :keep].square().sum(0)[:, None]         # one by one, since coordinates are uncorrelated
    unit = u / u.norm(dim=1, keepdim=True).clamp_min(torch.finfo(u.dtype).tiny)
    return Directions(facing(unit).float(), (variances / total)[:keep].float(), explained(around, x[:, :keep]).float(),
                      first(layers).name)


def explained(z: Tensor, x: Tensor) -> Tensor:
    """The share of each column's variance that a linear function of z accounts for, R^2, float[k]; both are centred."""
    rest = x - z @ torch.linalg.lstsq(z, x).solution
    return (1 - rest.square().sum(0) / x.square().sum(0)).clamp(0, 1)


def components(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Coordinates of centred values float[N, d] along their k main components, float[N, k], and the variances of these, float[k], the
    largest first: min(N, d) of them, if that is less.

    All components of thousands of activations would take minutes, so where there are many, the few are found by Lanczos' method.
    """
    least = min(values.shape)
    if k < least and least > SMALL:
        from scipy.sparse.linalg import svds

        begin = torch.randn(least, generator=torch.Generator().manual_seed(0)).numpy()
        left, lengths, _ = svds(values.numpy(), k, v0=begin)
        order = (-lengths).argsort()
        x = torch.from_numpy(left[:, order] * lengths[order]).double()
    else:
        whole, lengths, _ = torch.linalg.svd(values.double(), full_matrices=False)
        x = (whole * lengths)[:, :k]
    return x, x.square().mean(0)


def about_their_mean(values: Tensor, labels: Tensor | None) -> Tensor:
    """Values less their mean, float[N, d]; with labels, less the mean of their class."""
    if labels is None:
        return values - values.mean(0)
    _, index = labels.unique(dim=0, return_inverse=True)
    sums = torch.zeros(int(index.max()) + 1, values.shape[1]).index_add_(0, index, values)
    return values - (sums / index.bincount()[:, None])[index]


def facing(vectors: Tensor) -> Tensor:
    """The same directions, float[k, d], each turned so that its largest number is positive: which way they point is by chance."""
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return vectors * torch.where(largest < 0, -1.0, 1.0)


def refuse_too_many(n: int, latent: int) -> None:
    if not 1 <= n <= latent:
        raise InputError(f"n={n}: a latent of {latent} numbers has from 1 to {latent} directions.")


def along(z: Tensor, direction: Tensor, offsets: Tensor) -> Tensor:
    """Each latent moved by every offset along a direction, z + alpha n (Shen and Zhou, 2021, section 2): float[n, len(offsets), latent]."""
    return z[:, None] + offsets[:, None] * direction
