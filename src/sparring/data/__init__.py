"""Data: a name, a path or an array becomes a source of samples, and a source endless batches; a folder a kind.

It leans on nothing but the ground floor: what a sample is (spaces), settings and keyed randomness.
"""

from typing import TYPE_CHECKING, Any

__all__ = ["NAMED", "DataSettings", "open_source"]

if TYPE_CHECKING:
    from sparring.data.opening import NAMED, open_source
    from sparring.data.settings import DataSettings


def __getattr__(name: str) -> Any:
    """Import torch only when a source is opened: the processes that decode images (`decoders.py`) do without."""
    if name in __all__:
        from sparring.data import opening

        return getattr(opening, name)
    raise AttributeError(f"module 'sparring.data' has no attribute '{name}'")
