"""From samples to features: the first of three stages.  Statistics and distances take features and ask nothing of where they are from."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sparring.data import pretrained
from sparring.errors import InputError
from sparring.metrics import grey28, lite1
from sparring.rng import key
from sparring.spaces import Images, Space

NUMBERS = 2**22         # in the images that go through an extractor at once
SLOW = 32               # images of which a slow extractor makes features in a second or two, after which it is said how far it is
OWN_SIDE = 40           # pixels: the largest images that the project's own features are chosen for
LEAST_SIDE = 8          # pixels: in smaller ones nothing can be recognised
BETTER = f"Features that see what is in them come with {pretrained.EXTRA}, or from a file: --features FILE --sha256 HASH"
Watch = Callable[[int, int], None]


@dataclass(frozen=True)
class Extractor:
    """A function from samples to features, and all that a figure must say of it.

    `apply` takes images float[B, C, H, W] in [-1, 1], or vectors float[B, D] in network units, and gives float[B, F].
    """

    name: str           # part of the name of every metric, but for Inception-2015, which the plain name FID belongs to
    sha256: str         # of the weights; empty where there are none
    resize: str         # what is done to samples before
    apply: Callable[[Tensor], Tensor]
    slow: bool = False  # tens of samples a second on one core, not thousands: what is not asked for takes fewer

    def named(self, metric: str) -> str:
        return metric if self.name == INCEPTION else f"{metric}({self.name})"


INCEPTION = "inception-2015"


def pixels() -> Extractor:
    """Every pixel as it is."""
    return Extractor("pixels", "", "none", lambda x: x.flatten(1))


def values() -> Extractor:
    """The numbers of vectors and curves; those of vectors standardized column by column, as networks see them."""
    return Extractor("values", "", "none", lambda x: x.flatten(1))


def own() -> Extractor:
    """The features that are shipped: 64 of grey 28x28 images."""
    net = grey28.read_weights(grey28.FILE, grey28.SHA256)
    return Extractor(grey28.NAME, grey28.SHA256, grey28.RESIZE, lambda x: net.features(grey28.grey28(x)))


def photos() -> Extractor:
    """1,280 numbers of a network that learned from photographs.  InputError without the extra `photos`."""
    pretrained.pretrained(pretrained.JUDGING)
    return Extractor(lite1.NAME, pretrained.JUDGING.sha256, lite1.RESIZE, lite1.features, slow=True)


OFFERED = {"pixels": pixels, grey28.NAME: own, lite1.NAME: photos}


def choose(space: Space) -> tuple[Extractor, str]:
    """What suits samples of this kind when nothing else is asked for, and why."""
    if not isinstance(space, Images):
        return values(), "the numbers themselves: these samples are no images"
    size = f"{space.height}x{space.width}"
    if space.channels == 1 and max(space.height, space.width) <= OWN_SIDE:
        return own(), f"the project's own network, which knows digits and clothes: these images are grey and small ({size})"
    if min(space.height, space.width) < LEAST_SIDE:
        return pixels(), f"pixels: in images of {size} there is nothing that a network could recognise"
    if pretrained.installed():
        return photos(), f"a network that learned from photographs, with which no model is trained here: these images are {size} with " \
                         f"{space.channels} channel(s)"
    return pixels(), f"pixels: the project's own network knows small grey images, and these are {size} with {space.channels} channel(s). " \
                     f"{BETTER}"


@torch.no_grad()
def extract(extractor: Extractor, samples: Tensor, watch: Watch = lambda done, total: None) -> Tensor:
    """The features of samples float[N, ...]: float32[N, F], the same for any N and whatever came before.  The caller's random
    numbers are kept.  InputError when the extractor fails, or gives something else."""
    few = max(1, min(SLOW if extractor.slow else 500, NUMBERS // max(1, samples[0].numel())))
    found: list[Tensor] = []
    with torch.random.fork_rng(devices=[]):
        for part in samples.split(few):
            torch.manual_seed(key(0, "features"))
            found.append(checked(extractor, part))
            watch(sum(map(len, found)), len(samples))
    return torch.cat(found)


def at_once(space: Space) -> int:
    """How many samples of this space go through an extractor at once."""
    return max(1, min(500, NUMBERS // max(1, math.prod(space.shape))))


def checked(extractor: Extractor, part: Tensor) -> Tensor:
    """The features of one batch; InputError unless they are finite numbers, float[B, F]."""
    try:
        features = extractor.apply(part)
    except (RuntimeError, TypeError, ValueError) as error:
        if "memory" in str(error):
            raise
        last = str(error).strip().splitlines()[-1][:200]
        raise InputError(f"the features '{extractor.name}' cannot be computed of samples {list(part.shape)}: {last}. Give a file for "
                         f"samples of this size and number of channels.") from None
    given = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
    if not isinstance(features, Tensor) or features.ndim != 2 or len(features) != len(part):
        raise InputError(f"the features '{extractor.name}' of {len(part)} samples have shape {given}; expected ({len(part)}, F). "
                         f"Give a file that returns one row of features a sample.")
    if not torch.isfinite(features).all():
        raise InputError(f"the features '{extractor.name}' contain NaN or infinities. Give another file.")
    return features.float()
