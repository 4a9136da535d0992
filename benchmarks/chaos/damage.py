"""Checkpoints that a disk, a cable or a hand has damaged: every kind of damage to every file of the newest one."""

import json
import random
import shutil
from collections import Counter
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.chaos.guard import guarded
from benchmarks.chaos.listener import Listener
from benchmarks.chaos.tally import Tally
from sparring.data import open_source
from sparring.data.source import batches
from sparring.game import Game, play
from sparring.game.processes import ALONE
from sparring.recipes import RECIPES
from sparring.runs import checkpoint
from sparring.runs.folder import RunFolder, read_lines
from sparring.setup.build import build
from sparring.training.loop import resume
from sparring.training.plan import Plan

PROMISE = "Any damage to a checkpoint is noticed and reported, and the run goes on from the checkpoint before it, bit for bit."
RUNS = (("gan", "ring"), ("wgan", "quadratic"), ("r3gan", "mixture"), ("vae", "grid"))
BEFORE, NEWEST = 2, 4           # rounds after which the two checkpoints were saved
PLAN = Plan(steps=10, batch=8, seed=0, device=torch.device("cpu"))
SECONDS, MEGABYTES = 20.0, 200


def tiny(recipe: str, data: str) -> Game:
    entry, source = RECIPES[recipe], open_source(data)
    settings = entry.settings(steps=10, batch=8, width=4, depth=1, latent=2)
    return build(entry, settings, source.space, torch.device("cpu"), 0)


def everything(game: Game) -> dict[str, Tensor]:
    """Copies of all the tensors that a checkpoint must bring back."""
    tensors = {name: tensor.clone() for name, tensor in checkpoint.networks(game).items()}
    checkpoint.flatten({name: player.optimizer.state_dict()["state"] for name, player in game.players.items()}, tensors, "optimizers")
    return tensors


def equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(tensor, b[name]) for name, tensor in a.items())


def run_with_two(recipe: str, data: str, folder: Path) -> tuple[Game, dict[str, Tensor]]:
    """A short run with two checkpoints and a log; its game, and what the first checkpoint holds."""
    game, stream, held = tiny(recipe, data), batches(open_source(data), 8, 0), {}
    for step in range(NEWEST):
        play(game, stream, step)
        if step + 1 in (BEFORE, NEWEST):
            checkpoint.save(folder / "checkpoint", game, step + 1, {"seconds": 0.5, "rollbacks": []})
        if step + 1 == BEFORE:
            held = everything(game)
    rows = [json.dumps({"step": step + 1, "time": 0.1, "loss": 0.5}) + "\n" for step in range(NEWEST)]
    (folder / "log.jsonl").write_text("".join(rows))
    return game, held


def harmed(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    """What was done to a file's bytes, and what they are then; never the same."""
    changed, kind = bytearray(data), rng.choice(("flips", "flips", "flips", "cut", "cut", "longer", "zeros"))
    if kind == "flips" and data:
        for bit in rng.sample(range(8 * len(data)), rng.randint(1, min(3, 8 * len(data)))):
            changed[bit // 8] ^= 1 << bit % 8
    elif kind == "cut" and data:
        del changed[rng.randrange(len(data)):]
    elif kind == "zeros" and any(data):
        start = rng.choice([i for i, byte in enumerate(data) if byte])
        end = min(len(data), start + rng.choice((1, 16, 512)))
        changed[start:end] = bytes(end - start)
    else:
        kind, changed = "longer", changed + rng.choice((b"\0", b" ", b"\n", rng.randbytes(rng.randint(1, 600))))
    return kind, bytes(changed)


def damage(folder: Path, rng: random.Random) -> str:
    """Damage one file of a folder, or two by exchanging them; what was done, in words."""
    names = sorted(p.name for p in folder.iterdir() if p.is_file())
    name, kind = rng.choice(names), rng.random()
    if kind < 0.08:
        (folder / name).unlink()
        return f"{name} deleted"
    if kind < 0.16:
        other = rng.choice([n for n in names if (folder / n).read_bytes() != (folder / name).read_bytes()])
        ours, theirs = (folder / name).read_bytes(), (folder / other).read_bytes()
        (folder / name).write_bytes(theirs)
        (folder / other).write_bytes(ours)
        return f"{name} and {other} exchanged"
    what, data = harmed((folder / name).read_bytes(), rng)
    (folder / name).write_bytes(data)
    return f"{name}: {what}"


def trials(n: int, folder: Path, seed: int = 0) -> Tally:
    """n damages, each to the newest of two checkpoints of a run, which is then resumed."""
    counts: Counter[str] = Counter()
    made = {run: (folder / f"run-{run[0]}", *run_with_two(*run, folder / f"run-{run[0]}")) for run in RUNS}

    def trial(k: int) -> str | None:
        rng, place = random.Random(f"damage {k}"), folder / f"damage-{k}"
        original, game, held = made[RUNS[k % len(RUNS)]]
        shutil.copytree(original, place)
        try:
            what = damage(place / "checkpoint" / f"{NEWEST:09d}", rng)
            counts[what.split()[-1]] += 1
            wrong = resumed(place, game, held)
            return wrong and f"{what}: {wrong}"
        finally:
            shutil.rmtree(place)

    return guarded(trial, range(seed, seed + n), seconds=SECONDS, megabytes=MEGABYTES, counts=counts)


def resumed(place: Path, game: Game, held: dict[str, Tensor]) -> str | None:
    """Resume a run whose newest checkpoint is damaged; what is wrong with how it went on, or None."""
    with torch.no_grad():
        for tensor in checkpoint.networks(game).values():
            tensor.fill_(1)                                     # so that what is right afterwards was restored
    listener = Listener()
    at = resume(game, PLAN, RunFolder(place), listener, ALONE)
    if at.step != BEFORE:
        return f"went on from step {at.step}"
    if not equal(everything(game), held):
        return "other weights or moments than those of the checkpoint before"
    told = [line for line in listener.said if f"{NEWEST:09d}" in line and "Using the checkpoint before it" in line]
    if len(told) != 1:
        return f"the user was told {listener.said}"
    steps = [row["step"] for row in read_lines(place / "log.jsonl")]
    return None if steps == [1, 2] else f"the log holds steps {steps}"
