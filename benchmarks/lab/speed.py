"""How fast the lab is in a real browser: frames and rounds a second, the answer to a step, the first paint, sizes and memory.

    python -m benchmarks.lab.speed [--fresh]          results/lab.json; about two minutes; needs Chromium and playwright
"""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.record import record, spread
from sparring.lab.server import PAGE

SECONDS, STEPS, PAINTS = 10.0, 40, 5
PLAIN: dict[str, Any] = {"latent": 2, "width": 64, "batch": 64, "steps": 1_000_000}
GAMES = {"gan on ring": PLAIN, "gan with R1 on ring": PLAIN | {"lr": 0.002, "penalty": "r1", "penalty_weight": 0.1}}


@contextmanager
def lab() -> Iterator[tuple[int, str, int]]:
    """A lab over an empty folder: its port, its token, and its process."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "sparring", "lab", f"{folder}/runs", "--no-browser"]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        found = re.search(r":(\d+)/#token=([\w-]+)", process.stdout.readline())
        assert found is not None
        try:
            yield int(found[1]), found[2], process.pid
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate()


def ask(port: int, token: str, path: str, body: Any = None) -> bytes:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120)) as link:
        head = {"X-Sparring-Token": token, "Content-Type": "application/json"}
        link.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body), {} if body is None else head)
        return link.getresponse().read()


def processes(parent: int) -> dict[int, float]:
    """Seconds of the processor that each child of a process has taken."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found[int(stat.parent.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def memory(pid: int) -> float:
    """Megabytes."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


@contextmanager
def page(port: int, token: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        one = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        one.goto(f"http://127.0.0.1:{port}/#token={token}")
        one.wait_for_selector(".chapter", timeout=60_000)
        yield one
        browser.close()


def played(given: dict[str, Any]) -> dict[str, Any]:
    with lab() as (port, token, pid), page(port, token) as one:
        name = json.loads(ask(port, token, "/api/games", {"recipe": "gan", "data": "ring", "given": given}))["name"]
        one.goto(f"http://127.0.0.1:{port}/#/game?game={name}")
        one.wait_for_selector("#scene[aria-label]", timeout=120_000)
        frames = [0]
        one.on("response", lambda answer: frames.__setitem__(0, frames[0] + ("/frame?" in answer.url and answer.status == 200)))
        state = lambda: json.loads(ask(port, token, "/api/games"))[0]["state"]  # noqa: E731
        ask(port, token, f"/api/games/{name}/do", {"do": "play"})
        one.wait_for_timeout(2000)
        before, cpu, shown, began = state()["step"], processes(pid), frames[0], time.perf_counter()
        one.wait_for_timeout(1000 * SECONDS)
        took, rounds, after = time.perf_counter() - began, state()["step"] - before, processes(pid)
        player = max(after[child] - cpu.get(child, 0.0) for child in after)
        ask(port, token, f"/api/games/{name}/do", {"do": "pause"})
        return {"frames a second": (frames[0] - shown) / took, "rounds a second": rounds / took,
                "rounds a second of the player's processor time": rounds / player, "share of a processor the player had": player / took,
                "load of the machine": os.getloadavg()[0]}


def stepped() -> dict[str, Any]:
    """From asking for a step of D or G to having the frame that shows it."""
    with lab() as (port, token, _):
        name = json.loads(ask(port, token, "/api/games", {"recipe": "gan", "data": "ring", "given": GAMES["gan on ring"]}))["name"]
        data, took = b"", list[float]()
        while not data:                                         # a player takes some seconds to start
            data = ask(port, token, f"/api/games/{name}/frame?wish=heat&after=-1")
        for i in range(STEPS):
            version = json.loads(data[4:4 + int.from_bytes(data[:4], "little")])["version"]
            began = time.perf_counter()
            ask(port, token, f"/api/games/{name}/do", {"do": "player", "player": ("discriminator", "generator")[i % 2]})
            data = ask(port, token, f"/api/games/{name}/frame?wish=heat&after={version}")
            took.append(time.perf_counter() - began)
        return {"seconds": spread(took), "bytes of a frame": len(data), "load of the machine": os.getloadavg()[0]}


def painted() -> dict[str, Any]:
    with lab() as (port, token, pid), page(port, token) as one:
        took = []
        for _ in range(PAINTS):
            one.goto("about:blank")
            one.goto(f"http://127.0.0.1:{port}/#/learn")
            one.wait_for_selector(".chapter")
            took.append(one.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000)
        return {"seconds": spread(took), "megabytes of the server": memory(pid), "load of the machine": os.getloadavg()[0]}


def sizes() -> dict[str, Any]:
    files = {path.name: path.stat().st_size for path in PAGE.iterdir()}
    return {"bytes": sum(files.values()), "files": len(files)}


def main() -> None:
    cases: list[tuple[str, Callable[[], dict[str, Any]]]] = [("sizes", sizes), ("first paint", painted), ("step", stepped)]
    cases += [(name, partial(played, given)) for name, given in GAMES.items()]
    record("lab", "Headless Chromium of 1280x900 on the same machine as the lab. "
           f"A game: played for {SECONDS:g} seconds as fast as it goes, with the page open; frames are those that the page asked for and "
           f"got, and at most one is under way while another is drawn. A step: {STEPS} steps of D and of G in turn, over HTTP, from asking "
           f"to the frame. First paint: first contentful paint of {PAINTS} loads. Load: mean number of processes that ran or waited in the "
           "last minute, this benchmark's included.",
           {"gan on ring": "30 frames and 500 rounds a second", "step": "most < 0.1 s", "first paint": "median < 0.5 s",
            "sizes": "< 300,000 bytes"}, cases)


if __name__ == "__main__":
    main()
