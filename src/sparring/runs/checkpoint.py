"""Checkpoints: folders of safetensors and JSON that are either whole or not there.

A checkpoint is written under a temporary name, every file is synced, `manifest.json` (sizes and sha256) comes
last, and one rename makes it visible.  Loading takes the newest one whose manifest holds.  Damaged safetensors
files often load without an error, so nothing is trusted before its hash was checked; and since anyone can write a
manifest that agrees, names, shapes and dtypes are held against the game before memory is taken.
"""

import hashlib
import inspect
import json
import math
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from sparring.data.settings import physical_memory
from sparring.errors import RunFailed
from sparring.game import Game, NotFinite, Player
from sparring.runs.folder import CODE, action, write_synced
from sparring.untrusted import JSON_BYTES, Form, Strange, layout, number, parse, read_file, told

KEEP = 3
CONFIG, MODEL, OPTIMIZER, STATE = "config.json", "model.safetensors", "optimizer.safetensors", "state.json"
MANIFEST = "manifest.json"
KINDS = ({CONFIG, MODEL}, {CONFIG, MODEL, CODE}, {MODEL, OPTIMIZER, STATE})    # what the manifest of a model, and of a checkpoint, names
MANIFEST_BYTES = 4096
MEMORY_BYTES = 2**30                # the most that a game's memory may take beside its optimizers


class Damaged(RunFailed):
    """A checkpoint is not what its manifest says, or does not fit the game."""


class Files(dict[str, bytes]):
    """The files of a checkpoint by name, and where they lie."""

    def __init__(self, path: Path, files: Mapping[str, bytes]) -> None:
        super().__init__(files)
        self.path = path


class State(NamedTuple):
    """What state.json holds; `optimizers` and `memory` are trees as `flatten` leaves them."""

    step: int
    facts: dict[str, Any]
    optimizers: Any
    memory: Any


# ------------------------------------------------------------------------------- trees of tensors and plain values
def flatten(tree: Any, tensors: dict[str, Tensor], path: str) -> Any:
    """Move the tensors of a nested dict / list into `tensors`; return the rest as JSON with references to them."""
    if isinstance(tree, Tensor):
        tensors[path] = tree.detach().cpu().contiguous().clone()
        return {"tensor": path}
    if isinstance(tree, dict):
        return {"dict": [[key, flatten(value, tensors, f"{path}/{key}")] for key, value in tree.items()]}
    if isinstance(tree, list | tuple):
        return {"list": [flatten(value, tensors, f"{path}/{i}") for i, value in enumerate(tree)]}
    assert tree is None or isinstance(tree, bool | int | float | str), f"{path} holds a {type(tree).__name__}"
    return {"value": tree}


def unflatten(plain: Any, leaves: dict[str, Any]) -> Any:
    """The tree that `flatten` took apart, each of its leaves taken out of `leaves`; tuples come back as lists."""
    (kind, value), = plain.items()
    if kind == "tensor":
        return leaves.pop(value)
    if kind == "dict":
        return {key: unflatten(item, leaves) for key, item in value}
    if kind == "list":
        return [unflatten(item, leaves) for item in value]
    if kind != "value" or isinstance(value, dict | list):
        raise ValueError(f"{told(kind, 50)!r} is no part of a tree")
    return value


# ------------------------------------------------------------------------------------------------------- writing
def save(folder: Path, game: Game, step: int, facts: dict[str, Any]) -> Path:
    """Write the whole state of the game after `step` rounds, and keep the last three checkpoints.

    `facts` are plain values that come back on loading.  OSError when it cannot be written: what was there before
    is untouched.  NotFinite when a network, an optimizer or the memory holds NaN: a poisoned checkpoint is worse than none.
    """
    files = contents(game, step, facts)
    target = folder / f"{step:09d}"
    write_folder(target, files)
    for old in _newest_first(folder)[KEEP:]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def contents(game: Game, step: int, facts: dict[str, Any]) -> dict[str, bytes]:
    """The files of a checkpoint by name; NotFinite as `save` has it."""
    weights = {name: tensor.cpu().contiguous().clone() for name, tensor in networks(game).items()}
    training: dict[str, Tensor] = {}
    trees = {
        "optimizers": flatten({n: p.optimizer.state_dict() for n, p in game.players.items()}, training, "optimizers"),
        "memory": flatten({n: m.state_dict() for n, m in game.memory.items()}, training, "memory"),
    }
    if (sick := not_finite({**weights, **training})) is not None:
        raise NotFinite(f"{sick} holds NaN or infinite values after {step} rounds, so nothing was saved.")
    return {MODEL: save_tensors(weights), OPTIMIZER: save_tensors(training),
            STATE: json.dumps({"step": step, "facts": facts, **trees}).encode()}


