"""Stacked digits: three random digits as the red, green and blue of one image, 1,000 modes that can be counted
(Metz et al., 2017, section 3.3.1)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from sparring.data.source import Finite
from sparring.spaces import Images


@dataclass(frozen=True)
class Stacked:
    """Endless draws of three independent images of a labelled grey source."""

    digits: Finite

    @property
    def space(self) -> Images:
        assert isinstance(self.digits.space, Images)
        return Images(3, self.digits.space.height, self.digits.space.width)

    @property
    def fingerprint(self) -> str:
        return f"stacked {self.digits.fingerprint}"

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """uint8[n, 3, H, W]."""
        which = torch.randint(len(self.digits), (n, 3), generator=rng)
        return self.digits.values[which].squeeze(2)
