"""What doctor=act comes to: the gallery's failures, 1,000 rounds, with the doctor telling and with it acting."""

import tempfile
from pathlib import Path

from benchmarks.doctor.doctor import ended
from benchmarks.doctor.doctor_runs import more
from benchmarks.record import record
from sparring.api import Silent, run
from sparring.doctor.exhibits import EXHIBITS, Exhibit
from sparring.errors import RunFailed
from sparring.setup.prepare import prepare
from sparring.setup.request import Request


def ends(exhibit: Exhibit, how: str) -> dict[str, object]:
    given = {**exhibit.given, "steps": 1000, "check_every": 25, "doctor": how, "show_every": 10**9, "score_every": 10**9}
    with tempfile.TemporaryDirectory() as folder:
        try:
            prepared = prepare(Request(exhibit.recipe, exhibit.data, given), Path(folder) / "run")
            model, outcome = run(prepared, Silent())
        except RunFailed:
            return {"ended": "failed", "actions": "NaN"}
        truth = {"scores": outcome.scores | more(model, prepared.source), "nan": False}
        did = "; ".join(f"{one['at']}: {one['why']}" for one in outcome.actions)
        return {"ended": ended(truth, exhibit.name, exhibit.data)[0], "actions": did}


if __name__ == "__main__":
    record("doctor_acts", "The failures of the gallery whose data is not to blame, 1,000 rounds, with doctor=tell and doctor=act; healthy, "
           "failed or between by the scores against the truth that benchmarks/doctor/doctor.py labels by.", {},
           [(f"{one.name}, doctor={how}", lambda one=one, how=how: ends(one, how))
            for one in EXHIBITS if not one.cured_data for how in ("tell", "act")])