def not_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """The name of the first tensor that holds NaN or an infinity."""
    return next((name for name, t in tensors.items() if t.is_floating_point() and not torch.isfinite(t).all()), None)


def networks(game: Game) -> dict[str, Tensor]:
    """Every network's weights and buffers by player/net|average/name, detached."""
    tensors = {}
    for name, player in game.players.items():
        for part, net in _parts(player).items():
            for key, tensor in net.state_dict().items():
                tensors[f"{name}/{part}/{key}"] = tensor.detach()
    return tensors


def _parts(player: Player) -> dict[str, nn.Module]:
    return {"net": player.net} | ({"average": player.average} if player.average is not player.net else {})


def write_folder(target: Path, files: dict[str, bytes]) -> None:
    """Write a folder of files with a manifest so that it appears whole or not at all, replacing one that exists."""
    temporary, aside = (target.with_name(f".{doing}-{target.name}") for doing in ("writing", "replaced"))
    _remove(temporary)
    temporary.mkdir(parents=True)
    try:
        manifest = {name: _entry(data) for name, data in files.items()}
        for name, data in {**files, MANIFEST: _manifest(manifest)}.items():
            write_synced(temporary / name, data)
        _sync_folder(temporary)
        _remove(aside)
        if target.exists():
            target.rename(aside)
        temporary.rename(target)
        _sync_folder(target.parent)
        _remove(aside)
    except OSError:
        _remove(temporary)
        raise


