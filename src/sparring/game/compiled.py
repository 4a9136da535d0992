"""A turn's loss and its gradient, compiled as one function.

A compiled network under an eager penalty loses the penalty's gradient; a compiled loss, whose inner gradients are taken with
`torch.func.grad`, does not.  The outer gradient is taken inside as well, so that a turn is one call.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import Any

import torch
from torch import Tensor

from sparring.data.source import Batch
from sparring.game import Game, Report, Turn, Watched
from sparring.game.players import looked

Tell = Callable[[str], None]
Found = tuple[dict[str, Tensor], dict[str, Tensor], tuple[Tensor | None, ...]]      # terms, watched values, gradients
USUAL = 3               # compilations of a turn: for the first round, the second, and all others
# Checks before every call that what was compiled still holds.  Numbers may change, tensors and lengths too; what a turn is made
# of does not while it is played, and to look at it again takes as long as the turn of a small network.
LASTING = {"EMPTY_NN_MODULE_HOOKS_DICT", "NOT_PRESENT_IN_GENERIC_DICT", "TYPE_MATCH", "MODULE_MATCH", "BUILTIN_MATCH", "CLOSURE_MATCH",
           "FUNCTION_MATCH", "CLASS_MATCH", "DICT_KEYS_MATCH", "DICT_CONTAINS"}


def in_one(game: Game, tell: Tell) -> Game:
    """The same game, each turn's loss with its gradient one compiled function: the same numbers up to rounding, from the same noise.

    A turn that cannot be compiled runs as it is, with a message; so does one that has to be compiled again and again.
    """
    return replace(game, turns={name: replace(turn, loss=Compiled(name, turn, tell)) for name, turn in game.turns.items()})


class Compiled:
    """A turn's loss, whose report brings the gradient with it."""

    def __init__(self, name: str, turn: Turn, tell: Tell) -> None:
        self.name, self.turn, self.tell = name, turn, tell
        self.whole = torch.compile(with_gradient(turn), fullgraph=True, backend=self.compile,
                                   options={"guard_filter_fn": changeable})
        self.count, self.last, self.failed = 0, -1, False       # compilations, the round of the last one
        try:
            let_gradients_be_compiled()
        except AttributeError:
            self.give_up(f"torch {torch.__version__} cannot compile gradients yet")

    def compile(self, graph: Any, inputs: list[Any]) -> Any:
        """What torch does by default, but with the noise that an eager loss would draw; counted."""
        self.count += 1
        if self.count > USUAL:
            self.tell(f"compile: the turn '{self.name}' is compiled for the {self.count}th time")
        on_cpu = all(x.device.type == "cpu" for x in inputs if isinstance(x, Tensor))
        with warnings.catch_warnings():                             # torch warns of its own parts
            warnings.simplefilter("ignore")
            return torch._inductor.compile(graph, inputs, {"fallback_random": True, "cpp_wrapper": on_cpu})

    def give_up(self, why: str) -> None:
        self.failed = True
        self.tell(f"compile: turn '{self.name}' runs without compilation: {why}")

    def __call__(self, batch: Batch, step: int) -> Report:
        if self.failed:
            return self.turn.loss(batch, step)
        before = self.count
        try:
            terms, values, slopes = self.whole(batch, step)
        except (torch._dynamo.exc.TorchDynamoException, torch._dynamo.exc.FailOnRecompileLimitHit,
                torch._inductor.exc.InductorError) as error:
            self.give_up(reason(error))
            return self.turn.loss(batch, step)
        watched: Watched = {name: partial(Tensor.detach, value) for name, value in values.items()}
        if self.count > before:
            self.last = step
        if self.last == step:
            watched["compilations"] = lambda: torch.tensor(float(self.count))
        return Report(terms, watched, slopes)


def let_gradients_be_compiled() -> None:
    """Otherwise it is an error to take a gradient in a compiled function.  AttributeError from a torch that never can."""
    import torch._dynamo  # they take a second, which most runs do not need
    import torch._inductor
    torch._dynamo.config.trace_autograd_ops = True


def with_gradient(turn: Turn) -> Callable[[Batch, int], Found]:
    """The loss, its watched values and its gradient as plain tensors."""
    loss, parameters = turn.loss, turn.player.parameters

    def whole(batch: Batch, step: int) -> Found:
        report = loss(batch, step)
        values = {name: looked(look).detach() for name, look in report.watch.items()}
        if not report.minimize:
            return {}, values, ()
        slopes = torch.autograd.grad(reduce(torch.add, report.minimize.values()), parameters, allow_unused=True)
        return {name: term.detach() for name, term in report.minimize.items()}, values, slopes

    # What was compiled is kept, and counted, by the code: with code of its own, no other game of this process is in the way.
    whole.__code__ = whole.__code__.replace()
    return whole


def changeable(guards: Sequence[Any]) -> list[bool]:
    """Which guards to keep."""
    return [guard.guard_type not in LASTING for guard in guards]


def reason(error: Exception) -> str:
    """The first line that says what it is."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2] if lines and lines[0].endswith(":") else lines[:1] or [type(error).__name__])[:300]
