"""The commands `show` and `recipes`: the parts and the settings of a recipe or a run."""

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sparring import api
from sparring.cli.answer import say
from sparring.data.source import blank
from sparring.errors import InputError
from sparring.game import Game
from sparring.recipes import RECIPES, find
from sparring.runs.folder import read_json, remade
from sparring.settings import RunSettings, describe, make
from sparring.setup.build import build
from sparring.setup.own import is_path, named, offered, outside
from sparring.setup.request import chosen_for
from sparring.spaces import Space


def show(what: str, data: str | None, every: bool = False, own: str | None = None) -> dict[str, Any]:
    """The parts of a recipe, as it would be on this data, or of a run; as text with `every` setting, or with those that matter most."""
    held: Mapping[str, Any] = {}
    if what in RECIPES or not os.path.exists(what) or (is_path(what) and not os.path.isdir(what)):
        called, system = named(what)
        recipe = system or find(called)
        on = data or recipe.reads.example
        say(f"building {what} for {on}", err=True)            # which takes longer than importing torch
        source = recipe.reads.open(on, recipe.reads.settings())
        chosen = {setting: value for setting, (value, _) in chosen_for(recipe, source, recipe.settings(), "cpu").items()}
        settings, space = make(recipe.settings, recipe.defaults(source.space) | chosen), source.space
        run_settings, name, title = RunSettings(), called, f"{what} on {on}: {recipe.summary}"
    elif os.path.exists(Path(what) / "config.json"):
        config = read_json(Path(what) / "config.json")
        name, system = str(config.get("recipe")), outside(own)
        model = api.rebuilt(config, Path(what), "cpu", {}, lambda game: None, system=system)[0]
        recipe, settings, space = system or find(name), model.settings, model.space
        looks, held = (part if isinstance(part := config.get(of), dict) else {} for of in ("run_settings", "data_settings"))
        run_settings = make(RunSettings, looks)                 # a model folder has none
        kind, where = ("run", config["data"]) if "data" in config else ("model", model.trained.get("data"))
        title = f"{what}: a {kind} of {name} on {where}"
    else:
        raise InputError(f"{what} is neither a recipe nor a run: it holds no config.json. Recipes: {', '.join(RECIPES)}.")
    game = build(recipe, settings, space, torch.device("cpu"), 0)
    result = {"recipe": name, "summary": recipe.summary, "shape": list(space.shape), **parts(game, space, settings.batch),
              "settings": describe(type(settings), settings), "run_settings": describe(RunSettings, run_settings),
              "data_settings": describe(recipe.reads.settings)}
    told = result | {"data_settings": describe(recipe.reads.settings, remade(recipe.reads.settings, dict(held)))}
    rest = shlex.join(["sparring", "show", what, *([] if data is None else ["--data", data]), "--all"])
    lines = [title, "", *players_and_turns(told), "", *(every_setting(told) if every else first_settings(told, recipe.matters, rest))]
    return {**result, "text": "\n".join(lines)}


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


def players_and_turns(shown: dict[str, Any]) -> list[str]:
    """Who plays, and what is done in a round, a line each."""
    players = [(p["name"], f"{p['parameters']:,} parameters, {p['optimizer']}" + (f", averaged ({p['ema']})" if p["ema"] else ""))
               for p in shown["players"]]
    return ["Players", *beside(players), "", "Turns of a round", *beside([(turn["name"], turn_told(turn)) for turn in shown["turns"]])]


def turn_told(turn: dict[str, Any]) -> str:
    """Whose turn it is, how often it comes, what it minimizes and what is watched."""
    often = [*([f"{turn['times']} times"] if turn["times"] > 1 else []), *([f"every {turn['every']} rounds"] if turn["every"] > 1 else []),
             *([f"from round {turn['start']}"] if turn["start"] else []),
             *([f"in the first {turn['stop']} rounds"] if turn["stop"] else [])]
    whose = "" if turn["player"] == turn["name"] else f"{turn['player']} "
    return (f"{whose}minimizes {' + '.join(turn['terms']) or 'nothing at first'}" + "".join(f", {how}" for how in often)
            + (f"; watched: {', '.join(turn['watched'])}" if turn["watched"] else ""))


def first_settings(shown: dict[str, Any], matters: tuple[str, ...], rest: str) -> list[str]:
    """The settings that matter most, each on a line of at most 79 columns, and how to see all."""
    rows = {row["name"]: row for part in ("run_settings", "data_settings", "settings") for row in shown[part]}
    chosen = [(typed(name, rows[name]["value"]), first_sentence(rows[name]["meaning"])) for name in matters]
    return ["Settings that matter most", *beside(chosen), "", f"Every setting, with its bounds: {rest}"]


def first_sentence(meaning: str) -> str:
    """What a setting is, without what follows in brackets, after a colon or after a semicolon."""
    words = re.split(r"[;:.]|,? \(", meaning, maxsplit=1)[0]
    return f"{words[0].upper()}{words[1:]}."


def every_setting(shown: dict[str, Any]) -> list[str]:
    """All settings, those of the recipe first."""
    lines: list[str] = []
    for part, title in (("settings", "Settings"), ("data_settings", "Settings of the data"), ("run_settings", "Settings of the run")):
        rows = [(typed(row["name"], row["value"]), f"{row['meaning'].rstrip('.')} ({row['bounds']}; default "
                 f"{typed('', row['default'])})") for row in shown[part]]
        lines += ["", title, *beside(rows)]
    return lines[1:]


def typed(name: str, value: Any) -> str:
    """A setting as one would type it; without a name, its value."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{name}={text}" if name else text


def beside(rows: list[tuple[str, str]]) -> list[str]:
    """Two columns."""
    width = max((len(name) for name, _ in rows), default=0)
    return [f"  {name:<{width}}  {text}".rstrip() for name, text in rows]


def recipes() -> dict[str, Any]:
    """Every recipe with its summary: those of this project, whose `package` is None, and those of installed packages."""
    others = offered()
    rows = [{"name": name, "summary": recipe.summary, "package": None} for name, recipe in RECIPES.items()]
    rows += [{"name": one.name, "summary": one.summary, "package": one.package} for one in others if one.reached]
    width = max(len(str(row["name"])) for row in rows)
    lines = [f"{row['name']:<{width}}  {row['summary'] if row['package'] is None else of_package(row)}" for row in rows]
    lines += [f"The package {one.package} also has a recipe '{one.name}'. Another one has this name, so it cannot be trained by it."
              for one in others if not one.reached]
    return {"recipes": rows, "text": "\n".join(lines)}


def of_package(row: dict[str, Any]) -> str:
    """Which package a recipe is of, and what that says of itself: the recipe is not imported for a list."""
    return f"(package {row['package']})" + (f" {row['summary']}" if row["summary"] else "")
