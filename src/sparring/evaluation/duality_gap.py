"""The perturbed duality gap of a run, as its newest checkpoint stands: how much each of the two players could still gain alone."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from sparring.api import from_checkpoint
from sparring.data.source import Arranged, Finite, Source
from sparring.errors import InputError
from sparring.evaluation.samples import of_run
from sparring.game import Game
from sparring.metrics.compared_sets import judged_on
from sparring.metrics.dual_gap import Gap, Search, of_game
from sparring.objectives import losses
from sparring.objectives.losses import OBJECTIVES
from sparring.recipes import Recipe
from sparring.rng import generator
from sparring.runs.folder import RunFolder
from sparring.spaces import Images

STEPS, BATCH = 300, 64                          # of each search (Sidheekh et al., 2021), and samples in a step of it
JUDGED = 1024                                   # samples that what it found is judged on
SPREAD, PICTURES = 1.0, 0.01                    # of the perturbation, in deviations of each tensor of weights; of networks for pictures


Watch = Callable[[int, int], None]              # (steps done, steps in all)


def gap_of(run: Path, system: Recipe | None = None, steps: int = STEPS, seed: int = 0, watch: Watch = lambda done, total: None) -> Gap:
    """Both players' gains over the value of the original game, V = E[log D(x)] + E[log(1 - D(G(z)))], in nats.

    Each player is searched for twice, by `steps` steps of Adam from where it stands and from beside there, and judged on other samples:
    held-out ones, where there are any.  The best of these and of the player itself counts, so what is found bounds the gap from below.
    InputError for a run whose players do not play for such a value.
    """
    model = from_checkpoint(RunFolder(run), "cpu", {}, system)
    refuse_other_values(model.game, model.settings, run)
    source = of_run(run, None, model)[1]
    pictures = isinstance(source.space, Images)
    beside = Search(steps=steps, spread=PICTURES if pictures else SPREAD, seed=seed)
    plain, stands = replace(beside, spread=0.0), replace(beside, spread=0.0, steps=0)
    done = itertools.count(1)
    found = [gap(model.game, source, search, lambda *_: watch(next(done), 4 * steps)) for search in (stands, plain, beside)]
    return Gap(max(one.highest for one in found), min(one.lowest for one in found))


def refuse_other_values(game: Game, settings: object, run: Path) -> None:
    """InputError for a game without beliefs, or whose discriminator sees something else than samples."""
    objective = OBJECTIVES.get(str(getattr(settings, "objective", "")))
    if not {"generator", "discriminator"} <= game.players.keys() or objective is None or not objective.probability:
        raise InputError(f"--gap needs a discriminator that gives a probability, and that of {run} does not. Leave --gap out; it is for "
                         "gan and images with objective=minimax or nonsaturating.")
    if getattr(settings, "pack", 1) > 1:
        raise InputError(f"--gap cannot be used with pack above 1, as in {run}. Leave --gap out.")


def gap(game: Game, source: Source, search: Search, watch: Watch = lambda done, total: None) -> Gap:
    """The gap of a game of beliefs about this data."""
    other, done = judged_on(source)[0], itertools.count(1)

    def drawn(step: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Real samples and latents of a step, and the classes of both; those of step -1 judge."""
        rng = generator(search.seed, "gap", step)
        n, known = (BATCH, source) if step >= 0 else (JUDGED, other)
        z = game.prior(n, rng)
        assert not isinstance(known, Arranged), "judged_on refuses what arranges its batches itself"
        if step >= 0:
            watch(next(done), 2 * search.steps)
        if not isinstance(known, Finite):
            return known.space.encode(known.draw(n, rng)), z, None
        x, labels = known.at(torch.randint(len(known), (n,), generator=rng))
        return x, z, labels if game.classes else None

    def logits(D: nn.Module, x: Tensor, labels: Tensor | None) -> Tensor:
        return D(x).flatten() if labels is None else D(x, labels).flatten()

    def made(G: nn.Module, z: Tensor, labels: Tensor | None) -> Tensor:
        return G(z) if labels is None else G(z, labels)

    def value(G: nn.Module, D: nn.Module, step: int) -> Tensor:
        x, z, labels = drawn(step)
        return -losses.minimax.discriminator(logits(D, x, labels), logits(D, made(G, z, labels), labels))

    def log_d(G: nn.Module, D: nn.Module, step: int) -> Tensor:
        """What G goes down in its search: its optimum is that of V, and its slope is steeper (Goodfellow et al., 2014, section 3)."""
        _, z, labels = drawn(step)
        return losses.log_d(None, logits(D, made(G, z, labels), labels))

    return of_game(game, value, search, minimized=log_d)
