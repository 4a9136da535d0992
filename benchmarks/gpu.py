"""What a CUDA device makes of the recipes for images, in ten minutes, unattended.

    python -m benchmarks.gpu [--minutes N] [--fresh]     results/gpu.json; without --fresh, only cases that are not in it

Without a CUDA device the same is done on the CPU at toy size, which takes a minute, and only printed.
"""

import gc
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import conv_flop_count, flop_registry, shape_wrapper

from benchmarks.guarded import Guarded
from benchmarks.record import record, spread
from sparring.data.builtin.scenes import rendered, scenes
from sparring.data.source import Finite, batches
from sparring.game import Game, play
from sparring.game.compiled import Compiled, in_one
from sparring.metrics.compared_sets import seen, stored
from sparring.metrics.kid import kid
from sparring.metrics.run_scores import draw
from sparring.recipes import RECIPES
from sparring.rng import generator, seed_round
from sparring.setup.autotune import in_precision
from sparring.setup.build import fresh
from sparring.setup.request import Request, Resolved, resolve
from sparring.spaces import Images
from sparring.training.course import on_device

# augment=none: adaptive augmentation is not compiled, and each recipe shall do the same
ASKED: dict[str, dict[str, Any]] = {"stylegan": {}, "r3gan": {"backbone": "r3gan"}, "images": {"projected": False}, "projected": {}}
Found = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Scale:
    """How large everything is."""

    device: str
    batches: Mapping[int, int]          # by pixels a side
    given: Mapping[str, Any]            # settings, where a recipe has them
    cycle: int                          # rounds that are timed together: lazy penalties are due every so many
    seconds: float                      # of timing a case
    product: int                        # rows of the matrices whose product is the peak
    budgets: tuple[float, float, float]     # seconds of a case: eager, compiled, of training
    training: float                     # seconds that a training lasts
    pictures: int                       # that are trained with and held out, and compared

    @property
    def place(self) -> torch.device:
        return torch.device(self.device)


GPU = Scale("cuda", {64: 64, 128: 32, 256: 16}, {}, 16, 3.0, 8192, (45.0, 100.0, 75.0), 40.0, 1000)
TOY = Scale("cpu", {8: 4}, {"width": 4, "latent": 4}, 2, 0.1, 256, (60.0, 120.0, 60.0), 1.0, 24)


def scale() -> Scale:
    return GPU if torch.cuda.is_available() else TOY


# --------------------------------------------------------------------------------------------------------- measuring
def wait(s: Scale) -> None:
    """Until the device has done all that it was given: a call returns before that."""
    if s.device == "cuda":
        torch.cuda.synchronize()


def timed(s: Scale, work: Callable[[], Any], least: int) -> list[float]:
    """Seconds of each of at least so many repetitions, after `work` was done once."""
    work()
    found: list[float] = []
    while sum(found) < s.seconds or len(found) < least:
        wait(s)
        began = time.perf_counter()
        work()
        wait(s)
        found.append(time.perf_counter() - began)
    return found


