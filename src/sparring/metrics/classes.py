"""What a classifier says of labelled images: support vector machines, for sets small enough to fit in seconds."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def svc_accuracy(train: Tensor, labels: Tensor, test: Tensor, test_labels: Tensor) -> float:
    """Accuracy on `test` of a support vector classifier (RBF kernel, scikit-learn's defaults) trained on `train`."""
    return float(_fit(train, labels).score(test.flatten(1).numpy(), test_labels.numpy()))


def shares(train: Tensor, labels: Tensor, samples: Tensor, classes: int) -> list[float]:
    """The share of `samples` that such a classifier, trained on `train`, puts into each class."""
    return (np.bincount(predicted(train, labels, samples), minlength=classes) / len(samples)).tolist()


def predicted(train: Tensor, labels: Tensor, samples: Tensor) -> NDArray[np.int64]:
    """The class that such a classifier, trained on `train`, gives to each sample."""
    return _fit(train, labels).predict(samples.flatten(1).numpy())


def _fit(train: Tensor, labels: Tensor):  # type: ignore[no-untyped-def]  # scikit-learn has no types
    from sklearn.svm import SVC

    return SVC().fit(train.flatten(1).numpy(), labels.numpy())
