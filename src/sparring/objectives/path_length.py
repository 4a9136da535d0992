"""Path length regularization (Karras et al., 2020a, section 3.2): a step in W should change an image as much wherever it is taken."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import grad

from sparring.game.processes import total

PACE = 0.01         # at which the mean length follows: the paper's decay is 0.99


def path_lengths(draw: Callable[[Tensor], Tensor], w: Tensor) -> Tensor:
    """|J^T y| for each style, float[B, latent] to float[B], differentiable in w and in what draws.

    `draw` makes images float[B, C, H, W], each of its own style, J is the matrix of their derivatives by w, and y ~ N(0, I / (H W)) an
    image of noise.  J^T y is the gradient of the sum of x y by w, so J itself is never made.  The paper's y has a deviation of one; with
    this one a length does not grow with the number of pixels.
    """
    with torch.autocast(w.device.type, enabled=False):
        def along(w: Tensor) -> Tensor:
            x = draw(w)
            return (x * torch.randn(x.shape, device=x.device)).sum() / math.sqrt(x.shape[2] * x.shape[3])

        return (grad(along)(w).square().sum(1) + 1e-12).sqrt()


class PathLength(nn.Module):
    """E (|J^T y| - a)^2 (eq. 4), where a is the moving average of the lengths, over all processes: state, and so part of a checkpoint.

    The average is the mean of all lengths at first, and follows ever more slowly, down to PACE; the paper's begins at zero.
    """

    mean: Tensor
    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, draw: Callable[[Tensor], Tensor], w: Tensor) -> Tensor:
        lengths = path_lengths(draw, w)
        with torch.no_grad():
            sums = total(torch.stack([lengths.sum(), torch.full_like(lengths[0], len(lengths))]))
            self.seen += 1
            self.mean.lerp_(sums[0] / sums[1], (1 / self.seen).clamp(min=PACE))
        return (lengths - self.mean).square().mean()


def weight(height: int, width: int) -> float:
    """The paper's ln 2 / (r^2 (ln r - ln 2)) for r x r pixels (appendix B), times r^2 for the smaller y of `path_lengths`; that of 8 x 8
    pixels for fewer."""
    return math.log(2) / (math.log(max(64, height * width)) / 2 - math.log(2))
