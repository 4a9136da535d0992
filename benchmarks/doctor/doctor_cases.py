"""The labelled runs that the doctor is calibrated on and judged by: what is trained, and in which known way it should fail.

Labels come from the scores against the truth at the end (`failed`) and from what was done to the run (`family`), never from what
the doctor measures.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FIRST = int(os.environ.get("SPARRING_FIRST_SEED", "0"))        # 0: the runs that thresholds were made with; any other: new ones
FOLDER = Path("runs/doctor" if FIRST == 0 else f"runs/doctor-from-{FIRST}")
SHARED = Path(os.environ.get("SPARRING_DATA", next((p for p in (parent / "shared" / "data" for parent in Path(__file__).resolve().parents)
                                                    if p.is_dir()), "shared/data")))
QUIET = {"threads": 1, "compile": "off", "precision": "fp32", "show_every": 10**9, "save_every": 10**9, "score_every": 10**9}
EXPECTED = {                                    # findings that name what was done; any of them is a hit
    "healthy": (),
    "strong discriminator": ("discriminator_won",),
    "weak discriminator": ("penalty_too_strong", "generator_won"),
    "tight clip": ("critic_too_tight",),
    "diverging": ("diverging",),
    "oscillating": ("oscillation", "mode_collapse", "learning_rate_too_high"),
    "too slow": ("learning_too_slowly",),
    "dead units": ("dead_units",),
    "memorizing": ("memorization", "data_too_small"),
    "broken data": ("data_broken",),
    "collapse": ("mode_collapse",),
    "too young": (),                            # neither failed nor healthy: no verdict may call it good
}


@dataclass(frozen=True)
class Case:
    """One run; `held_out` settings are not calibrated on."""

    family: str
    recipe: str
    data: str
    given: dict[str, Any]
    seed: int
    held_out: bool

    @property
    def name(self) -> str:
        words = "-".join(f"{k}={v}" for k, v in self.given.items() if k not in QUIET and k != "check_every")
        return f"{self.family}-{self.recipe}-{self.data}-{words}-{self.seed}".replace(" ", "_").replace("/", "_")


def settings() -> list[tuple[str, str, list[str], list[dict[str, Any]], int]]:
    """(family, recipe, data, settings, seeds): every second setting of a family is held out from calibration."""
    flat, plane, pictures = ["ring", "quadratic", "mixture", "gaussian"], ["ring", "grid"], ["digits", "fashion"]
    small = {"batch": 64, "width": 64, "steps": 300}
    wild, bare = small | {"decay": 0, "ema": 0.9}, small | {"decay": 0, "ema": 0}
    image = {"width": 12, "steps": 300, "lr": 2e-3}
    return [
        ("healthy", "gan", flat, [small | {"steps": 700, "penalty": "r1", "penalty_weight": 0.1, "lr": 2e-3},
                                  small | {"steps": 900, "penalty": "r1", "penalty_weight": 0.05, "lr": 2e-3, "width": 96}], 2),
        ("healthy", "r3gan", flat, [small | {"steps": 500, "lr": 2e-3}, small | {"steps": 600, "lr": 2e-3, "width": 96}], 2),
        ("healthy", "gan", ["quadratic", "mixture", "gaussian"], [small | {"steps": 1000}, small | {"steps": 900, "lr": 2e-3}], 1),
        ("healthy", "gan", ["gaussian", "ring"], [small | {"steps": 500, "penalty": "r1", "penalty_weight": 0.2, "lr": 2e-3, "batch": 96},
                                                  small | {"steps": 500, "penalty": "r1+r2", "penalty_weight": 0.05, "lr": 2e-3}], 3),
        ("healthy", "wgan-gp", ["ring", "quadratic", "gaussian"], [small | {"critic_steps": 3},
                                                                   small | {"critic_steps": 3, "lr": 2e-3}], 2),
        ("healthy", "gan", ["grid"], [small | {"steps": 1200, "penalty": "r1", "penalty_weight": 0.03, "lr": 2e-3, "width": 128},
                                      small | {"steps": 1200, "penalty": "r1", "penalty_weight": 0.02, "lr": 3e-3, "width": 128}], 2),
        ("strong discriminator", "gan", flat, [wild | {"objective": "minimax", "discriminator_steps": 15, "steps": 200, "lr": 3e-3},
                                               wild | {"objective": "minimax", "discriminator_steps": 10, "steps": 200, "lr": 5e-3,
                                                       "beta1": 0.5}], 3),
        ("weak discriminator", "gan", flat, [small | {"penalty": "r1", "penalty_weight": 3000},
                                             small | {"penalty": "r1+r2", "penalty_weight": 1000, "lr": 2e-3}], 2),
        ("tight clip", "wgan", flat, [{**small, "steps": 250, "clip": 1e-4, "first_steps": 5},
                                      {**small, "steps": 250, "clip": 3e-4, "critic_steps": 3, "first_steps": 3}], 2),
        ("diverging", "gan", flat, [wild | {"objective": "hinge", "lr": 0.5}, wild | {"objective": "least_squares", "lr": 0.3},
                                    wild | {"objective": "wasserstein", "clip": 100, "lr": 0.1},
                                    wild | {"objective": "nonsaturating", "lr": 0.5}], 1),
        ("oscillating", "gan", ["ring", "gaussian", "mixture", "quadratic"], [bare | {"beta1": 0.9, "lr": 1e-2},
                                                                             bare | {"beta1": 0.9, "lr": 2e-2, "width": 32}], 2),
        ("too slow", "gan", flat, [small | {"lr": 1e-6}, small | {"lr": 3e-6, "width": 32}], 2),
        ("dead units", "gan", ["ring", "quadratic", "grid", "gaussian"], [wild | {"slope": 0, "lr": 0.05},
                                                                          wild | {"slope": 0, "lr": 0.1}], 2),
        ("collapse", "gan", ["ring"], [wild | {"latent": 100, "slope": 0, "lr": 5e-4, "beta1": 0.5, "discriminator_steps": 8},
                                       wild | {"latent": 32, "slope": 0, "lr": 5e-4, "beta1": 0.5, "discriminator_steps": 10}], 3),
        ("collapse", "gan", plane, [wild | {"lr": 3e-3, "beta1": 0.9, "width": 16}, wild | {"lr": 4e-3, "beta1": 0.9, "width": 24},
                                    wild | {"objective": "least_squares", "lr": 1e-2, "beta1": 0.5},
                                    wild | {"objective": "hinge", "lr": 8e-3, "beta1": 0.5}], 3),
        ("healthy", "gan", pictures, [image | {"steps": 500}, image | {"steps": 500, "penalty": "r1", "penalty_weight": 0.1}], 1),
        ("healthy", "r3gan", pictures, [image | {"steps": 400}, image | {"steps": 400, "width": 16}], 1),
        ("memorizing", "r3gan", ["twenty"], [small | {"steps": 800, "lr": 3e-3, "batch": 10},
                                             small | {"steps": 700, "lr": 3e-3, "batch": 10, "width": 96}], 2),
        ("collapse", "gan", pictures, [image | {"lr": 2e-2, "conditional": "false", "decay": 0, "ema": 0.9},
                                       image | {"lr": 3e-2, "conditional": "false", "objective": "minimax", "decay": 0, "ema": 0.9}], 1),
        ("weak discriminator", "gan", pictures, [image | {"penalty": "r1", "penalty_weight": 3000}], 1),
        ("healthy", "gan", ["uneven"], [small | {"steps": 600, "penalty": "r1", "penalty_weight": 0.1, "lr": 2e-3, "conditional": "true"},
                                        small | {"steps": 700, "penalty": "r1", "penalty_weight": 0.05, "lr": 2e-3, "conditional": "true",
                                                 "width": 96}], 3),
        ("healthy", "r3gan", ["uneven"], [small | {"steps": 500, "lr": 2e-3}, small | {"steps": 600, "lr": 2e-3, "width": 96}], 3),
        ("healthy", "gan", ["bags"], [image | {"steps": 400, "conditional": "true"}, image | {"steps": 500, "conditional": "true",
                                                                                             "width": 16}], 1),
        ("collapse", "gan", ["uneven"], [wild | {"objective": "minimax", "discriminator_steps": 15, "steps": 200, "lr": 3e-3},
                                                     wild | {"objective": "minimax", "discriminator_steps": 10, "steps": 200, "lr": 5e-3,
                                                             "beta1": 0.5}], 2),
        ("strong discriminator", "gan", ["ring"], [{"objective": "minimax", "discriminator_steps": 10, "lr_ratio": 4, "steps": 400},
                                                   {"objective": "minimax", "discriminator_steps": 8, "lr_ratio": 5, "steps": 500}], 4),
        ("weak discriminator", "gan", ["uneven"], [small | {"penalty": "r1", "penalty_weight": 3000},
                                                   small | {"penalty": "r1+r2", "penalty_weight": 1000, "lr": 2e-3}], 1),
        ("too young", "gan", ["ring"], [{"steps": 600}, {"steps": 500, "width": 96}], 3),
        ("broken data", "gan", ["stuck", "repeated"], [small | {"steps": 200}, small | {"steps": 250, "width": 32}], 2),
    ]


def cases() -> list[Case]:
    """Every run, the families taking turns so that a part of the list is a fair part; of other seeds, those of held-out settings."""
    found: list[list[Case]] = []
    for family, recipe, data, many, seeds in settings():
        found.append([Case(family, recipe, where, {**given, **QUIET, "check_every": max(25, given["steps"] // 20)}, seed, i % 2 == 1)
                      for seed in range(FIRST, FIRST + seeds) for i, given in enumerate(many) for where in data if not FIRST or i % 2])
    longest = max(map(len, found))
    return [group[i] for i in range(longest) for group in found if i < len(group)]


def where(data: str) -> str:
    """The name or path of this data; small sets are written when they are first asked for."""
    if data not in ("twenty", "stuck", "repeated", "fashion", "uneven", "bags"):
        return data
    path = FOLDER / "data" / f"{data}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **made(data))
    return str(path)


def made(data: str) -> dict[str, np.ndarray]:
    from sparring.data import open_source

    rng = np.random.default_rng(0)
    if data == "twenty":
        return {"x": rng.normal(size=(20, 8)).astype(np.float32)}
    if data == "uneven":                        # classes of 95 % and 5 %, four deviations apart and more
        y = (rng.random(4000) < 0.05).astype(int)
        return {"x": rng.normal(np.where(y, 2.0, -2.0)[:, None], 0.5, (4000, 2)), "y": np.array(["common", "rare"])[y]}
    if data in ("fashion", "bags"):
        from sparring.data.settings import DataSettings

        source = open_source(SHARED / "fashion-mnist", DataSettings(size="16"))
        if data == "bags":                      # 1,900 shirts and 100 bags
            rows = np.concatenate([np.flatnonzero(source.labels.numpy() == label)[:count] for label, count in ((0, 1900), (8, 100))])
            return {"x": source.values[rows, 0].numpy(), "labels": source.labels[rows].numpy()}
        return {"x": source.values[:3000, 0].numpy(), "labels": source.labels[:3000].numpy()}
    x = rng.normal(size=(2000, 4)).astype(np.float32)
    if data == "stuck":
        x[:, 2] = 3.0
        return {"x": x}
    return {"x": np.repeat(x[:12], 200, 0)}
