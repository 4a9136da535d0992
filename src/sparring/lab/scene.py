"""What there is to see of a game between two moves: samples, what D says, the best D there could be, and where samples are pushed.

Everything is in user units.  Looking changes nothing: networks are asked in evaluation mode, and torch's random numbers are put back.
"""

import math
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sparring.data.builtin.synthetic import Mixture
from sparring.data.source import Arranged, Source
from sparring.errors import InputError
from sparring.game import Game, evaluate
from sparring.metrics import modes
from sparring.objectives import losses, theory
from sparring.pictures.looking import real, undisturbed
from sparring.rng import generator
from sparring.spaces import Curves, Images, Vectors

POINTS, PUSHED, SIDE, MANY = 400, 60, 56, 20_000    # samples, those with arrows, cells a side, samples for densities
PLACES, LINES, PICTURES = 241, 24, 36
MARGIN = 1.45                       # how much wider the view is than the data
PATIENCE = 0.4                      # seconds between two estimates of the generated density, which cost as much as some rounds
WARP = 15                           # lines each way of the grid of latents
OBJECTIVES = {"wgan": losses.wasserstein, "wgan-gp": losses.wasserstein, "r3gan": losses.relativistic, "vae": None}


@dataclass(frozen=True)
class Wish:
    """What the page wants to see beside the samples."""

    heat: bool = True               # what D says of every place
    best: bool = False              # the best D there could be, and the density it follows from
    arrows: bool = False            # where the generator's loss pushes samples
    warp: bool = False              # how the generator bends the plane of a latent with two numbers


