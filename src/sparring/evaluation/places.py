"""Where a run's data are, by what stands in its config.json."""

import os
from pathlib import Path
from typing import Any

from sparring.data import NAMED
from sparring.errors import InputError
from sparring.runs.folder import read_json
from sparring.untrusted import told


def config_of(run: Any) -> dict[str, Any]:
    path = Path(run).expanduser() / "config.json"
    return read_json(path) if path.exists() else {}


def where(data: Any, directory: str, run: Any, made: str = "") -> str:
    """The name or place of a run's data, which may also be that of scenes that are `made`; InputError when it is not there."""
    for place in (data, os.path.join(directory, data)) if isinstance(data, str) else ():
        if place in NAMED or place == made or os.path.exists(place):
            return place
    whose = run if isinstance(run, str | Path) else "the model"
    if data in ("tuple", "ndarray", "Tensor", "DataFrame", "list"):
        raise InputError(f"{whose} was trained on data in memory, which is not kept with it. Give that data: real=..., or --real.")
    raise InputError(f"the training data of {whose} was not found{f': {told(data, 200)}' if isinstance(data, str) else ''}. Put it back, "
                     "or give it to `sparring evaluate` with --real.")
