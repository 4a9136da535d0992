"""The run folder: the files through which training, pictures, reports and people know a run.

    config.json          what was asked for, resolved: settings, seed, device, versions, the data's fingerprint, the command
    log.jsonl            one object a logged step: step, time (seconds of training), turn/term, turn/watched
    scores.jsonl         one object a scored step
    health.jsonl         one object a check-up: what the doctor judges by; see checkup.py
    actions.json         with doctor=act: what was changed in mid-run: round, finding, settings
    samples/000000.png   what the generator drew after so many steps
    checkpoint/          the last three states; see checkpoint.py
    model/               when finished: config.json and model.safetensors, all that sampling needs
    recipe.py            of a system of one's own: a copy of its file, for people to read; nothing runs it unless they name it
    best/                with keep_best: config.json and checkpoint/ of the state with the best score; it opens like a run
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sparring.errors import InputError, RunFailed
from sparring.settings import RunSettings, S, make
from sparring.untrusted import JSON_BYTES, Strange, brief, number, parse, read_file, told

ANEW = "Put it back from a copy, or train into a new folder."
CODE = "recipe.py"
MOST_DIFFERENCES = 20                       # that are worth reading
LINE_BYTES, LOG_BYTES = 2**20, 2**34        # no line of a log, and no log that fits into memory, is longer


class RunFolder:
    """The paths of a run, its lock, and its logs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config, self.log, self.scores = path / "config.json", path / "log.jsonl", path / "scores.jsonl"
        self.health, self.actions = path / "health.jsonl", path / "actions.json"
        self.samples, self.checkpoints, self.model = path / "samples", path / "checkpoint", path / "model"
        self.best, self.code = path / "best", path / CODE
        self._lock = FileLock(path / ".lock")

    def create(self) -> None:
        """Make the folder; InputError when that is impossible, or when it holds something that is not a run."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            strange = sorted(p.name for p in self.path.iterdir() if not p.name.startswith("."))
            if strange and not self.config.exists():
                raise InputError(f"{self.path} holds other files ({', '.join(strange[:3])}) and no run. "
                                 f"Give --out a new or empty folder.")
        except OSError as error:
            raise InputError(f"the run folder {self.path} cannot be used: {error.strerror}. Give another with --out.") from None

    def lock(self) -> None:
        """Be the only writer; InputError when another process is, or when writing here would write elsewhere."""
        for folder in (self.path, self.samples):                # what a link leads to would be written over
            for entry in folder.iterdir() if folder.is_dir() else ():
                if entry.is_symlink() and not entry.is_dir():
                    raise InputError(f"{entry} is a link to a file. Runs do not make links. Remove it, or give another --out.")
        try:
            self._lock.acquire(timeout=0.2, poll_interval=0.02)     # a list of runs may look whether it is taken
        except Timeout:
            raise InputError(f"another process is training in {self.path}. Wait for it, stop it, "
                             f"or give another --out.") from None
        except OSError as error:
            raise InputError(f"the run folder {self.path} cannot be written: {error.strerror}. "
                             f"Give another with --out.") from None

    def unlock(self) -> None:
        self._lock.release()

    def unmake(self) -> None:
        """Remove the folder of a run that never began, where nothing but the lock is in it."""
        with suppress(OSError):
            if all(entry.name == ".lock" for entry in self.path.iterdir()):
                (self.path / ".lock").unlink(missing_ok=True)
                self.path.rmdir()

    def busy(self) -> bool:
        """Whether a process is training here."""
        try:
            with FileLock(self.path / ".lock").acquire(timeout=0):
                return False
        except Timeout:
            return True
        except OSError:                                         # of a folder that cannot be written nobody knows
            return False

    def read_config(self) -> dict[str, Any] | None:
        """What config.json holds, None when there is none; InputError when it cannot be understood."""
        if not self.config.exists():
            return None
        config = read_json(self.config)
        if not isinstance(recipe := config.get("recipe"), str) or told(recipe, 100) != recipe:
            raise InputError(f"{self.config} is damaged: its recipe, {brief(recipe)!r}, is not a name. {ANEW}")
        if isinstance(looks := config.get("run_settings"), dict):
            try:
                remade(RunSettings, looks)
            except InputError as error:
                raise InputError(f"{self.config} is damaged: {told(str(error))} {ANEW}") from None
        return config

    def write_config(self, config: dict[str, Any]) -> None:
        """Write config.json; InputError when it would be too large to be read again."""
        text = json.dumps(config, indent=2)
        try:
            parse(text.encode())
        except Strange as error:
            raise InputError(f"the description of the data {error}. Give data with fewer columns or classes.") from None
        write_atomic(self.config, text)

    def rewind(self, step: int) -> None:
        """Drop what was logged after `step` and scored from it on: that will be done again."""
        for path, keep in ((self.log, step + 1), (self.health, step + 1), (self.scores, step)):
            if path.exists() or path.is_symlink():              # a link is replaced, never written through
                kept = [row for row in read_lines(path) if row["step"] < keep]
                write_atomic(path, "".join(json.dumps(row) + "\n" for row in kept))


def remade(cls: type[S], values: dict[str, Any]) -> S:
    """Settings from a file; InputError as from `make`, though of values that there are no settings for it names three at most."""
    strange = sorted(values.keys() - cls.model_fields.keys())[:3]               # a complaint takes a kilobyte
    return make(cls, {name: value for name, value in values.items() if name in cls.model_fields or name in strange})


def append(path: Path, row: dict[str, Any]) -> None:
    """Add one line to a .jsonl file."""
    with open(path, "a") as file:
        file.write(json.dumps(row) + "\n")


def action(row: Any) -> bool:
    """Whether it is an action of the doctor as it is written down: {"at": round, "why": finding, "settings": {name: value}}."""
    return (isinstance(row, dict) and type(row.get("at")) is int and isinstance(row.get("why"), str) and told(row["why"], 100) == row["why"]
            and isinstance(row.get("settings"), dict)
            and all(number(value) or (isinstance(value, str) and told(value, 100) == value) for value in row["settings"].values()))


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a .jsonl file: objects of a step and other numbers.  A last line that was cut off by a crash is left out, like
    any other line that cannot be understood; InputError when the file is none that a run writes."""
    rows = []
    try:
        if not path.exists():
            return []
        if not path.is_file() or path.stat().st_size > LOG_BYTES:
            raise InputError(f"{path} is not a regular file of at most {LOG_BYTES:,} bytes, as a run writes them. {ANEW}")
        with open(path, "rb") as file:
            while line := file.readline(LINE_BYTES):
                if (row := row_of(line)) is not None:
                    rows.append(row)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}. {ANEW}") from None
    return rows


