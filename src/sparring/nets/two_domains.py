"""A network for each of two domains, as one that learns."""

from torch import nn

from sparring.errors import InputError


class Both(nn.Module):
    """A network for each domain, which learn together: of generators, `b` makes images of B; of discriminators, it judges B."""

    def __init__(self, a: nn.Module, b: nn.Module) -> None:
        super().__init__()
        self.a, self.b = a, b


def refuse_unlike(a: int, b: int, **asked: float) -> None:
    """InputError for a setting that takes an image of one domain for one of the other, where theirs have other channels."""
    for name, value in asked.items():
        if value and a != b:
            now, off = ("true", "false") if value is True else (value, 0)
            raise InputError(f"{name}={now} needs domains with the same number of channels, and these have {a} and {b}. Give {name}={off}.")