@dataclass
class Scene:
    """The view of one run: what is the same in all its frames."""

    game: Game
    source: Source
    space: Curves | Vectors | Images
    kind: str                       # plane, line, curves or pictures
    objective: losses.Adversarial | None
    real: Tensor                    # in network units
    latents: Tensor
    seed: int
    view: tuple[float, float] = (0.0, 0.0)                      # of both axes of a plane, or of a line's
    estimate: dict[str, Any] = field(default_factory=dict)      # the last one of the generated density, and when it was made
    estimated: float = -math.inf

    def frame(self, wish: Wish) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Facts, and arrays by name."""
        with undisturbed(self.game, self.seed):
            shown = {"plane": self.plane, "line": self.line, "curves": self.curves, "pictures": self.pictures}[self.kind]
            facts, arrays = shown(wish)
        return {"kind": self.kind, "critic": self.game.judge is None, **facts}, arrays

    # -------------------------------------------------------------------------------------------------- what D says
    def score(self, x: Tensor) -> Tensor | None:
        """D's logits of samples in network units, or a critic's scores, float[N]; None where there is no such network."""
        if self.game.judge is not None:
            return self.game.judge(x)
        player = next((self.game.players[name] for name in ("discriminator", "critic") if name in self.game.players), None)
        if player is None or self.space.labels:
            return None
        with torch.no_grad():
            found = evaluate(player.net, x).flatten()
        return found if len(found) == len(x) else None          # one that judges several together says nothing of one

    def shades(self, score: Tensor) -> tuple[Tensor, dict[str, float]]:
        """What D says as bytes, 0 for generated and 255 for real: of a critic from its lowest score here to its highest."""
        if self.game.judge is not None:
            return (score.sigmoid() * 255).round().to(torch.uint8), {}
        low, high = float(score.min()), float(score.max())
        return ((score - low) / max(high - low, 1e-9) * 255).round().to(torch.uint8), {"low": low, "high": high}

    def pushes(self, x: Tensor) -> Tensor | None:
        """Minus the slope of each sample's generator loss at the sample, float[PUSHED, D] in network units."""
        if self.objective is None:
            return None
        player = next(self.game.players[name] for name in ("discriminator", "critic") if name in self.game.players)
        with torch.enable_grad():
            at = x[:PUSHED].detach().requires_grad_()
            fake = player.net(at).flatten()
            if len(fake) != len(at):
                return None
            other = player.net(self.real[:len(at)]).flatten().detach() if self.objective.relativistic else None
            return -len(at) * torch.autograd.grad(self.objective.generator(other, fake), at)[0]

    # -------------------------------------------------------------------------------------------------- kinds of data
    def plane(self, wish: Wish) -> tuple[dict[str, Any], dict[str, Tensor]]:
        fake = self.game.sample(self.latents, live=True)
        facts: dict[str, Any] = {"view": self.view}
        arrays = {"real": self.space.decode(self.real), "fake": self.space.decode(fake)}
        if wish.heat:
            middles = torch.linspace(*self.view, 2 * SIDE + 1)[1::2]
            y, x = torch.meshgrid(middles.flip(0), middles, indexing="ij")      # rows from the top, as pictures have them
            score = self.score(self.space.encode(torch.stack([x, y], -1).flatten(0, 1)))
            if score is not None:
                shades, limits = self.shades(score)
                arrays["heat"], facts["limits"] = shades.view(SIDE, SIDE), limits
        if wish.arrows and (pushes := self.pushes(fake)) is not None:
            arrays["arrows"] = self.space.decode(fake[:len(pushes)] + pushes) - self.space.decode(fake[:len(pushes)])
        if wish.warp and self.latents.shape[1] == 2:
            arrays["warp"] = self.warp()
        if isinstance(self.source, Mixture):
            facts["modes"], facts["of"] = int(modes.score(arrays["fake"], self.source)["modes"]), len(self.source.means)
            facts |= self.density_of_plane()
            if wish.best:
                arrays["best"] = self.estimate["best"]
        return facts, arrays

    def warp(self) -> Tensor:
        """The samples of a grid over the plane of latents, with the same share of latents between its lines, float[WARP, WARP, 2]."""
        lines = torch.special.ndtri((torch.arange(WARP) + 0.5) / WARP)
        z = torch.stack(torch.meshgrid(lines, lines, indexing="ij"), -1).flatten(0, 1)
        return self.space.decode(self.game.sample(z, live=True)).view(WARP, WARP, 2)

    def density_of_plane(self) -> dict[str, float]:
        """log 4 - 2 JSD over the cells, and the JSD: what the loss of the best D would be.  Estimated now and then."""
        assert isinstance(self.source, Mixture)
        if time.monotonic() - self.estimated > PATIENCE:
            edges = torch.linspace(*self.view, SIDE + 1, dtype=torch.float64)
            p = torch.zeros(SIDE, SIDE, dtype=torch.float64)
            for weight, mean, deviation in zip(self.source.weights, self.source.means, self.source.deviations, strict=True):
                x, y = (torch.erf((edges - m) / (deviation * math.sqrt(2))).diff() / 2 for m in mean)
                p += weight * torch.outer(y, x)
            cells = (torch.bucketize(self.many().double(), edges) - 1).clamp(0, SIDE - 1)
            q = torch.bincount(cells[:, 1] * SIDE + cells[:, 0], minlength=SIDE * SIDE).double() / MANY
            self.compare(p.flatten() / p.sum(), q)
            self.estimate["best"] = self.estimate["best"].view(SIDE, SIDE).flip(0)
        return {"jsd": self.estimate["jsd"], "best_loss": self.estimate["best_loss"]}

    def many(self) -> Tensor:
        return self.space.decode(self.game.sample(self.game.prior(MANY, generator(self.seed, "lab density")), live=True)).contiguous()

    def compare(self, p: Tensor, q: Tensor) -> None:
        """D* and JSD of two distributions over cells."""
        best = theory.optimal_discriminator(p.numpy(), q.numpy())
        jsd = theory.jsd(p.numpy(), q.numpy())
        self.estimate = {"best": (torch.from_numpy(best) * 255).round().to(torch.uint8), "jsd": jsd, "best_loss": theory.LOG4 - 2 * jsd}
        self.estimated = time.monotonic()

    def line(self, wish: Wish) -> tuple[dict[str, Any], dict[str, Tensor]]:
        fake = self.game.sample(self.latents, live=True)
        edges = torch.linspace(*self.view, PLACES + 1)
        middles = (edges[1:] + edges[:-1]) / 2
        width = float(edges[1] - edges[0])
        facts: dict[str, Any] = {"view": self.view}
        arrays = {"x": middles, "fake": self.space.decode(fake).flatten(), "real": self.space.decode(self.real).flatten()}
        score = self.score(self.space.encode(middles[:, None]))
        if score is not None:
            arrays["d"] = score.sigmoid() if self.game.judge is not None else score
        if time.monotonic() - self.estimated > PATIENCE:
            inside = self.many().flatten().double().clamp(self.view[0], self.view[1])
            q = smoothed(torch.histc(inside, PLACES, self.view[0], self.view[1]))
            if isinstance(self.source, Mixture):
                p = self.source.pdf(middles[:, None].double())
            else:
                p = smoothed(torch.histc(arrays["real"].double(), PLACES, self.view[0], self.view[1]))
            self.compare(p / p.sum(), q / q.sum())
            self.estimate |= {"p": p / p.sum() / width, "q": q / q.sum() / width}
        arrays |= {"p": self.estimate["p"], "q": self.estimate["q"]}
        if wish.best:
            arrays["best"] = self.estimate["best"]
        if isinstance(self.source, Mixture):
            facts |= {"jsd": self.estimate["jsd"], "best_loss": self.estimate["best_loss"]}
        if wish.arrows and (pushes := self.pushes(fake)) is not None:
            arrays["arrows"] = (self.space.decode(fake[:len(pushes)] + pushes) - self.space.decode(fake[:len(pushes)])).flatten()
        return facts, arrays

    def curves(self, wish: Wish) -> tuple[dict[str, Any], dict[str, Tensor]]:
        assert isinstance(self.space, Curves)
        fake = self.game.sample(self.latents[:LINES], live=True)
        arrays = {"x": torch.tensor(self.space.x), "real": self.space.decode(self.real[:LINES]), "fake": self.space.decode(fake)}
        return {}, arrays | self.opinions(fake, self.real[:LINES])

    def pictures(self, wish: Wish) -> tuple[dict[str, Any], dict[str, Tensor]]:
        fake = self.game.sample(self.latents[:PICTURES], live=True)
        arrays = {name: self.space.decode(x) for name, x in (("real", self.real[:PICTURES]), ("fake", fake))}
        bytes_of = {name: x if x.dtype == torch.uint8 else ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
                    for name, x in arrays.items()}
        return {}, bytes_of | self.opinions(fake, self.real[:PICTURES])

    def opinions(self, fake: Tensor, true: Tensor) -> dict[str, Tensor]:
        """What D says of these samples: probabilities, or a critic's scores."""
        of_fake, of_real = self.score(fake), self.score(true)
        if of_fake is None or of_real is None:
            return {}
        believes = self.game.judge is not None
        return {"on_fake": of_fake.sigmoid() if believes else of_fake, "on_real": of_real.sigmoid() if believes else of_real}


