"""The rehearsal of a system that is not of this project: what must hold of every game, tried on copies before anything is trained.

Two rounds of a few samples, watched turn by turn; then what the game can do with what it learned.  Each failure names the turn or the
function, what was found, what is expected, and how to mend it.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from sparring.data.source import Source, batches
from sparring.errors import InputError, listed
from sparring.game import Game, NotFinite, Player, Report, Turn, nothing_to_draw, play
from sparring.latent.parts import refuse_others
from sparring.rng import generator, seed_round
from sparring.runs import checkpoint
from sparring.setup.paper import PAPER, Accelerator, Mixed
from sparring.setup.resumable import CPU, ROUNDS, Made, cannot, in_short, line_in, nothing_changed, savable
from sparring.spaces import Space

SAMPLES = 5
CLOSE = 1e-3            # of the range of a sample: how far sums may differ with the size of a batch
EVALUATION = ("Sample in evaluation mode and without gradients: sparring.game.evaluate(net, z) does both, or net.eval() "
              "under @torch.no_grad().")


def rehearse(made: Made, source: Source, device: torch.device, batch: int, few: int) -> None:
    """InputError for a system that is not as every system has to be.  On the CPU with `few` samples a batch; where it does not bear that,
    on its own device with the run's batch.  Random numbers are afterwards as they were."""
    with nothing_changed():
        for at, n in ((CPU, few), (device, batch)):
            try:
                return rehearsed(lambda at=at, n=n: in_short(made(at, n)), source, at, n)           # type: ignore[misc]
            except (InputError, torch.OutOfMemoryError):
                raise
            except NotFinite as error:
                found: Exception = error
            except Exception as error:                          # a stranger's code may raise anything
                found = error
        if isinstance(found, NotFinite):
            raise InputError(f"on trial, {found} Losses have to be finite from the first round: look for a logarithm or a division without "
                             "a bound, and for a learning rate that is too large.") from None
        raise cannot(found) from None


def rehearsed(made: Callable[[], Game], source: Source, device: torch.device, batch: int) -> None:
    """The same, at one size of batch."""
    first, other = made(), made()
    refuse_unsteady(first, other)
    refuse_same_draws(*(played(game, source, device, batch, seed) for game, seed in ((first, 0), (other, 1))))
    look_over(first, source.space)
    refuse_lost(first, made)


def elsewhere(made: Made, source: Source, few: int) -> str:
    """What to tell of a system that would stop on a GPU, because it makes tensors on the CPU; nothing when it would not, or when that
    cannot be found out on paper."""
    try:
        with nothing_changed(), warnings.catch_warnings(action="ignore"), Accelerator():
            game = in_short(made(PAPER, few))
            with closing(batches(source, few, 0)) as stream:
                play(game, (type(one)(*(part if part is None else part.to(PAPER) for part in one)) for one in stream), 0)
            if game.sample is not nothing_to_draw and game.draws:
                game.sample(game.prior(2, generator(0, "trial")), torch.zeros(2, dtype=torch.int64))
    except Exception as error:                                  # a stranger's code may raise anything on a device that computes nothing
        if isinstance(error, Mixed):
            where = " ".join(getattr(error, "__notes__", ())[:1]).removeprefix("This was ").split(", in round")[0].rstrip(".")
            return (f"this system would stop on a GPU{f', {where}' if where else ''}{line_in(error)}: it computes with tensors of the CPU "
                    "and of the device at once. Make tensors where the batch is, torch.randn(..., device=device), and take latents there, "
                    "z.to(device).")
    return ""


# ------------------------------------------------------------------------------------------------------------ building it
def refuse_unsteady(first: Game, other: Game) -> None:
    """InputError for a function that builds another game at every call: what was saved of one would not fit the next."""
    for what, names in (("players", [[*game.players] for game in (first, other)]), ("turns", [[*game.turns] for game in (first, other)]),
                        ("parts of its memory", [[*game.memory] for game in (first, other)])):
        if names[0] != names[1]:
            raise InputError(f"two calls of `game` with the same settings gave {what} of other names: {listed(names[0])}; then "
                             f"{listed(names[1])}. A checkpoint finds them by name. Give them names that do not change.")
    forms = [{name: tuple(tensor.shape) for name, tensor in checkpoint.networks(game).items()} for game in (first, other)]
    if differ := sorted({name for form in forms for name in form if forms[0].get(name) != forms[1].get(name)}):
        raise InputError(f"two calls of `game` with the same settings gave networks of other shapes: {listed(differ, 3)}. Let sizes follow "
                         "from the settings and the data alone.")


