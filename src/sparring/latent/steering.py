"""What `latent/` can do for a model that draws samples from latents: what was asked is checked here."""

import math
from functools import partial
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from sparring.data.pretrained import JUDGING, TRAINING, pretrained
from sparring.errors import InputError, did_you_mean
from sparring.game import Game
from sparring.latent import styles
from sparring.latent.directions import MOST, Directions, closed_form, principal
from sparring.latent.inversion import POOL, Inversion, Seen, Watch, invert
from sparring.latent.parts import steady
from sparring.objectives import perceptual
from sparring.objectives.gan_turns import asked, examples_of
from sparring.rng import generator
from sparring.spaces import Images, Space, Texts

Method = Literal["closed_form", "pca"]
CLASSES = 16                    # that directions are taken over, at most
STYLES = 256                    # of a class, whose average inversion in W begins from


def network(game: Game) -> nn.Module:
    """The generator; InputError for a model that draws nothing from latents."""
    if game.animation is not None:
        raise InputError("this model animates images and has no latent vector. Use `sparring animate`, or model.animate(source, driving).")
    if game.generator is None and game.translation is None:
        raise InputError("this model names no network that makes a sample of a latent alone, so there is no way through its latents. Those "
                         "of a table also hold which values are drawn: ask for rows by column, --where NAME=VALUE. In a system of your "
                         "own, give Game(..., generator=...), such as the averaged network.")
    if game.generator is None:
        raise InputError("this model translates images and has no latent vector. Use `sparring translate RUN IMAGES --out DIR`, or "
                         "model.translate(images).")
    return game.generator


def refuse_words(space: Space) -> None:
    """InputError for lines of text: no slope goes through words."""
    if isinstance(space, Texts):
        raise InputError("this model draws lines of text, whose words have no slopes, so directions and nearest latents cannot be found. "
                         "Use `sparring sample`; model.interpolate(model.latents(2)) goes from one line to another.")


def latent_size(game: Game) -> int:
    """How many numbers a latent has; InputError for a model without."""
    network(game)
    return game.prior(1, generator(0, "size")).shape[1]


def latents(game: Game, z: Any) -> Tensor:
    """Latents that were given, float[n, latent]; InputError when they are none of this model's."""
    z, size = torch.as_tensor(z), latent_size(game)
    if z.ndim != 2 or z.shape[1] != size or not len(z) or not z.is_floating_point():
        raise InputError(f"latents of shape {tuple(z.shape)} and type {z.dtype} do not fit this model. Expected float[n, {size}], as from "
                         "model.latents(n).")
    if not torch.isfinite(z).all():
        raise InputError("the latents contain NaN or infinities. Give finite numbers, as from model.latents(n).")
    return z.detach().float().cpu()


def directions(game: Game, space: Space, method: Method, n: int, label: Tensor | None, seed: int) -> Directions:
    """Directions at one class, or over all (`CLASSES` of them, evenly spread, where there are more); see `latent/directions.py`."""
    if method not in get_args(Method):
        raise InputError(f"there is no method {method!r}.{did_you_mean(str(method), get_args(Method))} Methods: "
                         f"{', '.join(get_args(Method))}.")
    refuse_words(space)
    net, size = network(game), latent_size(game)
    among = label if label is not None else \
        torch.linspace(0, game.classes - 1, min(CLASSES, game.classes)).round().long() if game.classes else None
    among, free = network_labels(game, space, among), steady(game.latent, size)
    if method == "closed_form":
        return closed_form(net, size, n, among, free)
    many = max(MOST, 4 * size)
    labels = None if among is None else among[torch.arange(many) % len(among)]
    return principal(net, game.prior(many, generator(seed, "directions")), n, labels, free)


def network_labels(game: Game, space: Space, labels: Tensor | None) -> Tensor | None:
    """Labels as networks take them; None for a model that is told none."""
    cpu = torch.device("cpu")
    return next(iter(asked(labels, cpu, examples_of(space, cpu))), None) if game.classes else None


