"""Drawings in few colours: a network that paints picks from colours it has learned."""

import torch
from torch import Tensor, nn

from sparring.errors import InputError

SHARPNESS = 60.0        # of the choice, per squared distance; colours side by side on a grid of four a channel differ by 0.67
ENDS = 1 - 1e-6         # of a colour's range, so that a blend that is rounded is still a pixel
PACE = 10.0             # at which colours learn, against weights: they move as far as the range of pixels


class Colours(nn.Module):
    """float[B, C, H, W] and domains int64[B] to the same shape, each pixel the nearest of its domain's `count` learned colours.

    A pixel q becomes p softmax(-SHARPNESS |q - p|^2), between two colours their blend.  Backwards q gets the gradient of its colour, as
    in vector quantization (van den Oord et al., 2017, section 3.2), and the colours that of the pixels that took them: under an L1
    error they come to lie at the medians of what they stand for, which in a flat drawing is exactly its colour.  InputError for one.
    """

    def __init__(self, channels: int, domains: int, count: int) -> None:
        super().__init__()
        if count < 2:
            raise InputError("colours=1 leaves a single colour. Give at least 2, such as colours=64, or 0 for any colour.")
        even = 2 * torch.quasirandom.SobolEngine(channels).draw(count) - 1
        self.colours = nn.Parameter(even.repeat(domains, 1, 1) / PACE)

    def forward(self, q: Tensor, domain: Tensor) -> Tensor:
        with torch.autocast(q.device.type, enabled=False):              # differences of squares, which bfloat16 would lose
            wanted = q.detach().flatten(2).mT.to(self.colours.dtype)
            p = PACE * self.colours[domain]
            p = p + (p.clamp(-ENDS, ENDS) - p).detach()                 # its gradient also reaches it from beyond the ends
            near = (SHARPNESS * (2 * wanted @ p.mT - p.square().sum(2)[:, None])).softmax(2)
            return (near @ p).mT.unflatten(2, q.shape[2:]) + (q - q.detach())
