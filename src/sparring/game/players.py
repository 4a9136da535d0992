"""Who plays: players, their turns, and the game that they make up.  A system is this plain data and its losses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sparring.errors import InputError, RunFailed
from sparring.game import adam
from sparring.game.copies import copied
from sparring.game.drawing import drawing
from sparring.game.latents import Part, draw
from sparring.game.schedules import Schedule
from sparring.nets.motion import KeyPoints
from sparring.spaces import Images

T = TypeVar("T")
Watched = dict[str, Callable[[], Tensor]]


class Report(NamedTuple):
    """What a loss found: named terms whose sum is minimized, and values that are only looked at.

    Watched values are functions, called only in rounds that are logged, or numbers, or tensors with one number.  A report without terms
    sits the turn out.
    A compiled loss brings the gradient of the sum by each of the player's parameters, None for one that it does not reach.
    """

    minimize: dict[str, Tensor] = {}  # noqa: RUF012 - a NamedTuple default, never changed
    watch: Mapping[str, Callable[[], Tensor] | Tensor | float] = {}
    slopes: Sequence[Tensor | None] | None = None


def looked(value: Callable[[], Tensor] | Tensor | float, name: str = "") -> Tensor:
    """A watched value as a tensor with one number; InputError for others."""
    found = value() if callable(value) else value
    if not isinstance(found, Tensor):
        return torch.tensor(float(found))
    if found.numel() != 1:
        raise InputError(f"the watched value '{name}' has shape {list(found.shape)}. Watch single numbers, such as its mean.")
    return found


Loss = Callable[[Any, int], Report]     # (batch, round) -> report


class NotFinite(RunFailed):
    """A term of a loss became NaN or infinite; the step was not applied."""


class Player:
    """Networks that learn together, the optimizer that moves them, and their averaged copy.

    A player moves exactly what its optimizer holds.  `ema` is the decay of the average of Polyak type that
    sampling uses; 0 means no average: sampling uses the net itself.  Early on the decay is
    min(ema, (1 + step) / (10 + step)), so that the first, random weights are soon forgotten.
    `learning_rate` is a function of the round, or None to leave the optimizer's own.
    In round `afresh` the optimizer forgets its moments: where a player goes over to another loss with much smaller gradients, those of the
    first would keep Adam's steps small for thousands of rounds.
    The copy's buffers are those of the network, but for the statistics of batch norms with `own_statistics`: a turn has to run the copy
    in training mode now and then.  Averaged weights make other maps than the network's, and by its statistics they come out too large.
    """

    def __init__(self, net: nn.Module, optimizer: Optimizer, *, ema: float = 0.0,
                 learning_rate: Schedule | None = None, own_statistics: bool = False, afresh: int | None = None) -> None:
        self.afresh = afresh
        self.net, self.optimizer, self.ema, self.learning_rate = net, optimizer, ema, learning_rate
        self.pace = 1.0                         # what the learning rate is multiplied by: less after a step that was too large
        self._rates = [group["lr"] for group in optimizer.param_groups]
        self.average = copied(net, "the network").requires_grad_(False) if ema else net
        self.parameters: list[Tensor] = [p for group in optimizer.param_groups for p in group["params"]]
        self._fast: list[Tensor] = list(net.parameters())
        self._slow: list[Tensor] = list(self.average.parameters())
        self.own_statistics = bool(ema) and own_statistics
        kept = statistics(self.average) if self.own_statistics else set()
        self._buffers = [(slow, fast) for slow, fast in zip(self.average.buffers(), net.buffers(), strict=True) if id(slow) not in kept]
        self._adam = adam.plain(optimizer)

    def thaw(self, learning: bool) -> None:
        """Let the parameters gather gradients, or not."""
        for p in self.parameters:
            p.requires_grad_(learning)

    def set_rate(self, step: int) -> None:
        """Give the optimizer the learning rate of this round, once before each turn; and let it begin anew, if it should."""
        if step == self.afresh:
            for moment in (part for state in self.optimizer.state.values() for part in state.values() if isinstance(part, Tensor)):
                moment.zero_()
        for group, own in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = self.pace * (own if self.learning_rate is None else self.learning_rate(step))

    def move(self) -> None:
        """Take the optimizer's step."""
        if self._adam is not None and self._adam.ready():
            self._adam()
        else:
            self.optimizer.step()

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Move the averaged copy a little towards the network."""
        if self.ema:
            decay = min(self.ema, (1 + step) / (10 + step))
            torch._foreach_lerp_(self._slow, self._fast, 1 - decay)
            for slow, fast in self._buffers:
                slow.copy_(fast)


def statistics(net: nn.Module) -> set[int]:
    """The buffers of batch norms, by id."""
    return {id(buffer) for module in net.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm) for buffer in module.buffers()}


@dataclass(frozen=True)
class Turn:
    """One player minimizes one loss, `times` in a row, on rounds start, start + every, ... before stop."""

    player: Player
    loss: Loss
    times: int = 1
    every: int = 1
    start: int = 0
    stop: int | None = None

    def due(self, step: int) -> bool:
        return (self.start <= step and (self.stop is None or step < self.stop)
                and (step - self.start) % self.every == 0)

    def played(self, step: int) -> int:
        """How many rounds before `step` this turn was due in."""
        last = step if self.stop is None else min(step, self.stop)
        return max(0, -(-(last - self.start) // self.every))


@dataclass(frozen=True)
class Translation:
    """What a model that translates images can do: into which domains, from what, and how.

    `run(x, to, live=False, noisy=False)` takes images float[B, C, H, W] in [-1, 1] such as `takes[to]`, of any size with sides of at
    least `least`, into domain number `to`, as images such as `gives[to]`, by the averaged networks or, when `live`, as they play.
    The same images give the same translations; `noisy` draws the noise of training, where a system has some, from torch's generator.
    """

    names: tuple[str, ...]
    takes: tuple[Images, ...]
    gives: tuple[Images, ...]
    run: Callable[..., Tensor]
    least: int = 2


@dataclass(frozen=True)
class Animation:
    """What a model that animates images can do, with images float[B, C, H, W] in [-1, 1] such as `frame`.

    `points(x, live=False)` are their key points; `render(x, source, driving, live=False)` moves images whose key points are `source` to
    the key points `driving`; by the averaged networks or, when `live`, as they play.
    """

    frame: Images
    points: Callable[..., KeyPoints]
    render: Callable[..., Tensor]


def nothing_to_draw(*args: Any, **more: Any) -> Tensor:
    raise InputError("this model does not sample from noise. If it translates images, use `sparring translate RUN IMAGES --out DIR` or "
                     "model.translate(images); otherwise use its networks, model.game.model.")


def only_animates(*args: Any, **more: Any) -> Tensor:
    raise InputError("this model animates images and cannot sample from noise. Use `sparring animate RUN --source IMAGE --driving CLIP "
                     "--out FILM`, or model.animate(source, driving).")


def averaged(draw: Callable[..., T]) -> Callable[..., T]:
    """What is drawn by the averaged networks; InputError for the others."""
    def drawn(*args: Any, live: bool = False, **more: Any) -> T:
        if live:
            raise InputError("a finished model holds only the averaged networks. Leave out live=True; the networks before averaging are in "
                             "the run's checkpoint.")
        return draw(*args, **more)
    return drawn


@dataclass(frozen=True)
class Game:
    """The players, their turns in order, and how to use what was learned: sampling from latents, a `translation` or an `animation`.

    `prior(n, generator)` draws latents; `sample(latents, labels=None, live=False)` turns them into samples in
    network units, from `model` (the averaged networks, which are saved) or, when `live`, from the
    current networks, before averaging; `judge(x, labels=None)` gives the discriminator's logits, float[B].
    Where `latent` is given, `prior` need not be: it draws these parts.  Where `generator` is given too, `sample` need not be: it is what
    `generator` makes of latents, and of labels where there are `classes`.
    """

    players: dict[str, Player]                  # the names are for logs and checkpoints
    turns: dict[str, Turn]                      # played in this order, every round
    model: nn.Module
    prior: Callable[[int, torch.Generator], Tensor] = nothing_to_draw
    sample: Callable[..., Tensor] = nothing_to_draw
    judge: Callable[..., Tensor] | None = None
    classes: int = 0                            # that samples can be asked for; 0 when they cannot
    memory: dict[str, Any] = field(default_factory=dict)    # other state a checkpoint must hold
    translation: Translation | None = None
    animation: Animation | None = None
    latent: tuple[Part, ...] = ()               # what its numbers are, part by part; normal throughout where nothing is said
    generator: nn.Module | None = None          # what `sample` draws with, G(z) or G(z, labels), for whoever needs its layers or slopes

    def __post_init__(self) -> None:
        """InputError for what would train and not be saved.  Then what follows from `latent` and `generator`."""
        refuse_strangers(self.players, self.turns)
        refuse_homeless(self.players, self.memory)
        if self.latent and self.prior is nothing_to_draw:
            object.__setattr__(self, "prior", partial(draw, self.latent))
        if self.latent and self.generator is not None and self.sample is nothing_to_draw:
            object.__setattr__(self, "sample", drawing(self.players.values(), self.generator, self.classes > 0))

    @property
    def draws(self) -> bool:
        """Whether samples are drawn from latents."""
        return self.translation is None and self.animation is None and self.sample is not nothing_to_draw

    @property
    def shows(self) -> bool:
        """Whether there is something to look at and to score: samples, translations or animations.  A classifier has none of these."""
        return self.draws or self.translation is not None or self.animation is not None

    def let_learn(self, player: Player) -> None:
        """Freeze everyone else.  The player comes last: others may hold some of its parameters."""
        for other in self.players.values():
            if other is not player:
                other.thaw(False)
        player.thaw(True)

    def only_averaged(self) -> "Game":
        """This game with only `model` known, as in a model folder: sampling or judging by the other networks is refused."""
        given, moves = self.translation, self.animation
        return replace(self, judge=None, sample=averaged(self.sample) if self.draws else self.sample,
                       translation=None if given is None else replace(given, run=averaged(given.run)),
                       animation=None if moves is None else replace(moves, points=averaged(moves.points), render=averaged(moves.render)))

    def drawn(self, step: int) -> int:
        """How many batches the rounds before `step` drew: the position in the data, from the step alone."""
        return step + sum(turn.played(step) * (turn.times - 1) for turn in self.turns.values())


# -------------------------------------------------------------------------------------- what a checkpoint would not hold
def refuse_strangers(players: dict[str, Player], turns: dict[str, Turn]) -> None:
    """InputError for a turn whose player is not among the game's: it would train and not be saved, nor be frozen in other turns."""
    for name, turn in turns.items():
        if not any(turn.player is player for player in players.values()):
            raise InputError(f"the player of turn '{name}' is not among the game's players ({', '.join(players) or 'none'}). Its "
                             f"{counted(turn.player.parameters)} would train and not be saved. Add it to `players`.")


