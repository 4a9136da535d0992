"""One round of a game, also called an iteration: every turn that is due, one after the other.

Only here `backward` is called and players step.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial, reduce
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sparring.errors import InputError
from sparring.game.players import Game, NotFinite, Player, Report, Turn, Watched, looked

Share = Callable[[Tensor, list[Tensor]], float]     # averages the gradients of parameters over processes; the mean of the terms' sum


class Move(NamedTuple):
    """A step that was just taken: in which turn, which of how many repeats, counted from 0, and what its loss reported."""

    turn: str
    repeat: int
    times: int
    report: Report


def play(game: Game, batches: Iterator[Any], step: int, share: Share | None = None) -> tuple[dict[str, Tensor], Watched]:
    """Play one round; return every term of every loss, and what can be looked at, as `turn/name`.

    The round draws one batch, which its turns share; each repeat after the first draws another.
    All players but the one whose turn it is are frozen: gradients pass through frozen networks, so a fake needs
    no detach, and are stored in none.  Freezing stops gradients and steps, not buffers: a BatchNorm in train mode
    keeps counting, as in the published loops.  A parameter that a loss does not reach has gradient zero.
    With `share`, several processes play the same round, each with its part of the batch, and take the same steps.
    """
    return gathered(moves(game, batches, step, share))


def gathered(played: Iterator[Move]) -> tuple[dict[str, Tensor], Watched]:
    """The terms and what can be looked at of a round's moves; of a turn that repeats, those of its last."""
    scores: dict[str, Tensor] = {}
    watched: Watched = {}
    for move in played:
        if move.repeat + 1 == move.times:
            scores |= {f"{move.turn}/{term}": value.detach() for term, value in move.report.minimize.items()}
            watched |= to_look_at(move.turn, move.report)
    return scores, watched


def moves(game: Game, batches: Iterator[Any], step: int, share: Share | None = None) -> Iterator[Move]:
    """Play one round move by move, as `play` does, for whoever looks in between.

    Who looks leaves torch's random numbers as they were, and what learns.  Averaged copies follow after the last move.
    """
    shared = next(batches)
    for name, turn in game.turns.items():
        if not turn.due(step):
            continue
        _let_learn(game, turn.player, step)
        for repeat in range(turn.times):
            batch = shared if repeat == 0 else next(batches)
            with turn_told(name, step):
                report = heard(name, turn, batch, step)
                if report.minimize:
                    _clear(turn.player)
                    _gather(game, turn.player, name, report, step, share)
                    turn.player.move()
            yield Move(name, repeat, turn.times, report)
    for player in game.players.values():
        player.follow(step)


def play_at_once(game: Game, batches: Iterator[Any], step: int) -> tuple[dict[str, Tensor], Watched]:
    """One round of simultaneous gradient descent: all gradients are taken at the start of the round, then all players step.

    This is what theory describes (Mescheder et al., 2018, section 2), for comparison with `play`, where players step in turn.
    ValueError for a turn that repeats, which has no meaning here.
    """
    scores: dict[str, Tensor] = {}
    watched: Watched = {}
    movers: dict[int, Player] = {}
    shared = next(batches)
    for player in game.players.values():
        _clear(player)
    for name, turn in game.turns.items():
        if turn.times > 1:
            raise ValueError(f"turn '{name}' repeats {turn.times} times; in a round of simultaneous steps everyone moves once")
        if not turn.due(step):
            continue
        _let_learn(game, turn.player, step)
        with turn_told(name, step):
            report = heard(name, turn, shared, step)
            if report.minimize:
                _gather(game, turn.player, name, report, step)
                movers[id(turn.player)] = turn.player
        scores |= {f"{name}/{term}": value.detach() for term, value in report.minimize.items()}
        watched |= to_look_at(name, report)
    for player in movers.values():
        player.move()
    for player in game.players.values():
        player.follow(step)
    return scores, watched


