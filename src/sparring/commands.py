"""What each command does; each returns plain values for --json and `text` for people."""

import csv
import os
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sparring import api
from sparring.building import build
from sparring.data.labels import TABLE, table_of
from sparring.data.source import blank
from sparring.doctor.again import without
from sparring.errors import InputError
from sparring.game import Game
from sparring.game.processes import Crew, joined
from sparring.pictures.album import album
from sparring.pictures.samples import draw_samples
from sparring.prepare import prepare
from sparring.progress import Line, duration
from sparring.recipes import RECIPES, find
from sparring.run import read_json
from sparring.settings import RunSettings, describe, make, parse
from sparring.spaces import Images, Space, to_uint8
from sparring.telling import facts
from sparring.wishing import Wish, chosen_for


# -------------------------------------------------------------------------------------------------------- train
def train(recipe: str, words: list[str], paths: list[str], out: Path | None, steps: int | None, seed: int, device: str,
          fork: Path | None, command: str, minutes: float | None = None) -> dict[str, Any]:
    """Train, resume, or say that there is nothing left to do."""
    given: dict[str, Any] = dict(parse(words))
    if steps is not None:
        if "steps" in given:
            raise InputError(f"steps is given twice: --steps {steps} and steps={given['steps']}. Give it once.")
        given["steps"] = steps
    if minutes == 0:
        raise InputError("--minutes 0 is no time to train for. Give a number above 0, such as --minutes 30, or leave it out.")
    data: str | list[str] = find(recipe).reads.example if not paths else paths[0] if len(paths) == 1 else paths
    with joined() as crew:
        wish = Wish(recipe, data, given, seed, device, command=command, minutes=minutes or 0.0)
        if not crew.first:
            prepared = prepare(wish, out or default_out(recipe, data), fork, crew)
            if not prepared.finished():
                api.run(prepared, api.Silent())
            return {}                                           # the first process speaks for all
        return train_first(wish, out or default_out(recipe, data), fork, crew)


def train_first(wish: Wish, out: Path, fork: Path | None, crew: Crew) -> dict[str, Any]:
    """Train and tell; of several processes, in the one that writes."""
    line, seed, command = Line(wish.recipe), wish.seed, wish.command
    prepared = prepare(wish, out, fork, crew)
    folder = prepared.folder
    if prepared.finished():
        folder.unlock()
        if not (folder.path / "losses.png").exists():           # the run was stopped after its model and before its pictures
            model = api.load(folder.path)
            album(model.game, model.space, folder, seed)
        return {"run": str(folder.path), "state": "finished", "step": prepared.plan.steps,
                "text": f"{folder.path} is finished ({prepared.plan.steps:,} steps); nothing to do. "
                        f"{next_command(prepared.game, folder.path)}"}
    for fact in facts(prepared):
        line.say(fact)
    if crew.size > 1:
        line.say(f"processes: {crew.size}, each with {prepared.plan.batch // crew.size} of a batch of {prepared.plan.batch}")
        if prepared.plan.device.type == "cuda":
            line.say("several GPUs: nobody has tried this yet; what is certain is that nothing is saved before all have the same weights")
    if prepared.resumed:
        line.say(f"resuming the run in {folder.path}")
    try:
        model, outcome = api.run(prepared, line)
    finally:
        line.leave()
    scores = {name: round(value, 5) for name, value in outcome.scores.items()}
    common = {"run": str(folder.path), "step": outcome.step, "seconds": round(outcome.seconds, 3), "scores": scores,
              "rollbacks": list(outcome.rollbacks), **({"averaging": round(outcome.averaging, 3)} if crew.size > 1 else {})}
    averaging = f"\n{outcome.averaging:.0%} of the time was spent on averaging gradients, and waiting for that." if crew.size > 1 else ""
    back = f"\nIt went back {len(outcome.rollbacks)} time(s), and learned with {0.5 ** len(outcome.rollbacks):g} of its learning rate " \
           f"at the end: see rollbacks in {folder.model}/config.json." if outcome.rollbacks else ""
    if not outcome.finished(prepared.plan):
        ended, asked = outcome.ended, prepared.plan.stop_when
        why = f"\nIt ended early because stop_when={asked} asked for that: {outcome.health}." if ended else ""
        command = all_the_same(command) if ended else command
        return {"state": "stopped", **common, "resume": command,
                "text": f"Stopped after {outcome.step:,} of {prepared.plan.steps:,} steps and saved.{why}{averaging}\n"
                        f"To go on{' all the same' if ended else ''}:\n  {'torchrun ... -m ' if crew.size > 1 else ''}{command}"
                        + (f"\nWhat the doctor would change: sparring doctor {shlex.quote(str(folder.path))}" if ended else "")}
    pictures = [str(path) for path, _ in album(model.game, model.space, folder, seed)]
    best = f"best:     {folder.best}\n" if folder.best.exists() else ""
    table = "".join(f"\n  {name:<20} {value:g}" for name, value in scores.items())
    return {"state": "finished", **common, "model": str(folder.model), "pictures": pictures,
            "text": f"Finished {outcome.step:,} steps, {duration(outcome.seconds)} of training.{averaging}{back}{table}\n"
                    f"pictures: {folder.path}/*.png, {folder.samples}\nmodel:    {folder.model}\n{best}"
                    f"{next_command(model.game, folder.path)}\nHow it went: sparring report {shlex.quote(str(folder.path))}"}


