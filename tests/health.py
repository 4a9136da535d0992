"""Check-ups of runs that are well and that are not, and settings under which a run is looked at often."""

from typing import Any

FAST: dict[str, Any] = {"steps": 100, "batch": 64, "width": 32, "threads": 1, "compile": "off", "precision": "fp32", "show_every": 10**9,
        "score_every": 10**9, "check_every": 5}
GOOD = {"distance": 0.1, "floor": 0.08, "missing": 0.0, "support": 1.0, "spread": 1.0, "live/place/0": 0.0, "live/place/1": 0.0,
        "live/spread": 1.0, "pace/generator": 0.005, "pace/discriminator": 0.005, "gradient/generator": 1.0}
BAD = GOOD | {"distance": 1.0}
CONFIG: dict[str, Any] = {"recipe": "gan", "space": {"kind": "vectors"},
                          "settings": {"steps": 100, "objective": "nonsaturating", "penalty": "none", "penalty_weight": 1.0, "lr": 1e-3,
                                       "discriminator_steps": 1}}
