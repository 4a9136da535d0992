"""A discriminator that is ahead too early teaches a saturating generator nothing, and what helps against it.

Eight Gaussians on a ring, gradient descent with momentum: Adam divides a gradient by its own size and so hides most of a vanishing one.
"""

import statistics
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.optim import SGD, Adam, Optimizer

from sparring.data.builtin.synthetic import ring
from sparring.data.source import batches
from sparring.errors import RunFailed
from sparring.experiments.cases import solve
from sparring.experiments.claims import Finding, Picture, Row, Setting, at_least, beginning, by_name, figure, shown, unless_short
from sparring.game import Game, Player, Watched, play
from sparring.game.schedules import constant, linear_decay
from sparring.metrics import modes
from sparring.metrics.run_scores import draw
from sparring.metrics.sliced import sliced_wasserstein
from sparring.objectives import losses
from sparring.objectives.gan_networks import networks
from sparring.objectives.gan_turns import Adversaries, Rules
from sparring.objectives.penalties import PENALTIES
from sparring.pictures import style
from sparring.rng import generator, seed_round

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CLAIM = "Under log(1 - D), more discriminator steps make samples worse. A smoother discriminator fixes that with the same number of steps."
SOURCE = "Goodfellow et al., 2014, section 3; Arjovsky and Bottou, 2017, sections 2 and 3"
CPU = torch.device("cpu")
LATENT, WIDTH, BATCH, LR, MOMENTUM = 8, 64, 64, 0.05, 0.5
AHEAD = 10                                                      # discriminator steps a round of the comparison of cures
SAMPLES, DRAWN = 4000, 400
RATIOS = (0.25, 1.0, 4.0)                                       # learning rate of D over that of G


class Cure(NamedTuple):
    """One change to the saturating game."""

    title: str
    objective: losses.Adversarial = losses.minimax
    rules: Callable[[int], Rules] = lambda rounds: Rules()
    adam: bool = False
    factor: float = 0.0                                         # by which it must bring the distance down; 0: only shown


CURES = {
    "none": Cure("none"),
    "log_d": Cure("-log D", losses.nonsaturating),
    "adam": Cure("Adam", adam=True),
    "noise": Cure("noise falling to 0", rules=lambda rounds: Rules(noise=linear_decay(0.5, rounds, 1.0))),
    "noise_kept": Cure("instance noise", rules=lambda rounds: Rules(noise=constant(0.3)), factor=2),
    "r1": Cure("R1", rules=lambda rounds: Rules(PENALTIES["r1"], constant(0.1)), factor=3),
    "critic": Cure("WGAN-GP", losses.wasserstein, lambda rounds: Rules(PENALTIES["gradient"], constant(1.0)), factor=3),
}


def game(cure: Cure, steps: int, ratio: float, rounds: int) -> Game:
    """Algorithm 1 of Goodfellow et al. (2014) with `steps` discriminator steps a round, and no average of weights."""
    nets = networks(ring().space, LATENT, WIDTH, 2, 0.2, 0)

    def player(name: str, rate: float) -> Player:
        weights = nets[name].parameters()
        optimizer: Optimizer = Adam(weights, rate / 50, (0.0, 0.999)) if cure.adam else SGD(weights, rate, MOMENTUM)
        return Player(nets[name], optimizer)

    pair = Adversaries(player("generator", LR), player("discriminator", ratio * LR), cure.objective, LATENT, CPU,
                       rules=cure.rules(rounds), once=steps == 1)
    return pair.game(pair.turns(steps))


