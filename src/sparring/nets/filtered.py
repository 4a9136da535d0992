"""Resampling of images and feature maps by the filter 1-3-3-1 (Karras et al., 2019, section 2, after Zhang, 2019), in plain torch.

Twice as large is: zeros between the pixels, then the filter.  Half as large is: the filter, then every second pixel.  The gain is exactly
1, since the taps, over 8, are sums of powers of two.  Everything can be differentiated any number of times, also by `torch.func`.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d


class Filter(nn.Module):
    """The filter, on maps float[B, C, H, W].  `larger` and `smaller` repeat the edges, so that what is constant stays so up to them."""

    taps: Tensor

    def __init__(self) -> None:
        super().__init__()
        line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("taps", line[:, None] * line, persistent=False)    # float[4, 4], of sum 1

    def smooth(self, x: Tensor, edge: int, gain: float = 1.0) -> Tensor:
        """Filtered, with so many zeros around: sides grow by 2 edge - 3."""
        return conv2d(x, self.each(x, gain), padding=edge, groups=x.shape[1])

    def larger(self, x: Tensor) -> Tensor:
        """Both sides doubled."""
        return conv_transpose2d(with_edges(x), self.each(x, 4.0), stride=2, padding=3, groups=x.shape[1])

    def smaller(self, x: Tensor) -> Tensor:
        """Both sides halved, rounded down."""
        return conv2d(with_edges(x), self.each(x, 1.0), stride=2, groups=x.shape[1])

    def each(self, x: Tensor, gain: float) -> Tensor:
        """The taps for each map by itself, float[C, 1, 4, 4]."""
        return (self.taps * gain).to(x.dtype).expand(x.shape[1], 1, 4, 4)


def with_edges(x: Tensor) -> Tensor:
    """x with its first and last row and column repeated once, float[B, C, H + 2, W + 2].

    By joining, since the slopes of torch's own padding are added up in any order on a GPU, and no run would be repeated exactly.
    """
    x = torch.cat([x[:, :, :1], x, x[:, :, -1:]], 2)
    return torch.cat([x[..., :1], x, x[..., -1:]], 3)
