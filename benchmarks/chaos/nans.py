"""Numbers that are not finite, put into training at every place where they could arise."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.chaos.tally import Tally
from sparring.api import Silent, run
from sparring.data.source import Batch
from sparring.errors import RunFailed
from sparring.game import Game, Player, Report
from sparring.runs import checkpoint
from sparring.setup.prepare import Prepared, prepare
from sparring.setup.request import Request

PROMISE = ("A number that is not finite stops the run; with on_nan=rollback the run goes back to the last checkpoint with half the "
           "learning rate. No checkpoint ever holds such a number.")
STEPS, SAVE_EVERY = 16, 4
RECIPES: list[tuple[str, dict[str, Any]]] = [
    ("gan", {"penalty": "r1", "penalty_weight": 0.1}), ("wgan", {"first_steps": 2, "ema": 0.9}), ("wgan-gp", {}), ("r3gan", {}),
    ("vae", {"ema": 0.9}),
]
BAD = (math.nan, math.inf, -math.inf)


class Injector:
    """Poisons one place of a game in the round `at`: the first time only, or whenever that round is played."""

    def __init__(self, place: str, at: int, value: float, once: bool) -> None:
        self.place, self.at, self.value, self.once, self.fired, self.step = place, at, value, once, 0, -1

    def due(self) -> bool:
        return self.step == self.at and not (self.once and self.fired)

    def fire(self, x: Tensor) -> Tensor:
        """The tensor with its first number replaced."""
        self.fired += 1
        return torch.cat([x.reshape(-1)[:1] * 0 + self.value, x.reshape(-1)[1:]]).reshape(x.shape)

    @torch.no_grad()
    def fire_into(self, x: Tensor) -> None:
        self.fired += 1
        x.view(-1)[0] = self.value

    def into(self, game: Game) -> Game:
        """The game with losses that know the round, and the place made dangerous."""
        first = next(iter(game.players.values()))
        if self.place == "latent":
            net = first.net.decoder if hasattr(first.net, "decoder") else game.players["generator"].net
            net.register_forward_pre_hook(lambda module, given: (self.fire(given[0]), *given[1:]) if self.due() else None)
        for player in game.players.values() if self.place == "gradient" else ():
            player.parameters[0].register_hook(lambda slope: self.fire(slope) if self.due() else slope)
        return replace(game, turns={name: replace(turn, loss=self.around(turn.loss, turn.player)) for name, turn in game.turns.items()})

    def around(self, loss: Callable[..., Report], player: Player) -> Callable[..., Report]:
        def poisoned(batch: Batch, step: int) -> Report:
            self.step = step
            if self.place == "data" and self.due():
                batch = Batch(self.fire(batch.x), batch.labels)
            if self.place == "weights" and self.due():
                self.fire_into(last_weight(player.net))
            if self.place == "average" and player.average is not player.net and self.due():
                self.fire_into(last_weight(player.average))
            if self.place == "moments" and self.due():
                for held in list(player.optimizer.state.values())[:1]:
                    self.fire_into(next(v for k, v in held.items() if k != "step" and isinstance(v, Tensor)))
            report = loss(batch, step)
            terms = dict(report.minimize)
            for name in terms:
                if ((self.place == "loss" and name in ("adversarial", "reconstruction")) or
                        (self.place == "penalty" and name not in ("adversarial", "reconstruction"))) and self.due():
                    terms[name] = self.fire(terms[name])
            return Report(terms, report.watch)

        return poisoned


def last_weight(net: nn.Module) -> Tensor:
    return list(net.parameters())[-2]


PLACES = ("data", "latent", "weights", "loss", "gradient", "penalty", "moments", "average")


def cases(n: int) -> list[tuple[int, str, int, str, bool]]:
    """(recipe, place, round, policy, once) of every trial; a recipe without a penalty or an average has it in another place."""
    found = []
    for i in range(n):
        recipe, place = i % len(RECIPES), PLACES[i // len(RECIPES) % len(PLACES)]
        name = RECIPES[recipe][0]
        if place == "penalty" and name == "wgan":
            place = "loss"
        found.append((recipe, place, 1 + (7 * i) % (STEPS - 2), "stop" if i % 3 == 0 else "rollback", i % 3 == 1))
    return found


def trials(n: int, folder: Path, seed: int = 0) -> Tally:
    tally = Tally()
    for i, (recipe, place, at, policy, once) in enumerate(cases(n)):
        name, given = RECIPES[recipe]
        clipped = (name, place) == ("wgan", "weights")          # clipping would take an infinite weight back, as it should
        injector = Injector(place, at, math.nan if clipped else BAD[(i + seed) % 3], once)
        request = Request(name, "mixture", {"steps": STEPS, "batch": 16, "width": 8, "threads": 1, "save_every": SAVE_EVERY,
                                            "on_nan": policy, "show_every": 10**6, "score_every": 10**6, **given}, seed=i)
        prepared = prepare(request, folder / f"run-{i}")
        tally.tried += 1
        tally.count(f"in {place}")
        for complaint in judged(replace(prepared, game=injector.into(prepared.game)), injector, policy, once):
            tally.fail(f"trial {i} ({name}, {place}, round {at}, {policy}{', once' if once else ''})", complaint)
    return tally


def judged(prepared: Prepared, injector: Injector, policy: str, once: bool) -> list[str]:
    """What is wrong with how the run ended: it may only finish when it went back, and only after a fault that passed."""
    wrong, outcome, message = [], None, ""
    quiet = replace(prepared, plan=replace(prepared.plan, show_every=0, score_every=0))
    try:
        _, outcome = run(quiet, Silent())
    except RunFailed as error:
        message = str(error)
    if not injector.fired:
        return ["nothing was injected"]
    if policy == "stop" and not message:
        wrong.append("the run did not stop")
    if policy == "rollback" and once and outcome is None:
        wrong.append(f"the run did not recover: {message}")
    if policy == "rollback" and once and outcome is not None and len(outcome.rollbacks) != 1:
        wrong.append(f"{len(outcome.rollbacks)} rollbacks for one fault")
    if policy == "rollback" and not once and "3 times" not in message:
        wrong.append(f"a fault that stays should end the run after three rollbacks: {message or 'finished'}")
    if message and not any(word in message for word in ("nan", "NaN", "inf", "not finite")):
        wrong.append(f"the message does not say what happened: {message}")
    return wrong + poisoned_files(prepared)


def poisoned_files(prepared: Prepared) -> list[str]:
    """Whatever stands on disk must be finite."""
    from safetensors.torch import load_file

    return [f"{path} holds {name}" for path in prepared.folder.path.rglob("*.safetensors")
            if (name := checkpoint.not_finite(load_file(path))) is not None]