# --------------------------------------------------------------------------------------------------------- playing its rounds
def played(game: Game, source: Source, device: torch.device, batch: int, seed: int) -> dict[str, Tensor]:
    """Play two rounds, watched; by turn, the state of torch's random numbers after its loss."""
    after: dict[str, Tensor] = {}
    seen = replace(game, turns={name: replace(turn, loss=watching(game, name, turn, after)) for name, turn in game.turns.items()})
    with closing(batches(source, batch, 0)) as stream:
        on_device = (type(one)(*(part if part is None else part.to(device) for part in one)) for one in stream)
        for step in range(ROUNDS):
            seed_round(seed, device, step)
            _, watched = play(seen, on_device, step)
            for look in watched.values():
                look()
    return after


def watching(game: Game, name: str, turn: Turn, after: dict[str, Tensor]) -> Callable[[Any, int], Report]:
    """The loss of a turn, which is refused when it moves or thaws a rival."""
    own = {id(p) for p in turn.player.parameters}
    rivals: dict[str, Player] = {other: player for other, player in game.players.items() if player is not turn.player}

    def loss(batch: Any, step: int) -> Report:
        before = {other: [p.detach().clone() for p in player.parameters] for other, player in rivals.items()}
        report = turn.loss(batch, step)
        for other, player in rivals.items():
            theirs = [(p, old) for p, old in zip(player.parameters, before[other], strict=True) if id(p) not in own]
            if any(not torch.equal(p, old) and not clamped(p, old) for p, old in theirs):
                raise InputError(f"the loss of turn '{name}' moved the weights of '{other}', whose turn it is not. A loss only computes; "
                                 f"the engine steps. Give '{other}' a turn of its own, with this as its loss.")
            if any(p.requires_grad for p, _ in theirs):
                raise InputError(f"the loss of turn '{name}' made '{other}' gather gradients, which the engine had frozen. Leave out "
                                 "requires_grad_(); gradients pass through frozen networks as they are.")
        after[name] = torch.random.get_rng_state()
        return report

    return loss


@torch.no_grad()
def clamped(now: Tensor, before: Tensor) -> bool:
    """Whether these are the weights of before, clamped, as WGAN clamps its critic before every use."""
    return torch.equal(now, before.clamp(now.min(), now.max()))


