"""A network under an optimizer: the player that most recipes make of a network."""

from torch import nn
from torch.optim import Adam

from sparring.game.players import Player
from sparring.game.schedules import linear_decay


def learner(net: nn.Module, lr: float, betas: tuple[float, float], steps: int, decay: float, *, ema: float = 0.0,
            own_statistics: bool = False) -> Player:
    """A network under Adam (Kingma and Ba, 2015), whose learning rate falls from `lr` to zero over the last `decay`, a fraction, of
    `steps` rounds; with an average of its weights where `ema` is above 0, which may have batch statistics of its own."""
    adam = Adam(free(net), lr, (float(betas[0]), float(betas[1])), fused=can_fuse(net))     # torch takes no whole numbers for betas
    return Player(net, adam, ema=ema, learning_rate=linear_decay(lr, steps, decay) if decay else None, own_statistics=own_statistics)


def lazily(lr: float, betas: tuple[float, float], every: int) -> tuple[float, tuple[float, float]]:
    """The learning rate and decays of a player whose every n-th step is followed by a second, lazy one.

    The rate is scaled by r = n / (n + 1), and the decays are raised to the power of r, which keeps the optimizer's memory as long
    (Karras et al., 2020, appendix B).  Unchanged for 0: no step is.
    """
    r = every / (every + 1) if every else 1.0
    return r * lr, (betas[0]**r, betas[1]**r)


def free(net: nn.Module) -> list[nn.Parameter]:
    """The parameters that may learn: those of a user's network may be frozen in part."""
    return [p for p in net.parameters() if p.requires_grad]


def can_fuse(net: nn.Module) -> bool:
    """Whether an optimizer step over this network can be one fused kernel: not where there are no weights (meta)."""
    return all(p.device.type in ("cpu", "cuda", "mps") for p in net.parameters())
