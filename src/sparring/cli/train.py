"""The command `train`: train, resume, or say that there is nothing left to do."""

import json
import os
import shlex
from pathlib import Path
from typing import Any

from sparring import api
from sparring.cli.before_training import facts
from sparring.doctor.retry import without
from sparring.errors import InputError, shown
from sparring.game import Game
from sparring.game.processes import ProcessGroup, joined
from sparring.pictures.album import album
from sparring.progress import Line, Silent, duration
from sparring.recipes import find
from sparring.settings import parse
from sparring.setup.own import named
from sparring.setup.prepare import prepare
from sparring.setup.request import Request
from sparring.spaces import Space, Table


def train(recipe: str, words: list[str], paths: list[str], out: Path | None, steps: int | None, seed: int, device: str,
          fork: Path | None, command: str, minutes: float | None = None) -> dict[str, Any]:
    """Train, resume, or say that there is nothing left to do."""
    given: dict[str, Any] = dict(parse(words))
    if steps is not None:
        if "steps" in given:
            raise InputError(f"steps is given twice: --steps {steps} and steps={given['steps']}. Give it once.")
        given["steps"] = steps
    if minutes == 0:
        raise InputError("--minutes 0 is out of range. Give a number above 0, such as --minutes 30, or leave it out.")
    name, system = named(recipe)
    example = (system or find(name)).reads.example
    data: str | list[str] = example if not paths else paths[0] if len(paths) == 1 else paths
    with joined() as group:
        request = Request(name, data, given, seed, device, command=command, minutes=minutes or 0.0, system=system)
        if not group.first:
            prepared = prepare(request, out or default_out(name, data), fork, group)
            if not prepared.finished():
                api.run(prepared, Silent())
            return {}                                           # the first process speaks for all
        return train_first(request, out or default_out(name, data), fork, group)


def kinds_of(columns: list[str]) -> list[str]:
    """What was said of columns, NAME=KIND, as the setting `columns`."""
    kinds: dict[str, str] = {}
    for word in columns:
        name, equals, kind = word.rpartition("=")
        if not equals or not name or not kind:
            raise InputError(f"--column {shown(word)}: expected NAME=KIND, such as age=integer.")
        kinds[name] = kind
    return [f"columns={json.dumps(kinds, sort_keys=True)}"]


