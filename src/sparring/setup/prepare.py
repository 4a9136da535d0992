"""From a request to a game ready to train: its folder, its device, what is chosen by measuring, and its config.json."""

import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import nn

import sparring
from sparring.data.source import Source, batches, workers_for
from sparring.errors import InputError
from sparring.game import Game
from sparring.game.accumulate import in_parts
from sparring.game.copies import copied
from sparring.game.processes import ALONE, ProcessGroup
from sparring.recipes import Recipe
from sparring.runs.folder import RunFolder
from sparring.settings import RunSettings, Settings, make
from sparring.setup import autotune, forecast
from sparring.setup.build import build, check_networks, fresh, refuse_unfit
from sparring.setup.longer import lengthen, longer
from sparring.setup.own import keep_copy, kept
from sparring.setup.rehearsal import elsewhere, rehearse
from sparring.setup.reopen import chosen_then, continue_in, refuse_changes
from sparring.setup.request import Request, Resolved, choose_device, resolve
from sparring.setup.resumable import FEW, refuse_unsaved
from sparring.setup.sharing import ONE_DISK, refuse_own_folder, refuse_strangers, refuse_uneven
from sparring.spaces import Space, to_json
from sparring.training.course import on_device
from sparring.training.plan import Plan, Remake

SHAPING = {                                                     # by networks of one's own: the settings that then do nothing
    ("generator", "discriminator"): ("both networks are", ("width", "depth", "slope", "residual", "backbone")),
    ("generator",): ("the generator is", ("cells",)), ("discriminator",): ("the discriminator is", ("deep",)),
}
HARDLY = 50             # rounds: how long fewer will take is not foretold
CHANGEABLE = ("workers", "on_nan", "stop_when", "accumulate")    # run settings that may change in a run; only the last one changes its bits


@dataclass(frozen=True)
class Prepared:
    """A game, its data and its folder, and every choice as it stands in config.json."""

    game: Game
    source: Source
    plan: Plan
    folder: RunFolder
    config: dict[str, Any]
    resumed: bool
    group: ProcessGroup = ALONE
    remake: Remake | None = None            # the same game with some settings changed
    had: int = 0                            # the rounds that the run had, where it goes on with more from here
    notes: tuple[str, ...] = ()             # what to tell of networks of one's own
    system: Recipe | None = None            # of somebody's own

    def finished(self) -> bool:
        return (self.folder.model / "config.json").exists()


def scheduled(request: Request, folder: RunFolder, group: ProcessGroup, fork: bool) -> tuple[Resolved, dict[str, Any], dict[str, str]]:
    """What `resolve` gives, with as many rounds as were planned for the minutes when the run began, or are to be now; and what was
    chosen for planning by trying, with the reasons."""
    before = folder.read_config()
    given = forecast.remembered(request.given, request.minutes, before if request.minutes else None)
    request = replace(request, given=chosen_then(request.entry, given, before))
    plan = bool(request.minutes) and "steps" not in request.given
    if plan and group.world_size > 1:
        raise InputError("--minutes works with one process only, and several were started. Give --steps.")
    if plan and fork:
        raise InputError("--minutes cannot plan a fork, which continues an existing run. Give --steps, counted from the start of that run.")
    wanted = resolve(request)
    wanted = replace(wanted, notes=try_resuming(request, wanted))
    return planned(request, wanted) if plan else (wanted, {}, {})


