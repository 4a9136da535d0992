"""What each thing that makes a round cheaper is worth: the trainer with it and without it, in turn; the table is in docs/speed.md.

    python -m benchmarks.bench.ablation [--fresh]
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.record import RESULTS, ROOT, record
from sparring import game
from sparring.bench.contests import CLASSIC, DCGAN, Contest, compete, noise_images, trained
from sparring.game import adam
from sparring.recipes import gan

PAIRS = 5
PAGE, BEGIN, END = ROOT / "docs/speed.md", "<!-- ablation -->", "<!-- /ablation -->"
Rate = Callable[[int, int], float]


def without(rate: Rate, change: Callable[[], Any]) -> Rate:
    """The same with one thing taken away."""
    def slower(threads: int, rounds: int) -> float:
        with change():
            return warm(rate)(threads, rounds)

    return slower


def warm(rate: Rate) -> Rate:
    """The same, for a contest whose warm-up plays two rounds, which are none to measure."""
    return lambda threads, rounds: rate(threads, max(20, rounds))


def in_usual_layout(nets: Mapping[str, torch.nn.Module], space: object, device: torch.device) -> None:
    for net in nets.values():
        net.to(device)


def thawed(self: game.Player, learning: bool) -> None:
    """Every network gathers gradients, whoever's turn it is; what a rival gathers is thrown away."""
    for p in self.parameters:
        p.requires_grad_(True)


ADVERSARIES = gan.Adversaries
CHANGES: dict[str, tuple[str, Callable[[], Any]]] = {       # name: what it is about, how it is taken away
    "one generator pass for both turns": ("both", lambda: patch.object(
        gan, "Adversaries", lambda *given, **more: ADVERSARIES(*given, **{**more, "once": False}))),
    "real and generated in one discriminator pass": ("both", lambda: patch.object(
        gan, "Adversaries", lambda *given, **more: ADVERSARIES(*given, **{**more, "separately": True}))),
    "channels_last": ("images", lambda: patch.object(gan, "place", in_usual_layout)),
    "a plain optimizer step": ("both", lambda: patch.object(adam, "plain", lambda optimizer: None)),
    "frozen rivals": ("both", lambda: patch.object(game.Player, "thaw", thawed)),
}


def cases() -> list[tuple[str, Callable[[], dict[str, Any]]]]:
    most = torch.get_num_threads()
    images, curves = trained(noise_images, DCGAN), trained(lambda: "quadratic", CLASSIC)
    found: list[tuple[str, Callable[[], dict[str, Any]]]] = []
    for name, (about, change) in CHANGES.items():
        found.append((f"{name}: images", partial(held, Contest(name, 20, images, without(images, change)), most)))
        if about == "both":
            found.append((f"{name}: curves", partial(held, Contest(name, 1500, curves, without(curves, change)), 1)))
    fp32 = trained(noise_images, {**DCGAN, "precision": "fp32"})
    compiled = trained(lambda: "quadratic", {**CLASSIC, "compile": "on"})
    return [("bf16: images", partial(held, Contest("bf16", 20, images, warm(fp32)), most)), *found,
            ("compiled turns: curves", partial(held, Contest("compiled", 3000, compiled, warm(curves)), 1))]


def held(contest: Contest, threads: int) -> dict[str, Any]:
    found = compete(contest, threads, PAIRS, print)
    return {"with, rounds/s": found["sparring, rounds/s"], "without, rounds/s": found["by hand, rounds/s"], "ratio": found["ratio"],
            "threads": threads}


def write_page() -> None:
    """The table, between the markers."""
    result = json.loads((RESULTS / "ablation.json").read_text())
    lines = ["| what | with it, rounds/s | without it | times as fast: median (least to most) |", "| --- | --- | --- | --- |"]
    for case, found in result["cases"].items():
        with_it, less, ratio = found["with, rounds/s"], found["without, rounds/s"], found["ratio"]
        lines.append(f"| {case}, {found['threads']} thread(s) | {with_it['median']:,.4g} | {less['median']:,.4g} | "
                     f"{ratio['median']:.2f} ({ratio['least']:.2f} to {ratio['most']:.2f}) |")
    text = PAGE.read_text()
    PAGE.write_text(text[:text.index(BEGIN) + len(BEGIN)] + "\n" + "\n".join(lines) + "\n" + text[text.index(END):])


if __name__ == "__main__":
    record("ablation", "Rounds a second of `gan` as `sparring train` counts them, with and without one thing, alternated in one "
           f"process, {PAIRS} pairs; networks and data as in speed.json. Each is taken away from all of the others, so their ratios do not "
           "multiply.",
           {}, cases())
    write_page()
