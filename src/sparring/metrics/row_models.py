"""What classifiers tell about rows of a table: whether they can be told from real ones, and whether they teach what real ones teach."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.metrics.intervals import Estimate, deal, jackknife, share
from sparring.rng import key
from sparring.spaces import Table
from sparring.spaces.columns import Category, Constant, Number

FOLDS = 3
HOT = 50                # values of a category that classifiers see one by one
Floats = NDArray[np.float64]


# -- told from real ones ----------------------------------------------------------------------------------------------
def detection(space: Table, real: Tensor, made: Tensor, seed: int) -> Estimate:
    """The area under the curve of gradient boosting that tells generated rows from real ones, on rows that it did not learn from:
    1/2 where it cannot, 1 where it always can.  The interval is about the rows, not about the classifier."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold

    used = [k for k, one in enumerate(space.columns) if not isinstance(one, Constant)]
    x = torch.cat([real, made])[:, used].numpy()
    y = np.repeat([0, 1], [len(real), len(made)])
    scores = np.zeros(len(y))
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=key(seed, "detection") % 2**32).split(x, y):
        model = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(x[train], y[train])
        scores[test] = model.predict_proba(x[test])[:, 1]
    return area(scores[y == 0], scores[y == 1], seed)


def auc(low: Floats, high: Floats) -> float:
    """The share of pairs in which the second is larger, a tie counting half (Mann and Whitney, 1947)."""
    ordered = np.sort(low)
    return float((np.searchsorted(ordered, high, "left") + np.searchsorted(ordered, high, "right")).mean() / 2 / len(low))


def area(low: Floats, high: Floats, seed: int, **about: object) -> Estimate:
    """The same with its jackknife interval over groups of both."""
    value = auc(low, high)
    (mine, theirs), count = deal([len(low), len(high)], seed)
    left = [auc(low[(mine != k).numpy()], high[(theirs != k).numpy()]) for k in range(count)]
    return share(value, jackknife(value, left)[0], count, len(low) + len(high), **about)


# -- what they teach --------------------------------------------------------------------------------------------------
def features(space: Table, cells: Tensor, target: int, like: Tensor) -> Floats:
    """Rows for classifiers: one-hots of categories, and numbers in deviations of `like`, 0 where they are missing, beside whether they
    are; without the target."""
    parts = []
    for k, one in enumerate(space.columns):
        x = cells[:, k]
        if k == target or isinstance(one, Constant):
            continue
        if isinstance(one, Category):
            parts.append(torch.nn.functional.one_hot(x.long().clamp(max=HOT - 1), min(HOT, len(one.values))).double())
        elif isinstance(one, Number):
            there = like[:, k][~like[:, k].isnan()]
            z = (x - there.mean()) / there.std().clamp(min=1e-9)
            parts.append(torch.stack([z.nan_to_num(0.0), x.isnan().double()], 1) if one.missing is not None else z[:, None])
    return torch.cat(parts, 1).numpy()


def classifiers(seed: int) -> dict[str, Callable[[], Any]]:
    """The four of SDGym's evaluation of Adult (Xu et al., 2019, section 5.2), with their settings there."""
    from sklearn.ensemble import AdaBoostClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.tree import DecisionTreeClassifier

    return {"tree": lambda: DecisionTreeClassifier(max_depth=15, class_weight="balanced", random_state=seed),
            "boosting": lambda: AdaBoostClassifier(random_state=seed),
            "logistic": lambda: LogisticRegression(class_weight="balanced", max_iter=50, random_state=seed),
            "network": lambda: MLPClassifier((50,), max_iter=50, random_state=seed)}


def usefulness(space: Table, target: int, train: Tensor, test: Tensor, seed: int) -> tuple[Estimate, dict[str, float]]:
    """The mean F1, on test rows, of four classifiers that learned from `train`, and that of each: of the rarer of two classes, or the mean
    over classes where there are more.  Rows that lack a class that is tested for give 0."""
    from sklearn.exceptions import ConvergenceWarning

    column = space.columns[target]
    assert isinstance(column, Category)
    x, x_test = features(space, train, target, train), features(space, test, target, train)
    y, y_test = train[:, target].long().numpy(), test[:, target].long().numpy()
    told = {}
    for name, make in classifiers(seed).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)     # 50 steps may not be enough, in the protocol too
            told[name] = make().fit(x, y).predict(x_test) if len(set(y.tolist())) > 1 else np.full(len(y_test), y[0])
    every = sorted(set(y_test.tolist()))
    wanted = [max(every)] if len(every) == 2 else every        # values are in the order of how frequent they are
    groups, count = deal([len(y_test)], seed)

    def mean(keep: NDArray[np.bool_]) -> float:
        return float(np.mean([f1(y_test[keep], guess[keep], wanted) for guess in told.values()]))

    value = mean(np.ones(len(y_test), bool))
    error, _ = jackknife(value, [mean((groups[0] != k).numpy()) for k in range(count)])
    each = {name: round(f1(y_test, guess, wanted), 4) for name, guess in told.items()}
    return share(value, error, count, len(y_test)), each


def f1(truth: NDArray[np.int64], guess: NDArray[np.int64], classes: list[int]) -> float:
    """2 hits / (2 hits + misses + false alarms), the mean over these classes."""
    found = []
    for one in classes:
        hits = ((truth == one) & (guess == one)).sum()
        errors = ((truth == one) != (guess == one)).sum()
        found.append(2 * hits / max(1, 2 * hits + errors))
    return float(np.mean(found))
