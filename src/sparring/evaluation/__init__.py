"""How good samples and translations are, with intervals and protocols: what needs a run, or two sets of any data.

It leans on models and on the pure functions of metrics; commands and reports print what it finds.
"""

from typing import TYPE_CHECKING, Any

__all__ = ["evaluate"]

if TYPE_CHECKING:
    from sparring.evaluation.samples import evaluate


def __getattr__(name: str) -> Any:
    """Import what `evaluate` needs when it is used: `samples` itself imports its neighbours."""
    if name == "evaluate":
        from sparring.evaluation.samples import evaluate

        return evaluate
    raise AttributeError(f"module 'sparring.evaluation' has no attribute '{name}'")
