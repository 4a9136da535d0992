"""Sparring: generative adversarial networks that can be resumed exactly, checked against theory, and loaded safely."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["InputError", "Model", "RunFailed", "check", "evaluate", "fit", "load"]

if TYPE_CHECKING:
    from sparring.api import Model, fit, load
    from sparring.errors import InputError, RunFailed
    from sparring.evaluation.samples import evaluate
    from sparring.setup.check import check


def __getattr__(name: str) -> Any:
    """Import torch only when something is used that needs it: `sparring --help` should not wait for it."""
    if name in ("Model", "fit", "load"):
        from sparring import api

        return getattr(api, name)
    if name == "evaluate":
        from sparring.evaluation.samples import evaluate

        return evaluate
    if name == "check":
        from sparring.setup.check import check

        return check
    if name in ("InputError", "RunFailed"):
        from sparring import errors

        return getattr(errors, name)
    raise AttributeError(f"module 'sparring' has no attribute '{name}'")