def try_resuming(request: Request, wanted: Resolved) -> tuple[str, ...]:
    """InputError for networks, or a recipe, that are not of this project and could not be resumed exactly; what to tell of the others."""
    recipe, settings, space = wanted.recipe, wanted.settings, wanted.source.space
    if not request.own and recipe.game.__module__.split(".")[0] == "sparring":
        return ()                                               # the tests resume all of these

    def own() -> dict[str, nn.Module]:
        return copied(dict(request.own or {}), " and ".join(request.own or {}))

    def made(device: torch.device, batch: int) -> Game:
        return fresh(recipe, settings.model_copy(update={"batch": batch}), space, device, request.seed, own())

    device = torch.device(choose_device(request.device))
    refuse_unfit(recipe, request.own or {})
    few = min(settings.batch, FEW * getattr(settings, "pack", 1))

    def checked(batch: int) -> list[str]:
        return check_networks(made(device, batch), space, lambda: made(device, batch) if request.own else None, batch)

    try:
        told = checked(few)
    except InputError:                                          # not for so few, perhaps; what is wrong anyway is told first
        told = checked(settings.batch)
    if recipe.game.__module__.split(".")[0] != "sparring":
        rehearse(made, wanted.source, device, settings.batch, few)
        told += [note for note in [elsewhere(made, wanted.source, few)] if note and device.type == "cpu"]
    refuse_unsaved(made, wanted.source, device, settings.batch, few)
    return (*told, *without_effect(recipe.networks, request))


def without_effect(networks: tuple[str, ...], request: Request) -> list[str]:
    """What to tell of settings that were given and shape only networks that are one's own, of those that a recipe takes."""
    if len(networks) < 2:                                       # vae builds an encoder by them
        return []
    found = []
    for ones, (whose, names) in SHAPING.items():
        if set(ones) <= set(request.own or ()) and (given := [name for name in names if name in request.given]):
            listed = ", ".join(given[:-1]) + " and " * (len(given) > 1) + given[-1]
            found.append(f"{whose} your own, so {listed} {'do' if len(given) > 1 else 'does'} nothing.")
    return found


def prepare(request: Request, out: Path, fork: Path | None = None, group: ProcessGroup = ALONE) -> Prepared:
    """Make or reopen the run folder and build the game; the folder stays locked until `folder.unlock()`.

    InputError when the folder holds a run that was asked for differently, with the differences; more rounds alone are none, where the
    run can have them.  Of several processes, the first one makes the folder, and the others find the run in it, once they are found to
    have been asked for the same.
    """
    if not group.first:
        group.wait()
    folder = RunFolder(fork or out)
    wanted, tried, reasons = scheduled(request, folder, group, fork is not None)
    recipe, settings, source, run_settings = wanted.recipe, wanted.settings, wanted.source, wanted.looks
    looks = {name: value for name, value in run_settings.model_dump().items() if name in request.given and value not in (0, "auto")}
    now = {name: looks.pop(name) for name in CHANGEABLE if name in looks}
    asked = asked_for(request, wanted, looks)
    refuse_uneven(settings, looks, lambda: choose_device(request.device), group)
    before, new = folder.config.exists(), not folder.path.exists()
    if not group.first:
        refuse_strangers(asked | now, group)
        refuse_own_folder(folder, group)
    else:
        folder.create()
        folder.lock()
    try:
        old, had = folder.read_config(), 0
        if old is not None:
            old, run_settings, had = reopened(old, asked, now, request, folder, group)
        device = torch.device(choose_device(request.device) if old is None else same_device(old, folder))
        run_settings, why = choose(run_settings.model_copy(update=tried), recipe, settings, source, device, request, group.world_size == 1)
        reasons = {**reasons, **why, **wanted.reasons}
        if old is None or had:
            reasons |= expected_cost(request, recipe, settings, source, device, run_settings.precision)
        remake = remaker(recipe, settings, source.space, device, request, run_settings)
        game = remake({})
        if old is not None and had:
            old["reasons"] = (then if isinstance(then := old.get("reasons"), dict) else {}) | reasons
            lengthen(folder, game, old)
        config: dict[str, Any] = old or asked | {
            "data": named(request.data), "run_settings": run_settings.model_dump(), "reasons": reasons, "space": to_json(source.space),
            "forked_from": str(out) if fork else None, "inherited_rollbacks": 0, "inherited_actions": 0,
        } | circumstances(request, device, group)
        if old is None:
            if fork is not None:
                continue_in(RunFolder(out), folder, game, config)
            else:
                folder.write_config(config)
        if group.first:
            keep_copy(folder, request.system)
            group.wait()
            refuse_strangers(asked | now, group)
    except BaseException:
        if group.world_size > 1 and group.first and not before:         # others were started differently: nothing began here
            folder.config.unlink(missing_ok=True)
        if group.first and new:
            folder.unmake()                                     # before others may lock it
        folder.unlock()
        raise
    plan = plan_of(settings, run_settings, request.seed, device, source, config, group)
    group.agree(f"what stands in {folder.config}", ONE_DISK, json.dumps(config).encode())
    return Prepared(game, source, plan, folder, config, old is not None, group, remake, had, wanted.notes, request.system)


