"""Classification accuracy score (Ravuri and Vinyals, 2019): a classifier that saw only generated samples reads real ones."""

import torch
from torch import Tensor

from sparring.data.source import Finite
from sparring.metrics.classes import predicted
from sparring.metrics.classifier import classes_of, train_reader
from sparring.metrics.features import Watch
from sparring.metrics.intervals import MANY, Estimate, share
from sparring.spaces import Images

ROUNDS, BATCH = 2500, 128       # of the classifier of images
VECTORS = 4000                  # samples that a support vector machine learns from: its time grows with their square
LEAST = 5                       # samples of every class


def measure(generated: Finite, test: Finite, known: Finite | None, seed: int, watch: Watch = lambda done, total: None) -> Estimate:
    """The accuracy on `test` of a classifier trained on `generated`; beside it, of the same one trained on the real samples `known`,
    which is what it can be held against.

    Images are read by a small convolutional network, everything else by a support vector machine.  The interval is that of a share
    of the test samples; another training of the classifier varies too, which it does not hold.
    """
    parts = 2 if known is not None else 1

    def score(train: Finite, part: int) -> float:
        found = read(train, test, seed, lambda done, total: watch(part * total + done, parts * total))
        return float((found == labels_of(test)).double().mean())

    about: dict[str, object] = {"classifier": "convolutional network" if isinstance(test.space, Images) else "support vector machine",
                                "trained_on": len(generated), "tested_on": len(test), "interval": "95%, Wilson's, of the test samples"}
    value = score(generated, 0)
    if known is not None:
        about |= {"trained_on_real": score(known, 1)}
    return share(value, 0.0, MANY, len(test), **about)


def read(train: Finite, test: Finite, seed: int, watch: Watch) -> Tensor:
    """The class of every test sample, by a classifier trained on the other set: int64[N]."""
    x = test.at(torch.arange(len(test))).x
    if isinstance(test.space, Images):
        return classes_of(train_reader(train, ROUNDS, seed, BATCH, watch), x)
    batch = train.at(torch.arange(min(VECTORS, len(train))))
    return torch.from_numpy(predicted(batch.x, labels_of(train)[:VECTORS], x)).long()


def labels_of(source: Finite) -> Tensor:
    assert source.labels is not None
    return source.labels


def fewest(source: Finite) -> int:
    """How many samples the smallest class has; 0 without labels, or with one class only."""
    classes = len(source.space.labels)
    if source.labels is None or source.labels.is_floating_point() or classes < 2:
        return 0
    return int(torch.bincount(source.labels, minlength=classes).min())
