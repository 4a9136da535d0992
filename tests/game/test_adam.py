"""Adam's step without its bookkeeping: the same bits, the same state."""

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam

from sparring.game import adam


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 1)).to(
        memory_format=torch.channels_last)  # type: ignore[call-overload]


@pytest.mark.parametrize(("betas", "decay"), [((0.0, 0.99), 0.0), ((0.9, 0.999), 0.0), ((0.5, 0.999), 0.01)])
def test_the_same_bits_and_the_same_state_as_adams_own_step(betas: tuple[float, float], decay: float) -> None:
    nets = net(), net()
    own, ours = (Adam([{"params": list(n[0].parameters())}, {"params": list(n[2:].parameters()), "lr": 1e-2}], 1e-3, betas,
                      weight_decay=decay, fused=True) for n in nets)  # type: ignore[index]
    step = adam.plain(ours)
    assert step is not None and not step.ready()
    for i in range(9):
        x = torch.randn(5, 2, 4, 4)
        for n, optimizer in zip(nets, (own, ours), strict=True):
            optimizer.zero_grad()
            n(x).square().mean().backward()
            optimizer.param_groups[0]["lr"] = 1e-3 / (i + 1)
        own.step()
        if i == 0:
            ours.step()
        else:
            assert step.ready()
            step()
        if i == 5:                                              # as from a checkpoint: other tensors hold the moments
            ours.load_state_dict(ours.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True))
    for a, b in zip(own.state_dict()["state"].values(), ours.state_dict()["state"].values(), strict=True):
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_only_a_plain_fused_adam_is_stepped_like_that() -> None:
    parameters = list(net().parameters())
    assert adam.plain(Adam(parameters, fused=True))
    for other in (Adam(parameters), SGD(parameters, 0.1), Adam(parameters, fused=True, amsgrad=True),
                  Adam(parameters, fused=True, maximize=True), Adam(parameters, torch.tensor(1e-3), fused=True)):
        assert not adam.plain(other)
    watched = Adam(parameters, fused=True)
    watched.register_step_post_hook(lambda *_: None)
    assert not adam.plain(watched)
