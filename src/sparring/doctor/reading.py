"""A run folder as the doctor reads it: its config, and its chart."""

from pathlib import Path
from typing import Any

from sparring.doctor import Chart, chart
from sparring.errors import InputError
from sparring.runs.folder import ANEW, RunFolder, action, read_lines
from sparring.untrusted import JSON_BYTES, Strange, parse, read_file


def opened(path: Path) -> tuple[RunFolder, dict[str, Any], Chart]:
    """A run's folder, config and chart; InputError when there is no run."""
    if not path.is_dir():
        raise InputError(f"{path} is a file. Give a run folder." if path.exists() else f"there is no folder {path}. Give a run folder.")
    folder = RunFolder(path)
    config = folder.read_config()
    if config is None:
        raise InputError(f"{path} holds no run: there is no config.json in it. Give a run folder.")
    actions = read_actions(folder) if folder.actions.exists() else []
    return folder, config, chart(read_lines(folder.log), read_lines(folder.health), config, actions)


def read_actions(folder: RunFolder) -> list[dict[str, Any]]:
    """What the doctor changed during the run; InputError when the file is not what a run writes."""
    try:
        found = parse(read_file(folder.actions, JSON_BYTES))
    except (Strange, OSError) as error:
        raise InputError(f"{folder.actions} {error}. {ANEW}") from None
    if not isinstance(found, list) or not all(map(action, found)):
        raise InputError(f"{folder.actions} is damaged: it does not hold the doctor's actions. {ANEW}")
    return found