def reopened(old: dict[str, Any], asked: dict[str, Any], now: dict[str, Any], request: Request, folder: RunFolder,
             group: ProcessGroup) -> tuple[dict[str, Any], RunSettings, int]:
    """What stands in config.json of the run that is gone on with, its run settings, and how many rounds it had if it is to have more.

    InputError when it was asked for differently.
    """
    more = longer(old, asked, request, folder)
    had, old = (old["settings"]["steps"], more) if more is not None else (0, old)
    refuse_changes(old, asked, folder, request.system)
    # a run that began before there was a choice was in fp32, and stays so
    run_settings = make(RunSettings, {"precision": "fp32", "compile": "off"} | old["run_settings"] | now)
    if group.first and now and run_settings.model_dump() != old["run_settings"]:
        old = old | {"run_settings": run_settings.model_dump()}                 # the receipt says what is done from here on
        if not had:
            folder.write_config(old)
    return old, run_settings, had


def plan_of(settings: Settings, run: RunSettings, seed: int, device: torch.device, source: Source, config: Mapping[str, Any],
            group: ProcessGroup) -> Plan:
    """What the trainer has to know."""
    rollbacks, actions = (n if type(n := config.get(f"inherited_{name}")) is int else 0 for name in ("rollbacks", "actions"))
    return Plan(settings.steps, settings.batch, seed, device, run.log_every, run.show_every, run.score_every, run.save_every,
                run.workers or workers_for(source), run.precision, run.compile == "on" and group.world_size == 1 and run.accumulate == 1,
                run.exact, run.on_nan, run.keep_best, run.check_every, run.stop_when, rollbacks, run.doctor, actions, run.accumulate)


def asked_for(request: Request, wanted: Resolved, looks: dict[str, Any]) -> dict[str, Any]:
    """What makes a run this run and no other, as it stands in config.json."""
    return {"recipe": request.recipe, "settings": wanted.settings.model_dump(), "data_settings": wanted.data_settings.model_dump(),
            "seed": request.seed, "fingerprint": wanted.source.fingerprint, "device": request.device, "run_settings": looks,
            "own_networks": {name: repr(net) for name, net in (request.own or {}).items()}, **kept(request.system)}


def circumstances(request: Request, device: torch.device, group: ProcessGroup) -> dict[str, Any]:
    """Where, when and how a run begins."""
    return {"device": str(device), "processes": group.world_size, "command": request.command, "minutes": request.minutes,
            "versions": versions(), "directory": os.getcwd(), "started": datetime.now(UTC).isoformat(timespec="seconds")}


def named(data: Any) -> str | list[str]:
    """Data as it stands in config.json: a name or a path, several of them, or what kind of object it was."""
    if isinstance(data, list | tuple) and data and all(isinstance(one, str | Path) for one in data):
        return [str(one) for one in data]
    return str(data) if isinstance(data, str | Path) else type(data).__name__


