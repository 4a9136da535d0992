"""A pool of generated images from earlier rounds, so that a discriminator does not forget what it has seen."""

from typing import Any

import torch
from torch import Tensor

from sparring.errors import RunFailed


class Pool:
    """At most `size` images float[C, H, W] (Shrivastava et al., 2017, section 2.3; Zhu et al., 2017, section 4).

    While it fills, it hands out what comes in and keeps it.  Then each new image is handed out itself, or, half of the time,
    takes the place of one from the pool, which is handed out instead.  Draws come from torch's generator of the round.
    """

    def __init__(self, size: int, shape: tuple[int, ...], device: torch.device) -> None:
        self.images = torch.zeros(size, *shape, device=device)
        self.held = 0

    @torch.no_grad()
    def exchange(self, new: Tensor) -> Tensor:
        """Images float[B, C, H, W] for as many new ones, without gradients."""
        if not len(self.images):
            return new.detach()
        out = new.detach().clone()
        stay, place = torch.rand(len(new)).tolist(), torch.randint(len(self.images), (len(new),)).tolist()
        for i, image in enumerate(new.detach()):
            if self.held < len(self.images):
                self.images[self.held] = image
                self.held += 1
            elif stay[i] < 0.5:
                out[i] = self.images[place[i]]
                self.images[place[i]] = image
        return out

    def drawn(self, n: int) -> Tensor:
        """n of the images that it holds, float[n, C, H, W], each as likely as another; it must hold one."""
        return self.images[torch.randint(self.held, (n,))]

    def state_dict(self) -> dict[str, Any]:
        return {"images": self.images[:self.held], "held": self.held}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the images of `state_dict`; of a larger pool, the first that fit.  RunFailed for images of another shape."""
        held = state.get("images")
        if not isinstance(held, Tensor) or held.shape[1:] != self.images.shape[1:] or not held.is_floating_point():
            raise RunFailed("the images in the checkpoint's pool have another size than this run's. Give the size that it was trained "
                            "with, or train into a new folder.")
        kept = held[:len(self.images)].to(self.images)
        self.images[:len(kept)] = kept
        self.held = len(kept)