def inverted(game: Game, space: Space, samples: Any, labels: Tensor | None, starts: int, steps: int, seed: int,
             watch: Watch = lambda done, total: None, weight: float = 0.0) -> Inversion:
    """The latents of samples in user units; see `latent/inversion.py`.  Without labels, a start's class is found with it.  `weight` is
    that of the perceptual distance."""
    refuse_words(space)
    net, x = network(game), in_network_units(space, samples)
    seen = seen_apart(space, weight, next(net.parameters()).device)
    if starts > POOL:
        raise InputError(f"starts={starts}: inversion takes from 1 to {POOL} starts.")
    pool = game.prior(POOL, generator(seed, "inversion"))
    classes = network_labels(game, space, torch.arange(POOL) % max(1, game.classes))
    found = invert(net, x, pool, classes, network_labels(game, space, labels), starts, steps, watch, seen, game.latent)
    return found._replace(samples=space.decode(found.samples))


def inverted_styles(game: Game, space: Space, samples: Any, labels: Tensor | None, plus: bool, steps: int, seed: int,
                    watch: Watch = lambda done, total: None, weight: float = 0.0) -> styles.Inverted:
    """The styles of samples in user units; see `latent/styles.py`.  Each begins from the average style of its class; without labels, from
    that of the class whose average image is nearest."""
    net, x = styles.styled(network(game)), in_network_units(space, samples)
    seen, z = seen_apart(space, weight, net.mean.device), game.prior(STYLES, generator(seed, "inversion"))
    told = network_labels(game, space, torch.arange(min(POOL, game.classes)) if labels is None else labels)
    kinds, own = (None, None) if told is None else told.unique(dim=0, return_inverse=True)
    known = [styles.styles(net, z, None if kind is None else kind.repeat_interleave(len(z), 0))
             for kind in ([None] if kinds is None else kinds.split(1))]
    means = torch.stack([w.mean(0) for w in known])
    which = styles.nearest_of(net, x, means) if own is None or labels is None else own
    found = styles.inverted(net, x, torch.cat(known), plus, steps, seen, means[which], watch)
    return found._replace(samples=space.decode(found.samples), labels=None if kinds is None else kinds[which])


def seen_apart(space: Space, weight: float, device: torch.device) -> Seen | None:
    """The perceptual distance with this weight; None for 0.  InputError for what is no weight, for samples that are no images, and
    without the networks."""
    if not 0 <= weight < math.inf:
        raise InputError(f"perceptual={weight}: a weight is a number from 0, such as 0.1.")
    if not weight:
        return None
    if not isinstance(space, Images):
        raise InputError(f"perceptual={weight:g} compares images, and this model's samples are numbers. Leave it out.")
    perceptual.refuse_without_network(weight, TRAINING, JUDGING)

    @torch.no_grad()
    def measured(made: Tensor, goal: Tensor) -> Tensor:
        return perceptual.distance(pretrained(JUDGING), made, goal)

    return Seen(weight, partial(perceptual.from_these, pretrained(TRAINING, device)), measured)


def in_network_units(space: Space, samples: Any) -> Tensor:
    """Samples in user units as networks see them, float[n, *shape]; InputError when they are not like this space's."""
    x = torch.as_tensor(samples)
    expected = f"float[n, {', '.join(map(str, space.shape))}]" + (" in [-1, 1]" if isinstance(space, Images) else "")
    if tuple(x.shape[1:]) != space.shape or not len(x) or not x.is_floating_point():
        raise InputError(f"samples of shape {tuple(x.shape)} and type {x.dtype} are not like this model's: expected {expected}.")
    if not torch.isfinite(x).all() or (isinstance(space, Images) and float(x.abs().max()) > 1 + 1e-3):
        raise InputError(f"the samples hold numbers from {float(x.min()):g} to {float(x.max()):g}; expected {expected}, all finite.")
    x = x.detach().cpu()
    return x.float() if isinstance(space, Images) else space.encode(x.double()).float()


def offsets(reach: float, steps: int) -> Tensor:
    """So many steps from -reach to reach, float[steps]; InputError for fewer than two, or a reach that is not above zero."""
    if steps < 2:
        raise InputError(f"steps={steps}: moving along a direction takes at least two. Give steps=2 or more.")
    if not 0 < reach < math.inf:
        raise InputError(f"reach={reach}: how far to move should be a number above 0, such as 3.")
    return torch.linspace(-reach, reach, steps)
