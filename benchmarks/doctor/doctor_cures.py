"""Does the doctor's first action help?  Failed runs again, with that action, judged by the scores against the truth."""

import tempfile
from pathlib import Path

from benchmarks.doctor.doctor import Labelled, ended, load
from benchmarks.doctor.doctor_cases import FIRST, where
from benchmarks.doctor.doctor_runs import more
from benchmarks.record import record
from sparring.api import Silent, run
from sparring.doctor import judge
from sparring.errors import RunFailed
from sparring.settings import parse
from sparring.setup.prepare import prepare
from sparring.setup.request import Request

ROUNDS = 700                        # of the cured run: what the labelled healthy runs get; the failed ones have 200 to 300


def chosen() -> list[Labelled]:
    """Failed runs, points and curves, whose worst finding has an action: of seed 0, or of every other seed."""
    return [one for one in load() if one.ended == "failed" and (FIRST or one.name.endswith("-0")) and one.data not in ("digits", "fashion")
            and judge(one.run).findings and judge(one.run).findings[0].actions]


def cured(one: Labelled) -> dict[str, object]:
    """The same run with the first action and more rounds: how it ends."""
    worst = judge(one.run).findings[0]
    given = {**one.run.settings, "steps": ROUNDS, **parse(worst.actions[0].split())}
    looks = {"threads": 1, "compile": "off", "precision": "fp32", "show_every": 10**9, "save_every": 10**9, "score_every": 10**9,
             "check_every": 35}
    with tempfile.TemporaryDirectory() as folder:
        try:
            prepared = prepare(Request(str(one.run.config["recipe"]), where(one.data), given | looks, FIRST), Path(folder) / "run")
            model, outcome = run(prepared, Silent())
            how, _ = ended({"scores": outcome.scores | more(model, prepared.source), "nan": False}, one.family, one.data)
        except RunFailed:
            how = "failed"
    return {"finding": worst.name, "action": worst.actions[0], "ended": how}


if __name__ == "__main__":
    which = f"held-out settings, seeds from {FIRST} by SPARRING_FIRST_SEED={FIRST}" if FIRST else "seed 0"
    record("doctor_cures", f"Failed labelled runs ({which}; points and curves) again with the first action of the worst finding and "
           "700 rounds; healthy, failed or between by the same scores against the truth as the labels. Needs the runs of doctor.py.",
           {"healthy": ">= 0.70 of the cases"}, [(one.name, lambda one=one: cured(one)) for one in chosen()])
