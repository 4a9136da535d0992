"""The public crash test ckpt-chaos over `sparring train`: killed before every file event, and with every file torn in half."""

import json
import re
import subprocess
import sys
from pathlib import Path

from chaos.tally import Tally

PROMISE = ("Killed at any of its file events, or with a file half written, a run goes on from its newest whole checkpoint and ends "
           "with the same bits.")
TRAIN = ["train", "gan", "--data", "mixture", "--steps", "12", "batch=16", "width=16", "threads=1", "save_every=4", "show_every=6",
         "score_every=6", "log_every=3"]


def trials(n: int, folder: Path, seed: int = 0) -> Tally:
    """At most n points, evenly over all the events of a run (a run has fewer than 200)."""
    work = folder / "ckpt-chaos"
    command = [sys.executable, "-m", "ckpt_chaos", "run", "--checkpoint-glob", "{out}/checkpoint/0*", "--ckpt-ignore-size",
               "--step-regex", r"resumed from step (\d+)", "--result-file", "{out}/model/model.safetensors", "--max-points", str(n),
               "--jobs", "2", "--timeout", "300", "--fail-on", "HARD_FAIL,SILENT_DIVERGENCE,LOST_WORK", "--work", str(work),
               "--", sys.executable, "-m", "sparring", *TRAIN, "--out", "{out}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        return Tally(n, [f"all: ckpt-chaos ended with code {done.returncode}: {(done.stdout + done.stderr)[-2000:]}"])
    return read(work, done.stdout)


def read(work: Path, said: str) -> Tally:
    tally = Tally()
    for file in sorted(work.rglob("result.json")):
        row = json.loads(file.read_text())
        tally.tried += 1
        tally.count(str(row.get("verdict")))
        if row.get("verdict") != "PASS":
            tally.fail(file.parent.name, f"{row.get('verdict')}: {row}")
    if not tally.tried:
        verdicts = re.findall(r"\b(PASS|HARD_FAIL|SILENT_DIVERGENCE|LOST_WORK)\b", said)
        return Tally(1, [f"all: no results were found; it said {verdicts}: {said[-1500:]}"])
    return tally
