"""Adam's step without its bookkeeping: what small networks spend most of a round on."""

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

UNUSUAL = ("amsgrad", "maximize", "capturable", "differentiable", "decoupled_weight_decay")


def plain(optimizer: Optimizer) -> Adam | None:
    """The optimizer, if it is torch's own Adam, fused, with nothing but rates and decays, and with nobody watching its steps."""
    if type(optimizer) is not Adam or optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks:
        return None
    groups = optimizer.param_groups
    usual = all(group["fused"] and isinstance(group["lr"], float) and not any(group.get(name) for name in UNUSUAL) for group in groups)
    alike = len({(p.device, p.dtype) for group in groups for p in group["params"]}) == 1
    return optimizer if usual and alike else None


@torch.no_grad()
def step(optimizer: Adam) -> None:
    """What a plain Adam's `step` does, to the bit, in one call for every group (Kingma and Ba, 2015, Algorithm 1).

    On a processor the checks and groupings of `Adam.step` take several times as long as the step of a small network.  Every
    parameter has a gradient, and moments, which Adam's own first step makes.
    """
    for group in optimizer.param_groups:
        states = [optimizer.state[p] for p in group["params"]]
        steps: list[Tensor] = [s["step"] for s in states]
        torch._foreach_add_(steps, 1)
        first, second = group["betas"]
        torch._fused_adam_(group["params"], [p.grad for p in group["params"]], [s["exp_avg"] for s in states],
                           [s["exp_avg_sq"] for s in states], [], steps, lr=group["lr"], beta1=first, beta2=second,
                           weight_decay=group["weight_decay"], eps=group["eps"], amsgrad=False, maximize=False)
