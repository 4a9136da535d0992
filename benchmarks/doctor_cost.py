"""What the doctor costs: seconds of looking over seconds of training, by default, with the data's standard and every check-up."""

import tempfile
import time
from pathlib import Path

from record import record
from sparring import trainer
from sparring.api import Silent, run
from sparring.attending import Attending, attend
from sparring.prepare import prepare
from sparring.wishing import Wish


def cost(recipe: str, data: str, steps: int, every: int) -> dict[str, object]:
    looked: list[Attending] = []
    began = [0.0]

    def timed(*args: object, **more: object) -> Attending:
        start = time.perf_counter()
        looked.append(attend(*args, **more))  # type: ignore[arg-type]
        began[0] += time.perf_counter() - start
        return looked[-1]

    given = {"steps": steps, "threads": 1, "compile": "off", "precision": "fp32", "show_every": 10**9, "score_every": 10**9}
    trainer.attend = timed
    try:
        with tempfile.TemporaryDirectory() as folder:
            prepared = prepare(Wish(recipe, data, given | ({"check_every": every} if every else {})), Path(folder) / "run")
            outcome = run(prepared, Silent())[1]
    finally:
        trainer.attend = attend
    look = sum(one.seconds for one in looked)
    return {"check-ups": sum(len(one.chart.moments) for one in looked), "share": (look + began[0]) / outcome.seconds,
            "seconds of training": outcome.seconds}


if __name__ == "__main__":
    cases = [("gan", "ring", n, every) for n in (300, 1000, 5000) for every in (0, max(25, n // 20))]
    cases += [("gan", "quadratic", 1500, 0), ("gan", "digits", 300, 25), ("gan", "digits", 300, 0)]
    record("doctor_cost", "Runs with their default networks, one thread: seconds that the doctor takes to look at the data and the game "
           "over the seconds of training. `before`: the cadence in use until now, at least 25 rounds instead of 75. The machine had other "
           "work.", {"share": "<= 0.02 by default"},
           [(f"{recipe} {data}, {n} rounds" + (", before" if every else ""),
             lambda r=recipe, d=data, n=n, e=every: cost(r, d, n, e))
            for recipe, data, n, every in cases])
