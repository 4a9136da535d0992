"""Penalties on the discriminator, and other ways to keep it smooth.

Each penalty is a pure function of a critic (samples to logits), returning a scalar to be weighted and minimized with the
adversarial loss.  The inner gradient is taken with `torch.func.grad` on the plain module, so that its own gradient
reaches the parameters whether or not the loss is compiled; inside an autocast region penalties stay in float32.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.func import grad

from sparring.game.processes import total

Critic = Callable[[Tensor], Tensor]     # float[B, ...] -> logits float[B] (or float[B, 1])


def gradients(critic: Critic, x: Tensor) -> Tensor:
    """d critic(x_i) / d x_i for every sample: float[B, ...] -> float[B, N], differentiable in the critic's parameters.

    A critic that mixes the samples of a batch (BatchNorm) has no such thing.
    """
    with torch.autocast(x.device.type, enabled=False):
        return grad(lambda at: critic(at).sum())(x.detach().float() if x.dtype != torch.float64 else x.detach()).flatten(1)


def r1(critic: Critic, real: Tensor) -> Tensor:
    """E[|grad D(x)|^2] / 2 on real samples (Mescheder et al., 2018, eq. 9); the weight is their gamma."""
    return gradients(critic, real).square().sum(1).mean() / 2


def r2(critic: Critic, fake: Tensor) -> Tensor:
    """E[|grad D(G(z))|^2] / 2 on generated samples (Mescheder et al., 2018, eq. 10)."""
    return gradients(critic, fake).square().sum(1).mean() / 2


def r1_and_r2(critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
    """Their sum, in one pass over as many real samples as generated ones (Huang et al., 2024, section 2)."""
    return gradients(critic, torch.cat([real, fake.detach()])).square().sum(1).mean()


def lipschitz(critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
    """E[(|grad f| - 1)^2] at points between real and fake samples, a weight for each pair (Gulrajani et al., 2017, eq. 3)."""
    return (_slopes(critic, _between(real, fake)) - 1).square().mean()


def lipschitz_one_sided(critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
    """E[max(0, |grad f| - 1)^2]: only slopes above one are punished (Petzka et al., 2018)."""
    return (_slopes(critic, _between(real, fake)) - 1).relu().square().mean()


def dragan(critic: Critic, real: Tensor) -> Tensor:
    """E[(|grad D| - 1)^2] around real samples: x + U(0, 1) * std(x) / 2 (Kodali et al., 2017).

    The perturbed points themselves; the authors' code then mixes each with its x by one more random share.
    """
    n = total(torch.tensor(float(real.numel())))
    mean = total(real.sum()) / n
    deviation = (total((real - mean).square().sum()) / (n - 1)).sqrt()          # of the whole batch, whoever has it
    around = real + 0.5 * deviation * torch.rand_like(real)
    return (_slopes(critic, around) - 1).square().mean()


def _between(real: Tensor, fake: Tensor) -> Tensor:
    share = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device, dtype=real.dtype)
    return torch.lerp(real, fake.detach(), share)


def _slopes(critic: Critic, x: Tensor) -> Tensor:
    """|grad f(x)| for every sample; the square root is kept away from zero, where it has no gradient."""
    return (gradients(critic, x).square().sum(1) + 1e-12).sqrt()


@torch.no_grad()
def clip(parameters: Iterable[Tensor], most: float) -> None:
    """Clamp every weight to [-most, most] (Arjovsky et al., 2017, Algorithm 1, line 7)."""
    for p in parameters:
        p.clamp_(-most, most)


def packed(x: Tensor, size: int) -> Tensor:
    """Join `size` neighbours into one sample along the first axis after the batch (Lin et al., 2018).

    float[B, C, ...] -> float[B / size, size * C, ...]; B must be a multiple of size.
    """
    return x.reshape(len(x) // size, size * x.shape[1], *x.shape[2:])


Weights = dict[str, Tensor]             # a network's parameters by name


def consensus(losses: Callable[[Weights, Weights], tuple[Tensor, Tensor]], generator: Weights, discriminator: Weights) -> Tensor:
    """|v|^2 / 2 with v = (grad_G L_G, grad_D L_D), the direction in which the players move (Mescheder et al., 2017, eq. 9).

    `losses` gives both players' losses, (L_G, L_D), for given weights.  Both players minimize this, so that they are drawn to
    where nobody wants to move.
    """
    with torch.autocast(next(iter(generator.values())).device.type, enabled=False):
        of_generator = grad(lambda weights: losses(weights, discriminator)[0])(generator)
        of_discriminator = grad(lambda weights: losses(generator, weights)[1])(discriminator)
    squares = [g.square().sum() for g in (*of_generator.values(), *of_discriminator.values())]
    return torch.stack(squares).sum() / 2


Penalty = Callable[[Critic, Tensor, Tensor], Tensor]      # (critic, real, fake) -> scalar

PENALTIES: dict[str, dict[str, Penalty]] = {              # by the name that `penalty=` takes: the terms that the discriminator pays
    "none": {},
    "r1": {"r1": lambda critic, real, fake: r1(critic, real)},
    "r2": {"r2": lambda critic, real, fake: r2(critic, fake)},
    "r1+r2": {"r1+r2": r1_and_r2},
    "gradient": {"gradient": lipschitz},
    "one_sided": {"one_sided": lipschitz_one_sided},
    "dragan": {"dragan": lambda critic, real, fake: dragan(critic, real)},
    "consensus": {},                                      # both players pay `consensus`, above
}