def smoothed(counts: Tensor) -> Tensor:
    """Means of five neighbouring cells, float64[N]: of a few thousand samples, single cells are mostly chance."""
    return torch.nn.functional.avg_pool1d(counts[None], 5, 1, 2, count_include_pad=False)[0]


def scene(game: Game, source: Source, recipe: str, settings: Any, seed: int) -> Scene:
    """The view of a run.  InputError for data that the lab does not draw."""
    space = source.space
    if isinstance(source, Arranged) or not game.draws or not isinstance(space, Curves | Vectors | Images):
        raise InputError("the lab shows points, curves and pictures that are drawn from noise, and this recipe or data is of another kind. "
                         "Train it with `sparring train`; its run appears under Runs.")
    if isinstance(space, Vectors) and space.shape[0] > 2:
        raise InputError(f"the lab shows points with one or two numbers, and these have {space.shape[0]}. Give other data.")
    if getattr(settings, "conditional", False):
        raise InputError("the lab does not show models with classes yet. Give conditional=false.")
    kind = "curves" if isinstance(space, Curves) else "pictures" if isinstance(space, Images) else ("line", "plane")[space.shape[0] - 1]
    shown = real(source, POINTS, seed).x
    objective = OBJECTIVES[recipe] if recipe in OBJECTIVES else losses.OBJECTIVES[getattr(settings, "objective", "nonsaturating")]
    if getattr(settings, "pack", 1) > 1:
        objective = None
    made = Scene(game, source, space, kind, objective, shown, game.prior(POINTS, generator(seed, "lab")), seed)
    if kind in ("plane", "line"):
        values = space.decode(shown)
        low, high = float(values.min()), float(values.max())
        half = (high - low) / 2 * MARGIN or 1.0
        made.view = ((low + high) / 2 - half, (low + high) / 2 + half)
    return made
