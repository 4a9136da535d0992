"""Checkpoints: folders of safetensors and JSON that are either whole or not there.

A checkpoint is written under a temporary name, every file is synced, `manifest.json` (sizes and sha256) comes
last, and one rename makes it visible.  Loading takes the newest one whose manifest holds.  Damaged safetensors
files often load without an error, so nothing is trusted before its hash was checked.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from sparring.errors import RunFailed
from sparring.game import Game

KEEP = 3
MODEL, OPTIMIZER, STATE, MANIFEST = "model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"


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
    is untouched.  RunFailed when a network holds NaN: a poisoned checkpoint is worse than none.
    """
    weights = {name: tensor.cpu().contiguous().clone() for name, tensor in networks(game).items()}
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise RunFailed(f"{name} holds NaN or infinite values after {step} rounds, so nothing was saved; the "
                            f"last checkpoint is good. Fork it with a smaller learning rate.")
    training: dict[str, Tensor] = {}
    trees = {
        "optimizers": flatten({n: p.optimizer.state_dict() for n, p in game.players.items()}, training, "optimizers"),
        "memory": flatten({n: m.state_dict() for n, m in game.memory.items()}, training, "memory"),
    }
    files = {MODEL: save_tensors(weights), OPTIMIZER: save_tensors(training),
             STATE: json.dumps({"step": step, "facts": facts, **trees}).encode()}
    target = folder / f"{step:09d}"
    write_folder(target, files)
    for old in _newest_first(folder)[KEEP:]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def networks(game: Game) -> dict[str, Tensor]:
    """Every network's weights and buffers by player/net|average/name, detached."""
    tensors = {}
    for name, player in game.players.items():
        parts = {"net": player.net} | ({"average": player.average} if player.average is not player.net else {})
        for part, net in parts.items():
            for key, tensor in net.state_dict().items():
                tensors[f"{name}/{part}/{key}"] = tensor.detach()
    return tensors


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
def read_folder(path: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """The files of a folder that `write_folder` wrote; Damaged when one is missing or is not what the manifest says."""
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
        files = {name: (path / name).read_bytes() for name in names}
        for name, data in files.items():
            entry = manifest[name]
            if entry["bytes"] != len(data) or entry["sha256"] != hashlib.sha256(data).hexdigest():
                raise Damaged(f"{path / name} is damaged: its size or sha256 is not what its manifest says.")
    except OSError as error:
        raise Damaged(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, KeyError, TypeError):
        raise Damaged(f"{path / MANIFEST} is damaged or does not name every file.") from None
    return files


def newest(folder: Path) -> tuple[dict[str, bytes] | None, list[str]]:
    """The files of the newest checkpoint that is whole, if any, and what is wrong with each newer one."""
    complaints: list[str] = []
    for path in _newest_first(folder):
        try:
            return read_folder(path, (MODEL, OPTIMIZER, STATE)), complaints
        except Damaged as error:
            complaints.append(str(error))
    return None, complaints


def _newest_first(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted((p for p in folder.iterdir() if p.is_dir() and p.name.isdigit()), key=lambda p: -int(p.name))


def restore(files: dict[str, bytes], game: Game) -> tuple[int, dict[str, Any]]:
    """Put a checkpoint into the game; return its step and its facts.

    Damaged when names, shapes or dtypes are not those of the game's networks; nothing is changed then.
    """
    weights = load_tensors(files[MODEL])
    fit(weights, networks(game), "the checkpoint")
    try:
        state, training = json.loads(files[STATE]), load_tensors(files[OPTIMIZER])
        optimizers, memory = (unflatten(state[part], training) for part in ("optimizers", "memory"))
        step, facts = int(state["step"]), dict(state["facts"])
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(f"the checkpoint's {STATE} is not of the form that is written here: {error!r}.") from None
    for name, player in game.players.items():
        parts = {"net": player.net} | ({"average": player.average} if player.average is not player.net else {})
        for part, net in parts.items():
            prefix = f"{name}/{part}/"
            net.load_state_dict({k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)})
        player.optimizer.load_state_dict(optimizers[name])
        for p, moments in player.optimizer.state.items():
            for key, value in moments.items():
                if isinstance(value, Tensor) and value.shape == p.shape:
                    moments[key] = torch.empty_like(p, dtype=value.dtype).copy_(value)   # strides too: fused steps rely on them
    for name, thing in game.memory.items():
        thing.load_state_dict(memory[name])
    return step, facts


def fit(given: dict[str, Tensor], expected: dict[str, Tensor], what: str) -> None:
    """Damaged unless the tensors have exactly the expected names, shapes and dtypes."""
    for name in sorted(given.keys() ^ expected.keys()):
        side = "is missing from" if name in expected else "is not expected in"
        raise Damaged(f"{what} does not fit these networks: {name} {side} it.")
    for name, tensor in expected.items():
        got, want = (tuple(given[name].shape), given[name].dtype), (tuple(tensor.shape), tensor.dtype)
        if got != want:
            raise Damaged(f"{what} does not fit these networks: {name} is {got[0]} {got[1]}, expected {want[0]} {want[1]}.")
