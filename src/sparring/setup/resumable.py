"""Whether a run could be resumed exactly: played in short, on copies, before anything is trained.

A checkpoint holds networks, averages, optimizers and a game's `memory`.  A network or a system that is not of this project may keep more:
a counter in a Python attribute, a running mean that is no buffer, a list of old samples, a random generator of its own.
"""

import random
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

import sparring
from sparring.data.source import Source, batches
from sparring.errors import InputError, RunFailed, listed, reason
from sparring.game import Game, NotFinite, nothing_to_draw, play
from sparring.rng import generator, seed_round
from sparring.runs import checkpoint
from sparring.setup.python_state import kept_in_python

Made = Callable[[torch.device, int], Game]              # the game anew, untrained, on a device, for batches of so many samples
CPU = torch.device("cpu")
ROUNDS = 2              # before a checkpoint, and after it
FEW = 4                 # samples in a batch, or packs of them


class Played(NamedTuple):
    """What rounds left: everything that can be compared by name, and digests of what networks keep in Python."""

    seen: dict[str, Any]
    python: dict[str, bytes]


def refuse_unsaved(made: Made, source: Source, device: torch.device, batch: int, few: int = FEW) -> None:
    """InputError when a game that is restored from a checkpoint plays on otherwise than one that was never stopped, with what differs;
    a warning when only what its networks keep in Python differs.

    `made` builds from copies: nothing of this reaches the run, torch's, numpy's and Python's random numbers included.  On the CPU with
    `few` samples a batch; where a network does not bear that, on its own device, with the run's batch.
    """
    told = ""
    with nothing_changed():
        try:
            told = compare(lambda: in_short(made(CPU, few)), source, CPU, few)
        except (InputError, torch.OutOfMemoryError):
            raise
        except NotFinite:
            pass                                                # the run itself will say so
        except Exception as error:                              # a stranger's code may raise anything
            if (device, batch) == (CPU, few):
                raise cannot(error) from None
            try:
                told = compare(lambda: in_short(made(device, batch)), source, device, batch)
            except (InputError, torch.OutOfMemoryError):
                raise
            except NotFinite:
                pass
            except Exception as again:
                raise cannot(again) from None
    if told:
        warnings.warn(told, stacklevel=2)


def cannot(error: Exception) -> InputError:
    """What is said when the rounds cannot even be played."""
    where = " ".join(getattr(error, "__notes__", ()))
    return InputError(f"two rounds on trial failed: {type(error).__name__}: {said(error)}{line_in(error)}. {where}".rstrip())


def line_in(error: Exception) -> str:
    """` (FILE, line N)` of the last line that is neither of this project nor of a package, through which an error came."""
    ours = str(Path(sparring.__file__).parent)
    lines = [frame for frame in traceback.extract_tb(error.__traceback__)
             if not frame.filename.startswith((ours, "<")) and "-packages" not in frame.filename]
    return f" ({lines[-1].filename}, line {lines[-1].lineno})" if lines else ""


def said(error: Exception) -> str:
    """What it says, without the full stop."""
    return reason(error).rstrip(".")


def in_short(game: Game) -> Game:
    """The same game with no turn that repeats often, or is due only seldom."""
    return replace(game, turns={name: replace(turn, times=min(turn.times, 2), every=min(turn.every, 2))
                                for name, turn in game.turns.items()})


def compare(made: Callable[[], Game], source: Source, device: torch.device, batch: int) -> str:
    """InputError, or what to warn of, as `refuse_unsaved` says."""
    straight = made()
    rounds(straight, source, device, batch, 0)
    with savable():
        files = checkpoint.contents(straight, ROUNDS, {})
    before = kept_in_python(straight)
    whole = rounds(straight, source, device, batch, ROUNDS)

    other = made()
    try:
        checkpoint.restore(files, other, advice="")
    except (RunFailed, RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"what was saved after {ROUNDS} rounds on trial cannot be restored into a game built anew: {said(error)}. Build "
                         "the game so that its networks have the same layers from the start.") from None
    lost = differing(before, kept_in_python(other))
    resumed = rounds(other, source, device, batch, ROUNDS)
    found = differing(whole.seen, resumed.seen)
    lost = [name for name in lost if whole.python.get(name) != resumed.python.get(name)]    # no cache, which the next call fills again
    if not found:
        return f"this changes while training and is in no checkpoint: {listed(lost, 3)}. No loss, weight or sample differs for that in " \
               f"the first rounds; if one does later, a resumed run differs. {REMEDY}" if lost else ""
    again = made()
    rounds(again, source, device, batch, 0)
    if differing(whole.seen, rounds(again, source, device, batch, ROUNDS).seen):
        if device != CPU:
            return f"two runs from the same start differ on {device}, so whether one can be resumed exactly was not checked."
        raise InputError(f"two runs from the same start differ, first in {listed(found, 3)}. Something draws random numbers that are not "
                         "torch's (numpy, random, a torch.Generator of its own), looks at the time, or keeps state outside of the "
                         f"networks (a global variable, a class attribute). {'Look at ' + listed(lost, 3) + '. ' if lost else ''}Draw with "
                         "torch.randn and the like, without a generator: every round seeds them.")
    where = f"It is kept in {listed(lost, 3)}. " if lost else "It is kept outside of the networks, such as in a variable of the " \
        "function that builds the game. "
    raise InputError(f"a run that is resumed from a checkpoint would differ from one that was never stopped, first in {listed(found, 3)}. "
                     f"Something that changes while training is not saved. {where}{REMEDY}")