def train_first(request: Request, out: Path, fork: Path | None, group: ProcessGroup) -> dict[str, Any]:
    """Train and tell; of several processes, in the one that writes."""
    line, seed, command = Line(request.recipe), request.seed, request.command
    line.say(f"{request.recipe} on {request.data if isinstance(request.data, str) else ' and '.join(request.data)}")
    prepared = prepare(request, out, fork, group)
    folder = prepared.folder
    if prepared.finished():
        folder.unlock()
        if not (folder.path / "losses.png").exists():           # the run was stopped after its model and before its pictures
            model = api.load(folder.path, recipe=request.system)
            album(model.game, model.space, folder, seed)
        return {"run": str(folder.path), "state": "finished", "step": prepared.plan.steps,
                "text": f"{folder.path} is finished ({prepared.plan.steps:,} steps); nothing to do. "
                        f"{next_command(prepared.game, prepared.source.space, folder.path, system_file(request))}"}
    for fact in facts(prepared):
        line.say(fact)
    if group.world_size > 1:
        line.say(f"processes: {group.world_size}, each with {prepared.plan.batch // group.world_size} of a batch of {prepared.plan.batch}")
        if prepared.plan.device.type == "cuda":
            line.say("several GPUs: this is untested. Weights are still compared on all ranks before every checkpoint.")
    if prepared.had:
        line.say(f"going on with the run in {folder.path}, which was to have {prepared.had:,} rounds, to {prepared.plan.steps:,}; model/ "
                 "and the pictures that sum it up are made anew at its end")
    elif prepared.resumed:
        line.say(f"resuming the run in {folder.path}")
    try:
        model, outcome = api.run(prepared, line)
    finally:
        line.leave()
    scores = {name: round(value, 5) for name, value in outcome.scores.items()}
    common = {"run": str(folder.path), "step": outcome.step, "seconds": round(outcome.seconds, 3), "scores": scores,
              "rollbacks": list(outcome.rollbacks), **({"averaging": round(outcome.averaging, 3)} if group.world_size > 1 else {})}
    averaging = f"\n{outcome.averaging:.0%} of the time was spent on averaging gradients, and waiting for that." \
        if group.world_size > 1 else ""
    back = f"\nIt went back {len(outcome.rollbacks)} time(s), and learned with {0.5 ** len(outcome.rollbacks):g} of its learning rate " \
           f"at the end: see rollbacks in {folder.model}/config.json." if outcome.rollbacks else ""
    if not outcome.finished(prepared.plan):
        ended, asked = outcome.ended, prepared.plan.stop_when
        why = f"\nIt ended early because stop_when={asked} asked for that: {outcome.health}." if ended else ""
        command = all_the_same(command) if ended else command
        return {"state": "stopped", **common, "resume": command,
                "text": f"Stopped after {outcome.step:,} of {prepared.plan.steps:,} steps and saved.{why}{averaging}\n"
                        f"To continue{' all the same' if ended else ''}:\n  {'torchrun ... -m ' if group.world_size > 1 else ''}{command}"
                        + (f"\nWhat the doctor would change: sparring doctor {shlex.quote(str(folder.path))}" if ended else "")}
    pictures = [str(path) for path, _ in album(model.game, model.space, folder, seed)]
    steps = "step" if outcome.step == 1 else "steps"
    best = f"best:     {folder.best}\n" if folder.best.exists() else ""
    table = "".join(f"\n  {name:<20} {value:g}" for name, value in scores.items())
    return {"state": "finished", **common, "model": str(folder.model), "pictures": pictures,
            "text": f"Finished {outcome.step:,} {steps}, {duration(outcome.seconds)} of training.{averaging}{back}{table}\n"
                    f"pictures: {folder.path}/*.png, {folder.samples}\nmodel:    {folder.model}\n{best}"
                    f"{next_command(model.game, model.space, folder.path, system_file(request))}\n"
                    f"How it went: sparring report {shlex.quote(str(folder.path))}{system_file(request)}"}


def all_the_same(command: str) -> str:
    """The command of a run that ended itself, to continue it."""
    words = [word for word in without(shlex.split(command), {"--stop-when"}) if not word.startswith("stop_when=")]
    return shlex.join([*words, "--stop-when", "never"])


def default_out(recipe: str, data: str | list[str]) -> Path:
    stems = [(Path(one).resolve() if os.path.exists(one) else Path(one)).stem for one in ([data] if isinstance(data, str) else data)]
    return Path("runs") / f"{recipe}-{'-'.join(stems)[:100]}"


def system_file(request: Request) -> str:
    """What a command needs to be told of a system of one's own."""
    file = request.system.origin.file if request.system is not None and request.system.origin is not None else ""
    return f" --recipe {shlex.quote(os.path.relpath(file) if not os.path.relpath(file).startswith('..') else file)}" if file else ""


def next_command(game: Game, space: Space, run: Path, own: str = "") -> str:
    """What to do with a finished run."""
    if game.draws:
        rows = " -n 1000 --out rows.csv" if isinstance(space, Table) else ""
        return f"Draw from it: sparring sample {shlex.quote(str(run))}{rows}{own}"
    if not game.shows:
        return f"Use its networks in Python: sparring.load({str(run)!r}, recipe=FILE).game.model"
    if game.translation is None:
        return f"Animate with it: sparring animate {shlex.quote(str(run))} --source IMAGE --driving CLIP --out FILM.gif{own}"
    to = f" --to {shlex.quote(game.translation.names[-1])}" if len(game.translation.names) > 1 else ""
    return f"Translate with it: sparring translate {shlex.quote(str(run))} IMAGES --out DIR{to}{own}"