def all_the_same(command: str) -> str:
    """The command of a run that ended itself, to go on with it."""
    words = [word for word in without(shlex.split(command), {"--stop-when"}) if not word.startswith("stop_when=")]
    return shlex.join([*words, "--stop-when", "never"])


def default_out(recipe: str, data: str | list[str]) -> Path:
    stems = [(Path(one).resolve() if os.path.exists(one) else Path(one)).stem for one in ([data] if isinstance(data, str) else data)]
    return Path("runs") / f"{recipe}-{'-'.join(stems)[:100]}"


def next_command(game: Game, run: Path) -> str:
    """What to do with a finished run."""
    if game.translation is None:
        return f"Draw from it: sparring sample {shlex.quote(str(run))}"
    to = f" --to {shlex.quote(game.translation.names[-1])}" if len(game.translation.names) > 1 else ""
    return f"Translate with it: sparring translate {shlex.quote(str(run))} IMAGES --out DIR{to}"


# ------------------------------------------------------------------------------------------------------- sample
def sample(run: Path, n: int, seed: int, out: Path, label: str | None, truncation: float | None = None) -> dict[str, Any]:
    """Draw n samples into a picture, an array, a table, or a folder of pictures."""
    model = api.load(run)
    labels = None if label is None else [label] if label in model.labels else [word.strip() for word in label.split(",")]
    samples, which = model.sample(n, seed=seed, labels=labels, truncation=truncation), model.labels_for(n, labels)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_samples(model, samples, which, out)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror or error}. Give another --out.") from None
    return {"out": str(out), "n": n, "seed": seed, "shape": list(samples.shape), "text": f"{n} samples: {out}"}


def write_samples(model: api.Model, samples: torch.Tensor, which: torch.Tensor, out: Path) -> None:
    images = isinstance(model.space, Images)
    match "" if out.is_dir() else out.suffix.lower():
        case ".png":
            draw_samples(model.space, samples, out)
        case ".npy":
            with open(out, "wb") as file:                       # given a name, np.save may append to it
                np.save(file, to_uint8(samples).permute(0, 2, 3, 1).numpy() if images else samples.numpy())
        case ".csv" if images:
            raise InputError("images do not go into a .csv table. Give --out FILE.png, FILE.npy or a folder.")
        case ".csv":
            names = [f"x{i}" for i in range(samples.shape[1])]
            rows = [[f"{v:.9g}" for v in row] for row in samples.tolist()]
            if model.labels:
                added, columns = labelled(model, which)
                names, rows = [*names, *added], [[*row, *more] for row, more in zip(rows, columns, strict=True)]
            with open(out, "w", newline="") as table:
                csv.writer(table, lineterminator="\n").writerows([names, *rows])
        case "":
            write_folder(model, samples, which, out)
        case other:
            raise InputError(f"'{other}' is not a format for samples. Give --out FILE.png, FILE.npy, FILE.csv or a folder.")


def write_folder(model: api.Model, samples: torch.Tensor, which: torch.Tensor, out: Path) -> None:
    """One PNG a sample, in a folder a class when there are classes, or beside a labels.csv: a data set that can be trained on again."""
    from PIL import Image

    if not isinstance(model.space, Images):
        raise InputError("only images go into a folder of pictures. Give --out FILE.png, FILE.npy or FILE.csv.")
    for i, (image, y) in enumerate(zip(to_uint8(samples).permute(0, 2, 3, 1).numpy(), which.tolist(), strict=True)):
        folder = out / folder_name(model.labels, y) if model.labels and model.traits is None else out
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(folder / f"{i:06d}.png")


    if model.traits is not None:
        names, rows = labelled(model, which)
        with open(out / TABLE, "w", newline="") as table:
            csv.writer(table, lineterminator="\n").writerows([["file", *names], *([f"{i:06d}.png", *row] for i, row in enumerate(rows))])


def labelled(model: api.Model, which: torch.Tensor) -> tuple[list[str], list[list[Any]]]:
    """Columns that say what each sample was asked to be: names, and a row a sample."""
    if model.traits is None:
        return ["label"], [[model.labels[y]] for y in which.tolist()]
    return list(model.traits.names), table_of(model.traits, which)