def choose(run: RunSettings, recipe: Recipe, settings: Settings, source: Source, device: torch.device,
           request: Request, alone: bool) -> tuple[RunSettings, dict[str, str]]:
    """Threads, precision and compilation, as given or by trying them, and why; torch has that many threads from here on."""
    trial, rounds = rehearsals(request, recipe, settings, source, device, "fp32")
    threads, reasons = run.threads or autotune.threads(trial, rounds, device), {}
    torch.set_num_threads(threads)
    precision: str = run.precision
    if precision == "auto":
        precision, reasons["precision"] = autotune.precision(trial, rounds, device, settings.steps)
    elif precision == "bf16" and autotune.slow_in_bf16(device):
        reasons["precision"] = f"as asked for, though {autotune.SLOWLY}"
    compiling: str = run.compile
    if compiling == "auto":
        compiling, reasons["compile"] = autotune.compiling(rehearsals(request, recipe, settings, source, device, precision)[0],
                                                          rounds, device, settings.steps) if alone else ("off", "several processes")
    return run.model_copy(update={"threads": threads, "precision": precision, "compile": compiling}), reasons


def planned(request: Request, wanted: Resolved) -> tuple[Resolved, dict[str, Any], dict[str, str]]:
    """As many rounds as fit into the minutes, by a measurement with the threads and the precision that were chosen for it, and why."""
    device, long = torch.device(choose_device(request.device)), wanted.settings.model_copy(update={"steps": 100_000})
    chosen, reasons = choose(wanted.run.model_copy(update={"compile": "off"}), wanted.recipe, long, wanted.source, device, request, True)
    trial = rehearsals(request, wanted.recipe, long, wanted.source, device, chosen.precision)
    steps = forecast.rounds_within(request.minutes, forecast.seconds_a_round(*trial, forecast.WATCHED))
    return (replace(wanted, settings=wanted.settings.model_copy(update={"steps": steps})),
            {"threads": chosen.threads, "precision": chosen.precision}, reasons)


def expected_cost(request: Request, recipe: Recipe, settings: Settings, source: Source, device: torch.device,
                  precision: str) -> dict[str, str]:
    """Time and memory that the run will take, in words; nothing for a run that may be over before one has read it."""
    if settings.steps < HARDLY:
        return {}
    patience = 0.0 if settings.steps < autotune.SHORT else forecast.GLANCED
    try:
        seconds = forecast.seconds_a_round(*rehearsals(request, recipe, settings, source, device, precision), patience)
    except torch.OutOfMemoryError:                              # the run will meet it too, and say what may fit
        return {}
    return {"forecast": forecast.in_words(seconds, settings.steps, device)}


def rehearsals(request: Request, recipe: Recipe, settings: Settings, source: Source, device: torch.device,
               precision: str) -> tuple[Callable[[], Game], Callable[[], Iterator[Any]]]:
    """What makes throw-away games like the one that is wished for, and what makes their batches, both on the device."""
    def trial() -> Game:
        game = build(recipe, settings, source.space, device, request.seed, copied(dict(request.own or {}), " and ".join(request.own or {})))
        return autotune.in_precision(game, precision, device)

    return trial, lambda: on_device(batches(source, settings.batch, request.seed), device)


def remaker(recipe: Recipe, settings: Settings, space: Space, device: torch.device, request: Request, run: RunSettings) -> Remake:
    """A function that builds the game with some of the settings changed."""
    def remake(changed: Mapping[str, Any]) -> Game:
        now = make(recipe.settings, settings.model_dump() | dict(changed))
        game = autotune.in_precision(build(recipe, now, space, device, request.seed, request.own), run.precision, device)
        return in_parts(game, run.accumulate) if run.accumulate > 1 else game

    return remake


def same_device(old: dict[str, Any], folder: RunFolder) -> str:
    """The device a run began on; InputError when it is not there, since another one changes the last bits."""
    try:
        return choose_device(str(old["device"]))
    except InputError as error:
        raise InputError(f"the run in {folder.path} was started on {old['device']}: {error} To continue on another device, use --fork "
                         "NEWDIR.") from None


def versions() -> dict[str, str]:
    return {"sparring": sparring.__version__, "torch": torch.__version__, "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"}