REMEDY = ("A checkpoint holds a network's parameters and buffers, and what stands in a game's `memory`: make it a buffer "
          "(self.register_buffer(name, tensor)), or an object with state_dict and load_state_dict in `memory`.")


@contextmanager
def savable() -> Iterator[None]:
    """InputError for state that no checkpoint can hold."""
    try:
        yield
    except NotFinite:
        raise
    except Exception as error:
        raise InputError(f"the game's state cannot be saved: {said(error)}. A checkpoint takes tensors, numbers, text, lists and "
                         "dictionaries from state_dict of networks, optimizers and `memory`.") from None


def rounds(game: Game, source: Source, device: torch.device, batch: int, first: int) -> Played:
    """Play some rounds as training does."""
    seen: dict[str, Any] = {}
    with closing(batches(source, batch, 0, game.drawn(first))) as stream:
        on_device = (type(one)(*(part if part is None else part.to(device) for part in one)) for one in stream)
        for step in range(first, first + ROUNDS):
            seed_round(0, device, step)
            terms, looks = play(game, on_device, step)
            seen |= {f"{name} of round {step + 1}": value.cpu() for name, value in terms.items()}
            seen |= {f"{name} of round {step + 1}": look().detach().cpu() for name, look in looks.items()}
    with savable():
        held = tensors(game)
    return Played({**seen, **held, **made_by(game)}, kept_in_python(game))


def tensors(game: Game) -> dict[str, Any]:
    """Networks, optimizers and memory, by names for people."""
    found: dict[str, Any] = {name.replace("/net/", ".", 1).replace("/average/", ".average.", 1): tensor.cpu().clone()
                             for name, tensor in checkpoint.networks(game).items()}
    for name, player in game.players.items():
        held: dict[str, Tensor] = {}
        checkpoint.flatten(player.optimizer.state_dict()["state"], held, f"{name}'s optimizer")
        found |= held
    for name, part in game.memory.items():
        held = {}
        found[f"memory '{name}'"] = repr(checkpoint.flatten(part.state_dict(), held, f"memory '{name}'"))
        found |= held
    return found


@torch.no_grad()
def made_by(game: Game) -> dict[str, Tensor]:
    """A few samples, or translations, by the averaged networks and by those that play."""
    found = {}
    for live in (False, True):
        name = "samples" + " before averaging" * live
        if game.translation is not None:
            for to, given in enumerate(game.translation.takes):
                x = torch.rand(2, *given.shape, generator=generator(0, "trial")) * 2 - 1
                found[f"{name} in domain {to}"] = game.translation.run(x, to, live=live).cpu()
        elif game.animation is not None:
            x = torch.rand(2, *game.animation.frame.shape, generator=generator(0, "trial")) * 2 - 1
            found[name] = game.animation.render(x, *[game.animation.points(one, live=live) for one in (x, x.flip(0))], live=live).cpu()
        elif game.sample is not nothing_to_draw:
            found[name] = game.sample(game.prior(2, generator(0, "trial")), torch.zeros(2, dtype=torch.int64), live=live).cpu()
    return found


def differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """The names of what is not the same in both, to the bit."""
    return [name for name in dict.fromkeys([*first, *second]) if name not in first or name not in second
            or not same(first[name], second[name])]


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and a.dtype == b.dtype and bool(((a == b) | ((a != a) & (b != b))).all())     # NaN is NaN
    return bool(a == b)


@contextmanager
def nothing_changed() -> Iterator[None]:
    """Random numbers and threads are afterwards as they were; in the body there is one thread, so that sums have one order."""
    threads, python, numpy = torch.get_num_threads(), random.getstate(), np.random.get_state()
    accelerators = [torch.cuda.current_device()] if torch.cuda.is_available() and torch.cuda.is_initialized() else []
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=accelerators):
            yield
    finally:
        torch.set_num_threads(threads)
        random.setstate(python)
        np.random.set_state(numpy)
