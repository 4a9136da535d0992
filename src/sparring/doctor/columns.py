"""What a check-up measures of the columns of a table, by name."""

from torch import Tensor

from sparring.spaces import Table
from sparring.spaces.columns import Number

# chosen, not calibrated
LEAST = 0.08            # share of the rows that have a value, below which 256 rows cannot tell whether it is lost
STILL = 0.02            # deviation of generated numbers, over that of the data, below which a column does not move
USUAL = 0.9             # share of the rows with one value, above which a column may well stand still among 256


def of_columns(space: Table, real: Tensor, made: Tensor) -> dict[str, float]:
    """Rows in network units, float[N, P + S], beside real ones.  `lost/NAME`: the share of real rows with a value, or in a mode of a
    number, that has less than a quarter of its due among the generated ones.  `still/NAME`: the deviation of a number over that of the
    data, where it is nearly zero.  Columns that are well are not there."""
    found, first = dict[str, float](), 0
    known, drawn = space.decode(real), space.decode(made)
    for k, one in enumerate(space.columns):
        if not one.places:
            continue
        shares, others = (x[:, first:first + one.places].mean(0) for x in (real, made))
        first += one.places
        if (lost := float(shares[(shares >= LEAST) & (others < shares / 4)].sum())) > 0:
            found[f"lost/{one.name}"] = lost
        if isinstance(one, Number) and float(shares.max()) <= USUAL:
            moves = deviation(drawn[:, k]) / max(deviation(known[:, k]), 1e-12)
            if moves < STILL:
                found[f"still/{one.name}"] = moves
    return found


def deviation(x: Tensor) -> float:
    """Of the numbers that are not missing; 0 where there are none."""
    there = x[~x.isnan()]
    return float(there.std(correction=0)) if len(there) else 0.0