def row_of(line: bytes) -> dict[str, Any] | None:
    """The row that a line of a .jsonl file holds, a step and other numbers; None where it cannot be understood."""
    with suppress(ValueError, RecursionError):
        row = json.loads(line)
        return row if sound(row) else None
    return None


def rows_of(lines: list[bytes]) -> list[dict[str, Any]]:
    """The rows of these lines, without those that cannot be understood."""
    with suppress(ValueError, RecursionError):
        rows = json.loads(b"[" + b",".join(lines) + b"]")       # all at once takes half the time
        if len(rows) == len(lines):
            return [row for row in rows if sound(row)]
    return [row for line in lines if (row := row_of(line)) is not None]


def sound(row: Any) -> bool:
    """Whether it is a step and other numbers."""
    return isinstance(row, dict) and type(row.get("step")) is int and all(map(number, row.values()))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; InputError when it is not one."""
    try:
        return parse_json(read_file(path, JSON_BYTES), path)
    except Strange as error:
        raise InputError(f"{path} {error}. {ANEW}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}. {ANEW}") from None


def parse_json(data: bytes, path: Path) -> dict[str, Any]:
    """A JSON object from the bytes of this file; InputError when it is not one."""
    try:
        value = parse(data)
    except Strange as error:
        raise InputError(f"{path} {error}. {ANEW}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} should hold a JSON object, and holds a {type(value).__name__}. {ANEW}")
    return value


def write_atomic(path: Path, text: str) -> None:
    """Replace a file in one step; RunFailed when that is impossible, and what was there is untouched."""
    temporary = path.with_name(f".writing-{path.name}")
    try:
        temporary.unlink(missing_ok=True)
        write_synced(temporary, text.encode())
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise RunFailed(f"{path} could not be written: {error.strerror or error}. Nothing was lost: make room or mend the "
                        f"permissions, and run the same command again.") from error


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file; OSError when there is one already, which may be a link to elsewhere."""
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    """`name: old -> new` for every plain value that differs between two nested dicts, or for the first MOST_DIFFERENCES."""
    lines: list[str] = []
    for name in [*old, *(n for n in new if n not in old)]:
        a, b = old.get(name), new.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            lines += differences(a, b, f"{prefix}{name}.")
        elif a != b:
            lines.append(f"{prefix}{told(name, 60)}: {brief(a)} -> {brief(b)}")
        if len(lines) > MOST_DIFFERENCES:
            return [*lines[:MOST_DIFFERENCES], "and more"]
    return lines


def in_words(changed: list[str], data: str = "the data changed since the run began") -> list[str]:
    """Differences as a person names them."""
    return [data if line.startswith("fingerprint:") else
            line.removeprefix("run_").removeprefix("data_").removeprefix("settings.") for line in changed]
