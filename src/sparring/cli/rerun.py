"""`sparring rerun`: train a run again from its config.json, and compare the models."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from sparring import api
from sparring.cli.before_training import facts
from sparring.data import NAMED
from sparring.errors import InputError
from sparring.progress import Line, duration
from sparring.recipes import Recipe, find
from sparring.runs import checkpoint
from sparring.runs.folder import RunFolder, differences, read_lines
from sparring.setup.own import outside, refuse_other
from sparring.setup.prepare import prepare, versions
from sparring.setup.rebuild import fix_told
from sparring.setup.request import Request, resolve

WEIGHTS = "model.safetensors"


def rerun(run: Path, out: Path | None, data: str | None, command: str, recipe: str | None = None) -> dict[str, Any]:
    """Train a finished run again from its config.json, into another folder, and compare the models; `code` 1 when they differ.

    InputError when config.json does not say enough, the data is not the same, or there is a finished run in that folder.
    """
    old = RunFolder(run)
    config = old.read_config()
    if config is None:
        raise InputError(f"{run} holds no run: there is no config.json in it. Give a run folder.")
    refuse_what_cannot_be_repeated(config, old)
    system = outside(recipe)
    refuse_other(config, run, system)
    request = request_of(config, data, command, system)
    named = run if run.name not in ("", "..") else Path(os.path.abspath(run))
    out = out or named.with_name(named.name + "-rerun")
    if (out / "model" / WEIGHTS).exists():
        raise InputError(f"{out} holds a finished run already, so nothing would be trained. Remove it, or give another --out.")
    with fix_told("Train it to its end again; its checkpoint makes a new model."):
        checkpoint.read_folder(old.model, {WEIGHTS: 2**62})      # before training for hours, to have something to compare with
    if resolve(request).source.fingerprint != config["fingerprint"]:
        raise InputError(f"{request.data} is not the data of {run}: its fingerprint differs. Give the same data with --data.")
    prepared = prepare(request, out)
    line = Line(request.recipe)
    for fact in facts(prepared):
        line.say(fact)
    try:
        _, outcome = api.run(replace(prepared, plan=replace(prepared.plan, show_every=0)), line)
    finally:
        line.leave()
    if not outcome.finished(prepared.plan):
        return {"run": str(run), "state": "stopped", "step": outcome.step,
                "text": f"Stopped after {outcome.step:,} of {prepared.plan.steps:,} steps and saved. To continue:\n  {command}"}
    return verdict(old, prepared.folder, differences(config.get("versions") or {}, versions()))


def refuse_what_cannot_be_repeated(config: dict[str, Any], run: RunFolder) -> None:
    lacking = [name for name in ("recipe", "settings", "data_settings", "run_settings", "seed", "device", "data", "fingerprint")
               if name not in config]
    if lacking:
        raise InputError(f"{run.config} is not a run's config.json: it has no {', '.join(lacking)}. Give a run folder.")
    if config.get("processes", 1) != 1:
        raise InputError(f"{run.path} was trained by {config['processes']} processes, and one process cannot repeat its last bits. Run its "
                         "command under torchrun with another --out, and compare the models.")
    if config.get("own_networks"):
        raise InputError(f"{run.path} was trained with your own networks, which config.json does not hold. Call fit() with them again.")
    if config.get("forked_from"):
        raise InputError(f"{run.path} is a fork of {config['forked_from']} and cannot be rerun by itself. Rerun that one.")
    if not (run.model / WEIGHTS).exists():
        raise InputError(f"{run.path} is not finished, so there is nothing to compare with. Train it to its end first:\n"
                         f"  {config.get('command')}")


def request_of(config: dict[str, Any], data: str | None, command: str, system: Recipe | None = None) -> Request:
    """What the user asked for then, with every choice that was made for them."""
    example = (system or find(str(config["recipe"]))).reads.example
    then = config["data"] if isinstance(config["data"], list) else [config["data"]]
    every = [found_again(str(one), config, example) for one in then] if data is None else [data]
    given: Any = every[0] if len(every) == 1 else every
    parts = (config[name] for name in ("settings", "data_settings", "run_settings"))
    if not all(isinstance(part, dict) for part in (config["settings"], config["data_settings"], config["run_settings"])):
        raise InputError("the settings in config.json are damaged. Put config.json back from a copy.")
    if type(config["seed"]) is not int:
        raise InputError(f"the seed in config.json is {config['seed']!r}; expected a whole number. Put config.json back from a copy.")
    return Request(str(config["recipe"]), given, {k: v for part in parts for k, v in part.items()}, config["seed"], str(config["device"]),
                command=command, system=system)


def found_again(name: str, config: dict[str, Any], example: str) -> str:
    """The data of that name, here or where the run was started; InputError when it is not there."""
    if name in NAMED or name == example or Path(name).exists():
        return name
    there = Path(str(config.get("directory", "."))) / name
    if not there.exists():
        raise InputError(f"the run's data, '{name}', is not here. Give it with --data.")
    return str(there)


def verdict(old: RunFolder, new: RunFolder, changed: list[str]) -> dict[str, Any]:
    """Whether the two models are the same bits; if not, the first logged round that differs, and what else does."""
    hashes = [hashlib.sha256(checkpoint.read_folder(run.model, {WEIGHTS: 2**62})[WEIGHTS]).hexdigest() for run in (old, new)]
    same = hashes[0] == hashes[1]
    result: dict[str, Any] = {"run": str(old.path), "rerun": str(new.path), "state": "identical" if same else "different",
                              "sha256": hashes, "versions_changed": changed, "code": 0 if same else 1}
    seconds = max((row.get("time", 0.0) for row in read_lines(new.log)), default=0.0)
    if same:
        return {**result, "text": f"Identical after {duration(seconds)} of training: {WEIGHTS} has sha256 {hashes[0]} in {old.path} and "
                                  f"in {new.path}."}
    first = first_difference(old, new)
    lines = [f"Different: {WEIGHTS} in {old.path} and in {new.path} are not the same bits."]
    lines += [f"The first logged round that differs is {first['step']}: {first['name']} was {first['then']}, and is {first['now']}."] \
        if first else ["Every logged value is the same."]
    lines += ["Changed since: " + "; ".join(changed)] if changed else ["No version changed since: another kind of machine, or an "
                                                                       "operation that is not deterministic (see exact=true)."]
    return {**result, "first_difference": first, "text": "\n".join(lines)}


def first_difference(old: RunFolder, new: RunFolder) -> dict[str, Any] | None:
    """The first logged value that is not the same in both runs."""
    rows = {row["step"]: row for row in read_lines(new.log)}
    for row in read_lines(old.log):
        again = rows.get(row["step"], row)
        for name, value in row.items():
            if name != "time" and again.get(name) != value:
                return {"step": row["step"], "name": name, "then": value, "now": again.get(name)}
    return None
