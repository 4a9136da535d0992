"""A run that is asked for again with more rounds: whether it can go on as if it had been begun with them, and what its folder becomes."""

import itertools
import shlex
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sparring.doctor.retry import without
from sparring.errors import InputError, RunFailed
from sparring.game import Game
from sparring.recipes import Recipe
from sparring.runs import checkpoint
from sparring.runs.folder import RunFolder
from sparring.settings import RunSettings, make
from sparring.setup.reopen import refuse_changes
from sparring.setup.request import Request

FREQUENCIES = ("log_every", "show_every", "score_every", "save_every", "check_every")
PICTURES = ("filmstrip.png", "interpolation.png", "losses.png", "scores.png")       # of a finished run; see pictures/album.py


def longer(old: dict[str, Any], asked: dict[str, Any], request: Request, folder: RunFolder) -> dict[str, Any] | None:
    """What stands in config.json of the run in the folder once it is to have the rounds that are asked for now; None when these are
    no more than it has, or when something else changed too.

    InputError, with the line to type instead, when a setting is laid out over the length of the run: its rounds so far are then not
    those of a longer one, and going on would give neither.
    """
    then, now = settings.get("steps") if isinstance(settings := old.get("settings"), dict) else None, int(asked["settings"]["steps"])
    if type(then) is not int or then >= now or request.minutes:
        return None
    looks = {name: value for name, value in asked["run_settings"].items() if str(request.given.get(name)) != "0"}      # 0: by the length
    try:
        refuse_changes(old | {"settings": old["settings"] | {"steps": now}}, asked | {"run_settings": looks}, folder, request.system)
    except InputError:                                          # which tells all that changed, and is raised anew by whoever asks
        return None
    if told := laid_out(old, asked, then, now, request.entry):
        line = instead(request, folder.path, now)
        if line is None:
            return None
        raise InputError(f"{folder.path} cannot go on to {now:,} rounds (steps: {then} -> {now}): it was trained as a run of {then:,}, and "
                         f"these settings follow the length of a run.\n  " + "\n  ".join(told) + f"\nNothing was changed. To go on from "
                         f"its last round in a new folder, with these settings as in a run of {now:,} rounds:\n  {line}\n"
                         f"To train {now:,} rounds from the start, give --out NEWDIR.")
    return old | {"settings": old["settings"] | {"steps": now}, "command": request.command, "minutes": 0.0,
                  "run_settings": old["run_settings"] | rescaled(old["run_settings"], set(looks), then, now),
                  "lengthened": [*(past if isinstance(past := old.get("lengthened"), list) else []),
                                 {"steps": then, "to": now, "at": datetime.now(UTC).isoformat(timespec="seconds")}]}


def laid_out(old: dict[str, Any], asked: dict[str, Any], then: int, now: int, recipe: Recipe) -> list[str]:
    """Everything about the run that goes by how long it is, a line each."""
    told = recipe.laid_out(make(recipe.settings, asked["settings"] | {"steps": then}), now)
    if old["run_settings"].get("doctor") == "act":
        told.append(f"doctor=act changes settings after check-ups that are spread over {then:,} rounds, and not in the last fifth of them")
    return told


def rescaled(looks: dict[str, Any], given: set[str], then: int, now: int) -> dict[str, int]:
    """How often to look, where that followed from the length of the run: a run of a million rounds need not save every fifth.  No bit
    depends on it but those after a number that was not finite, which takes a run back to its last checkpoint."""
    before, after = (RunSettings().for_steps(steps) for steps in (then, now))
    kept = given | ({"save_every"} if looks.get("on_nan") == "rollback" else set())
    return {name: getattr(after, name) for name in FREQUENCIES if name not in kept and looks.get(name) == getattr(before, name)}


def instead(request: Request, run: Path, steps: int) -> str | None:
    """The line to type to go on in another folder; None for what was not asked for by a line of the user's."""
    names = (f"{run}-{steps}{f'-{i}' if i > 1 else ''}" for i in itertools.count(1))
    new = next(name for name in names if not Path(name).exists())
    if request.command.startswith("sparring train "):
        words = without(shlex.split(request.command), {"--out", "--fork"})
        return shlex.join([*words, "--out", str(run), "--fork", new])
    if request.command.startswith("sparring.fit("):
        return f"sparring.fit({request.recipe!r}, ..., steps={steps}, out={str(run)!r}, fork={new!r})"
    return None


def lengthen(folder: RunFolder, game: Game, config: dict[str, Any]) -> None:
    """Make the run in the folder one that is not finished yet, of more rounds.  Wherever this is interrupted, a run is left that
    can be resumed: until config.json is replaced, at the end, that of before, whose checkpoint makes its model again.

    InputError when there is a model and no whole checkpoint, from which alone a run can go on.
    """
    files, complaints = checkpoint.newest(folder.checkpoints, game)
    if files is None and (folder.model.exists() or complaints):
        raise InputError(f"{folder.path} has no whole checkpoint to go on from"
                         + (f": {complaints[0]}" if complaints else ".") + " Give another --out to train from the start.")
    if files is not None:
        checkpoint.check(files, game)
    aside = folder.model.with_name(f".replaced-{folder.model.name}")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        if folder.model.exists():
            folder.model.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
        for name in PICTURES:
            (folder.path / name).unlink(missing_ok=True)
    except OSError as error:
        raise RunFailed(f"{error.filename or folder.path} could not be replaced: {error.strerror or error}. Mend the permissions and run "
                        f"the same command again.") from error
    folder.write_config(config)
