"""Whether rows of a table give away the rows that were learned from: distances, copies, and an attack on membership.

The distance of two rows is Gower's (1971): the mean over columns of 1 for other values of a category, and of the difference over the range
for numbers, where a missing one is 1 away from all that are not.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from sparring.metrics.intervals import Estimate, around, deal, jackknife, share
from sparring.metrics.row_models import area
from sparring.spaces import Table
from sparring.spaces.columns import Category, Constant, Number

PART = 500              # rows whose distances are computed at once
LOW = 0.05              # the quantile of distances that is told: the nearest ones are what may give away


def points(space: Table, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Categories, int64[N, C], and numbers over their range with whether they are missing, float32[N, M]."""
    names = [cells[:, k].long() for k, one in enumerate(space.columns) if isinstance(one, Category)]
    numbers = []
    for k, one in enumerate(space.columns):
        if isinstance(one, Number):
            wide = max(one.high - one.low, 1e-300)
            numbers.append(((cells[:, k] - one.low) / wide).clamp(0, 1).nan_to_num(2.0).float())
    nothing = cells[:, :0]
    return torch.stack(names, 1) if names else nothing.long(), torch.stack(numbers, 1) if numbers else nothing.float()


def nearest(space: Table, rows: Tensor, known: Tensor, watch: Callable[[int, int], None] = lambda done, total: None) -> Tensor:
    """The distance of each row to the nearest of the known ones, float64[N]."""
    (names, numbers), (theirs, others) = points(space, rows), points(space, known)
    count = sum(not isinstance(one, Constant) for one in space.columns)
    found = []
    for start in range(0, len(rows), PART):
        part = slice(start, start + PART)
        distance = torch.zeros(len(rows[part]), len(known))
        for k in range(names.shape[1]):
            distance += names[part, k, None] != theirs[:, k]
        for k in range(numbers.shape[1]):
            distance += (numbers[part, k, None] - others[:, k]).abs_().clamp_(max=1.0)
        found.append(distance.min(1).values.double() / max(1, count))
        watch(min(start + PART, len(rows)), len(rows))
    return torch.cat(found)


def low(distances: Tensor) -> float:
    return float(distances.quantile(LOW))


def distance(made: Tensor, held: Tensor, seed: int) -> Estimate:
    """The 5th percentile of the distances from generated rows to the nearest training row, with that of held-out rows as the baseline."""
    value = low(made)
    groups, count = deal([len(made)], seed)
    error, _ = jackknife(value, [low(made[groups[0] != k]) for k in range(count)])
    return around(value, error, count, least=0.0, baseline=low(held), compared_with="held-out rows")


def copies(made: Tensor, held: Tensor, seed: int) -> Estimate:
    """The share of generated rows that are exact copies of a training row, with that of held-out rows as the baseline."""
    def rate(distances: Tensor) -> float:
        return float((distances == 0).double().mean())

    groups, count = deal([len(made)], seed)
    error, _ = jackknife(rate(made), [rate(made[groups[0] != k]) for k in range(count)])
    return share(rate(made), error, count, len(made), baseline=rate(held), compared_with="held-out rows")


def membership(train: Tensor, held: Tensor, seed: int) -> Estimate:
    """How well it can be told which rows were learned from, by how near the nearest generated row is: the area under the curve, 1/2
    where it cannot.  Distances are those of training and of held-out rows to the generated ones."""
    return area(-held.numpy(), -train.numpy(), seed)
