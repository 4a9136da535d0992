"""The commands `show` and `recipes`: the parts and the settings of a recipe or a run."""

import os
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sparring import api
from sparring.data.source import blank
from sparring.errors import InputError
from sparring.game import Game
from sparring.recipes import RECIPES, find
from sparring.runs.folder import read_json
from sparring.settings import RunSettings, describe, make
from sparring.setup.build import build
from sparring.setup.request import chosen_for
from sparring.spaces import Space


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