@lru_cache
def peak(s: Scale, kind: str) -> float:
    """Trillions of operations a second of a product of square matrices, 2 n^3 each: in bf16, fp32, or fp32 by way of tf32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if kind == "tf32" else "highest")
    try:
        a, b = torch.randn(2, s.product, s.product, device=s.place, dtype=torch.bfloat16 if kind == "bf16" else torch.float32)
        return 2 * s.product**3 / min(timed(s, lambda: torch.mm(a, b), 5)) / 1e12
    finally:
        torch.set_float32_matmul_precision(before)


def arithmetic(s: Scale, precision: str) -> str:
    """The kind of product that a run in this precision has most of: torch lets convolutions in fp32 use tf32."""
    return "tf32" if precision == "fp32" and s.device == "cuda" and torch.backends.cudnn.allow_tf32 else precision


def device(s: Scale) -> Found:
    found: Found = {f"peak in {kind}, trillions/s": peak(s, kind) for kind in ("bf16", "tf32", "fp32")}
    if s.device == "cuda":
        about = torch.cuda.get_device_properties(s.place)
        found |= {"device": about.name, "memory, GiB": about.total_memory / 2**30, "cuda": torch.version.cuda}
    return found | {"convolutions in fp32 by way of": arithmetic(s, "fp32")}


def backward(grad: list[int], x: list[int], w: list[int], *rest: Any, out_shape: Any = None) -> int:
    """Operations of the gradients of a convolution: those of the convolution, for each of the two that is asked for.

    torch counts grouped ones too often.
    """
    transposed, mask = rest[4], rest[7]
    return conv_flop_count(x, w, grad, transposed) * (mask[0] + mask[1])


class Operations(TorchDispatchMode):
    """Counts those of all products and convolutions, forward, backward and of penalties.

    Not by torch's FlopCounterMode, which also follows modules, and fails where a penalty takes gradients within a loss.
    """

    counts: ClassVar[dict[Any, Callable[..., int]]] = {**flop_registry, torch.ops.aten.convolution_backward: shape_wrapper(backward)}

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if func._overloadpacket in self.counts:
            self.total += self.counts[func._overloadpacket](*args, **(kwargs or {}), out_val=made)
        return made


def operations(rounds: Callable[[], Any]) -> int:
    """Of what is called."""
    with Operations() as counter:
        rounds()
    return counter.total


# ------------------------------------------------------------------------------------------------------------- speed
def asked(s: Scale, recipe: str, source: Finite, batch: int, steps: int = 10_000) -> Resolved:
    """The recipe as it chooses its settings for this device, but for the batch and the augmentation."""
    fields = RECIPES[recipe].settings.model_fields
    given = {"augment": "none", **s.given, **ASKED[recipe], "batch": batch, "steps": steps}
    return resolve(Request(recipe, source, {name: value for name, value in given.items() if name in fields}, device=s.device))


def noise(side: int, n: int) -> Finite:
    """What pictures show does not change how long a round takes."""
    return Finite(Images(3, side, side), torch.randint(0, 256, (n, 3, side, side), dtype=torch.uint8, generator=generator(0, "noise")))


def built(s: Scale, wanted: Resolved, precision: str) -> Game:
    return in_precision(fresh(wanted.recipe, wanted.settings, wanted.source.space, s.place, 0), precision, s.place)


def playing(s: Scale, game: Game, stream: Iterator[Any]) -> Callable[[], None]:
    """A function that plays as many rounds as are timed together, as the trainer does."""
    def cycle() -> None:
        for step in range(s.cycle):
            seed_round(0, s.place, step)
            play(game, stream, step)

    return cycle


@lru_cache
def counted(s: Scale, recipe: str, side: int) -> int:
    """Operations of a cycle."""
    wanted = asked(s, recipe, noise(side, 2 * s.batches[side]), s.batches[side])
    with closing(batches(wanted.source, s.batches[side], 0)) as stream:
        return operations(playing(s, built(s, wanted, "fp32"), on_device(stream, s.place)))


def speed(s: Scale, recipe: str, side: int, precision: str, compiled: bool) -> Found:
    """Seconds of a thousand images that the discriminator sees, and what of the device they use."""
    batch = s.batches[side]
    work = counted(s, recipe, side)
    clear(s)
    wanted, complaints = asked(s, recipe, noise(side, 8 * batch), batch), list[str]()
    game = built(s, wanted, precision)
    weights = sum(p.numel() for player in game.players.values() for p in player.parameters)
    if compiled:
        game = in_one(game, complaints.append)
    with closing(batches(wanted.source, batch, 0)) as stream:
        cycle = playing(s, game, on_device(stream, s.place))
        began = time.perf_counter()
        cycle()
        wait(s)
        first = time.perf_counter() - began
        seconds = timed(s, cycle, 2)
    if failed := [text for text in complaints if "without compilation" in text]:
        raise RuntimeError(failed[0])
    each, kind = spread([1000 * t / (s.cycle * batch) for t in seconds]), arithmetic(s, precision)
    rate = work / spread(seconds)["median"] / 1e12
    return {"seconds per thousand images": {name: round(value, 5) for name, value in each.items()},
            "share of the peak": rate / peak(s, kind), "peak in": kind, "trillions of operations a second": rate, "first rounds, s": first,
            "memory, MiB": torch.cuda.max_memory_allocated() / 2**20 if s.device == "cuda" else None,
            "batch": batch, "timings": len(seconds), "rounds a timing": s.cycle, "weights": weights}


def clear(s: Scale) -> None:
    """Forget what earlier cases compiled and held in memory."""
    torch.compiler.reset()
    gc.collect()
    if s.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


# ---------------------------------------------------------------------------------------------------------- training
def pictures(side: int, n: int) -> tuple[Finite, Finite]:
    """Made scenes in colour, and as many that are held out."""
    rng, space = generator(0, "scenes"), Images(3, side, side)
    x = rendered(scenes(2 * n, side, side, rng), rng)
    return Finite(space, x[:n]), Finite(space, x[n:])


def training(s: Scale, recipe: str) -> Found:
    """KID in pixels of a training of so many seconds, at its start, after a sixteenth, a quarter and all of it."""
    side, batch = next(iter(s.batches.items()))
    source, held_out = pictures(side, s.pictures)
    precision = "bf16" if s.device == "cuda" else "fp32"
    trial = asked(s, recipe, source, batch)
    with closing(batches(source, batch, 0)) as stream:
        steps = max(16, int(s.training / min(timed(s, playing(s, built(s, trial, precision), on_device(stream, s.place)), 2)) * s.cycle))
    wanted = asked(s, recipe, source, batch, steps)
    game, found, began = built(s, wanted, precision), list[float](), time.perf_counter()
    points = [0, steps // 16, steps // 4, steps]
    with closing(batches(source, batch, 0)) as stream:
        rounds = on_device(stream, s.place)
        for step in range(steps + 1):
            if step in points:
                found.append(kid(shown(held_out), shown(stored(source.space, draw(game, source, len(held_out), 0)[0], None))))
            if step < steps:
                seed_round(0, s.place, step)
                play(game, rounds, step)
    return {"kid in pixels": [round(value, 5) for value in found], "after thousands of images": [n * batch / 1000 for n in points],
            "falls": found[-1] < found[0], "seconds": time.perf_counter() - began, "rounds": steps, "batch": batch, "side": side,
            "precision": precision}


def shown(samples: Finite) -> Tensor:
    return seen(samples).flatten(1)


# ------------------------------------------------------------------------------------------------------------- cases
def cases(s: Scale) -> dict[str, tuple[Callable[[], Found], float]]:
    """By name, what is done and the seconds that it may take; what matters most comes first, since time may run out."""
    eager, compiling, learning = s.budgets
    recipes = [name for name in ASKED if name in RECIPES]
    found: dict[str, tuple[Callable[[], Found], float]] = {"device": (partial(device, s), eager)}

    def add(names: list[str], sides: list[int], precision: str, compiled: bool) -> None:
        for side in sides:
            for recipe in names:
                name = f"{recipe}, {side} px, {precision}, {'compiled' if compiled else 'eager'}"
                found[name] = (partial(speed, s, recipe, side, precision, compiled), compiling if compiled else eager)

    trainings = {f"{recipe}, training": (partial(training, s, recipe), learning) for recipe in recipes if recipe != "projected"}
    first = next(iter(trainings))
    for precision in ("bf16", "fp32"):
        add(recipes, list(s.batches), precision, False)
    found[first] = trainings[first]
    for precision in ("bf16", "fp32") if s is GPU else ("fp32",):
        add(recipes if s is GPU else ["images"], list(s.batches), precision, True)
    return found | (trainings if s is GPU else {})


def work(name: str) -> Found:
    """One case, in the process where cases are done."""
    s = scale()
    if s is TOY:
        torch.set_num_threads(1)
        Compiled.compile = traced                               # type: ignore[method-assign]  # a compiler takes minutes
    try:
        return cases(s)[name][0]()
    finally:
        clear(s)


def traced(self: Compiled, graph: Any, inputs: list[Any]) -> Any:
    """What would be compiled, as it is."""
    self.count += 1
    return graph


def within(s: Scale, seconds: float, guard: Callable[[str, float], Found],
           clock: Callable[[], float] = time.perf_counter) -> Iterator[tuple[str, Callable[[], Found]]]:
    """The cases, as long as there is time for the whole of the next one; one that is known already costs none."""
    end = clock() + seconds
    waiting = cases(s)
    for at, (name, (_, budget)) in enumerate(waiting.items()):
        if clock() + budget > end:
            print(f"gpu: no time for the other {len(waiting) - at} cases; the same command goes on with them.", flush=True)
            return
        yield name, partial(guard, name, budget)


def main(words: list[str]) -> None:
    minutes = float(words[words.index("--minutes") + 1]) if "--minutes" in words else 10.0
    s, guard = scale(), Guarded(work)
    try:
        every = within(s, 60 * minutes, guard)
        if s is GPU:
            record("gpu", PROTOCOL, {}, every)
        else:
            print("gpu: there is no CUDA device, so this is a rehearsal at toy size on the CPU; nothing is written.", flush=True)
            for name, run in every:
                print(f"gpu {name}: {run()}", flush=True)
    finally:
        guard.close()


PROTOCOL = ("Rounds as `sparring train` plays them, without log, pictures and scores, on noise of 8 batches in the machine's memory; a "
            "timing is 16 rounds between two synchronizations, after 32 that are not timed; median, least and most of the timings of three "
            "seconds. Settings as the recipe chooses them on a GPU, but for the batch and augment=none. Images are those that the "
            "discriminator sees as real. Operations are those of products and convolutions, as torch counts them in an eager round; the "
            "peak is the fastest product of two 8192 x 8192 matrices, of tf32 where convolutions in fp32 use it. Memory is the most that "
            "was allocated. An error is recorded and not tried again but with --fresh. training: KID in pixels of 1,000 samples to as many "
            "held-out made scenes.")

if __name__ == "__main__":
    main(sys.argv[1:])
