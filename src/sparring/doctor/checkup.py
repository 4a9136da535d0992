"""A check-up: the numbers that the doctor measures during a run.

Everything is measured on a few keyed samples, moves nothing and draws nothing from training's random numbers.  Each row of
health.jsonl is one check-up.  Distances are Euclidean, in network units.
"""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from sparring.data.source import Arranged, Finite, Source
from sparring.doctor.columns import of_columns
from sparring.game import Game, Player
from sparring.metrics.sliced import sliced_wasserstein
from sparring.objectives.augment import ada, diff
from sparring.objectives.unroll import with_weights
from sparring.rng import generator
from sparring.spaces import Images, Table

POINTS, PICTURES, KNOWN, DIRECTIONS = 256, 128, 1000, 64    # samples drawn, where they are images, real ones, directions of the distance
PAIRS = 16                                                  # of sets of real samples, whose mean distance is the floor
SEEN = 4                                                    # samples of a class, below which nothing is said of it
NUMBERS = 2**22                                             # at most so many numbers in all the real samples together


@dataclass(frozen=True)
class Standard:
    """What real samples are like, for comparison: computed once a run, from the data and the seed."""

    n: int                          # samples drawn at each check-up
    real: Tensor                    # float[n, N]: what generated samples are compared with, held out where there is such a part
    floor: float                    # mean sliced Wasserstein distance between two sets of as many real samples
    centres: Tensor                 # float[K, N]: cells of about equal weight (Richardson and Weiss, 2018)
    shares: Tensor                  # float[K]
    near: float                     # two samples nearer than this count as one
    collisions: float               # share of pairs of real samples that are
    axes: Tensor                    # float[N, 2]: the two directions in which the data vary most, over the deviations there
    middle: Tensor                  # float[N]
    radius: float                   # root mean square distance of the data from its middle
    train: Tensor | None = None     # float[T, N]: what a generator could have copied, when there is a finite set
    apart: float = 0.0              # median distance from a real sample to the nearest training sample that is not itself
    unseen: Tensor | None = None    # held-out samples, to be judged
    labels: tuple[Tensor | None, Tensor | None] = (None, None)      # of `train` and of `unseen`
    asked: Tensor | None = None     # labels of `real`, which generated samples are asked for too
    classes: "Classes | None" = None    # what each class is like, where samples are of one each
    shape: tuple[int, ...] = ()
    table: Table | None = None      # the columns, where samples are rows
    facts: dict[str, float] = field(default_factory=dict)           # about the data, for the first row


@dataclass(frozen=True)
class Classes:
    """Of each class of the real samples, in network units."""

    middle: Tensor                  # float[C, N]: the mean of its samples
    radius: Tensor                  # float[C]: their root mean square distance from it
    count: Tensor                   # float[C]


