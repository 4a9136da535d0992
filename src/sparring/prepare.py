"""From what a user asked for to a game that is ready to play: settings, data, folder, device, networks."""

import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

import sparring
from sparring import choices, planning
from sparring.accumulating import in_parts, indivisible
from sparring.crew import ALONE, Crew
from sparring.data.settings import DataSettings
from sparring.data.source import Source, batches, blank, workers_for
from sparring.data.space import Space, to_json
from sparring.earlier import go_on_from, refuse_changes
from sparring.errors import InputError, did_you_mean
from sparring.game import Game, Translation
from sparring.recipes import Recipe, find
from sparring.run import RunFolder
from sparring.scores import refuse_metric
from sparring.settings import RunSettings, Settings, make, split
from sparring.sharing import ONE_DISK, refuse_own_folder, refuse_strangers, refuse_uneven
from sparring.trainer import Plan, Remake

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
    crew: Crew = ALONE
    remake: Remake | None = None            # the same game with some settings changed

    def finished(self) -> bool:
        return (self.folder.model / "config.json").exists()


@dataclass(frozen=True)
class Wish:
    """What the user asked for."""

    recipe: str
    data: Any
    given: Mapping[str, Any]                # settings by name, as typed
    seed: int = 0
    device: str = "auto"
    own: Mapping[str, nn.Module] | None = None
    command: str = ""
    minutes: float = 0.0                    # to train for, instead of a number of rounds; 0: rounds are given


def resolve(wish: Wish) -> tuple[Recipe, Settings, DataSettings, RunSettings, Source]:
    """Check every setting, open the data, and fill in what suits it.  InputError for whatever is wrong."""
    recipe = find(wish.recipe)
    dealt = split(wish.given, {"recipe": recipe.settings, "data": recipe.reads.settings, "run": RunSettings})
    given = make(recipe.settings, dealt["recipe"])              # complain before reading a large data set
    data_settings, run_settings = make(recipe.reads.settings, dealt["data"]), make(RunSettings, dealt["run"])
    source = recipe.reads.open(wish.data, data_settings)
    if not isinstance(source.space, recipe.reads.kinds):
        raise InputError(f"{wish.recipe} does not learn from data of this kind ({type(source.space).__name__}). Give other data, such as "
                         f"--data {recipe.reads.example}, or train another recipe: `sparring recipes` lists them.")
    chosen = {name: value for name, (value, _) in chosen_for(recipe, source, given, wish.device).items()}
    settings = make(recipe.settings, {**recipe.defaults(source.space), **chosen, **dealt["recipe"]})
    if getattr(settings, "conditional", False) and not source.space.labels:
        raise InputError("conditional=true needs data with labels, and this data has none. Images get labels from subfolders, one a class, "
                         "from a labels.csv, from a .cls beside each image of a shard, or from a column `label` of Parquet; arrays from a "
                         "second array `labels` in an .npz.")
    batches(source, settings.batch, wish.seed)                  # refuses fewer samples than a batch
    if run_settings.accumulate > 1 and (why := indivisible(settings.batch, run_settings.accumulate, settings)):
        raise InputError(f"{why}. Give another batch, or accumulate=1.")
    if run_settings.keep_best != "none":
        refuse_metric(source, run_settings.keep_best)
    return recipe, settings, data_settings, run_settings.for_steps(settings.steps), source


def chosen_for(recipe: Recipe, source: Source, given: Settings, device: str) -> dict[str, tuple[Any, str]]:
    """What a recipe chooses for this data on this machine, by setting, with its reasons; `given` are the settings asked for."""
    return recipe.choices(source, given, choose_device(device) != "cpu") if recipe.choices is not None else {}


def reasons_for(recipe: Recipe, source: Source, wish: Wish) -> dict[str, str]:
    """Why the recipe chose what it did, by setting."""
    given = make(recipe.settings, {name: value for name, value in wish.given.items() if name in recipe.settings.model_fields})
    return {name: why for name, (_, why) in chosen_for(recipe, source, given, wish.device).items() if name not in wish.given}


