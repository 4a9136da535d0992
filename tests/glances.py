"""How runs are looked at in tests that are about something else: briefly."""

import os
from collections.abc import Callable

from matplotlib.layout_engine import ConstrainedLayoutEngine

from sparring.metrics import density, features, mixtures_2d, run_scores
from sparring.pictures import style
from sparring.setup import forecast

Put = Callable[[object, str, object], None]


def glance(put: Put = setattr) -> None:
    """Draw figures with all that is on them, but small and as it falls; judge by a tenth of the samples, of pictures by their pixels; time
    three rounds beforehand.

    For most runs of the tests, this would otherwise take longer than training.
    """
    put(style, "DPI", 25)
    put(ConstrainedLayoutEngine, "execute", lambda engine, figure: None)
    put(density, "SAMPLES", density.SAMPLES // 10)
    put(run_scores, "SAMPLES", run_scores.SAMPLES // 10)
    put(features, "LEAST_SIDE", 10**6)
    put(mixtures_2d, "POINTS", mixtures_2d.POINTS // 10)
    put(forecast, "GLANCED", 0.0)


def hurry(put: Put = setattr) -> None:
    """Do not wait for the disk: that what is written survives matters where the power fails."""
    put(os, "fsync", lambda handle: None)