def trained(name: str, steps: int, ratio: float, rounds: int, seed: int) -> dict[str, Any]:
    """Distances over the rounds, and modes, D's accuracy and some samples at the end.  What flies off ends there."""
    truth = ring()
    torch.manual_seed(seed)
    table = game(CURES[name], steps, ratio, rounds)
    stream, watched = batches(truth, BATCH, seed), Watched()
    at, distances = [round(rounds * i / 10) for i in range(11)], []
    for step in range(rounds + 1):
        if step in at:
            distances.append(distance(table, seed))
        if step < rounds:
            seed_round(seed, CPU, step)
            try:
                _, watched = play(table, stream, step)
            except RunFailed:
                distances += [distances[-1]] * (len(at) - len(distances))
                break
    made, _ = draw(table, truth, SAMPLES, seed)
    found = modes.score(made, truth)
    looks = {key.split("/")[1]: look().item() for key, look in watched.items()}
    return {"rounds": at, "distances": distances, "modes": found["modes"], "high quality": found["high_quality"],
            "accuracy": looks.get("accuracy"), "samples": [[round(v, 3) for v in point] for point in made[:DRAWN].tolist()]}


def distance(table: Game, seed: int) -> float:
    """Sliced Wasserstein distance of generated samples to fresh real ones, where the data have deviation 1."""
    truth = ring()
    made, _ = draw(table, truth, SAMPLES, seed)
    real = truth.draw(SAMPLES, generator(seed, "real"))
    return sliced_wasserstein(truth.space.encode(made), truth.space.encode(real), seed)


def late(one: dict[str, Any]) -> float:
    """The mean distance over the last two fifths of the rounds: what goes round in circles has no last value."""
    return statistics.fmean(one["distances"][-5:])


def run(setting: Setting) -> Finding:
    """Steps and learning rates of the saturating game, then every cure at AHEAD steps a round, over the same rounds.

    The quick run has time for the first rounds only, so its D is ahead by its learning rate too.
    """
    rounds, seeds, fast = (100, (0,), max(RATIOS)) if setting.quick else (500, (0, 1, 2), 1.0)
    cures = ("none", "r1") if setting.quick else tuple(CURES)
    grid = [(1, 1.0), (AHEAD, fast)] if setting.quick else [(steps, ratio) for steps in (1, 3, AHEAD) for ratio in RATIOS]
    sweep = [("none", *place, rounds, seed) for place in grid for seed in seeds]
    cured = [(name, AHEAD, fast, rounds, seed) for name in cures for seed in seeds]
    found = solve(setting, trained, sorted({*sweep, *cured}, key=lambda case: -case[1]))

    middle = {case[:3]: statistics.median(late(found[*case[:3], rounds, seed]) for seed in seeds) for case in found}
    few = {name: [found[name, AHEAD, fast, rounds, seed] for seed in seeds] for name in cures}
    even = [found["none", 1, 1.0, rounds, seed] for seed in seeds]
    rows = claims(middle, fast, statistics.median(one["distances"][0] for one in even))
    rows += [shown(f"modes, {title}", statistics.median(one["modes"] for one in those), "modes of 8") for title, those in
             (("K = 1", even), *((f"K = {AHEAD}, cure: {CURES[name].title}", those) for name, those in few.items()))]
    table = {place: middle["none", *place] for place in grid}
    pictures = [Picture(style.save_figure(bars(few, even, table), setting.out / "strong-discriminator.png"),
                        "The distance to the data, mean over the last two fifths of the rounds: without a cure by discriminator steps K "
                        f"and learning rates, and with each cure at K = {AHEAD} (bars: the median; dots: the seeds)."),
                Picture(style.save_figure(lines(few, even), setting.out / "over-the-rounds.png"),
                        "The distance to the data over the rounds, median over the seeds."),
                Picture(style.save_figure(portraits(few, even), setting.out / "samples.png"),
                        f"What is generated (green) of the eight Gaussians (black) after the last round, cures at K = {AHEAD}; one seed.")]
    return Finding(rows, pictures)


EVEN, BEFORE = "distance, K = 1", "distance before training"      # names of rows
LEARNED = 0.5                       # of the distance before training: the run with K = 1 has learned when it is as near as that
UNIT = "sliced Wasserstein distance, deviations of the data"


