"""How long the report of a run with 100,000 logged steps takes, and how large it is: a short run whose log is made longer by repeating."""

import json
import random
import tempfile
import time
from pathlib import Path

from benchmarks.record import DATA, record
from sparring.api import Silent, run
from sparring.cli.report import report
from sparring.runs.folder import read_lines
from sparring.setup.prepare import prepare
from sparring.setup.request import Request

STEPS = 100_000




def built(data: str) -> dict[str, object]:
    given = {"steps": 100, "width": 32, "threads": 1, "compile": "off", "precision": "fp32", "log_every": 1, "check_every": 5,
             "show_every": 5}
    given |= {"size": 64, "width": 8, "batch": 16} if data.endswith(".zip") else {}
    with tempfile.TemporaryDirectory() as name:
        folder, noise = Path(name) / "run", random.Random(0)
        run(prepare(Request("gan", data, given), folder), Silent())
        for path, count in (("log.jsonl", STEPS), ("health.jsonl", 20)):
            rows = read_lines(folder / path)
            more = [{**rows[i * len(rows) // count], "step": (i + 1) * STEPS // count} for i in range(count)]
            shaken = [{key: value if key == "step" else value * noise.uniform(0.9, 1.1) for key, value in row.items()} for row in more]
            (folder / path).write_text("".join(json.dumps(row) + "\n" for row in shaken))
        for i, path in enumerate(sorted((folder / "samples").glob("*.png"))):
            path.rename(path.with_name(f"{i * 5000 + 1:06d}.png"))
        wall, work = time.perf_counter(), time.process_time()
        page = Path(report(folder, None)["page"])
        return {"logged steps": len(read_lines(folder / "log.jsonl")), "seconds": time.perf_counter() - wall,
                "processor seconds": time.process_time() - work, "megabytes": page.stat().st_size / 1e6}


if __name__ == "__main__":
    record("doctor_report", "The page about a run of gan with 100,000 logged steps, 20 check-ups and 21 pictures of samples, with metrics "
           "and nearest training samples, in a process that has trained. The machine had other work: processor seconds are what a free one "
           "takes.", {"seconds": "< 10", "megabytes": "< 10"},
           [(name, lambda data=data: built(data)) for name, data in (("ring", "ring"), ("digits", "digits"), (
               "emoji at 64 pixels", str(DATA / "emoji" / "emoji4_64_png.zip")))])
