"""Classifiers of labelled images, and what a small convolutional one says of generated images."""

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Adam

from sparring.data.source import Batch, Finite, batches
from sparring.game import Game, Player, Report, Turn, play
from sparring.game.precision import full, in_bfloat16
from sparring.game.schedules import linear_decay
from sparring.rng import seed_round
from sparring.spaces import Images

Net = TypeVar("Net", bound=nn.Module)
CPU = torch.device("cpu")


class Reader(nn.Module):
    """Images float[B, C, H, W] in [-1, 1] to logits float[B, classes]."""

    def __init__(self, space: Images, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(space.channels, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(24, 48, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.3))
        self.head = nn.Sequential(nn.Linear(48 * (space.height // 4) * (space.width // 4), 128), nn.ReLU(), nn.Linear(128, classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


def train_reader(source: Finite, rounds: int, seed: int, batch: int = 128, watch: Callable[[int, int], None] | None = None) -> Reader:
    """A reader trained on the source: one player that minimizes the cross-entropy."""
    space = source.space
    assert isinstance(space, Images)
    return train_classifier(lambda: Reader(space, len(space.labels)), source, rounds, seed, batch=batch, watch=watch)


def train_classifier(make: Callable[[], Net], source: Finite, rounds: int, seed: int, *, batch: int = 128, lr: float = 1e-3,
                     low: bool = False, watch: Callable[[int, int], None] | None = None) -> Net:
    """The network that `make` makes, trained on the labels of a source, in evaluation mode; the caller's random numbers are kept.

    Adam, whose learning rate falls over the last 70 % of the rounds.  `low`: its passes in bfloat16; `watch(done, rounds)` is told.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = make()
        net.to(memory_format=torch.channels_last)    # type: ignore[call-overload]    # in place
        player = Player(net, Adam(net.parameters(), lr, fused=True), learning_rate=linear_decay(lr, rounds, 0.7))

        def read(batch: Batch, step: int) -> Report:
            assert batch.labels is not None
            return Report({"cross_entropy": cross_entropy(full(net(in_last(batch.x))), batch.labels)})

        game = Game({"reader": player}, {"reader": Turn(player, in_bfloat16(read, CPU) if low else read)}, model=net,
                    prior=lambda n, rng: torch.zeros(n, 1), sample=lambda z, labels=None, live=False: z)
        stream = batches(source, min(batch, len(source)), seed)
        for step in range(rounds):
            seed_round(seed, CPU, step)
            play(game, stream, step)
            if watch is not None:
                watch(step + 1, rounds)
    return net.eval()


def in_last(x: Tensor) -> Tensor:
    """Images with their channels last in memory, where a processor pools twice as fast."""
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x


@torch.no_grad()
def classes_of(net: nn.Module, x: Tensor) -> Tensor:
    """The class of every image: float[B, C, H, W] -> int64[B]."""
    return torch.cat([net(in_last(part)).argmax(1) for part in x.split(1000)])


def accuracy(net: nn.Module, source: Finite) -> float:
    """The share of the source's images that are read as labelled."""
    x, y = source.at(torch.arange(len(source)))
    assert y is not None
    return float((classes_of(net, x) == y).double().mean())


def stacked_modes(net: nn.Module, x: Tensor, classes: int) -> dict[str, float]:
    """Of stacked digits float[B, 3, H, W]: `modes`, how many of the classes^3 combinations occur, and `reverse_kl`,
    KL(their shares || uniform) in nats (Lin et al., 2018, section 4.2)."""
    digits = classes_of(net, x.reshape(-1, 1, *x.shape[2:])).view(-1, 3)
    codes = (digits * torch.tensor([classes**2, classes, 1])).sum(1)
    share = torch.bincount(codes, minlength=classes**3).double() / len(x)
    seen = share[share > 0]
    return {"modes": float(len(seen)), "reverse_kl": float((seen * seen.log()).sum() + 3 * math.log(classes))}
