"""Every experiment by name: small programs that each check one claim of the literature, end to end."""

from sparring.errors import InputError, did_you_mean
from sparring.experiments import dirac
from sparring.experiments.claims import Experiment

EXPERIMENTS: dict[str, Experiment] = {
    "dirac": Experiment(dirac.CLAIM, dirac.SOURCE, dirac.run),
}


def find(name: str) -> Experiment:
    """The experiment of this name; InputError when there is none."""
    if name not in EXPERIMENTS:
        raise InputError(f"there is no experiment '{name}'.{did_you_mean(name, EXPERIMENTS)} "
                         f"Experiments: {', '.join(EXPERIMENTS)}; or --all.")
    return EXPERIMENTS[name]