def _entry(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _manifest(entries: Any) -> bytes:
    """The one way to write a manifest, so that any other byte in it is damage."""
    return json.dumps(entries, indent=1).encode()


def _remove(path: Path) -> None:
    """Remove whatever is there, as far as that is possible; of a link, the link."""
    with suppress(OSError):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() and not path.is_symlink() else path.unlink()


def _sync_folder(path: Path) -> None:
    if os.name == "posix":                              # a folder cannot be opened, or synced, on Windows
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


# ------------------------------------------------------------------------------------------------------- reading
def read_folder(path: Path, limits: Mapping[str, int]) -> dict[str, bytes]:
    """The files of a folder that `write_folder` wrote, by name, none larger than its limit in bytes.

    Damaged when one is missing, too large or not what the manifest says, or the manifest is not, byte by byte, what would be
    written for a model or a checkpoint.  Sizes are checked before anything is read.
    """
    files: dict[str, bytes] = {}
    manifest, name, most = _read_manifest(path), MANIFEST, (physical_memory() or 2**62) // 2
    try:
        for name, limit in limits.items():
            files[name] = data = read_file(path / name, min(limit, most))
            if (len(data), hashlib.sha256(data).hexdigest()) != manifest.get(name):
                raise Strange("is damaged: its size or sha256 is not what its manifest says")
    except Strange as error:
        raise Damaged(f"{path / name} {error}.") from None
    except OSError as error:
        raise Damaged(f"{path / name} cannot be read: {error.strerror or error}.") from None
    return files


def _read_manifest(path: Path) -> dict[str, tuple[int, str]]:
    """Size and sha256 of every file by name."""
    try:
        data = read_file(path / MANIFEST, MANIFEST_BYTES)
        entries = parse(data)
        if entries.keys() not in KINDS or _manifest(entries) != data:
            raise Strange("is damaged: it does not name every file as it is written here")
        listed = {name: (entry["bytes"], entry["sha256"]) for name, entry in entries.items() if entry.keys() == {"bytes", "sha256"}}
        if listed.keys() != entries.keys() or not all(type(size) is int for size, _ in listed.values()):
            raise Strange("is damaged: it says other things of a file than its size and sha256")
        return listed
    except OSError as error:
        raise Damaged(f"{path / MANIFEST} cannot be read: {error.strerror or error}.") from None
    except (Strange, AttributeError) as error:
        why = error if isinstance(error, Strange) else "is damaged: it is no table of files"
        raise Damaged(f"{path / MANIFEST} {why}.") from None


def room(tensors: Mapping[str, Tensor]) -> int:
    """The most bytes that a safetensors file of such tensors may hold: their numbers, and a header that names them."""
    return sum(t.numel() * t.element_size() + 2 * len(name) + 500 for name, t in tensors.items()) + 10_000


def newest(folder: Path, game: Game | None = None) -> tuple[Files | None, list[str]]:
    """The files of the newest checkpoint that is whole, if any, and what is wrong with each newer one.

    With a game, files that are larger than its state can be are not read.
    """
    complaints: list[str] = []
    limits = {MODEL: 2**62, OPTIMIZER: 2**62, STATE: JSON_BYTES}
    if game is not None:
        limits[MODEL] = room(networks(game))
        limits[OPTIMIZER] = 4 * limits[MODEL] + (MEMORY_BYTES if game.memory else 0)
    for path in _newest_first(folder):
        try:
            return Files(path, read_folder(path, limits)), complaints
        except Damaged as error:
            complaints.append(str(error))
    return None, complaints


def sweep(folder: Path) -> None:
    """Tidy up after a process that was killed while it wrote a folder here: its half is removed, what it replaced put back."""
    for left in list(folder.iterdir()) if folder.is_dir() else ():
        if found := re.fullmatch(r"\.(writing|replaced)-([0-9]{1,18})", left.name):
            target = folder / found[2]
            if found[1] == "replaced" and not target.exists():
                left.rename(target)
            else:
                _remove(left)


def forget_after(folder: Path, step: int) -> None:
    """Remove the checkpoints of later rounds, so that a run continues from there."""
    for path in _newest_first(folder):
        if int(path.name) > step:
            _remove(path)


def _newest_first(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted((p for p in folder.iterdir() if p.is_dir() and re.fullmatch("[0-9]{1,18}", p.name)), key=lambda p: -int(p.name))


def restore(files: Mapping[str, bytes], game: Game, advice: str | None = None) -> tuple[int, dict[str, Any]]:
    """Put a checkpoint into the game; return its step and its facts.

    Hyperparameters stay those of the game, so that a fork learns as its own settings say.  Damaged, with advice on what to do,
    when names, shapes or dtypes are not those of the game, or a number is not finite; networks and optimizers are untouched then.
    """
    try:
        state = check(files, game)
        weights, training = (read_tensors(files, name) for name in (MODEL, OPTIMIZER))
        optimizers, memory = unflatten(state.optimizers, training), unflatten(state.memory, training)
        if any(held["step"] < 0 for moments in optimizers.values() for held in moments["state"].values() if "step" in held):
            raise Damaged(f"{_where(files)} holds an optimizer that made a negative number of steps.")
    except Damaged as error:
        otherwise = f"Remove {_where(files)} to continue from the checkpoint before it, or train into a new folder."
        raise Damaged(f"{error} {otherwise if advice is None else advice}".rstrip()) from None
    for name, player in game.players.items():
        for part, net in _parts(player).items():
            prefix = f"{name}/{part}/"
            net.load_state_dict({k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)})
        groups = player.optimizer.state_dict()["param_groups"]
        player.optimizer.load_state_dict({"state": optimizers[name]["state"], "param_groups": groups})
        for p, held in player.optimizer.state.items():
            for key, value in held.items():
                if isinstance(value, Tensor) and value.shape == p.shape:
                    held[key] = torch.empty_like(p, dtype=value.dtype).copy_(value)   # strides too: fused steps rely on them
    for name, thing in game.memory.items():
        thing.load_state_dict(memory[name])
    return state.step, state.facts


def _where(files: Mapping[str, bytes]) -> str:
    return str(files.path) if isinstance(files, Files) else "the checkpoint"


def check(files: Mapping[str, bytes], game: Game) -> State:
    """The state of a checkpoint that fits this game, which may be one on paper: tensors are not read, only what they are.

    Damaged when it does not fit.
    """
    where = _where(files)
    try:
        fit(files, MODEL, networks(game))
        held, plain = layout(files[OPTIMIZER]), parse(files[STATE])
        state = State(**plain)
        if type(state.step) is not int or not 0 <= state.step < 10**18:
            raise ValueError("its step is no whole number")
        _check_facts(state.facts)
        optimizers, memory = unflatten(state.optimizers, held), unflatten(state.memory, held)
        if held or optimizers.keys() != game.players.keys() or memory.keys() != game.memory.keys():
            raise ValueError("it holds the state of other players, or tensors that belong to nobody")
        for name, player in game.players.items():
            _check_moments(optimizers[name]["state"], player)
    except (Strange, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        why = "its trees are nested too deep" if isinstance(error, RecursionError) else told(str(error), 300)
        raise Damaged(f"{where} is not of the form that is written here: {why}.") from None
    return state


def _check_facts(facts: Any) -> None:
    """ValueError unless they are what a run writes about itself; names that are not known may hold anything."""
    known = {"seconds": number, "rollbacks": lambda v: isinstance(v, list) and all(isinstance(row, dict) for row in v),
             "actions": lambda v: isinstance(v, list) and all(map(action, v)),
             "conditions": lambda v: isinstance(v, dict) and all(isinstance(text, str) and told(text, 200) == text for text in v.values())}
    wrong = [name for name, right in known.items() if name in facts and not right(facts[name])]
    if wrong or not isinstance(facts, dict) or not math.isfinite(facts.get("seconds", 0.0)):
        raise ValueError(f"its {' and '.join(wrong or ['facts'])} cannot be understood")


def _check_moments(state: dict[Any, Any], player: Player) -> None:
    """ValueError unless an optimizer's state, by the index of the parameter, is that of these parameters after some steps."""
    if state and state.keys() != set(range(len(player.parameters))):
        raise ValueError("an optimizer has a state for other parameters than these")
    index = 0
    for group in player.optimizer.param_groups if state else ():
        expected = {dtype: _after_a_step(type(player.optimizer), group, dtype) for dtype in {p.dtype for p in group["params"]}}
        for p in group["params"]:
            wanted = {key: Form(what.dtype, tuple(p.shape) if what.ndim else ()) if isinstance(what, Tensor) else type(what)
                      for key, what in expected[p.dtype].items()}
            found = {key: what if isinstance(what, Form) else type(what) for key, what in state[index].items()}
            if found != wanted:
                raise ValueError(f"the optimizer's state of parameter {index} is of another kind, shape or dtype")
            index += 1


def _after_a_step(kind: type[torch.optim.Optimizer], group: dict[str, Any], dtype: torch.dtype) -> dict[str, Any]:
    """What such an optimizer knows of a parameter after a step: found by one, on a vector of its own."""
    settings = {name: value for name, value in group.items() if name in inspect.signature(kind).parameters and name != "params"}
    p = torch.zeros(1, dtype=dtype, requires_grad=True)
    p.grad = torch.zeros(1, dtype=dtype)
    other = kind([p], **settings)
    other.step()
    return dict(other.state[p])


def read_tensors(files: Mapping[str, bytes], name: str) -> dict[str, Tensor]:
    """The tensors of a file by name; Damaged unless it is one of safetensors and every number in it is finite."""
    try:
        layout(files[name])
        tensors = load_tensors(files[name])
    except (Strange, SafetensorError) as error:
        raise Damaged(f"{_where(files)} holds damaged tensors: {name} {told(str(error), 300)}.") from None
    if (sick := not_finite(tensors)) is not None:
        raise Damaged(f"{_where(files)} holds NaN or infinite values in {told(sick, 200)}.")
    return tensors


def fit(files: Mapping[str, bytes], name: str, expected: Mapping[str, Tensor]) -> None:
    """Damaged unless the tensors of a file have exactly the names, shapes and dtypes of the expected ones, going by its header."""
    where = _where(files)
    try:
        given = layout(files[name])
    except Strange as error:
        raise Damaged(f"{where} is damaged: {name} {error}.") from None
    for key in sorted(given.keys() ^ expected.keys()):
        side = "is missing from" if key in expected else "is not expected in"
        raise Damaged(f"{where} does not fit these networks: {told(key, 200)} {side} it.")
    for key, tensor in expected.items():
        got, want = given[key], Form(tensor.dtype, tuple(tensor.shape))
        if got != want:
            raise Damaged(f"{where} does not fit these networks: {key} is {told(str(got.shape), 100)} {got.dtype}, expected "
                          f"{want.shape} {want.dtype}.")