def refuse_homeless(players: dict[str, Player], memory: dict[str, Any]) -> None:
    """InputError for parameters that an optimizer moves and that are in no network that is saved, and for memory that cannot be."""
    for name, part in memory.items():
        if not callable(getattr(part, "state_dict", None)) or not callable(getattr(part, "load_state_dict", None)):
            raise InputError(f"the game's memory '{name}' is a {type(part).__name__}, which cannot be saved. Give an object with "
                             "state_dict() and load_state_dict(state), as sparring.objectives.pool.Pool has.")
    nets = [*(player.net for player in players.values()), *(part for part in memory.values() if isinstance(part, nn.Module))]
    saved = {id(p) for net in nets for p in net.parameters()}
    for name, player in players.items():
        homeless = [p for group in player.optimizer.param_groups for p in group["params"] if id(p) not in saved]
        if homeless:
            raise InputError(f"the optimizer of player '{name}' moves {counted(homeless)} that no network of the game holds. They would "
                             "train and not be saved, so a resumed run would differ. Make the network that they belong to a part of the "
                             "player's own (nn.ModuleDict holds several), put it into the game's `memory`, or leave them out of the "
                             "optimizer.")


def counted(parameters: Sequence[Tensor]) -> str:
    """How many parameters, and of which shapes, as in `2 parameters (10x4, 10)`."""
    few = ", ".join("x".join(map(str, p.shape)) or "one number" for p in parameters[:4])
    more = ", ..." if len(parameters) > 4 else ""
    return f"{len(parameters)} parameter{'s' * (len(parameters) != 1)} ({few}{more})"
