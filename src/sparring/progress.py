"""What a person sees while training runs: a line with the losses, the speed and the time left, on standard error."""

import shutil
import sys
import time
from typing import TextIO


class Line:
    """One line that rewrites itself on a terminal; elsewhere a line now and then, so that logs stay short."""

    def __init__(self, name: str, stream: TextIO | None = None, *, every: float | None = None) -> None:
        self.name, self.stream = name, stream or sys.stderr
        self.live = self.stream.isatty()
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
        speed = (step - self.first) / (now - self.began) if now > self.began else 0.0
        left = f"{duration((steps - step) / speed)} left" if speed else "..."
        terms = spoken(values)
        health = f"{self.health}  " if self.health else ""
        text = f"{self.name}  {step:,}/{steps:,}  {speed:,.0f}/s  {left}  {health}{terms}" if step < steps else \
            f"{self.name}  {step:,}/{steps:,}  done in {duration(now - self.began)}  {health}{terms}"
        if self.live:
            text = text[:shutil.get_terminal_size().columns - 1]        # a line that wraps cannot be rewritten
            self.stream.write("\r" + text.ljust(self.width) + ("\n" if step >= steps else ""))
            self.width = len(text) if step < steps else 0
        else:
            self.stream.write(text + "\n")
        self.stream.flush()

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
        self.stream.write(("\r" + " " * self.width + "\r" if self.live and self.width else "") + message + "\n")
        self.stream.flush()


def spoken(values: dict[str, float]) -> str:
    """The values by their short names; by turn, where two turns have terms of the same name."""
    if len({short(name) for name in values}) == len(values):
        return "  ".join(f"{short(name)} {value:.3f}" for name, value in values.items())
    turns: dict[str, list[str]] = {}
    for name, value in values.items():
        turn, _, term = name.partition("/")
        turns.setdefault(turn, []).append(f"{term} {value:.3f}")
    return "  ".join(f"{turn}: {', '.join(terms)}" for turn, terms in turns.items())


def short(name: str) -> str:
    """`discriminator/D(x)` as `D(x)`; `generator/adversarial` as `generator`."""
    turn, _, term = name.partition("/")
    return turn if term == "adversarial" else term


def duration(seconds: float) -> str:
    """`42 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"
    return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:02.0f} min"
