"""Model folders and run folders that were damaged, or written by someone who means harm and knows the format."""

import os
import random
import shutil
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

import sparring
from benchmarks.chaos.damage import Listener, damage, equal
from benchmarks.chaos.guard import guarded
from benchmarks.chaos.hostile import at_config, at_state, json_edit, put_odd, tensors_edit
from benchmarks.chaos.pickles import TINY, badly_told, refused
from benchmarks.chaos.tally import Tally
from sparring.errors import InputError, RunFailed
from sparring.game import NotFinite
from sparring.runs import checkpoint

PROMISE = "A run or model folder, whoever wrote it, loads with exactly the weights it holds, or is refused by name with a reason and a fix."
SECONDS, MEGABYTES = 30.0, 400
STEPS = 3                       # of the run, whose checkpoints after 1 and 2 rounds are left


class Bases(NamedTuple):
    """What is damaged: models by name, a run that can go on, and the weights of each and of the run when it ends."""

    models: dict[str, Path]
    run: Path
    weights: dict[str, dict[str, Tensor]]
    precious: Path              # a file of the user's, to which links lead


def bases(folder: Path) -> Bases:
    rng = np.random.default_rng(0)
    table, pictures = rng.normal(size=(40, 3)), rng.integers(0, 255, (40, 8, 8), np.uint8)
    data: dict[str, tuple[str, Any]] = {"points": ("gan", "ring"), "curves": ("wgan", "quadratic"), "table": ("vae", table),
                                        "pictures": ("gan", (pictures, np.array(["cat", "dog"] * 20)))}
    models, weights = {}, {}
    for name, (recipe, given) in data.items():
        own = {key: value for key, value in TINY.items() if key not in ("save_every", *(["depth"] if name == "pictures" else []))}
        model = sparring.fit(recipe, given, steps=2, **own)
        models[name], weights[name] = model.save(folder / name), model.game.model.state_dict()
    weights["run"] = sparring.fit("gan", "ring", out=folder / "run", steps=STEPS, **TINY).game.model.state_dict()
    shutil.rmtree(folder / "run" / "model")
    shutil.rmtree(folder / "run" / "checkpoint" / f"{STEPS:09d}")
    for old in [*(folder / "run").glob("*.png"), *(folder / "run" / "samples").iterdir()]:
        old.unlink()
    (folder / "precious").write_text("years of work")
    (folder / "elsewhere").mkdir()
    return Bases(models, folder / "run", weights, folder / "precious")


def trials(n: int, folder: Path, seed: int = 0) -> Tally:
    """n folders: three in four are models, the others runs, which are loaded or go on."""
    counts: Counter[str] = Counter()
    base = bases(folder)

    def trial(k: int) -> str | None:
        rng, place = random.Random(f"folders {k}"), folder / f"folder-{k}"
        try:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                what, wrong = (a_model if rng.random() < 0.75 else a_run)(base, place, rng, counts)
            if strange := [str(w.message) for w in said if "Using the checkpoint before it" not in str(w.message)]:
                wrong = wrong or f"warned: {strange[0]}"
            if base.precious.read_text() != "years of work" or base.precious.with_name("made").exists():
                wrong = "a file of the user's was written over"
            return wrong and f"{what}: {wrong}"
        finally:
            shutil.rmtree(place, ignore_errors=True)

    return guarded(trial, range(seed, seed + n), seconds=SECONDS, megabytes=MEGABYTES, counts=counts)


