"""A convolutional classifier of small colour images: it says of what domain a translation is, and its features compare sets."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Adam

from sparring.data.source import Batch, Finite, batches
from sparring.data.translation.sets import Domains
from sparring.game import Game, Player, Report, Turn, play
from sparring.game.schedules import linear_decay
from sparring.metrics.features import Watch
from sparring.metrics.translated import kid
from sparring.rng import seed_round
from sparring.spaces import Images


class Classifier(nn.Module):
    """float[B, channels, H, W] in [-1, 1], of any size, to logits float[B, classes]."""

    def __init__(self, channels: int, classes: int, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i, last in enumerate((channels, width, 2 * width, 4 * width)):
            maps = width * min(4, 2**i)
            layers += [nn.Conv2d(last, maps, 3, 1 if i == 0 else 2, 1, bias=False), nn.BatchNorm2d(maps), nn.ReLU()]
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(4 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


def train_classifier(source: Domains | Finite, rounds: int, seed: int, batch: int = 64, width: int = 32,
                     watch: Watch = lambda done, total: None) -> Classifier:
    """A classifier of the source's labels, trained as one player that minimizes the cross-entropy."""
    space = source.space
    assert isinstance(space, Images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Classifier(space.channels, len(space.labels), width)
        player = Player(net, Adam(net.parameters(), 2e-3, fused=True), learning_rate=linear_decay(2e-3, rounds, 0.7))

        def read(batch: Batch, step: int) -> Report:
            assert batch.labels is not None
            return Report({"cross_entropy": cross_entropy(net(batch.x), batch.labels)})

        game = Game({"classifier": player}, {"classifier": Turn(player, read)}, model=net)
        stream = batches(source, min(batch, len(source)), seed)
        for step in range(rounds):
            seed_round(seed, torch.device("cpu"), step)
            play(game, stream, step)
            watch(step + 1, rounds)
    return net.eval()


@torch.no_grad()
def error(net: Classifier, x: Tensor, labels: Tensor) -> float:
    """The share of images that are not taken for what their label says."""
    return float((torch.cat([net(part).argmax(1) for part in x.split(250)]) != labels).double().mean())


@torch.no_grad()
def features(net: Classifier, x: Tensor) -> Tensor:
    """What the classifier sees in images, before it decides: float[N, D]."""
    return torch.cat([net.features(part) for part in x.split(250)])


def kid_of(net: Classifier, made: Tensor, real: Tensor) -> float:
    """The kernel inception distance of two sets of images, in this classifier's features, scaled to a mean square of one on the real."""
    a, b = features(net, made), features(net, real)
    scale = b.square().mean().sqrt()
    return kid(a / scale, b / scale)
