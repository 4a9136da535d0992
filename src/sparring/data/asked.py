"""What each sample is asked to be: classes by name or by position, several labels by rows, or all in turn."""

import math
from collections.abc import Iterable
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from sparring.data.labels import rows_for
from sparring.errors import InputError, did_you_mean, listed, shown
from sparring.settings import index_of
from sparring.spaces import Space, in_shares, traits_of

KINDS = {"class": "Classes", "domain": "Domains"}
Shares = Literal["even", "data"]


def labels_for(space: Space | None, n: int, labels: Any = None, positions: Any = None, shares: Shares = "even") -> Tensor:
    """Class indices int64[n], or where there are several labels a sample, such indices of examples or rows float[n, K].

    `labels` name classes, as strings or as the numbers that the names say; `positions` count them from 0.  Either is repeated in order.
    Without them classes come in turn, or mixed as in the data with shares="data", as rows of several labels always are;
    without a space, of a model that is told none, all are 0.  InputError for a class that there is not.
    """
    if shares not in get_args(Shares):
        raise InputError(f"shares={shares!r}: expected even or data.{did_you_mean(str(shares), get_args(Shares))}")
    if labels is not None and positions is not None:
        raise InputError("labels and positions are both given, and both say which classes are wanted. Give one of them.")
    if labels is None and positions is None:
        if space is None or not space.labels:
            return torch.zeros(n, dtype=torch.int64)
        mixed = shares == "data" or traits_of(space) is not None     # rows of several labels are in order: the first are all alike
        return in_shares(space, n) if mixed else torch.arange(n) % len(space.labels)
    if shares == "data":
        raise InputError("shares=data mixes all classes as in the data, and a class is asked for too. Give one of them.")
    if space is None or not space.labels:
        raise InputError("this model was trained without classes, so no labels can be asked for.")
    if (traits := traits_of(space)) is not None and labels is not None:
        return rows_for(traits, n, labels)
    at = [place_of(one, space.labels) for one in several(labels)] if labels is not None else \
        [counted(one, space.labels) for one in several(positions)]
    if not at:
        raise InputError("labels is empty. Leave it out to get all classes in turn.")
    return torch.tensor(at)[torch.arange(n) % len(at)]


def several(asked: Any) -> list[Any]:
    """One or several, as a list."""
    return [asked] if isinstance(asked, str) or getattr(asked, "ndim", None) == 0 or not isinstance(asked, Iterable) else list(asked)


def place_of(asked: Any, names: tuple[str, ...], what: str = "class") -> int:
    """The position of the class of this name.  A number, of any kind, means the class whose name says that number; True and False mean
    the classes of these names, or 1 and 0.  InputError, with the names, when there is none, or when there are two."""
    plain = asked.item() if getattr(asked, "ndim", None) == 0 else asked
    if (text := str(plain)) in names:
        return names.index(text)
    wanted = number_of(plain)
    found = [] if wanted is None else [k for k, name in enumerate(names) if number_of(name) == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"{text} may be the {what} {' or '.join(names[k] for k in found)}. Give the name as text.")
    by_place = f" For the one at position {int(wanted)}, whatever its name, there is positions={int(wanted)} in Python." \
        if what == "class" and wanted is not None and wanted in range(len(names)) else ""
    raise InputError(f"there is no {what} {shown(repr(plain))}.{did_you_mean(text, names)} {KINDS[what]}: {listed(names, 20)}.{by_place}")


def number_of(word: Any) -> float | None:
    """The number that a value is, or that a name says; None for anything else."""
    if isinstance(word, str) and word.strip().lower() in ("true", "false"):
        return float(word.strip().lower() == "true")
    try:
        number = float(word)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def counted(asked: Any, names: tuple[str, ...]) -> int:
    """A position that there is; InputError otherwise."""
    place = index_of(asked)
    if place is None or not 0 <= place < len(names):
        raise InputError(f"positions={shown(repr(asked))}: expected whole numbers from 0 to {len(names) - 1}, which count the classes.")
    return place
