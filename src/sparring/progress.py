"""What a person sees while training runs: a line with the losses, the speed and the time left, on standard error."""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import TextIO

from sparring.terminal import columns, fold

PLAYERS = {"discriminator": "D", "discriminators": "D", "generator": "G", "generators": "G"}
TERMS = {"gradient_penalty": "penalty", "reconstruction": "recon", "classification": "class"}


class Line:
    """One line that rewrites itself on a terminal, as long as that is wide, with what matters most first; elsewhere a line now and
    then, so that logs stay short.  `live` says that a stream shows a line anew after a carriage return though it is no terminal."""

    def __init__(self, name: str, stream: TextIO | None = None, *, every: float | None = None, live: bool = False) -> None:
        self.name, self.stream = name, stream or sys.stderr
        self.live = live or self.stream.isatty()
        self.every = every if every is not None else (0.2 if self.live else 10.0)
        self.shown, self.began, self.first, self.width = 0.0, 0.0, 0, 0
        self.health = ""

    def update(self, step: int, steps: int, values: dict[str, float]) -> None:
        """Show where training is, at most every so many seconds, and at the end."""
        now = time.monotonic()
        if not self.began:
            self.began, self.first, self.shown = now, step, now - self.every + min(1.0, self.every)
        if now - self.shown < self.every and step < steps:
            return
        self.shown = now
        parts = self.parts(step, steps, now - self.began, values)
        if self.live:
            text = fitted(parts, columns(self.stream) - 1)      # a line that wraps cannot be rewritten
            self.stream.write("\r" + text.ljust(self.width) + ("\n" if step >= steps else ""))
            self.width = len(text) if step < steps else 0
        else:
            self.stream.write("  ".join(texts[0] for _, texts in parts) + "\n")
        self.stream.flush()

    def parts(self, step: int, steps: int, seconds: float, values: Mapping[str, float]) -> list[tuple[int, Sequence[str]]]:
        """What the line says, from left to right: how soon it is left out where room is short, and its wordings, the longest first."""
        losses, others = spoken(values)
        parts: list[tuple[int, Sequence[str]]] = [(3, [self.name]), (0, [f"{step:,}/{steps:,}"])]
        if step >= steps:
            parts += [(1, [f"done in {duration(seconds)}"]), *((2, [loss]) for loss in losses)]
        else:
            speed = (step - self.first) / seconds if seconds > 0 else 0.0
            parts += [(1, [f"{100 * step // max(1, steps)} %"]), *((2, [loss]) for loss in losses)]
            left = duration((steps - step) / speed) if speed else ""
            parts += [(5, [pace(speed)]), (4, [f"{left} left", f"{' '.join(left.split()[:2])} left"])] if speed else []
        if self.health:
            parts.append((6, [self.health, self.health.partition(" (")[0], self.health.partition(" (")[0].removeprefix("health: ")]))
        return parts + [(7, [other]) for other in others]

    def feel(self, health: str) -> None:
        """What to show beside the losses from here on."""
        self.health = health

    def leave(self) -> None:
        """End the line where it is, so that what comes next does not begin in its middle."""
        if self.live and self.width:
            self.stream.write("\n")
            self.stream.flush()
            self.width = 0

    def say(self, message: str) -> None:
        """Tell something once, on a line of its own."""
        text = fold(message, columns(self.stream)) if self.live else message
        self.stream.write(("\r" + " " * self.width + "\r" if self.live and self.width else "") + text + "\n")
        self.stream.flush()


class Silent:
    """Progress that nobody watches."""

    def update(self, step: int, steps: int, values: dict[str, float]) -> None:
        pass

    def say(self, message: str) -> None:
        pass


def watched(name: str, asked: bool | None) -> Line | None:
    """A line if it is asked for, or if that is left open and somebody looks: at a terminal, or at a notebook, which keeps its red for
    standard error."""
    notebook = in_notebook()
    if asked or (asked is None and (notebook or sys.stderr.isatty())):
        return Line(name, sys.stdout if notebook else sys.stderr, live=notebook)
    return None


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = getattr(ipython, "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def fitted(parts: Sequence[tuple[int, Sequence[str]]], width: int) -> str:
    """As many parts as fit side by side, those of the lowest number first, each in its longest wording that fits."""
    kept: dict[int, str] = {}
    used = 0
    for i, (_, texts) in sorted(enumerate(parts), key=lambda item: item[1][0]):
        fits = next((text for text in texts if used + len(text) <= width), None)
        if fits is not None:
            kept[i] = fits
            used += len(fits) + 2
    return "  ".join(kept[i] for i in sorted(kept))


def spoken(values: Mapping[str, float]) -> tuple[list[str], list[str]]:
    """The losses of the players, the discriminator's first, and everything else, by short names; with the player's, where two have
    terms of one name.  Of a game without adversaries the first two terms are its losses."""
    labels = [short(name) for name in values]
    told = {name: f"{label if labels.count(label) == 1 else long(name)} {number(value)}"
            for (name, value), label in zip(values.items(), labels, strict=True)}
    against = sorted((name for name in values if name.partition("/")[2].startswith("adversarial")), key=lambda name: short(name)[0] != "D")
    losses = against or list(values)[:2]
    return [told[name] for name in losses], [text for name, text in told.items() if name not in losses]


def short(name: str) -> str:
    """`discriminator/D(x)` as `D(x)`; `generator/adversarial` as `G`, and `generators/adversarial_a` as `G_a`."""
    turn, _, term = name.partition("/")
    if term.startswith("adversarial"):
        return player(turn) + term.removeprefix("adversarial")
    return TERMS.get(term, term) if len(term) > 1 else long(name)


def long(name: str) -> str:
    """`generator/accuracy` as `G accuracy`."""
    turn, _, term = name.partition("/")
    return f"{player(turn)} {TERMS.get(term, term)}".rstrip()


def player(turn: str) -> str:
    """`discriminator` as `D`, and `discriminator_first` as `D_first`."""
    name, line, rest = turn.partition("_")
    return PLAYERS.get(name, name) + line + rest


def number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.3g}"


def pace(speed: float) -> str:
    """Rounds a second, or seconds a round where they are long."""
    return f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.1f}/s" if speed >= 1 else f"{1 / speed:.1f} s each"


def duration(seconds: float) -> str:
    """`42 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"
    return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:02.0f} min"