@torch.no_grad()
def standard(source: Source, seed: int) -> Standard:
    """Look at the data."""
    assert not isinstance(source, Arranged), "translators are not checked up"
    n = PICTURES if isinstance(source.space, Images) else POINTS
    facts, train, unseen, y_train, y_unseen, classes = {}, None, None, None, None, None
    most = max(8, min(KNOWN, NUMBERS // math.prod(source.space.shape)))
    if isinstance(source, Finite):
        train, y_train = source.at(torch.randperm(len(source), generator=generator(seed, "checkup train"))[:most])
        if source.held_out is not None:
            unseen, y_unseen = source.held_out.at(torch.randperm(len(source.held_out), generator=generator(seed, "unseen"))[:most])
        known, classes = (train, y_train) if unseen is None or len(unseen) < 4 else (unseen, y_unseen)
        known = known.flatten(1)
        facts = {"data/samples": float(len(source)), "data/repeated": 1 - len(train.flatten(1).unique(dim=0)) / len(train)}
    else:
        known = source.space.encode(source.draw(most, generator(seed, "checkup real"))).flatten(1)
    n = max(2, min(n, len(known) // 2))
    real, middle, floor = known[:n], known.mean(0), chance(known, n, seed)
    deviations = known.std(0)
    facts["data/constant"] = float((deviations < 1e-6).double().mean())
    pairs = torch.pdist(known[:min(len(known), 400)])
    near = max(float(pairs.kthvalue(1 + len(pairs) // 100).values), 0.1 * float(pairs.median()))     # quantile() would sort them all
    axes = directions(known - middle)
    centres, shares = cells(known, max(2, n // 8), near, seed)
    flat = None if train is None else train.flatten(1)
    apart = 0.0
    if flat is not None and len(flat) > 2:
        nearest = torch.cdist(unseen.flatten(1)[:400], flat).min(1).values if unseen is not None else \
            torch.cdist(flat[:400], flat).kthvalue(2, dim=1).values
        apart = float(nearest.median())
    return Standard(n, real, floor, centres, shares, near, float((pairs < near).double().mean()), axes, middle,
                    float((known - middle).square().sum(1).mean().sqrt()), flat, apart, unseen, (y_train, y_unseen),
                    None if classes is None else classes[:n], by_class(known, classes, len(source.space.labels)), source.space.shape,
                    source.space if isinstance(source.space, Table) else None, facts)


def chance(known: Tensor, n: int, seed: int) -> float:
    """The distance between two sets of n real samples, the mean of some pairs of them: a single pair of narrow modes may have several
    times as much as another."""
    rng, found = generator(seed, "floor"), list[float]()
    for _ in range(PAIRS):
        order = torch.randperm(len(known), generator=rng)
        other = known[order[n:2 * n] if len(known) >= 2 * n else order[-n:]]                            # of three, one is in both
        found.append(sliced_wasserstein(known[order[:n]], other, seed, DIRECTIONS))
    return sum(found) / PAIRS


def by_class(x: Tensor, classes: Tensor | None, count: int) -> Classes | None:
    """What each of so many classes is like, where samples, float[M, N], are of one each."""
    if classes is None or classes.is_floating_point() or count < 2:
        return None
    member = torch.nn.functional.one_hot(classes, count).to(x.dtype)            # float[M, C]
    many = member.sum(0)
    middle = member.T @ x / many.clamp(min=1)[:, None]
    spread = member.T @ (x - middle[classes]).square().sum(1, keepdim=True) / many.clamp(min=1)[:, None]
    return Classes(middle, spread[:, 0].sqrt(), many)


def of_classes(made: Tensor, labels: Tensor, data: Classes) -> dict[str, float]:
    """`class_lost`: the share of real samples that are of a class whose generated mean lies nearer to that of another class, of those that
    are more than four standard errors apart.  `class_off`: how far the generated mean of a class is from its own, over the root mean
    square distance of its samples from that; of the class that is missed most, where that is more than 2.5 standard errors."""
    found = by_class(made, labels, len(data.count))
    assert found is not None
    error = data.radius / found.count.clamp(min=1).sqrt() + data.radius / data.count.clamp(min=1).sqrt()
    apart = torch.cdist(data.middle, data.middle) > 4 * (error[:, None] + error)
    far = torch.cdist(found.middle, data.middle)                                # of the samples of each class from each class
    there = (found.count >= SEEN) & (data.count >= SEEN)
    lost = ((far < far.diagonal()[:, None]) & apart & (data.count >= SEEN)).any(1) & there
    away = torch.where(there & (far.diagonal() > 2.5 * error), far.diagonal() / data.radius.clamp(min=1e-9), 0.0)
    return {"class_lost": float(data.count[lost].sum() / data.count.sum()), "class_off": float(away.max())}


def directions(x: Tensor) -> Tensor:
    """The two directions in which centred x, float[M, N], varies most, each over its deviation: float[N, 2]."""
    if x.shape[1] == 1:
        return torch.cat([torch.ones(1, 1), torch.zeros(1, 1)], 1) / x.std().clamp(min=1e-9)
    _, _, rows = torch.linalg.svd(x[:400], full_matrices=False)
    axes = rows[:2].T
    deviations = (x @ axes).std(0)
    real = deviations > 0.01 * deviations[0]                    # curves of one family vary in one direction only
    return torch.where(real, axes / deviations.clamp(min=1e-9), 0.0)


def cells(x: Tensor, k: int, near: float, seed: int, rounds: int = 8) -> tuple[Tensor, Tensor]:
    """At most k cells of real samples and the share of samples in each: k-means from k-means++ (Arthur and Vassilvitskii, 2007).

    There are no more than it takes for nearly all samples to have a centre nearby: a narrow mode is one cell.
    """
    k, rng = min(k, len(x)), generator(seed, "cells")
    centres = x[:1]
    distance = (x - centres[0]).square().sum(1)
    for _ in range(k - 1):
        if float(distance.quantile(0.99)) <= near**2:
            break
        chosen = x[torch.multinomial(distance, 1, generator=rng)]
        centres, distance = torch.cat([centres, chosen]), torch.minimum(distance, (x - chosen).square().sum(1))
    for _ in range(rounds):
        own = torch.cdist(x, centres).argmin(1)
        count = torch.bincount(own, minlength=len(centres))
        total = torch.zeros_like(centres).index_add_(0, own, x)
        centres = torch.where(count[:, None] > 0, total / count[:, None].clamp(min=1), centres)
    return centres, torch.bincount(torch.cdist(x, centres).argmin(1), minlength=len(centres)) / len(x)


@torch.no_grad()
def checkup(game: Game, data: Standard, seed: int, augmented: bool = False) -> dict[str, float]:
    """One row: what the generator draws, beside the data, and how the players move.  Values that cannot be had are left out.

    Call it right after a round, while the gradients of that round are there.
    """
    latents = game.prior(data.n, generator(seed, "checkup"))
    labels = torch.zeros(data.n, dtype=torch.int64) if data.asked is None else data.asked
    with OffUnits(game.players) as units:
        current = game.sample(latents, labels, live=True).cpu().flatten(1)
        judged = mean_logits(game, data, current, labels)
    judged |= batch_effect(game, data, current, labels)
    has_average = any(player.average is not player.net for player in game.players.values())
    averaged = game.sample(latents, labels).cpu().flatten(1) if has_average else current
    row = moves(game.players) | units.dead() | judged
    if bool(torch.isfinite(current).all() & torch.isfinite(averaged).all()):
        if game.classes and data.classes is not None:
            row |= of_classes(averaged, labels, data.classes)
        if data.table is not None:
            row |= of_columns(data.table, data.real, averaged)
        row |= likeness(averaged, data, seed, augmented) | {f"live/{name}": value for name, value in place(current, data).items()}
    return {name: value for name, value in row.items() if math.isfinite(value)}


def likeness(made: Tensor, data: Standard, seed: int, augmented: bool) -> dict[str, float]:
    """Samples beside the data: distance, cells without samples, support, spread, and nearness to the training set.

    `distance` is the sliced Wasserstein distance in deviations of the data, `floor` that of two sets of real samples.  `missing`:
    the share of the data whose cell has less than a quarter of its due.  `support`: pairs of samples that collide are as many as
    1 / support (the birthday paradox; Arora and Zhang, 2017), over the same of the data.  `copied`: median distance to the nearest
    training sample, over that of a real sample (after Meehan et al., 2020).
    """
    share = torch.bincount(torch.cdist(made, data.centres).argmin(1), minlength=len(data.centres)) / len(made)
    pairs = torch.pdist(made)
    collisions = max(float((pairs < data.near).double().mean()), 1 / max(1, len(pairs)))
    distance = sliced_wasserstein(made, data.real, seed, DIRECTIONS)
    unit = max(data.radius, 1e-9) / math.sqrt(made.shape[1])         # the data's deviation along a random direction
    row = {"distance": distance / unit, "floor": data.floor / unit, "missing": float(data.shares[share < data.shares / 4].sum()),
           "uneven": float((share - data.shares).abs().sum()) / 2,
           "support": min(100.0, max(data.collisions, 1 / max(1, len(pairs))) / collisions)} | place(made, data)
    if data.train is not None and data.apart > 0:
        row["copied"] = float(torch.cdist(made, data.train).min(1).values.median()) / data.apart
    if augmented and len(data.shape) == 3:
        row["leak"] = leak(made, data, distance, seed)
    return row


def place(made: Tensor, data: Standard) -> dict[str, float]:
    """Where the samples' mean is, in deviations of the data, and how far they spread, over the spread of the data."""
    middle = (made - data.middle) @ data.axes
    reach = (made - made.mean(0)).square().sum(1).mean().sqrt() / max(data.radius, 1e-9)
    return {"place/0": float(middle[:, 0].mean()), "place/1": float(middle[:, 1].mean()), "spread": float(reach)}


def leak(made: Tensor, data: Standard, distance: float, seed: int) -> float:
    """The distance of samples from augmented real ones, over that from real ones: below 1 they look augmented themselves."""
    images = data.real.view(-1, *data.shape)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        changed = (ada(images, 0.9), diff(images), *turned_and_moved(images))
    return min(sliced_wasserstein(made, x.flatten(1), seed, DIRECTIONS) for x in changed) / max(distance, 1e-9)


def turned_and_moved(images: Tensor) -> list[Tensor]:
    """The images turned by a quarter, a half and three quarters, mirrored, and moved by half their size around the edges.  To a D that
    sees all of these as often as the images, any of them will do (Karras et al., 2020, section 2.2)."""
    height, width = images.shape[2:]
    turns = [images.rot90(k, (2, 3)) for k in (1, 2, 3) if k == 2 or height == width]
    moves = [images.roll((down * height // 2, across * width // 2), (2, 3)) for down, across in ((0, 1), (1, 0), (1, 1))]
    return [*turns, images.flip(3), *moves]


def batch_effect(game: Game, data: Standard, made: Tensor, labels: Tensor) -> dict[str, float]:
    """How far D's logit of a generated sample changes, in training mode, when the rest of its batch is real instead of generated: root
    mean square, in deviations of the logits.  Zero for a D that looks at one sample at a time; measured where D has BatchNorm.
    """
    player, half = game.players.get("discriminator"), data.n // 2
    if player is None or game.judge is None or not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in player.net.modules()):
        return {}
    D, device = with_weights(player.net, {}), player.parameters[0].device           # what BatchNorm counts meanwhile is forgotten
    classes = (labels[:2 * half].to(device),) if game.classes else ()

    def among(others: Tensor) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)              # dropout, if there is any, is the same
            return D(torch.cat([made[:half], others]).view(-1, *data.shape).to(device), *classes).flatten()[:half].cpu()

    first, second = among(made[half:2 * half]), among(data.real[:half])
    return {"company": float((first - second).square().mean().sqrt() / torch.cat([first, second]).std().clamp(min=1e-9))}


def mean_logits(game: Game, data: Standard, made: Tensor, labels: Tensor) -> dict[str, float]:
    """D's mean logits on training, held-out and generated samples, and r_t = E[sign D(training)] (Karras et al., 2020, eq. 1)."""
    if game.judge is None:
        return {}
    known = data.real if data.train is None else data.train

    def judged(x: Tensor, y: Tensor | None) -> Tensor:
        assert game.judge is not None
        return game.judge(x.view(-1, *data.shape), y).cpu()

    few = data.n
    train = judged(known[:few], None if data.labels[0] is None else data.labels[0][:few])
    row = {"judge/train": float(train.mean()), "judge/fake": float(judged(made, labels).mean()), "judge/sure": float(train.sign().mean())}
    if data.unseen is not None:
        row["judge/unseen"] = float(judged(data.unseen[:few], None if data.labels[1] is None else data.labels[1][:few]).mean())
    return row


def moves(players: dict[str, Player]) -> dict[str, float]:
    """Of each player: `gradient`, the norm of its last one; `pace`, the norm of its last step over that of its weights."""
    row = {}
    for name, player in players.items():
        slopes = [p.grad for p in player.parameters if p.grad is not None]
        if not slopes:
            continue
        row[f"gradient/{name}"] = norm(slopes)
        state, rate = player.optimizer.state, player.optimizer.param_groups[0]["lr"]
        steps = []
        for p in player.parameters:
            own = state.get(p, {})
            square = own.get("exp_avg_sq", own.get("square_avg"))
            if isinstance(square, Tensor) and p.grad is not None:
                steps.append(own.get("exp_avg", p.grad) / (square.sqrt() + 1e-8))
        weights = norm(player.parameters)
        if steps and weights > 0:
            row[f"pace/{name}"] = rate * norm(steps) / weights
    return row


def norm(tensors: list[Tensor]) -> float:
    return float(torch.stack(torch._foreach_norm(tensors)).norm())


class OffUnits:
    """In its body, counts the ReLU units that are off for every sample."""

    def __init__(self, players: dict[str, Player]) -> None:
        self.modules = {f"{name}/{key}": module for name, player in players.items() for key, module in player.net.named_modules()
                        if isinstance(module, nn.ReLU) or (isinstance(module, nn.LeakyReLU) and module.negative_slope == 0)}
        self.awake: dict[str, Tensor] = {}

    def __enter__(self) -> "OffUnits":
        self.handles = [module.register_forward_hook(lambda _, given, made, key=key: self.look(key, made))
                        for key, module in self.modules.items()]
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self.handles:
            handle.remove()

    def look(self, key: str, made: Tensor) -> None:
        on = (made > 0).flatten(2).any(2).any(0) if made.ndim > 2 else (made > 0).any(0)
        self.awake[key] = on | self.awake[key] if key in self.awake else on

    def dead(self) -> dict[str, float]:
        """The share of dead units by player."""
        found: dict[str, list[Tensor]] = {}
        for key, on in self.awake.items():
            found.setdefault(key.split("/")[0], []).append(~on)
        return {f"dead/{name}": float(torch.cat(parts).double().mean()) for name, parts in found.items()}