@contextmanager
def turn_told(name: str, step: int) -> Iterator[None]:
    """Whatever is raised in the body says in which turn it was."""
    try:
        yield
    except Exception as error:
        error.add_note(f"This was in turn '{name}', in round {step + 1}.")
        if isinstance(error, TypeError | AttributeError | LookupError | NameError):
            error.add_note(EXPECTED)
        raise


def heard(name: str, turn: Turn, batch: Any, step: int) -> Report:
    """What the turn's loss reports.  InputError for what is no report of scalar terms."""
    report = turn.loss(batch, step)
    if not isinstance(report, Report):
        raise InputError(f"the loss of turn '{name}' returned a {type(report).__name__}. {EXPECTED}")
    if not isinstance(report.minimize, Mapping) or not isinstance(report.watch, Mapping):
        part, what = ("terms", report.minimize) if not isinstance(report.minimize, Mapping) else ("watched values", report.watch)
        raise InputError(f"the {part} of turn '{name}' are a {type(what).__name__}, without names. {EXPECTED}")
    for term, value in report.minimize.items():
        if not isinstance(value, Tensor) or value.numel() != 1:
            what = f"has shape {list(value.shape)}" if isinstance(value, Tensor) else f"is a {type(value).__name__}"
            raise InputError(f"the term '{term}' of turn '{name}' {what}. {EXPECTED}")
    return report


EXPECTED = ("A loss takes the batch and the round, and returns a Report: terms to minimize by name, each a tensor with one number, such as "
            "Report({'adversarial': loss.mean()}); then, if there are any, values to watch by name.")


def to_look_at(name: str, report: Report) -> Watched:
    """The report's watched values by turn/name, each a function that gives a tensor."""
    return {f"{name}/{term}": partial(looked, look.detach() if isinstance(look, Tensor) else look, f"{name}/{term}")
            for term, look in report.watch.items()}


def _let_learn(game: Game, player: Player, step: int) -> None:
    """Freeze everyone else, and set the learning rate of this round."""
    game.let_learn(player)
    player.set_rate(step)


def _clear(player: Player) -> None:
    for p in player.parameters:
        p.grad = None


def _gather(game: Game, player: Player, name: str, report: Report, step: int, share: Share | None = None) -> None:
    """Add the gradient of the terms' sum to the player's; NotFinite, before anything moves, when the sum is not finite.

    Processes that share find that out together, after their gradients were averaged: one that left alone would be waited for.
    """
    terms = report.minimize
    total = reduce(torch.add, terms.values())
    if report.slopes is None and not total.requires_grad:
        raise InputError(f"the terms of turn '{name}' ({', '.join(terms)}) depend on no parameter of its player, which cannot learn. "
                         "Look for .detach(), torch.no_grad() or numpy in its loss.")
    if share is None and not math.isfinite(total.item()):
        raise NotFinite(_blame(game, name, terms, step))
    if report.slopes is None:
        total.backward()    # not autograd.grad: backward alone lays gradients out as their parameters are, for fused steps
    else:
        for p, slope in zip(player.parameters, report.slopes, strict=True):
            p.grad = slope if slope is None or slope.stride() == p.stride() else torch.empty_like(p).copy_(slope)
    for p in player.parameters:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    if share is not None and not math.isfinite(share(total, player.parameters)):
        raise NotFinite(_blame(game, name, terms, step))


def _blame(game: Game, name: str, terms: dict[str, Tensor], step: int) -> str:
    """Which term, and whether a network was broken before: a gradient that is not finite shows only after its step."""
    what = next((f"{name}/{term} became {value.item()}" for term, value in terms.items() if not math.isfinite(value.item())),
                f"the terms of {name} add up to more than a float holds, here or in another process,")
    broken = not_finite(game)
    why = f" ({broken} was not finite before: an earlier step was too large, or its gradient was not finite)" if broken else ""
    return f"{what} in round {step + 1}; its step was not applied{why}."


def not_finite(game: Game) -> str | None:
    """The name of the first weight, buffer or average that holds NaN or an infinity, as player/name."""
    for name, player in game.players.items():
        for net in {id(net): net for net in (player.net, player.average)}.values():
            for key, tensor in net.state_dict().items():
                if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                    return f"{name}/{key}"
    return None
