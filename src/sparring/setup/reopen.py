"""Resume or fork the run that a folder holds: whether it is the one that was asked for, and how to continue it in another folder."""

import shutil
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from sparring.errors import InputError, RunFailed
from sparring.game import Game
from sparring.recipes import Recipe, find
from sparring.runs import checkpoint
from sparring.runs.folder import RunFolder, differences, in_words
from sparring.settings import make
from sparring.setup.own import edited

COMPARED = ("recipe", "settings", "data_settings", "run_settings", "seed", "fingerprint", "device", "own_networks")
NETWORKS_FROM = ("settings", "data_settings", "own_networks")


def refuse_changes(old: dict[str, Any], asked: dict[str, Any], folder: RunFolder, system: Recipe | None = None) -> None:
    """InputError that shows what differs between the run in the folder and what is asked for now."""
    if old.get("recipe") != asked["recipe"]:
        raise InputError(f"{folder.path} holds a run of '{old.get('recipe')}', not of '{asked['recipe']}'. Give another --out.")
    kinds = (("run_settings", dict), ("device", str), ("data", str | list))
    lacking = [name for name, kind in kinds if not isinstance(old.get(name), kind)]
    if lacking:
        raise InputError(f"{folder.config} is damaged: its {' and '.join(lacking)} cannot be understood. Put it back from a copy, "
                         f"or give another --out.")
    recipe = system or find(asked["recipe"])
    for part, cls in (("settings", recipe.settings), ("data_settings", recipe.reads.settings)):
        if isinstance(then := old.get(part), dict):             # a setting that did not exist yet had what is now its default
            old = old | {part: {name: field.default for name, field in cls.model_fields.items()} | then}
    now = asked | {"run_settings": old["run_settings"] | asked["run_settings"]}
    if now["device"] == "auto":
        now["device"] = old.get("device")                       # the choice was made when the run began
    changed = differences({k: old.get(k) for k in COMPARED}, {k: now[k] for k in COMPARED})
    edit = edited(old, folder.path, system)                     # of a system of one's own
    if changed or edit:
        shorter = [line.partition(":")[0] for line in changed] == ["settings.steps"] and not edit       # more rounds are told elsewhere
        fork = "" if shorter else " To continue it with the new settings, give --fork NEWDIR."
        same = "the same settings and the same file" if edit else "the same settings"
        raise InputError(f"{folder.path} holds a run with other settings:\n  " + "\n  ".join([*in_words(changed), *edit]) +
                         f"\nTo resume it, give {same}. To start a new run, give --out NEWDIR.{fork}")


def chosen_then(recipe: Recipe, given: Mapping[str, Any], old: Mapping[str, Any] | None) -> dict[str, Any]:
    """The settings that were given, and those that the recipe chose when the run in the folder began: they hold for all of it, also on
    another machine, with another version, or where something is no longer installed.  Only what was given where it is another run."""
    settings, reasons, fields = (old or {}).get("settings"), (old or {}).get("reasons"), recipe.settings.model_fields
    if isinstance(settings, dict) and isinstance(reasons, dict):
        with suppress(InputError):              # of a config.json that someone has edited: what differs is told later
            now = make(recipe.settings, {name: value for name, value in given.items() if name in fields})
            kept = {name: settings[name] for name in reasons if name in settings and name in fields}
            make(recipe.settings, kept)
            if all(getattr(now, name) == settings.get(name) for name in now.model_fields_set - {"steps"}):
                return kept | dict(given)
    return dict(given)


def continue_in(old: RunFolder, new: RunFolder, game: Game, config: dict[str, Any]) -> None:
    """Make a new folder with this config and the checkpoints and logs of an old run, for a game that they fit.

    InputError when there is nothing to continue from, or when these settings do not fit it; then nothing is copied.
    """
    was, (files, _) = old.read_config(), checkpoint.newest(old.checkpoints, game)
    if was is None or files is None:
        raise InputError(f"--fork continues the run in --out, and {old.path} has no whole checkpoint. Give that run's folder with --out.")
    if was.get("recipe") != config["recipe"]:
        raise InputError(f"{old.path} holds a run of '{was.get('recipe')}', and '{config['recipe']}' cannot continue it. Give "
                         "another run with --out.")
    try:
        step, facts = checkpoint.restore(files, game, advice="")
        config["inherited_rollbacks"] = len(facts.get("rollbacks", ()))
        config["inherited_actions"] = len(facts.get("actions", ()))     # a fork's settings are those it was given
    except RunFailed as error:                  # also of what else it remembers, such as a pool of images of another size
        changed = in_words(differences({k: was.get(k) for k in NETWORKS_FROM}, {k: config[k] for k in NETWORKS_FROM}))
        raise InputError(f"the run in {old.path} cannot continue with these settings: {error}\n  " + "\n  ".join(changed) +
                         "\nRepeat the settings of that run that shape its networks, or start a new run without --fork.") from None
    if step >= config["settings"]["steps"]:
        raise InputError(f"the run in {old.path} has {step:,} rounds already. Give more, such as steps={2 * step}.")
    half = new.path / ".copying"
    try:
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(old.checkpoints, half)
        for before, after in ((old.log, new.log), (old.scores, new.scores), (old.health, new.health)):
            if before.exists():
                shutil.copy(before, after)
        half.rename(new.checkpoints)
        new.write_config(config)                    # last: a folder with a config is a whole run
    except (OSError, RunFailed) as error:
        for left in (half, new.checkpoints):
            shutil.rmtree(left, ignore_errors=True)
        for file in (new.log, new.scores, new.health):
            file.unlink(missing_ok=True)
        if isinstance(error, RunFailed):
            raise
        raise RunFailed(f"{old.path} could not be copied to {new.path}: {error}. Make room and try again.") from error