def scheduled(wish: Wish, folder: RunFolder, crew: Crew, fork: bool) -> tuple[Recipe, Settings, DataSettings, RunSettings, Source]:
    """What `resolve` gives, with as many rounds as were planned for the minutes when the run began, or are to be now."""
    wish = replace(wish, given=planning.remembered(wish.given, wish.minutes, folder.read_config() if wish.minutes else None))
    if wish.minutes and "steps" not in wish.given and crew.size > 1:
        raise InputError("--minutes measures one process, and several were started. Give --steps.")
    if wish.minutes and "steps" not in wish.given and fork:
        raise InputError("--minutes plans a run from its beginning, and a fork has one already. Give --steps, counted from that beginning.")
    recipe, settings, data_settings, run_settings, source = resolve(wish)
    if wish.minutes and "steps" not in wish.given:
        settings, run_settings = planned(wish, recipe, settings, source)
    return recipe, settings, data_settings, run_settings, source


def prepare(wish: Wish, out: Path, fork: Path | None = None, crew: Crew = ALONE) -> Prepared:
    """Make or reopen the run folder and build the game; the folder stays locked until `folder.unlock()`.

    InputError when the folder holds a run that was asked for differently, with the differences.  Of a crew, the first process
    makes the folder, and the others find the run in it, once they are found to have been asked for the same.
    """
    if not crew.first:
        crew.wait()
    folder = RunFolder(fork or out)
    recipe, settings, data_settings, run_settings, source = scheduled(wish, folder, crew, fork is not None)
    looks = {name: value for name, value in run_settings.model_dump().items() if name in wish.given and value not in (0, "auto")}
    now = {name: looks.pop(name) for name in CHANGEABLE if name in looks}
    asked = asked_for(wish, settings, data_settings, looks, source)
    refuse_uneven(settings, looks, lambda: choose_device(wish.device), crew)
    before = folder.config.exists()
    if not crew.first:
        refuse_strangers(asked | now, crew)
        refuse_own_folder(folder, crew)
    else:
        folder.create()
        folder.lock()
    try:
        old = folder.read_config()
        if old is not None:
            refuse_changes(old, asked, folder)
            # a run that began before there was a choice was in fp32, and stays so
            run_settings = make(RunSettings, {"precision": "fp32", "compile": "off"} | old["run_settings"] | now)
            if crew.first and now and run_settings.model_dump() != old["run_settings"]:
                old = old | {"run_settings": run_settings.model_dump()}         # the receipt says what is done from here on
                folder.write_config(old)
        device = torch.device(choose_device(wish.device) if old is None else same_device(old, folder))
        run_settings, reasons = choose(run_settings, recipe, settings, source, device, wish, crew.size == 1)
        reasons |= reasons_for(recipe, source, wish)
        if old is None:
            reasons |= forecast(wish, recipe, settings, source, device, run_settings.precision)
        remake = remaker(recipe, settings, source.space, device, wish, run_settings)
        game = remake({})
        config: dict[str, Any] = old or asked | {
            "data": named(wish.data),
            "device": str(device), "run_settings": run_settings.model_dump(), "reasons": reasons, "space": to_json(source.space),
            "forked_from": str(out) if fork else None, "command": wish.command, "versions": versions(),
            "minutes": wish.minutes, "processes": crew.size, "inherited_rollbacks": 0, "inherited_actions": 0, "directory": os.getcwd(),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        if old is None:
            if fork is not None:
                go_on_from(RunFolder(out), folder, game, config)
            else:
                folder.write_config(config)
        if crew.first:
            crew.wait()
            refuse_strangers(asked | now, crew)
    except BaseException:
        if crew.size > 1 and crew.first and not before:         # others were started differently: nothing began here
            folder.config.unlink(missing_ok=True)
        folder.unlock()
        raise
    plan = plan_of(settings, run_settings, wish.seed, device, source, config, crew)
    crew.agree(f"what stands in {folder.config}", ONE_DISK, json.dumps(config).encode())
    return Prepared(game, source, plan, folder, config, resumed=old is not None, crew=crew, remake=remake)


def plan_of(settings: Settings, run: RunSettings, seed: int, device: torch.device, source: Source, config: Mapping[str, Any],
            crew: Crew) -> Plan:
    """What the trainer has to know."""
    rollbacks, actions = (n if type(n := config.get(f"inherited_{name}")) is int else 0 for name in ("rollbacks", "actions"))
    return Plan(settings.steps, settings.batch, seed, device, run.log_every, run.show_every, run.score_every, run.save_every,
                run.workers or workers_for(source), run.precision, run.compile == "on" and crew.size == 1 and run.accumulate == 1,
                run.exact, run.on_nan, run.keep_best, run.check_every, run.stop_when, rollbacks, run.doctor, actions, run.accumulate)


def asked_for(wish: Wish, settings: Settings, data_settings: DataSettings, looks: dict[str, Any], source: Source) -> dict[str, Any]:
    """What makes a run this run and no other, as it stands in config.json."""
    return {"recipe": wish.recipe, "settings": settings.model_dump(), "data_settings": data_settings.model_dump(),
            "seed": wish.seed, "fingerprint": source.fingerprint, "device": wish.device, "run_settings": looks,
            "own_networks": {name: repr(net) for name, net in (wish.own or {}).items()}}


def named(data: Any) -> str | list[str]:
    """Data as it stands in config.json: a name or a path, several of them, or what kind of object it was."""
    if isinstance(data, list | tuple) and data and all(isinstance(one, str | Path) for one in data):
        return [str(one) for one in data]
    return data if isinstance(data, str) else type(data).__name__


def choose(run: RunSettings, recipe: Recipe, settings: Settings, source: Source, device: torch.device,
           wish: Wish, alone: bool) -> tuple[RunSettings, dict[str, str]]:
    """Threads, precision and compilation, as given or by trying them, and why; torch has that many threads from here on."""
    trial, rounds = rehearsals(wish, recipe, settings, source, device, "fp32")
    threads, reasons = run.threads or choices.threads(trial, rounds, device), {}
    torch.set_num_threads(threads)
    precision: str = run.precision
    if precision == "auto":
        precision, reasons["precision"] = choices.precision(trial, rounds, device, settings.steps)
    compiling: str = run.compile
    if compiling == "auto":
        compiling, reasons["compile"] = choices.compiling(rehearsals(wish, recipe, settings, source, device, precision)[0],
                                                          rounds, device, settings.steps) if alone else ("off", "several processes")
    return run.model_copy(update={"threads": threads, "precision": precision, "compile": compiling}), reasons


def planned(wish: Wish, recipe: Recipe, settings: Settings, source: Source) -> tuple[Settings, RunSettings]:
    """The settings with as many rounds as fit into the minutes, by a measurement with the choices that the run itself will make."""
    device, long = torch.device(choose_device(wish.device)), settings.model_copy(update={"steps": 100_000})
    run = make(RunSettings, {name: value for name, value in wish.given.items() if name in RunSettings.model_fields})
    chosen, _ = choose(run.model_copy(update={"compile": "off"}), recipe, long, source, device, wish, True)
    seconds = planning.seconds_a_round(*rehearsals(wish, recipe, long, source, device, chosen.precision), planning.WATCHED)
    steps = planning.rounds_within(wish.minutes, seconds)
    return settings.model_copy(update={"steps": steps}), run.for_steps(steps)


def forecast(wish: Wish, recipe: Recipe, settings: Settings, source: Source, device: torch.device, precision: str) -> dict[str, str]:
    """Time and memory that the run will take, in words; nothing for a run that is over before one has read it."""
    if settings.steps < choices.SHORT:
        return {}
    seconds = planning.seconds_a_round(*rehearsals(wish, recipe, settings, source, device, precision), planning.GLANCED)
    return {"forecast": planning.in_words(seconds, settings.steps, device)}


def rehearsals(wish: Wish, recipe: Recipe, settings: Settings, source: Source, device: torch.device,
               precision: str) -> tuple[Callable[[], Game], Callable[[], Iterator[Any]]]:
    """What makes throw-away games like the one that is wished for, and what makes their batches."""
    def trial() -> Game:
        game = build(recipe, settings, source.space, device, wish.seed, deepcopy(dict(wish.own or {})))
        return choices.in_precision(game, precision, device)

    return trial, lambda: batches(source, settings.batch, wish.seed)


def build(recipe: Recipe, settings: Settings, space: Space, device: torch.device, seed: int,
          own: Mapping[str, nn.Module] | None = None) -> Game:
    """The recipe's game, with first weights that depend on the seed alone."""
    for name, net in (own or {}).items():
        if not recipe.networks:
            raise InputError("this recipe takes no networks of your own. Its networks are in sparring/nets; leave yours out.")
        if name not in recipe.networks:
            raise InputError(f"this recipe has no network '{name}'.{did_you_mean(name, recipe.networks)} "
                             f"Your own may be: {', '.join(recipe.networks)}.")
        if not isinstance(net, nn.Module):
            raise InputError(f"{name} is {net!r}; expected a torch.nn.Module, made and not only its class: {name}=Net().")
        if any(map(is_lazy, net.parameters())):
            raise InputError(f"{name} has layers whose sizes are not known yet; call it once on an example before.")
        if isinstance(net, nn.Sequential) and isinstance(net[-1], nn.Sigmoid) and name == "discriminator":
            raise InputError("discriminator ends in a Sigmoid; the losses take logits and apply it themselves. Leave it out.")
        if not any(p.requires_grad for p in net.parameters()):
            raise InputError(f"{name} has no parameters that could learn; give a network with some that require gradients.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)                         # the first weights that a loop written by hand would have
        game = recipe.game(settings, space, device, own)
        check_networks(game, space, lambda: recipe.game(settings, space, device, deepcopy(dict(own))) if own else None, settings.batch)
    return game


def remaker(recipe: Recipe, settings: Settings, space: Space, device: torch.device, wish: Wish, run: RunSettings) -> Remake:
    """A function that builds the game with some of the settings changed."""
    def remake(changed: Mapping[str, Any]) -> Game:
        now = make(recipe.settings, settings.model_dump() | dict(changed))
        game = choices.in_precision(build(recipe, now, space, device, wish.seed, wish.own), run.precision, device)
        return in_parts(game, run.accumulate) if run.accumulate > 1 else game

    return remake


def check_networks(game: Game, space: Space, trial: Callable[[], Game | None], batch: int) -> None:
    """InputError when a user's networks do not take or give what the data needs.

    `trial` makes the same game with copies of the user's networks, on which every loss is tried once; None without them.
    """
    rng, labels = torch.Generator().manual_seed(0), torch.zeros(2, dtype=torch.int64)
    try:
        if game.translation is not None:
            return check_translation(game.translation, space)
        made = tuple(game.sample(game.prior(2, rng), labels).shape)
        if made != (2, *space.shape):
            raise InputError(f"the generator gives shape {made[1:]} for one sample, and the data has {space.shape}. "
                             f"Change its last layer.")
        if game.judge is not None:
            judged = tuple(game.judge(torch.zeros(2, *space.shape), labels).shape)
            if judged != (2,):
                raise InputError(f"the discriminator must give one logit a sample; for two samples it gave {judged[0]} "
                                 f"numbers. Let its last layer give one.")
        if (rehearsal := trial()) is not None:
            refuse_deaf(rehearsal, trial, space, batch)
    except (InputError, torch.OutOfMemoryError):
        raise
    except Exception as error:                                  # a user's forward may raise anything
        z = tuple(game.prior(2, rng).shape[1:])
        classes = ", and the classes int64[n]" if game.classes else ""
        if "storage" in str(error) or "functorch" in str(error):
            raise InputError(f"penalties, consensus and unroll differentiate your networks with torch.func, which goes through neither "
                             f"numpy nor an autograd.Function without setup_context: {str(error).splitlines()[0]}") from None
        raise InputError(f"the networks do not fit: {error}. For n samples the generator takes random numbers float[n, {z[0]}] "
                         f"(latent={z[0]}) and gives float[n, {', '.join(map(str, space.shape))}], which the discriminator "
                         f"takes{classes}.") from None


def check_translation(translation: Translation, space: Space) -> None:
    """A translation into every domain has the shape of its images."""
    for to, (given, wanted) in enumerate(zip(translation.takes, translation.gives, strict=True)):
        made = tuple(translation.run(torch.zeros(2, *given.shape), to).shape)
        assert made == (2, *wanted.shape), f"a translation has shape {made[1:]}, and the data of {type(space).__name__} {wanted.shape}"


def refuse_deaf(rehearsal: Game, trial: Callable[[], Game | None], space: Space, batch: int) -> None:
    """InputError when a loss of a user's networks does not reach its player, who then cannot learn."""
    heard = rehearse(rehearsal, space, batch)
    if all(heard.values()):
        return
    restless = trial()                                          # a last layer that begins at zero passes nothing on at first
    assert restless is not None
    jolt(restless)
    with suppress(Exception):                                   # other weights may not suit a stranger's network: nothing is added then
        heard = {turn: reached or heard[turn] for turn, reached in rehearse(restless, space, batch).items()}
    # Flat is enough only of the generator's loss: a hinge, for one, is flat where the discriminator is sure.
    deaf = [turn for turn, reached in heard.items() if reached is None or (turn == "generator" and not reached)]
    if deaf:
        raise InputError(f"turn '{deaf[0]}' teaches nothing: no gradient of its loss comes back to its player. Something in your "
                         f"networks lets none through: rounding, argmax, a comparison, .detach(), torch.no_grad(), numpy, or a ReLU that "
                         f"is never on. Leave it out, above all from what the discriminator does to its input.")


def rehearse(game: Game, space: Space, batch: int) -> dict[str, bool | None]:
    """Try every loss and its gradient, the last turn's first, which is the simplest: by turn, whether the gradient is other
    than zero anywhere, or None when there is none."""
    heard: dict[str, bool | None] = {}
    for name, turn in reversed(game.turns.items()):
        for player in game.players.values():
            player.thaw(player is turn.player)
        device = turn.player.parameters[0].device
        terms = turn.loss(blank(space, batch, device, game.classes > 0), turn.start).minimize.values()
        total = sum(terms)
        if not isinstance(total, Tensor):
            heard[name] = True                                  # it sits this round out
        elif not total.requires_grad:
            heard[name] = None
        else:
            slopes = torch.autograd.grad(total, turn.player.parameters, allow_unused=True)
            reached = [bool(slope.any()) for slope in slopes if slope is not None]
            heard[name] = any(reached) if reached else None
    return heard


@torch.no_grad()
def jolt(game: Game) -> None:
    """Move every parameter a little away from where it began."""
    for player in game.players.values():
        for p in player.parameters:
            p.add_(0.1 * torch.randn_like(p))


def choose_device(wish: str) -> str:
    """cuda, then mps, then cpu; InputError for a device that is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wish == "auto":
        return next(name for name, yes in there.items() if yes)
    if wish not in there:
        raise InputError(f"there is no device '{wish}'. Devices: auto, cuda, mps, cpu.")
    if not there[wish]:
        raise InputError(f"this machine, or this build of torch {torch.__version__}, has no {wish}. Use --device cpu, "
                         f"or install a build for your hardware: see the README.")
    return wish


def same_device(old: dict[str, Any], folder: RunFolder) -> str:
    """The device a run began on; InputError when it is not there, since another one changes the last bits."""
    try:
        return choose_device(str(old["device"]))
    except InputError as error:
        raise InputError(f"the run in {folder.path} began on {old['device']}: {error} --fork NEWDIR goes on from it on another "
                         f"device.") from None


def versions() -> dict[str, str]:
    return {"sparring": sparring.__version__, "torch": torch.__version__, "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"}
