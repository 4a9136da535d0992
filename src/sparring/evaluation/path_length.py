"""Perceptual path length of a model of images (Karras et al., 2019, section 4.1): how smoothly it draws, whatever it draws."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sparring.api import Model
from sparring.data.pretrained import JUDGING, pretrained
from sparring.errors import InputError
from sparring.evaluation.figures import Watch, steps
from sparring.latent import steering, styles
from sparring.latent.layers import at_rest, run
from sparring.latent.parts import between
from sparring.latent.truncation import has_styles
from sparring.metrics.catalogue import plain
from sparring.metrics.intervals import Estimate
from sparring.metrics.path_length import estimated, path_lengths
from sparring.objectives import perceptual
from sparring.rng import generator
from sparring.spaces import Images

NAME = "path_length"
PAIRS = 2000            # at most: the interval is then about 3 % wide to either side
FEW = 32                # pairs at once
IN_W, IN_Z = "W, along straight lines", "z, along the sphere"


def figure(model: Model | None, n: int, seed: int, watch: Watch) -> dict[str, Any]:
    """By its name with the network that compares: the figure with interval and protocol, of n pairs, at most PAIRS.

    InputError for two sets, for a model that draws no images, and without the extra `photos`.
    """
    if model is None or not isinstance(model.space, Images) or model.game.generator is None:
        raise InputError("path_length moves the latents of a model that draws images, and there is none here. Leave it out.")
    try:
        apart = partial(perceptual.distance, pretrained(JUDGING))
    except InputError as error:
        raise InputError(f"path_length: {error}") from None
    found = measured(model, min(n, PAIRS), seed, apart, steps(watch("path length")))
    protocol: dict[str, object] = {"extractor": JUDGING.name, "sha256": JUDGING.sha256, "distance": "sparring.objectives.perceptual",
                                   "images": f"{model.space.height}x{model.space.width}", "seed": seed}
    return {f"{NAME}({JUDGING.name})": plain(found, protocol)}


def notes(found: dict[str, Any]) -> list[str]:
    """How it was measured, in a line, where it was."""
    return [f"path length of {one['protocol']['pairs']:,} pairs in {one['protocol']['space']}; perceptual distance by {JUDGING.name}"
            for one in found.values()]


def measured(model: Model, n: int, seed: int, apart: Callable[[Tensor, Tensor], Tensor],
             tell: Callable[[int, int], None] = lambda done, total: None) -> Estimate:
    """The mean over n pairs of latents, both ends of a pair at one class, of classes mixed as in the data, at a place anywhere on the way.

    In W where there are styles, and otherwise in z.  Points on the way are computed in float64, since a float32 cannot hold a small
    step exactly; what they draw is compared in float32, as it is seen: clamped, and with the noise of a finished model.
    """
    net, which = steering.network(model.game), steering.network_labels(model.game, model.space, model.labels_for(n, shares="data"))
    z, share = model.game.prior(2 * n, generator(seed, NAME)).cpu(), torch.rand(n, generator=generator(seed, NAME, 1), dtype=torch.float64)
    in_w, lengths = has_styles(net), list[Tensor]()
    way: Callable[[Tensor, Tensor, Tensor], Tensor] = torch.lerp if in_w else between(model.game.latent)
    for rows in torch.arange(n).split(FEW):
        labels = None if which is None else which[rows]
        if in_w:
            own = styles.styled(net)
            ends = [styles.styles(own, z[rows + k], labels).double() for k in (0, n)]
            draw = partial(seen, partial(styles.drawn, own))
        else:
            ends = [z[rows + k].double() for k in (0, n)]
            draw = partial(seen, partial(drawn, net, labels))
        lengths.append(path_lengths(draw, apart, (ends[0], ends[1]), share[rows], way))
        tell(int(rows[-1]) + 1, n)
    return estimated(torch.cat(lengths), pairs=n, space=IN_W if in_w else IN_Z, place="anywhere on the way", truncation="none")


def seen(draw: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """What is drawn at points float64[n, ...], as it is seen: float32[n, C, H, W] in [-1, 1]."""
    return draw(points.float()).clamp(-1, 1)


@torch.no_grad()
def drawn(net: torch.nn.Module, labels: Tensor | None, z: Tensor) -> Tensor:
    with at_rest(net):
        return run(net, z, labels).float().cpu()
