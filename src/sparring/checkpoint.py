"""Checkpoints: folders of safetensors and JSON that are either whole or not there.

A checkpoint is written under a temporary name, every file is synced, `manifest.json` (sizes and sha256) comes
last, and one rename makes it visible.  Loading takes the newest one whose manifest holds.  Damaged safetensors
files often load without an error, so nothing is trusted before its hash was checked.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from sparring.errors import RunFailed
from sparring.game import Game, NotFinite, Player

KEEP = 3
MODEL, OPTIMIZER, STATE, MANIFEST = "model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"
JSON_BYTES = 2**24                  # no JSON of ours is larger; a stranger's is not read when it is
MEMORY_BYTES = 2**30                # the most that a game's memory may take beside its optimizers


class Damaged(RunFailed):
    """A checkpoint is not what its manifest says, or does not fit the game."""


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


def unflatten(plain: Any, tensors: dict[str, Tensor]) -> Any:
    """The tree that `flatten` took apart; tuples come back as lists."""
    (kind, value), = plain.items()
    if kind == "tensor":
        return tensors[value]
    if kind == "dict":
        return {key: unflatten(item, tensors) for key, item in value}
    if kind == "list":
        return [unflatten(item, tensors) for item in value]
    return value


# ------------------------------------------------------------------------------------------------------- writing
def save(folder: Path, game: Game, step: int, facts: dict[str, Any]) -> Path:
    """Write the whole state of the game after `step` rounds, and keep the last three checkpoints.

    `facts` are plain values that come back on loading.  OSError when it cannot be written: what was there before
    is untouched.  NotFinite when a network, an optimizer or the memory holds NaN: a poisoned checkpoint is worse than none.
    """
    weights = {name: tensor.cpu().contiguous().clone() for name, tensor in networks(game).items()}
    training: dict[str, Tensor] = {}
    trees = {
        "optimizers": flatten({n: p.optimizer.state_dict() for n, p in game.players.items()}, training, "optimizers"),
        "memory": flatten({n: m.state_dict() for n, m in game.memory.items()}, training, "memory"),
    }
    if (sick := not_finite({**weights, **training})) is not None:
        raise NotFinite(f"{sick} holds NaN or infinite values after {step} rounds, so nothing was saved; the last checkpoint "
                        f"is good. Fork it with a smaller learning rate, or train with on_nan=rollback.")
    files = {MODEL: save_tensors(weights), OPTIMIZER: save_tensors(training),
             STATE: json.dumps({"step": step, "facts": facts, **trees}).encode()}
    target = folder / f"{step:09d}"
    write_folder(target, files)
    for old in _newest_first(folder)[KEEP:]:
        shutil.rmtree(old, ignore_errors=True)
    return target


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
    temporary = target.with_name(f".writing-{target.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        manifest = {name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                    for name, data in files.items()}
        for name, data in {**files, MANIFEST: json.dumps(manifest, indent=1).encode()}.items():
            write_synced(temporary / name, data)
        _sync_folder(temporary)
        aside = target.with_name(f".replaced-{target.name}")
        shutil.rmtree(aside, ignore_errors=True)
        if target.exists():
            target.rename(aside)
        temporary.rename(target)
        _sync_folder(target.parent)
        shutil.rmtree(aside, ignore_errors=True)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def write_synced(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


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

    Damaged when one is missing, too large or not what the manifest says.  Sizes are checked before anything is read.
    """
    files: dict[str, bytes] = {}
    try:
        if (path / MANIFEST).stat().st_size > JSON_BYTES:
            raise Damaged(f"{path / MANIFEST} is not a manifest: it holds more than {JSON_BYTES:,} bytes.")
        manifest = json.loads((path / MANIFEST).read_bytes())
        for name, limit in limits.items():
            entry, size = manifest[name], (path / name).stat().st_size
            if size > limit:
                raise Damaged(f"{path / name} holds {size:,} bytes; what it should hold fits into {limit:,}.")
            files[name] = data = (path / name).read_bytes() if entry["bytes"] == size else b""
            if len(data) != size or entry["sha256"] != hashlib.sha256(data).hexdigest():
                raise Damaged(f"{path / name} is damaged: its size or sha256 is not what its manifest says.")
    except OSError as error:
        raise Damaged(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Damaged(f"{path / MANIFEST} is damaged or does not name every file.") from None
    return files


def room(tensors: Mapping[str, Tensor]) -> int:
    """The most bytes that a safetensors file of such tensors may hold: their numbers, and a header that names them."""
    return sum(t.numel() * t.element_size() + 2 * len(name) + 500 for name, t in tensors.items()) + 10_000


def newest(folder: Path, game: Game | None = None) -> tuple[dict[str, bytes] | None, list[str]]:
    """The files of the newest checkpoint that is whole, if any, and what is wrong with each newer one.

    With a game, files that are larger than its state can be are not read.
    """
    complaints: list[str] = []
    weights = 2**62 if game is None else room(networks(game))
    limits = {MODEL: weights, OPTIMIZER: 2**62 if game is None else 4 * weights + MEMORY_BYTES, STATE: JSON_BYTES}
    for path in _newest_first(folder):
        try:
            return read_folder(path, limits), complaints
        except Damaged as error:
            complaints.append(str(error))
    return None, complaints


def sweep(folder: Path) -> None:
    """Tidy up after a process that was killed while it wrote a folder here: its half is removed, what it replaced put back."""
    for left in folder.glob(".replaced-*") if folder.is_dir() else ():
        target = left.with_name(left.name.removeprefix(".replaced-"))
        if not target.exists():
            left.rename(target)
    for pattern in (".writing-*", ".replaced-*"):
        for left in folder.glob(pattern):
            shutil.rmtree(left, ignore_errors=True)


def _newest_first(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted((p for p in folder.iterdir() if p.is_dir() and re.fullmatch("[0-9]{1,18}", p.name)), key=lambda p: -int(p.name))


def restore(files: dict[str, bytes], game: Game) -> tuple[int, dict[str, Any]]:
    """Put a checkpoint into the game; return its step and its facts.

    Hyperparameters stay those of the game, so that a fork learns as its own settings say.  Damaged when names, shapes or dtypes
    are not those of the game, or a number is not finite; networks and optimizers are untouched then.
    """
    try:
        weights, training, state = load_tensors(files[MODEL]), load_tensors(files[OPTIMIZER]), json.loads(files[STATE])
        fit(weights, networks(game), "the checkpoint")
        if (sick := not_finite({**weights, **training})) is not None:
            raise Damaged(f"the checkpoint's {sick} holds NaN or infinite values.")
        optimizers, memory = (unflatten(state[part], training) for part in ("optimizers", "memory"))
        step, facts = int(state["step"]), dict(state["facts"])
        moments = {name: _moments(optimizers[name], player) for name, player in game.players.items()}
        kept = {name: memory[name] for name in game.memory}
    except (SafetensorError, KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise Damaged(f"the checkpoint is not of the form that is written here: {str(error)[:200]!r}.") from None
    for name, player in game.players.items():
        for part, net in _parts(player).items():
            prefix = f"{name}/{part}/"
            net.load_state_dict({k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)})
        groups = player.optimizer.state_dict()["param_groups"]
        player.optimizer.load_state_dict({"state": moments[name], "param_groups": groups})
        for p, held in player.optimizer.state.items():
            for key, value in held.items():
                if isinstance(value, Tensor) and value.shape == p.shape:
                    held[key] = torch.empty_like(p, dtype=value.dtype).copy_(value)   # strides too: fused steps rely on them
    for name, thing in game.memory.items():
        thing.load_state_dict(kept[name])
    return step, facts


def _moments(saved: dict[str, Any], player: Player) -> dict[int, dict[str, Any]]:
    """An optimizer's state by the index of the parameter; ValueError unless it belongs to parameters of these shapes."""
    for index, held in saved["state"].items():
        if type(index) is not int or not 0 <= index < len(player.parameters):
            raise ValueError(f"there is no parameter {index} to have a state")
        for key, value in held.items():
            if isinstance(value, Tensor) and value.shape not in (player.parameters[index].shape, torch.Size([])):
                raise ValueError(f"the optimizer's {key} of parameter {index} has shape {tuple(value.shape)}")
    return saved["state"]


def fit(given: Mapping[str, Tensor], expected: Mapping[str, Tensor], what: str) -> None:
    """Damaged unless the tensors have exactly the expected names, shapes and dtypes."""
    for name in sorted(given.keys() ^ expected.keys()):
        side = "is missing from" if name in expected else "is not expected in"
        raise Damaged(f"{what} does not fit these networks: {name[:200]} {side} it.")
    for name, tensor in expected.items():
        got, want = (tuple(given[name].shape), given[name].dtype), (tuple(tensor.shape), tensor.dtype)
        if got != want:
            raise Damaged(f"{what} does not fit these networks: {name} is {got[0]} {got[1]}, expected {want[0]} {want[1]}.")
