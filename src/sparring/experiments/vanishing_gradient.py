"""Against a generator that stands still, a good discriminator leaves the saturating generator no gradient; a critic does.

(Arjovsky and Bottou, 2017, section 2, figure 2, and Arjovsky et al., 2017, figure 2.)
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Adam

from sparring.data import open_source
from sparring.data.source import Finite, batches
from sparring.errors import InputError
from sparring.experiments.cases import solve
from sparring.experiments.claims import (
    Finding,
    Picture,
    Row,
    Setting,
    at_least,
    at_most,
    by_name,
    figure,
    on_its_way,
    percent,
    shown,
    times,
    unless_short,
)
from sparring.game import Game, Player, Report, Turn, Watched, play
from sparring.nets.mlp import mlp
from sparring.objectives import losses, penalties
from sparring.pictures import style
from sparring.recipes import RECIPES
from sparring.rng import generator, seed_round
from sparring.settings import make
from sparring.spaces import Images

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLAIM = "As D becomes perfect, the generator's gradient vanishes under log(1 - D) but not under a Wasserstein critic."
SOURCE = "Arjovsky and Bottou, 2017, section 2.2, figure 2; Arjovsky et al., 2017, figure 2"
CPU = torch.device("cpu")
LATENT, WIDTH, SLOPE = 32, 256, 0.2
LATENTS = 256                                                   # fakes over which the generator's gradient is taken
REAL, FAKE, DEVIATION = -2.0, 2.0, 0.5                          # two Gaussians on a line that hardly meet


class Generating(NamedTuple):
    """A loss of the generator, and the recipe whose discriminator or critic it is taken against."""

    title: str
    recipe: str
    loss: Callable[[Tensor | None, Tensor], Tensor]


LOSSES = {
    "saturating": Generating("log(1 - D)", "gan", losses.saturating),
    "log_d": Generating("-log D", "gan", losses.log_d),
    "critic": Generating("Wasserstein critic, gradient penalty", "wgan-gp", losses.minus_score),
}


def gradient_norm(loss: Callable[[Tensor | None, Tensor], Tensor], G: nn.Module, D: nn.Module, z: Tensor) -> float:
    """|d loss(D(G(z))) / d weights of G|, over all weights at once."""
    weights = [p.requires_grad_() for p in G.parameters()]
    slopes = torch.autograd.grad(loss(None, D(G(z)).flatten()), weights)
    return math.sqrt(sum(float(g.double().square().sum()) for g in slopes))


def looks(steps: int) -> list[int]:
    """Before the first step, after every step at first, then ever more rarely: about 60 of them, and the last."""
    return [0, *sorted({round(steps ** (i / 60)) for i in range(61)})]


def networks(space: Images) -> dict[str, nn.Module]:
    """Perceptrons with three hidden layers, cheap enough to train D for long.

    The weights are those of He et al. (2015), under which an untrained D passes gradients of about their own size on, so
    that "first" in "from first to last" is not an accident of small first weights.
    """
    size = math.prod(space.shape)
    G = nn.Sequential(mlp(LATENT, WIDTH, 3, size, SLOPE), nn.Tanh(), nn.Unflatten(1, space.shape))
    D = nn.Sequential(nn.Flatten(), mlp(size, WIDTH, 3, 1, SLOPE))
    for module in (*G.modules(), *D.modules()):
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, SLOPE)
            nn.init.zeros_(module.bias)
    return {"generator": G, "discriminator": D}


def made(name: str, source: Finite, steps: int, generator_net: nn.Module | None = None) -> tuple[Game, int]:
    """The recipe's game for unlabelled images at a constant learning rate, and the size of its batches."""
    recipe = RECIPES[name]
    assert isinstance(source.space, Images)
    torch.manual_seed(0)
    own = networks(source.space)
    given = recipe.defaults(source.space) | {"conditional": False, "ema": 0.0, "decay": 0.0, "steps": max(1, steps), "latent": LATENT}
    settings = make(recipe.settings, given)
    return recipe.game(settings, source.space, CPU, own | ({"generator": generator_net} if generator_net else {})), settings.batch


def briefly_trained(source: Finite, rounds: int) -> nn.Module:
    """A generator after a few rounds as a non-saturating GAN."""
    game, batch = made("gan", source, rounds)
    stream = batches(source, batch, seed=0)
    for step in range(rounds):
        seed_round(0, CPU, step)
        play(game, stream, step)
    return game.players["generator"].net


def curves(data: str, name: str, first: int, steps: int) -> dict[str, Any]:
    """The generator's gradient norm by discriminator step, under every loss that this recipe's discriminator serves."""
    source = opened(data)
    G = briefly_trained(source, first)
    game, batch = made(name, source, steps, G)
    alone = replace(game, turns={"discriminator": replace(game.turns["discriminator"], times=1)})
    D, z = game.players["discriminator"].net, torch.randn(LATENTS, LATENT, generator=generator(0, "latents"))
    norms: dict[str, list[float]] = {key: [] for key, each in LOSSES.items() if each.recipe == name}
    stream, at = batches(source, batch, seed=1), looks(steps)
    watched: Watched = {}
    for step in range(steps + 1):
        if step in at:
            for key in norms:
                norms[key].append(gradient_norm(LOSSES[key].loss, G, D, z))
        if step < steps:
            seed_round(1, CPU, step)
            _, watched = play(alone, stream, step)
    return {"steps": at, "norms": norms, **{f"last {look.split('/')[1]}": value().item() for look, value in watched.items()}}


