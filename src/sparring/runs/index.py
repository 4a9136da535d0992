"""Every run folder below a directory, told from small files and from the ends of logs, so that a list of many long runs is there at once.

Nothing here writes, and no link is followed: what a list shows lies in the directory that was asked for.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

from sparring.errors import InputError, shown
from sparring.runs.folder import LINE_BYTES, row_of
from sparring.untrusted import JSON_BYTES, Strange, parse, told

State = Literal["finished", "training", "stopped", "model", "broken"]
DEEP = 6                # folders in folders in which runs are looked for
MOST = 10_000           # folders that are looked into
END_BYTES = 2**16       # of a log, in which its last line nearly always begins
OF_A_RUN = ("log.jsonl", "checkpoint", "scores.jsonl")      # what tells a run without a config.json from a folder of other things


@dataclass(frozen=True)
class Listed:
    """A folder of a list.  `state` is "finished" where the model is there, "training" while a process trains in it, "stopped" otherwise;
    "model" for a model folder without a run; "broken" where it is none of these, and `wrong` says why.

    `step` is the last round in the log, of `steps` that were asked for.  `losses` and `scores` are the last lines of the logs without
    their step, and `time` the seconds of training.  `changed` is when the log was last written, in seconds since 1970.
    """

    name: str                       # its path below the directory, with / between folders; "." for the directory itself
    state: State
    recipe: str = ""
    data: str = ""
    seed: int | None = None
    step: int = 0
    steps: int = 0
    time: float = 0.0
    changed: float = 0.0
    losses: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    wrong: str = ""


class Foreign(ValueError):
    """What a folder holds is not what a run has there; the message says what."""


# ------------------------------------------------------------------------------------------------ the list
def listed(root: Path) -> list[Listed]:
    """Every run folder and model folder at or below this directory, by name, and the folders right below it that hold none.

    Folders inside of a run are not looked into, nor are links and hidden folders.  InputError when there is no such directory.
    """
    if not root.is_dir():
        raise InputError(f"{shown(root)} is not a folder. Give the folder that your runs lie in, such as runs/.")
    budget = [MOST]
    found = list(_below(root, "", 0, budget))
    if budget[0] < 0:
        found.append(Listed("", "broken", wrong=f"more than {MOST:,} folders lie below {shown(root)}, and the others were left out. Give a "
                            "folder that is nearer to the runs."))
    return found


def inside(root: Path, name: str) -> Path:
    """The folder of this name in the list; InputError for a name that leads out of the directory, by any spelling or through a link."""
    parts = Path(name).parts
    sound = name and "\0" not in name and not Path(name).is_absolute() and not Path(name).drive and ".." not in parts
    path = root
    for part in parts if sound else ():
        path = path / part
        if path.is_symlink():
            sound = False
    if not sound or not path.is_dir():
        raise InputError(f"there is no run '{shown(name)}' in {shown(root)}. Give a name from the list of runs.")
    return path


def _below(folder: Path, name: str, depth: int, budget: list[int]) -> Iterator[Listed]:
    """What is in a folder, itself included; `budget` counts down how many may still be looked into."""
    budget[0] -= 1
    if budget[0] < 0:
        return
    try:
        with os.scandir(folder) as entries:
            within = {entry.name: entry for entry in entries}
    except OSError as error:
        yield Listed(name or ".", "broken", wrong=f"it cannot be read: {error.strerror or error}")
        return
    if "config.json" in within or any(part in within for part in OF_A_RUN):
        yield _told(folder, name or ".", within)
        return
    found = False
    for entry in sorted(within.values(), key=lambda one: one.name):
        below = f"{name}/{entry.name}" if name else entry.name
        if entry.name.startswith("."):
            continue
        if entry.is_symlink():
            if depth == 0:
                yield Listed(below, "broken", wrong="it is a link, and links are not followed. Put the folder itself here")
        elif entry.is_dir(follow_symlinks=False) and depth < DEEP:
            for one in _below(folder / entry.name, below, depth + 1, budget):
                found = True
                yield one
    if not found and depth == 1:
        yield Listed(name, "broken", wrong="it holds no run: there is no config.json in it")


def _told(folder: Path, name: str, within: Mapping[str, "os.DirEntry[str]"]) -> Listed:
    """What small files and the ends of logs say of a run."""
    try:
        config = _config(folder, within)
        log, changed = _end(folder / "log.jsonl")
        scores, _ = _end(folder / "scores.jsonl")
    except Foreign as error:
        return Listed(name, "broken", wrong=str(error))
    settings = config["settings"]
    steps, seed = settings.get("steps"), config.get("seed")
    data = config.get("data")
    words = " and ".join(map(str, data)) if isinstance(data, list) else str(data or "")
    values = {name: float(value) for name, value in log.items() if name not in ("step", "time")}
    return Listed(name, _state(folder, within), config["recipe"], told(words, 200), seed if type(seed) is int else None,
                  max(0, log.get("step", 0)), steps if type(steps) is int else 0, float(log.get("time", 0.0)), changed, values,
                  {name: float(value) for name, value in scores.items() if name != "step"})


def _config(folder: Path, within: Mapping[str, "os.DirEntry[str]"]) -> dict[str, Any]:
    """config.json; Foreign unless it is one of a run or of a model."""
    if "config.json" not in within:
        raise Foreign("it has no config.json, which says what was trained. Put it back from a copy")
    with opened(folder / "config.json") as file:
        size = os.fstat(file.fileno()).st_size
        if size > JSON_BYTES:
            raise Foreign(f"its config.json holds {size:,} bytes, far more than a run writes")
        try:
            config = parse(file.read(JSON_BYTES + 1))
        except Strange as error:
            raise Foreign(f"its config.json {error}") from None
    recipe = config.get("recipe") if isinstance(config, dict) else None
    if not isinstance(recipe, str) or told(recipe, 100) != recipe or not isinstance(config.get("settings"), dict):
        raise Foreign("its config.json is not of a run: it names no recipe with settings")
    return config


def _state(folder: Path, within: Mapping[str, "os.DirEntry[str]"]) -> State:
    if "log.jsonl" not in within and "model.safetensors" in within:
        return "model"
    if training(folder):
        return "training"
    with suppress(OSError):
        if stat.S_ISREG(os.lstat(folder / "model" / "model.safetensors").st_mode) and not (folder / "model").is_symlink():
            return "finished"
    return "stopped"


def training(folder: Path) -> bool:
    """Whether a process trains in this folder.  The lock is only asked for, shared and at once: whoever takes it in that moment waits a
    little (see `RunFolder.lock`)."""
    try:
        import fcntl
    except ImportError:                                         # Windows, where training does not work yet
        return False
    with suppress(OSError, Foreign), opened(folder / ".lock") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


# ------------------------------------------------------------------------------------------------ files
@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file that is no link; Foreign for anything else, or when it cannot be read."""
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        link = "is a link" if path.is_symlink() else f"cannot be read: {error.strerror or error}"
        raise Foreign(f"its {path.name} {link}") from None
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise Foreign(f"its {path.name} is not a regular file")
    with os.fdopen(number, "rb") as file:
        yield file


def _end(path: Path) -> tuple[dict[str, Any], float]:
    """The last row of a .jsonl file, and when it was written; nothing of a file that is not there."""
    if not os.path.lexists(path):
        return {}, 0.0
    with opened(path) as file:
        about = os.fstat(file.fileno())
        for most in (END_BYTES, 2 * LINE_BYTES):
            start = max(0, about.st_size - most)
            file.seek(start)
            lines = file.read(about.st_size - start).split(b"\n")
            for line in reversed(lines[1:] if start else lines):        # the first may be the end of a longer one
                if line and (row := row_of(line)) is not None:
                    return row, about.st_mtime
            if not start:
                break
    return {}, about.st_mtime