def a_model(base: Bases, place: Path, rng: random.Random, counts: Counter[str]) -> tuple[str, str | None]:
    """Harm to the folder of a model, in words, and what is wrong with what loading it came to."""
    name, kind = rng.choice(sorted(base.models)), rng.random()
    shutil.copytree(base.models[name], place)
    if kind < 0.35:
        what = f"{name}, damaged, {damage(place, rng)}"
        return what, refused(lambda: sparring.load(place), place, counts)
    if kind < 0.43:
        target = rng.choice((checkpoint.CONFIG, checkpoint.MODEL, checkpoint.MANIFEST))
        what = f"{name}, odd, {put_odd(place / target, rng)}"
        if rng.random() < 0.5 and (place / target).stat(follow_symlinks=False).st_size == 50 << 30:
            agree(place, {target: {"bytes": 50 << 30, "sha256": "0" * 64}})
    elif kind < 0.72:
        what = f"{name}, hostile config.json"
        data = json_edit((place / checkpoint.CONFIG).read_bytes(), rng, at_config)
        (place / checkpoint.CONFIG).write_bytes(data)
        agree(place)
    elif kind < 0.96:
        what = f"{name}, hostile model.safetensors"
        for _ in range(rng.choice((1, 1, 2))):
            if data := tensors_or_none((place / checkpoint.MODEL).read_bytes(), rng):
                (place / checkpoint.MODEL).write_bytes(data)
        agree(place)
    else:
        what = f"{name}, hostile manifest.json"
        harm_manifest(place / checkpoint.MANIFEST, rng)
        return what, refused(lambda: sparring.load(place), place, counts)
    wrong = loaded(place, counts, lambda model: model.game.model.state_dict(), [place / checkpoint.MODEL])
    return what, wrong


def tensors_or_none(data: bytes, rng: random.Random) -> bytes | None:
    """Edited safetensors; None where an edit before left nothing that could be edited again."""
    try:
        return tensors_edit(data, rng)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return None


def agree(folder: Path, entries: dict[str, Any] | None = None) -> None:
    """A manifest that agrees with what is there, or says what is given."""
    names = (checkpoint.CONFIG, checkpoint.MODEL) if (folder / checkpoint.CONFIG).exists() else \
        (checkpoint.MODEL, checkpoint.OPTIMIZER, checkpoint.STATE)
    found = {name: (entries or {}).get(name) or checkpoint._entry((folder / name).read_bytes()) for name in names}
    (folder / checkpoint.MANIFEST).unlink(missing_ok=True)
    (folder / checkpoint.MANIFEST).write_bytes(checkpoint._manifest(found))


def harm_manifest(path: Path, rng: random.Random) -> None:
    """A manifest with other names, other values or another way to write the same; never what is written here."""
    before = path.read_bytes()
    while path.read_bytes() == before:
        data = json_edit(before, rng, lambda tree, rng: tree.update({rng.choice(("../x", "/etc/passwd", "state.json", "a\0b")): {}}))
        path.write_bytes(rng.choice((data, data, before.replace(b"\n", b""), before.replace(b" ", b"\t"), before + b"\n", before.upper())))


def loaded(place: Path, counts: Counter[str], weights: Callable[[sparring.Model], dict[str, Tensor]], sources: list[Path]) -> str | None:
    """Load it: None when it was refused as it should be, or holds exactly what one of the files does, and samples."""
    try:
        model = sparring.load(place)
    except (InputError, RunFailed) as error:
        counts["refused"] += 1
        return badly_told(error, place)
    counts["accepted"] += 1
    held = weights(model)
    if not any(equal(held, tensors_of(source)) for source in sources if source.is_file()):
        return "the weights are not those of the file"
    if checkpoint.not_finite(held) is not None:
        return "the weights are not finite"
    try:
        samples = model.sample(2)
    except InputError:
        counts["accepted, and refused to sample"] += 1
        return None
    fits = tuple(samples.shape) == (2, *model.space.shape) and bool(torch.isfinite(samples).all())
    return None if fits else f"samples of shape {tuple(samples.shape)}, or not finite"


def tensors_of(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, KeyError, TypeError):              # a damaged one, beside which a whole one may have been used
        return {}


