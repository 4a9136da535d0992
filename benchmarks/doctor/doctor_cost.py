"""What the doctor costs: seconds of looking over seconds of training, by default, with the data's standard and every check-up."""

import tempfile
import time
from pathlib import Path

from benchmarks.record import record, spread
from sparring.api import Silent, run
from sparring.doctor.attend import Attending, attend
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.training import course


def thrice(recipe: str, data: str, steps: int) -> dict[str, object]:
    found = [cost(recipe, data, steps) for _ in range(3)]
    return {"check-ups": found[0]["check-ups"], "share": {k: round(v, 4) for k, v in spread([one["share"] for one in found]).items()},
            "seconds of training": spread([one["seconds of training"] for one in found])["median"]}


def cost(recipe: str, data: str, steps: int) -> dict[str, float]:
    looked: list[Attending] = []
    began = [0.0]

    def timed(*args: object, **more: object) -> Attending:
        start = time.perf_counter()
        looked.append(attend(*args, **more))  # type: ignore[arg-type]
        began[0] += time.perf_counter() - start
        return looked[-1]

    given = {"steps": steps, "threads": 1, "compile": "off", "precision": "fp32", "show_every": 10**9, "score_every": 10**9}
    course.attend = timed
    try:
        with tempfile.TemporaryDirectory() as folder:
            prepared = prepare(Request(recipe, data, given), Path(folder) / "run")
            outcome = run(prepared, Silent())[1]
    finally:
        course.attend = attend
    look = sum(one.seconds for one in looked)
    return {"check-ups": sum(len(one.chart.moments) for one in looked), "share": (look + began[0]) / outcome.seconds,
            "seconds of training": outcome.seconds}


if __name__ == "__main__":
    cases = [("gan", "ring", 300), ("gan", "ring", 1000), ("gan", "ring", 5000), ("gan", "quadratic", 1500), ("gan", "digits", 300)]
    record("doctor_cost", "Runs with their default networks, one thread: seconds that the doctor takes to look at the data and the game "
           "over the seconds of training. Median of three runs, and their range. The machine had other work.",
           {"share": "<= 0.02 by default"},
           [(f"{recipe} {data}, {n} rounds", lambda r=recipe, d=data, n=n: thrice(r, d, n)) for recipe, data, n in cases])
