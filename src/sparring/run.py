"""The run folder: the one contract between the trainer, the pictures, the reports and people.

    config.json          what was asked for, resolved: settings, seed, device, versions, the data's fingerprint, the command
    log.jsonl            one object a logged step: step, time (seconds of training), turn/term, turn/watched
    scores.jsonl         one object a scored step
    samples/000000.png   what the generator drew after so many steps
    checkpoint/          the last three states; see checkpoint.py
    model/               when finished: config.json and model.safetensors, all that sampling needs
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sparring.checkpoint import JSON_BYTES, write_synced
from sparring.errors import InputError, RunFailed

ANEW = "Put it back from a copy, or train into a new folder."


class RunFolder:
    """The paths of a run, its lock, and its logs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config, self.log, self.scores = path / "config.json", path / "log.jsonl", path / "scores.jsonl"
        self.samples, self.checkpoints, self.model = path / "samples", path / "checkpoint", path / "model"
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
        """Be the only writer; InputError when another process is."""
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise InputError(f"another process is training in {self.path}. Wait for it, stop it, "
                             f"or give another --out.") from None
        except OSError as error:
            raise InputError(f"the run folder {self.path} cannot be written: {error.strerror}. "
                             f"Give another with --out.") from None

    def unlock(self) -> None:
        self._lock.release()

    def read_config(self) -> dict[str, Any] | None:
        """What config.json holds, None when there is none; InputError when it cannot be understood."""
        if not self.config.exists():
            return None
        return read_json(self.config)

    def write_config(self, config: dict[str, Any]) -> None:
        write_atomic(self.config, json.dumps(config, indent=2))

    def rewind(self, step: int) -> None:
        """Drop what was logged after `step` and scored from it on: that will be done again."""
        for path, keep in ((self.log, step + 1), (self.scores, step)):
            if path.exists():
                kept = [row for row in read_lines(path) if row["step"] < keep]
                write_atomic(path, "".join(json.dumps(row) + "\n" for row in kept))


def append(path: Path, row: dict[str, Any]) -> None:
    """Add one line to a .jsonl file."""
    with open(path, "a") as file:
        file.write(json.dumps(row) + "\n")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a .jsonl file; a last line that was cut off by a crash is left out."""
    rows = []
    for line in path.read_text(errors="replace").splitlines() if path.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("step"), int):
            rows.append(row)
    return rows


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; InputError when it is not one."""
    try:
        if path.stat().st_size > JSON_BYTES:
            raise InputError(f"{path} holds more than {JSON_BYTES:,} bytes, far more than is ever written there. {ANEW}")
        return parse_json(path.read_bytes(), path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}. {ANEW}") from None


def parse_json(data: bytes, path: Path) -> dict[str, Any]:
    """A JSON object from the bytes of this file; InputError when it is not one."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}. {ANEW}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} should hold a JSON object, and holds a {type(value).__name__}. {ANEW}")
    return value


def write_atomic(path: Path, text: str) -> None:
    """Replace a file in one step; RunFailed when that is impossible, and what was there is untouched."""
    temporary = path.with_name(f".writing-{path.name}")
    try:
        write_synced(temporary, text.encode())
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise RunFailed(f"{path} could not be written: {error.strerror or error}. Nothing was lost: make room or mend the "
                        f"permissions, and run the same command again.") from error


def differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    """`name: old -> new` for every plain value that differs between two nested dicts."""
    lines = []
    for name in [*old, *(n for n in new if n not in old)]:
        a, b = old.get(name), new.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            lines += differences(a, b, f"{prefix}{name}.")
        elif a != b:
            lines.append(f"{prefix}{name}: {a} -> {b}")
    return lines