def a_run(base: Bases, place: Path, rng: random.Random, counts: Counter[str]) -> tuple[str, str | None]:
    """Harm to the folder of a run, in words, and what is wrong with what loading it, or going on, came to."""
    shutil.copytree(base.run, place)
    newest, kind, exact = place / "checkpoint" / f"{STEPS - 1:09d}", rng.random(), False
    if kind < 0.25:
        what, exact = f"damaged, {damage(newest, rng)}", True
    elif kind < 0.35:
        where = rng.choice((place / "config.json", place / "log.jsonl", place / "scores.jsonl", place / "checkpoint", newest,
                            *(newest / name for name in (checkpoint.MODEL, checkpoint.STATE, checkpoint.MANIFEST))))
        if where.is_dir():
            shutil.rmtree(where)
        what = f"odd, {put_odd(where, rng)}"
    elif kind < 0.45:
        what, exact = litter(place, base.precious, rng), True
    elif kind < 0.55:
        what = "hostile config.json"
        (place / "config.json").write_bytes(json_edit((place / "config.json").read_bytes(), rng, at_config))
    elif kind < 0.6:
        what = "hostile logs"
        for name in ("log.jsonl", "scores.jsonl"):
            row = b'{"step": 1, "time": 0.5, "a": 0.5}'
            (place / name).write_bytes(b"\n".join(json_edit(row, rng, lambda tree, rng: tree.update(step=10**400)) for _ in range(3)))
    else:
        target, edit = rng.choice(((checkpoint.MODEL, tensors_or_none), (checkpoint.OPTIMIZER, tensors_or_none),
                                   (checkpoint.STATE, lambda data, rng: json_edit(data, rng, at_state))))
        what = f"hostile {target}"
        for folder in (place / "checkpoint").iterdir() if rng.random() < 0.3 else [newest]:
            (folder / target).write_bytes(edit((folder / target).read_bytes(), rng) or b"")
            agree(folder)
    if rng.random() < 0.5:
        sources = sorted((place / "checkpoint").glob("*/model.safetensors"))
        return f"run, {what}, loaded", loaded(place, counts, lambda model: checkpoint.networks(model.game), sources)
    return f"run, {what}, gone on with", gone_on(base, place, base.weights["run"] if exact else None, counts)


def litter(place: Path, precious: Path, rng: random.Random) -> str:
    """Things that no run makes, some of them links to a file of the user's."""
    name = rng.choice((".writing-log.jsonl", ".writing-config.json", "log.jsonl", "scores.jsonl", ".lock", "losses.png",
                       "samples/000003.png", "samples", "checkpoint/.writing-000000003", "checkpoint/.replaced-000000003",
                       "checkpoint/.replaced-",
                       "checkpoint/.replaced-..", "checkpoint/.writing-x", "checkpoint/" + "9" * 18, "checkpoint/000000007", "checkpoint/x",
                       "checkpoint/000000003", ".writing-model", ".replaced-model", "model"))
    target = place / name
    shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
    how = rng.choice(("link", "link to nothing", "link to a folder", "file", "pipe", "folder"))
    match how:
        case "link":
            target.symlink_to(precious)
        case "link to nothing":
            target.symlink_to(precious.with_name("made"))
        case "link to a folder":
            target.symlink_to(precious.parent / "elsewhere")
        case "file":
            target.write_bytes(b"x" * 99)
        case "pipe":
            os.mkfifo(target)
        case _:
            target.mkdir()
            (target / "model.safetensors.txt").write_bytes(b"x")
    return f"litter, {name} is a {how}"


def gone_on(base: Bases, place: Path, end: dict[str, Tensor] | None, counts: Counter[str]) -> str | None:
    """Train to the end: None when it was refused as it should be, or ended with finite weights, which are `end` where that is known."""
    try:
        model = sparring.fit("gan", "ring", out=place, steps=STEPS, progress=Listener(), **TINY)
    except NotFinite:                                           # from finite weights that are too large to go on with
        counts["went on, and was stopped"] += 1
        return None
    except (InputError, RunFailed) as error:
        counts["refused"] += 1
        return badly_told(error, place if str(place) in str(error) else base.precious)      # links are followed before they are named
    counts["went on"] += 1
    if end is not None and not equal(model.game.model.state_dict(), end):
        return "other weights at the end than without the damage"
    return None if checkpoint.not_finite(model.game.model.state_dict()) is None else "the weights are not finite"
