"""A small convolutional classifier that reads labelled images, and what it says of generated ones."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Adam

from sparring.data.source import Batch, Finite, batches
from sparring.data.space import Images
from sparring.game import Game, Player, Report, Turn, play
from sparring.rng import seed_round
from sparring.schedules import linear_decay


class Reader(nn.Module):
    """Grey images float[B, 1, H, W] in [-1, 1] to logits float[B, classes]."""

    def __init__(self, space: Images, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(24, 48, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.3))
        self.head = nn.Sequential(nn.Linear(48 * (space.height // 4) * (space.width // 4), 128), nn.ReLU(), nn.Linear(128, classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


def train_reader(source: Finite, rounds: int, seed: int, batch: int = 128) -> Reader:
    """A reader trained on the source: one player that minimizes the cross-entropy."""
    assert isinstance(source.space, Images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Reader(source.space, len(source.space.labels))
        player = Player(net, Adam(net.parameters(), 1e-3, fused=True), learning_rate=linear_decay(1e-3, rounds, 0.7))

        def read(batch: Batch, step: int) -> Report:
            assert batch.labels is not None
            return Report({"cross_entropy": cross_entropy(net(batch.x), batch.labels)})

        game = Game({"reader": player}, {"reader": Turn(player, read)}, model=net,
                    prior=lambda n, rng: torch.zeros(n, 1), sample=lambda z, labels=None, live=False: z)
        stream = batches(source, min(batch, len(source)), seed)
        for step in range(rounds):
            seed_round(seed, torch.device("cpu"), step)
            play(game, stream, step)
    return net.eval()


@torch.no_grad()
def classes_of(net: Reader, x: Tensor) -> Tensor:
    """The class of every image: float[B, 1, H, W] -> int64[B]."""
    return torch.cat([net(part).argmax(1) for part in x.split(1000)])


def accuracy(net: Reader, source: Finite) -> float:
    """The share of the source's images that are read as labelled."""
    x, y = source.at(torch.arange(len(source)))
    assert y is not None
    return float((classes_of(net, x) == y).double().mean())


def stacked_modes(net: Reader, x: Tensor, classes: int) -> dict[str, float]:
    """Of stacked digits float[B, 3, H, W]: `modes`, how many of the classes^3 combinations occur, and `reverse_kl`,
    KL(their shares || uniform) in nats (Lin et al., 2018, section 4.2)."""
    digits = classes_of(net, x.reshape(-1, 1, *x.shape[2:])).view(-1, 3)
    codes = (digits * torch.tensor([classes**2, classes, 1])).sum(1)
    share = torch.bincount(codes, minlength=classes**3).double() / len(x)
    seen = share[share > 0]
    return {"modes": float(len(seen)), "reverse_kl": float((seen * seen.log()).sum() + 3 * math.log(classes))}
