"""The runs below the lab's folder: the list, a run's charts, pictures, scores and health; and runs that are started from the page.

A run that is started trains by the command line in a process of its own, which goes on when the lab ends.
"""

import asyncio
import re
import signal
import subprocess
import sys
from collections import OrderedDict
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from sparring.doctor import diagnose
from sparring.errors import InputError
from sparring.lab.asked import body_of, number_of, text_of, wanted_of
from sparring.lab.drawn import named
from sparring.lab.places import Nowhere, run_folder, unused
from sparring.lab.words import SHOWN, train_words
from sparring.runs.folder import RunFolder, read_lines
from sparring.runs.index import Foreign, listed
from sparring.runs.log_lines import LogLines
from sparring.untrusted import Strange, read_file

CHARTS = 24                         # logs whose lines are kept in memory
PICTURE = 2**24                     # bytes of a picture of samples
HEALTH_BYTES = 2**22                # of the logs that a diagnosis reads; of longer ones there is none here


class Started:
    """Processes that train, by the run that each was started for in this lab."""

    def __init__(self) -> None:
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, words: list[str]) -> None:
        """`sparring train` with these words, on its own: it does not end with the lab."""
        if (old := self.processes.get(name)) is not None and old.poll() is None:
            raise InputError(f"'{name}' is training already.")
        self.processes[name] = subprocess.Popen([sys.executable, "-m", "sparring", *words], stdin=subprocess.DEVNULL,
                                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def stop(self, name: str) -> None:
        """Ask a run's process to save and end, as Ctrl-C does.  InputError for one that this lab did not start."""
        process = self.processes.get(name)
        if process is None or process.poll() is not None:
            raise InputError(f"'{name}' was not started by this lab, or has ended. Stop it where it was started, with Ctrl-C.")
        process.send_signal(signal.SIGINT)


def add_runs(app: FastAPI, root: Path) -> None:
    """What pages ask about runs."""
    charts: OrderedDict[str, LogLines] = OrderedDict()

    def chart_of(name: str) -> dict[str, Any]:
        path = run_folder(root, name)
        lines = charts.pop(name, None) or LogLines(path / "log.jsonl")
        charts[name] = lines
        while len(charts) > CHARTS:
            charts.popitem(last=False)
        try:
            lines.read()
        except Foreign as error:
            raise InputError(f"this run's log cannot be read: {error}.") from None
        return {"last": lines.last, "width": lines.width, "exact": lines.exact,
                "lines": {key: {"steps": line.steps.tolist(), "mean": line.mean.tolist(), "low": line.low.tolist(),
                                "high": line.high.tolist()} for key, line in lines.lines().items() if key != "time"}}

    @app.get("/api/runs")
    async def runs() -> Any:
        if not root.exists():
            return {"root": root.name, "runs": []}
        found = [asdict(one) | {"data": named(root, one.data)} for one in await asyncio.to_thread(listed, root)]
        return {"root": root.name, "runs": found}

    @app.get("/api/runs/chart")
    async def chart(name: str) -> Any:
        return await asyncio.to_thread(chart_of, name)

    @app.get("/api/runs/about")
    async def about(name: str) -> Any:
        return await asyncio.to_thread(about_run, run_folder(root, name))

    @app.get("/api/runs/sample")
    async def sample(name: str, step: str) -> Response:
        return Response(await asyncio.to_thread(picture, run_folder(root, name), step), media_type="image/png")


def add_training(app: FastAPI, root: Path) -> None:
    """Start, resume, fork and stop runs that train by the command line."""
    started = Started()

    @app.post("/api/runs/start")
    async def start(request: Request) -> Any:
        wanted = wanted_of(await body_of(request), root)
        root.mkdir(parents=True, exist_ok=True)
        out = unused(root, f"{wanted['recipe']}-{Path(wanted['data']).stem}")
        started.start(out.name, train_words(wanted["recipe"], wanted["data"], wanted["given"], wanted["seed"], "auto", str(out)))
        return {"run": out.name}

    @app.post("/api/runs/resume")
    async def resume(request: Request) -> Any:
        name = text_of(await body_of(request), "run", 300)
        wanted = await asyncio.to_thread(reopened, root, name)
        started.start(name, again(wanted))
        return {"run": name}

    @app.post("/api/runs/fork")
    async def fork(request: Request) -> Any:
        asked = await body_of(request)
        name, steps = text_of(asked, "run", 300), int(number_of(asked, "steps"))
        wanted = await asyncio.to_thread(reopened, root, name)
        out = unused(root, f"{Path(name).name}-fork")
        started.start(out.name, [*again(wanted, {"steps": steps}), f"--fork={out}"])
        return {"run": out.name}

    @app.post("/api/runs/stop")
    async def stop(request: Request) -> Any:
        started.stop(text_of(await body_of(request), "run", 300))
        return {}


def again(wanted: dict[str, Any], changed: dict[str, Any] | None = None) -> list[str]:
    """The words of a command line that goes on with a run, with some settings changed."""
    return train_words(wanted["recipe"], wanted["data"], wanted["given"] | (changed or {}), wanted["seed"], wanted["device"], wanted["out"])


def about_run(path: Path) -> dict[str, Any]:
    """Settings, scores, pictures and health of a run."""
    folder = RunFolder(path)
    config = folder.read_config() or {}
    small = all(not one.exists() or (not one.is_symlink() and one.stat().st_size <= HEALTH_BYTES)
                for one in (folder.log, folder.health, folder.scores))
    diagnosis = diagnose(read_lines(folder.log), read_lines(folder.health), config) if small and folder.health.exists() else None
    drawn = [] if folder.samples.is_symlink() or not folder.samples.is_dir() else \
        sorted(int(one.stem) for one in folder.samples.iterdir() if re.fullmatch(r"[0-9]{6,12}\.png", one.name))
    playable = config.get("recipe") in SHOWN and isinstance(config.get("data"), str)
    return {"config": {key: config.get(key) for key in ("recipe", "data", "seed", "settings", "run_settings", "data_settings", "started",
                                                        "device", "versions", "forked_from")},
            "scores": read_lines(folder.scores) if small else [], "samples": drawn, "playable": playable,
            "health": None if diagnosis is None else {"step": diagnosis.step, "line": diagnosis.line(), **diagnosis.plain()}}


def picture(path: Path, step: str) -> bytes:
    """The picture of samples after so many rounds.  Nowhere when there is none."""
    file = path / "samples" / f"{step}.png"
    if not re.fullmatch(r"[0-9]{6,12}", step) or file.is_symlink() or file.parent.is_symlink():
        raise Nowhere("there is no such picture.")
    try:
        return read_file(file, PICTURE)
    except (Strange, OSError):
        raise Nowhere("there is no such picture.") from None


def reopened(root: Path, name: str) -> dict[str, Any]:
    """How to go on with the run of this name: recipe, data, settings, seed, device and folder.  InputError when its config.json does not
    say."""
    from sparring.recipes import RECIPES  # brings torch, which the server does without until then

    path = run_folder(root, name)
    config = RunFolder(path).read_config() or {}
    parts = [config.get(part) for part in ("settings", "data_settings", "run_settings")]
    right = (all(isinstance(part, dict) and all(re.fullmatch(r"[a-z_0-9]{1,40}", name) for name in part) for part in parts)
             and isinstance(config.get("data"), str) and type(config.get("seed")) is int
             and config.get("device") in ("cpu", "cuda", "mps"))
    # no file of code is ever run, and nothing of a config.json becomes an option of the command line
    if not right or config["recipe"] not in RECIPES or config.get("own_networks") or config.get("own_recipe"):
        raise InputError("this run's config.json does not say how to go on with it from here. Use the command that it was started with.")
    given = {name: value for part in parts if isinstance(part, dict) for name, value in part.items() if value not in (None, 0, "auto", "")
             or isinstance(value, bool)}
    return {"recipe": config["recipe"], "data": config["data"], "given": given, "seed": config["seed"], "out": str(path),
            "device": config["device"]}
