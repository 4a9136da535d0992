"""How sharp images are: the variance of the Laplacian, a measure of focus (Pech-Pacheco et al., 2000)."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d

STENCIL = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


def sharpness(images: Tensor) -> Tensor:
    """The variance over each image of its Laplacian, channels averaged: float[B, C, H, W], H, W > 2 -> float[B].

    Blur takes away high frequencies first, and the Laplacian weighs a frequency by its square; slow changes of light do not
    count.  Noise does: more than real images have is no better than less.
    """
    stencil = torch.tensor(STENCIL, dtype=images.dtype)[None, None]
    edges = conv2d(images.flatten(0, 1)[:, None], stencil)
    return edges.flatten(1).var(1, correction=0).view(images.shape[:2]).mean(1)