def refuse_same_draws(first: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    """InputError for a loss after which random numbers are the same, however they were seeded before."""
    for name, state in first.items():
        if name in other and torch.equal(state, other[name]):
            raise InputError(f"the loss of turn '{name}' seeds torch's random numbers itself (torch.manual_seed, or set_rng_state), so "
                             "that every round draws the same. Leave it out: every round is seeded, and a resumed run draws the same.")


# ------------------------------------------------------------------------------------------------ using what was learned
def look_over(game: Game, space: Space) -> None:
    """InputError for a game that does not sample as every game does, or that changes when it is looked at."""
    before, modes = state(game), [module.training for player in game.players.values() for module in player.net.modules()]
    if game.translation is not None:
        for to, given in enumerate(game.translation.takes):
            x = torch.rand(2, *given.shape, generator=generator(0, "trial")) * 2 - 1
            same_twice("translation.run", lambda x=x, to=to, **more: game.translation.run(x, to, **more))  # type: ignore[union-attr]
    elif game.animation is not None:
        x = torch.rand(2, *game.animation.frame.shape, generator=generator(0, "trial")) * 2 - 1
        found = game.animation.points(x)
        same_twice("animation.render", lambda **more: game.animation.render(x, found, found, **more))       # type: ignore[union-attr]
    elif game.sample is not nothing_to_draw:
        look_at_samples(game, space)
    if changed := [name for name, value in state(game).items() if not torch.equal(value, before[name])]:
        raise InputError(f"sampling changed {listed(changed, 3)}, as it does in training mode. {EVALUATION}")
    if modes != [module.training for player in game.players.values() for module in player.net.modules()]:
        raise InputError(f"after sampling, networks were left in another mode (training or evaluation) than before. {EVALUATION}")


def look_at_samples(game: Game, space: Space) -> None:
    """The same of one that draws samples from latents."""
    rng = torch.random.get_rng_state()
    drawn = [game.prior(SAMPLES, generator(0, "trial")) for _ in range(2)]
    if not isinstance(drawn[0], Tensor) or len(drawn[0]) != SAMPLES:
        shape = list(drawn[0].shape) if isinstance(drawn[0], Tensor) else type(drawn[0]).__name__
        raise InputError(f"prior({SAMPLES}, generator) gave {shape}; expected a tensor with {SAMPLES} latents, a row each.")
    if not torch.equal(*drawn) or not torch.equal(rng, torch.random.get_rng_state()):
        raise InputError("prior(n, generator) does not draw from the generator that it is given: two calls with the same one differ. Hand "
                         "it on, such as torch.randn(n, latent, generator=generator).")
    refuse_others(game.latent, drawn[0])
    labels = torch.zeros(SAMPLES, dtype=torch.int64)
    made = same_twice("sample", lambda **more: game.sample(drawn[0], labels, **more))
    if tuple(made.shape) != (SAMPLES, *space.shape):
        raise InputError(f"sample gave shape {list(made.shape)} for {SAMPLES} latents, and the data has {list(space.shape)} a sample. "
                         "Change the last layer of the generator.")
    part = game.sample(drawn[0][:2], labels[:2])
    if float((made[:2] - part).abs().nan_to_num().max()) > CLOSE * max(1.0, float(made.abs().nan_to_num().max())):
        raise InputError(f"a sample depends on the others that are drawn with it, as by BatchNorm in training mode. {EVALUATION}")
    if game.judge is not None and (judged := tuple(game.judge(made, labels).shape)) != (SAMPLES,):
        raise InputError(f"judge gave shape {list(judged)} for {SAMPLES} samples; expected one logit each, [{SAMPLES}]. Give the last "
                         "layer of the discriminator one output, and flatten what it gives.")


def same_twice(what: str, call: Callable[..., Tensor]) -> Tensor:
    """What a function gives, if that is the same at every call, finite and without a gradient; `live=True` is tried too."""
    with as_expected(what):
        made, again, live = call(), call(), call(live=True)
    if made.requires_grad:
        raise InputError(f"what {what} gives has a gradient. {EVALUATION}")
    if not torch.equal(made, again) and not bool(made.isnan().any()):
        raise InputError(f"{what} gave other samples for the same latents at a second call. Let all chance come from the latents, and "
                         f"sample without dropout. {EVALUATION}")
    if live.shape != made.shape:
        raise InputError(f"{what}(..., live=True) gave shape {list(live.shape)}, and {list(made.shape)} without. It should draw the same "
                         "by the networks as they play, before averaging.")
    return made


@contextmanager
def as_expected(what: str) -> Iterator[None]:
    """InputError when a function does not take what every game's does."""
    try:
        yield
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise InputError(f"{what} does not take what it is given: {error}. Expected {what}(z, labels=None, live=False).") from None


def refuse_lost(game: Game, made: Callable[[], Game]) -> None:
    """InputError when a finished model, which holds `model` alone, would draw otherwise than the game that was trained."""
    if game.sample is nothing_to_draw or game.translation is not None or game.animation is not None:
        return
    z, labels = game.prior(SAMPLES, generator(0, "trial")), torch.zeros(SAMPLES, dtype=torch.int64)
    other = made()
    other.model.load_state_dict(game.model.state_dict())
    if not torch.equal(game.sample(z, labels).nan_to_num(), other.sample(z, labels).nan_to_num()):
        raise InputError("a finished model holds the networks in `model` alone, and with these the samples differ from those of the game "
                         "that was trained. Let `sample` draw with the networks in `model`: the averaged ones, unless live is true "
                         "(model=generator.average; nn.ModuleDict holds several).")


def state(game: Game) -> dict[str, Tensor]:
    """Every weight, buffer and moment of a game, by name."""
    found = {name: tensor.detach().clone() for name, tensor in checkpoint.networks(game).items()}
    with savable():
        for name, player in game.players.items():
            checkpoint.flatten(player.optimizer.state_dict(), found, f"{name}'s optimizer")
        checkpoint.flatten({name: part.state_dict() for name, part in game.memory.items()}, found, "memory")
    return {name: tensor.clone() for name, tensor in found.items()}
