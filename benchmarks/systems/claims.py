"""Every system in examples/, and the function that trains it with a seed and says what it reached."""

from collections.abc import Callable
from functools import partial

from benchmarks.systems import codes, conditional, domains, levels, objectives, sequences
from benchmarks.systems.trained import Claims

MEASURED: dict[str, tuple[Callable[[int], Claims], ...]] = {
    "aae": (codes.aae,),
    "acgan": (conditional.acgan,),
    "alice": (codes.alice,),
    "began": (objectives.began,),
    "bigan": (codes.bigan,),
    "cgan": (conditional.cgan,),
    "cogan": (domains.cogan,),
    "d2gan": (objectives.d2gan,),
    "dann": (domains.dann,),
    "discogan": (domains.discogan,),
    "ebgan": (objectives.ebgan,),
    "fgan": tuple(partial(objectives.fgan, name=name) for name in objectives.LEARNED),
    "gail": (sequences.gail,),
    "gain": (sequences.gain,),
    "infogan": (codes.infogan,),
    "lapgan": (levels.lapgan,),
    "lsgan": (objectives.lsgan,),
    "rcgan": (sequences.rcgan,),
    "sngan": (conditional.sngan,),
    "vaegan": (objectives.vaegan,),
}


def claims(name: str, seed: int) -> Claims:
    """What the system reached with this seed, each number with its bound."""
    return [claim for measure in MEASURED[name] for claim in measure(seed)]