def claims(middle: dict[tuple[str, int, float], float], fast: float, first: float) -> list[Row]:
    """Ratios of distances, medians over the seeds.

    All are held against K = 1 in the end, so nothing is shown while K = 1 itself has not learned.
    """
    even, ahead = middle["none", 1, 1.0], middle["none", AHEAD, fast]
    why = "" if even <= LEARNED * first else (f"K = 1 itself has not learned, its distance is {figure(even)} and was {figure(first)} "
                                              f"before training (asked for: {LEARNED:g} of that)")
    worse = "Arjovsky and Bottou, 2017, section 2.2: a better D, worse updates"
    at = f"K = {AHEAD}" + (f" and {fast:g} times the learning rate" if fast != 1 else "")
    rows = [shown(BEFORE, first, UNIT), shown(EVEN, even, UNIT), shown(f"distance, {at}", ahead, UNIT),
            at_least(f"log(1 - D): distance at {at} / at K = 1", ahead / even, 2, worse, "times")]
    if ("none", 1, max(RATIOS)) in middle:
        rows.append(at_least(f"log(1 - D), K = 1: distance at {max(RATIOS):g} times the learning rate of D / at the same",
                             middle["none", 1, max(RATIOS)] / even, 1.5, worse, "times"))
    for name, cure in CURES.items():
        if name != "none" and (name, AHEAD, fast) in middle:
            title, gain = f"cure: {cure.title}: distance without / with it, K = {AHEAD}", ahead / middle[name, AHEAD, fast]
            rows.append(at_least(title, gain, cure.factor, SOURCES[name], "times") if cure.factor else shown(title, gain, "times"))
    return [unless_short(row, why) for row in rows]


def headline(rows: Sequence[Row]) -> str:
    """The distances with few and with many steps of D, and what each cure changes."""
    at, (ahead,) = by_name(rows), beginning(rows, f"distance, K = {AHEAD}")
    cures = "; ".join(f"{row.name.split(': ')[1]} {nearer(row.ours)}" for row in beginning(rows, "cure: "))
    return (f"The samples begin {figure(at[BEFORE].ours)} from the data and end {figure(at[EVEN].ours)} away with K = 1 discriminator step "
            f"a round, and {figure(ahead.ours)} away with {ahead.name.removeprefix('distance, ')}. There, {cures}.")


def nearer(gain: float) -> str:
    """A distance without over one with a cure, in words."""
    if not gain > 0:
        return f"changes the distance by a factor of {figure(gain)}"
    return f"brings them {figure(gain)} times nearer" if gain >= 1.05 else f"takes them {figure(1 / gain)} times farther away" \
        if gain <= 1 / 1.05 else f"changes little ({figure(gain)} times)"


SOURCES = {"noise_kept": "Arjovsky and Bottou, 2017, section 3; Soenderby et al., 2017", "r1": "Mescheder et al., 2018, section 4.1",
           "critic": "Gulrajani et al., 2017, section 4"}


# ------------------------------------------------------------------------------------------------------- pictures
def bars(cured: dict[str, list[dict[str, Any]]], even: list[dict[str, Any]], table: dict[tuple[int, float], float]) -> "Figure":
    """Left a heat map by steps and learning rates, right the cures; both logarithmic."""
    figure = style.new_figure(9.6, 4.6)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.45])
    heat(left, table)
    faster = "" if (AHEAD, 1.0) in table else f", learning rate of D x {max(RATIOS):g}"
    style.dress(right, "distance to the data (log)", "", f"cures at K = {AHEAD}{faster}")
    titles = [*(CURES[name].title for name in cured), "K = 1"]
    for place, (title, those) in enumerate(zip(titles, [*cured.values(), even], strict=True)):
        values = [late(one) for one in those]
        colour = {"none": style.COLOURS[1], "K = 1": style.QUIET}.get(title, style.JUDGE)
        right.barh(place, statistics.median(values), color=colour, alpha=0.75)
        right.plot(values, [place] * len(values), "o", color=style.REAL, markersize=4)
    right.set_xscale("log")
    right.set_xlim(0.05, 1.3 * max(late(one) for those in (even, *cured.values()) for one in those))
    style.plain_log(right.xaxis)
    right.set_yticks(range(len(titles)), titles, fontsize=style.TICKS)
    right.invert_yaxis()
    right.grid(axis="y", visible=False)
    return figure


