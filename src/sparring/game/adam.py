"""Adam's step without its bookkeeping: what small networks spend most of a round on."""

from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

UNUSUAL = ("amsgrad", "maximize", "capturable", "differentiable", "decoupled_weight_decay")


def plain(optimizer: Optimizer) -> "Step | None":
    """A quick step for the optimizer, if it is torch's own Adam, fused, with only rates and decays, and nobody watches it."""
    if type(optimizer) is not Adam or optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks:
        return None
    groups = optimizer.param_groups
    usual = all(group["fused"] and isinstance(group["lr"], float) and not any(group.get(name) for name in UNUSUAL) for group in groups)
    alike = len({(p.device, p.dtype) for group in groups for p in group["params"]}) == 1
    return Step(optimizer) if usual and alike else None


class Step:
    """What a plain Adam's `step` does, to the bit, in one call for every group (Kingma and Ba, 2015, Algorithm 1).

    On a processor the checks and groupings of `Adam.step` take several times as long as the step of a small network.
    """

    def __init__(self, optimizer: Adam) -> None:
        self.optimizer: Adam = optimizer
        self.state: Any = None                                  # the optimizer's, when the lists below were made of it
        self.groups: list[tuple[dict[str, Any], list[Tensor], list[Tensor], list[Tensor], list[Tensor]]] = []

    def ready(self) -> bool:
        """Whether there are moments, which Adam's own first step makes."""
        if self.state is not self.optimizer.state:              # the first time, or a checkpoint was loaded
            parameters = [group["params"] for group in self.optimizer.param_groups]
            if not all(p in self.optimizer.state for group in parameters for p in group):
                return False
            self.state = self.optimizer.state
            self.groups = [(group, group["params"], *([self.state[p][name] for p in group["params"]]
                                                      for name in ("exp_avg", "exp_avg_sq", "step")))
                           for group in self.optimizer.param_groups]
        return True

    @torch.no_grad()
    def __call__(self) -> None:
        """Every parameter has a gradient."""
        for group, parameters, means, squares, steps in self.groups:
            torch._foreach_add_(steps, 1)
            first, second = group["betas"]
            slopes = [p.grad for p in parameters if p.grad is not None]
            torch._fused_adam_(parameters, slopes, means, squares, [], steps, lr=group["lr"], beta1=first, beta2=second,
                               weight_decay=group["weight_decay"], eps=group["eps"], amsgrad=False, maximize=False)
