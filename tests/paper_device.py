"""The accelerator on paper, under the name that tests know it by."""

from sparring.setup.paper import CPU, PAPER, Accelerator, autocast

__all__ = ["CPU", "PAPER", "Accelerator", "autocast"]