def folder_name(labels: tuple[str, ...], y: int) -> str:
    """A class as the name of a folder; one that a file system could misread, such as `../x`, goes by its number."""
    plain = all(letter.isalnum() or letter in " _-+." for letter in labels[y]) and labels[y].strip(". ") == labels[y] != ""
    return labels[y] if plain and len(labels[y]) <= 100 else f"class {y}"


# --------------------------------------------------------------------------------------------------------- show
def show(what: str, data: str | None) -> dict[str, Any]:
    """The parts of a recipe, as it would be on this data, or of a run."""
    if what in RECIPES:
        recipe = RECIPES[what]
        data = data or recipe.reads.example
        source = recipe.reads.open(data, recipe.reads.settings())
        chosen = {setting: value for setting, (value, _) in chosen_for(recipe, source, recipe.settings(), "cpu").items()}
        settings, space = make(recipe.settings, recipe.defaults(source.space) | chosen), source.space
        run_settings, name, title = RunSettings(), what, f"{what} on {data}: {recipe.summary}"
    elif os.path.exists(Path(what) / "config.json"):
        config = read_json(Path(what) / "config.json")
        name, model = str(config.get("recipe")), api.rebuild(config, Path(what), "cpu", {}, lambda game: None)[0]
        recipe, settings, space = find(name), model.settings, model.space
        looks = config.get("run_settings")                      # a model folder has none
        run_settings = make(RunSettings, looks if isinstance(looks, dict) else {})
        kind, where = ("run", config["data"]) if "data" in config else ("model", model.trained.get("data"))
        title = f"{what}: a {kind} of {name} on {where}"
    elif os.path.exists(what):
        raise InputError(f"{what} is neither a recipe nor a run: it holds no config.json. Recipes: {', '.join(RECIPES)}.")
    else:
        find(what)                                              # says what recipes there are
        raise AssertionError
    game = build(recipe, settings, space, torch.device("cpu"), 0)
    result = {"recipe": name, "summary": recipe.summary, "shape": list(space.shape), **parts(game, space, settings.batch),
              "settings": describe(type(settings), settings), "run_settings": describe(RunSettings, run_settings),
              "data_settings": describe(recipe.reads.settings)}
    return {**result, "text": render(result, title)}


def parts(game: Game, space: Space, batch: int) -> dict[str, Any]:
    """Players with parameter counts; turns in order with the terms of their losses, found by evaluating each once."""
    names = {id(player): name for name, player in game.players.items()}
    trial = blank(space, batch, torch.device("cpu"), game.classes > 0 or game.translation is not None)
    turns = []
    for name, turn in game.turns.items():
        report = turn.loss(trial, turn.start)
        turns.append({"name": name, "player": names[id(turn.player)], "times": turn.times, "every": turn.every,
                      "start": turn.start, "stop": turn.stop, "terms": list(report.minimize), "watched": list(report.watch)})
    players = [{"name": name, "parameters": sum(p.numel() for p in player.parameters), "ema": player.ema,
                "optimizer": type(player.optimizer).__name__} for name, player in game.players.items()]
    return {"players": players, "turns": turns}


def render(shown: dict[str, Any], title: str) -> str:
    """The same as tables."""
    console = Console(width=120, record=True, file=open_null(), no_color=True)
    console.print(title, highlight=False, markup=False)
    add(console, ["player", "parameters", "optimizer", "average"],
        [[p["name"], f"{p['parameters']:,}", p["optimizer"], str(p["ema"] or "none")] for p in shown["players"]])
    add(console, ["turn", "player", "times", "every", "terms minimized", "watched"],
        [[t["name"], t["player"], str(t["times"]), str(t["every"]), ", ".join(t["terms"]), ", ".join(t["watched"])]
         for t in shown["turns"]])
    for part in ("settings", "data_settings", "run_settings"):
        add(console, [part.replace("_", " "), "value", "default", "bounds", "meaning"],
            [[s["name"], str(s["value"]), str(s["default"]), s["bounds"], s["meaning"]] for s in shown[part]])
    return console.export_text().rstrip()


def open_null() -> Any:
    import io

    return io.StringIO()


def add(console: Console, header: list[str], rows: list[list[str]]) -> None:
    table = Table(*header, box=None, pad_edge=False, padding=(0, 2, 0, 0), title_justify="left")
    for row in rows:
        table.add_row(*map(escape, row))
    console.print()
    console.print(table)


def recipes() -> dict[str, Any]:
    """Every recipe with its summary."""
    rows = [{"name": name, "summary": recipe.summary} for name, recipe in RECIPES.items()]
    return {"recipes": rows, "text": "\n".join(f"{row['name']:<8} {row['summary']}" for row in rows)}