def opened(data: str) -> Finite:
    """The images; InputError for other data."""
    source = open_source(data)
    if not (isinstance(source, Finite) and isinstance(source.space, Images)):
        raise InputError(f"'{data}' holds no images; vanishing-gradient is about images. Leave --data out for the digits.")
    return source


# --------------------------------------------------------------------------------------- two Gaussians on a line
def line(objective: str, steps: int) -> dict[str, Any]:
    """D (objective "gan") or a critic with a gradient penalty (objective "critic"), trained to tell N(-2, 1/4) from N(2, 1/4).

    Its value at every place, and the slope of what a generator minimizes where the fakes lie.
    """
    torch.manual_seed(0)
    net = mlp(1, 64, 2, 1, 0.2)
    player = Player(net, Adam(net.parameters(), 2e-3, betas=(0.5, 0.9)))
    pair = losses.minimax if objective == "gan" else losses.wasserstein

    def discriminate(batch: None, step: int) -> Report:
        real, fake = (mean + DEVIATION * torch.randn(256, 1) for mean in (REAL, FAKE))
        terms = {"adversarial": pair.discriminator(net(real), net(fake))}
        return Report(terms | ({"penalty": 10 * penalties.lipschitz(net, real, fake)} if objective == "critic" else {}))

    game = Game({"discriminator": player}, {"discriminator": Turn(player, discriminate)}, model=net,
                prior=lambda n, rng: torch.zeros(n, 1), sample=lambda z, labels=None, live=False: z)
    for step in range(steps):
        seed_round(0, CPU, step)
        play(game, repeat(None), step)
    x = torch.linspace(-5, 5, 401)[:, None]
    fakes = FAKE + DEVIATION * torch.linspace(-2, 2, 101)[:, None]         # where 95 % of them lie
    slopes = penalties.gradients(lambda at: seen(net, at, objective), fakes).detach().flatten()
    with torch.no_grad():
        values = seen(net, x, objective).flatten()
    return {"x": x.flatten().tolist(), "value": values.tolist(), "steepest": float(slopes.abs().max()),
            "least": float(slopes.abs().min()), "towards the data": float((slopes < 0).float().mean())}


def seen(net: nn.Module, x: Tensor, objective: str) -> Tensor:
    """D(x), or the critic's score."""
    return net(x).sigmoid() if objective == "gan" else net(x)


# ------------------------------------------------------------------------------------------------ what came out
def case(kind: str, *what: Any) -> dict[str, Any]:
    return line(*what) if kind == "line" else curves(*what)


def run(setting: Setting) -> Finding:
    """D and a critic from their first step to near perfection, on images and on a line."""
    data, first, steps, on_line = setting.data or "digits", 200, *((300, 300) if setting.quick else (4000, 1500))
    if setting.quick:
        first = 50
    jobs = {"gan": ("curves", data, "gan", first, steps), "critic": ("curves", data, "wgan-gp", first, steps),
            "line gan": ("line", "gan", on_line), "line critic": ("line", "critic", on_line)}
    solved = solve(setting, case, list(jobs.values()))
    found = {name: solved[job] for name, job in jobs.items()}
    norms, flat, steep = found["gan"]["norms"] | found["critic"]["norms"], found["line gan"], found["line critic"]
    rows = [*on_images(norms, found["gan"]["last accuracy"], setting.quick),
            *on_a_line(flat, steep, setting.quick)]
    pictures = [Picture(style.save_figure(norms_drawn(found["gan"]["steps"], norms), setting.out / "gradient-norms.png"),
                        "The norm of the frozen generator's gradient by the steps that D, or the critic, has learned."),
                Picture(style.save_figure(line_drawn(flat, steep), setting.out / "line.png"),
                        f"Two Gaussians that hardly meet. Where the fakes lie D's steepest slope is {figure(flat['steepest'])}, and the "
                        f"critic's slopes are {figure(steep['least'])} to {figure(steep['steepest'])}.")]
    return Finding(rows, pictures)


ACCURACY = "D's accuracy at the end"
SATURATING, LOG_D = "log(1 - D): |gradient|, first / last", "-log D: |gradient|, last / first"
CRITIC = "critic: |gradient|, larger / smaller of first and last"
FLAT, LEAST = "on the line, D: steepest slope under the fakes", "on the line, critic: least slope under the fakes"
SLOPE_UNIT = "change of D(x), or of the score, per unit of x"