def heat(axes: "Axes", table: dict[tuple[int, float], float]) -> None:
    from matplotlib.colors import LogNorm

    counts, ratios = sorted({k for k, _ in table}), sorted({r for _, r in table})
    nothing = float("nan")                                      # the quick run has not tried every place
    values = [[table.get((k, r), nothing) for k in counts] for r in ratios]
    axes.imshow(values, cmap="YlOrRd", norm=LogNorm(0.1, 8), aspect="auto", origin="lower")
    for x, k in enumerate(counts):
        for y, r in enumerate(ratios):
            if (k, r) in table:
                axes.text(x, y, f"{table[k, r]:.2g}", ha="center", va="center", fontsize=style.LABELS,
                          color="white" if table[k, r] > 2.5 else "black")
    style.dress(axes, "discriminator steps a round, K", "learning rate of D / of G", "no cure: distance to the data")
    axes.grid(visible=False)
    axes.set_xticks(range(len(counts)), [str(k) for k in counts])
    axes.set_yticks(range(len(ratios)), [f"{r:g}" for r in ratios])


def lines(cured: dict[str, list[dict[str, Any]]], even: list[dict[str, Any]]) -> "Figure":
    figure = style.new_figure(8.0, 5.0)
    axes = figure.add_subplot()
    style.dress(axes, "rounds", "distance to the data (log)")
    runs = {"K = 1, no cure": even}
    runs |= {f"K = {AHEAD}, {CURES[name].title if name != 'none' else 'no cure'}": those for name, those in cured.items()}
    colours = (style.QUIET, style.COLOURS[1], *(c for c in style.COLOURS if c not in (style.COLOURS[1], style.COLOURS[6])), style.REAL)
    for i, (title, those) in enumerate(runs.items()):
        middle = [statistics.median(values) for values in zip(*(one["distances"] for one in those), strict=True)]
        axes.plot(those[0]["rounds"], middle, color=colours[i], linewidth=2.2, linestyle="-" if i else ":", label=title)
    axes.set_yscale("log")
    style.plain_log(axes.yaxis)
    style.legend_below(figure, axes, 3)
    return figure


def portraits(cured: dict[str, list[dict[str, Any]]], even: list[dict[str, Any]]) -> "Figure":
    """Samples of the first seed; those outside are counted in the corner."""
    shots = {"K = 1": even[0]}
    shots |= {CURES[name].title if name != "none" else f"K = {AHEAD}, no cure": those[0] for name, those in cured.items()}
    columns = min(4, len(shots))
    figure = style.new_figure(9.6, 2.9 * -(-len(shots) // columns))
    means = torch.tensor(ring().means)
    for i, (title, one) in enumerate(shots.items()):
        axes, points = figure.add_subplot(-(-len(shots) // columns), columns, i + 1), torch.tensor(one["samples"])
        style.dress(axes, "", "", title)
        axes.title.set_fontsize(style.TICKS)
        axes.plot(*means.T, "o", color=style.REAL, markersize=8, fillstyle="none", markeredgewidth=1.5)
        axes.plot(*points.T, ".", color=style.GENERATED, markersize=3, alpha=0.6)
        axes.set(xlim=(-2, 2), ylim=(-2, 2), aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
        outside = float((points.abs() > 2).any(1).float().mean())
        if outside >= 0.005:
            axes.text(-1.9, -1.85, f"{outside:.0%} outside", fontsize=style.TICKS)
    return figure
