"""How far apart images are at several sizes: in their pixels, and in the differences between neighbouring pixels.

It stands in for the perceptual loss where no network that learned from photographs is installed, and beside it for colours, which such
a network hardly sees.
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

SCALES = 4              # sizes: the whole, and halved three times, as in the paper's perceptual loss (Siarohin et al., 2019, section 4)
SMALLEST = 4            # pixels of the shorter side


def pyramid(a: Tensor, b: Tensor) -> Tensor:
    """The mean over sizes of the mean absolute difference of pixels, and of their differences to the right and downwards: of images
    float[B, C, H, W]."""
    terms = list[Tensor]()
    for _ in range(SCALES):
        apart = a - b
        terms.append(apart.abs().mean() + apart.diff(dim=2).abs().mean() + apart.diff(dim=3).abs().mean())
        if min(a.shape[2:]) < 2 * SMALLEST:
            break
        a, b = avg_pool2d(a, 2), avg_pool2d(b, 2)
    return torch.stack(terms).mean()