def on_images(norms: dict[str, list[float]], accuracy: float, quick: bool) -> list[Row]:
    """How the gradients change while D becomes perfect; where it has not, nothing can be said of what a perfect D does."""
    falls = {name: values[0] / values[-1] for name, values in norms.items()}
    source = "Arjovsky and Bottou, 2017, figure 2"
    perfect = on_its_way(at_least(ACCURACY, accuracy, 0.98, "Arjovsky and Bottou, 2017, figure 1", "share"), 0.8, quick)
    why = "" if perfect.holds else f"D is not perfect yet, its accuracy is {figure(accuracy)}"
    vanishes = unless_short(at_least(SATURATING, falls["saturating"], 1e3, source, "times"), why)
    critic = at_most(CRITIC, max(falls["critic"], 1 / falls["critic"]), 10, "Arjovsky et al., 2017, section 3", "times")
    return [perfect, on_its_way(vanishes, 20, quick),
            shown(LOG_D, 1 / falls["log_d"], "times", "Arjovsky and Bottou, 2017, figure 3: it grows"),
            unless_short(critic, why),
            shown("critic: |gradient|, largest / smallest of the run", max(norms["critic"]) / min(norms["critic"]), "times")]


def on_a_line(flat: dict[str, Any], steep: dict[str, Any], quick: bool) -> list[Row]:
    """The slopes that a generator would follow, under a D and under a critic."""
    figure2 = "Arjovsky et al., 2017, figure 2"
    near_linear = at_most("on the line, critic: steepest / least slope under the fakes", steep["steepest"] / steep["least"], 1.5,
                          f"{figure2}: near-linear", "times")
    return [on_its_way(at_most(FLAT, flat["steepest"], 1e-3, f"{figure2}: D saturates", SLOPE_UNIT), 0.05, quick),
            on_its_way(at_least(LEAST, steep["least"], 0.5, f"{figure2}: the slope does not vanish", SLOPE_UNIT), 0.3, quick),
            on_its_way(near_linear, 3, quick),
            at_least("on the line, critic: share of fakes it draws towards the data", steep["towards the data"], 1.0,
                     "Arjovsky et al., 2017, Theorem 3", "share")]


def headline(rows: Sequence[Row]) -> str:
    """What happens to each gradient while D gets so far."""
    at = by_name(rows)
    return (f"While D's accuracy reaches {percent(at[ACCURACY].ours)}, the generator's gradient under log(1 - D) "
            f"{times(1 / at[SATURATING].ours)}, under -log D it {times(at[LOG_D].ours)}, and under a Wasserstein critic it ends within a "
            f"factor of {figure(at[CRITIC].ours)} of its beginning. On a line, D's slope under the fakes is at most "
            f"{figure(at[FLAT].ours)}, the critic's at least {figure(at[LEAST].ours)}.")


def norms_drawn(steps: list[int], norms: dict[str, list[float]]) -> "Figure":
    figure = style.new_figure(8.0, 5.0)
    axes = figure.add_subplot()
    style.dress(axes, "steps of the discriminator or critic", "|gradient| of the generator's loss")
    for (name, values), colour, dashes in zip(norms.items(), (style.COLOURS[1], style.THEORY, style.JUDGE), ("-", "--", "-."), strict=True):
        axes.plot(steps, values, color=colour, linestyle=dashes, linewidth=2.2, label=LOSSES[name].title)
    axes.set_xscale("symlog", linthresh=1)                      # from the untrained D, at 0
    axes.set_xlim(0, steps[-1])
    axes.set_yscale("log")
    style.legend_below(figure, axes, 3)
    return figure


def line_drawn(flat: dict[str, Any], steep: dict[str, Any]) -> "Figure":
    """The densities, D, and the critic's score, centred, on its own axis."""
    figure = style.new_figure(8.0, 5.0)
    axes = figure.add_subplot()
    style.dress(axes, "x", "density; D(x)")
    x = torch.tensor(flat["x"])
    for mean, colour, label in ((REAL, style.REAL, "data"), (FAKE, style.GENERATED, "fakes")):
        density = torch.exp(-(((x - mean) / DEVIATION) ** 2) / 2) / (DEVIATION * math.sqrt(2 * math.pi))
        axes.plot(x, density, color=colour, linestyle=":" if label == "data" else "-", linewidth=2, label=label)
        axes.fill_between(x, density, color=colour, alpha=0.12, linewidth=0)
    axes.plot(x, flat["value"], color=style.JUDGE, linewidth=2.2, label="D(x)")
    axes.set_ylim(-0.04, 1.09)
    right = axes.twinx()
    value = torch.tensor(steep["value"])
    right.plot(x, value - value.mean(), color=style.COLOURS[1], linestyle="--", linewidth=2.2)
    axes.plot([], [], color=style.COLOURS[1], linestyle="--", linewidth=2.2, label="critic f(x), right axis")   # for the one legend
    right.set_ylabel("critic's score, centred", fontsize=style.LABELS, color=style.COLOURS[1])
    right.tick_params(labelsize=style.TICKS, colors=style.COLOURS[1])
    right.spines["top"].set_visible(False)
    style.legend_below(figure, axes)
    return figure
