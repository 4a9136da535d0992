"""Pictures from a folder: a GAN whose settings follow from the data and the machine, each with its reason.

The non-saturating loss with a lazy R1 penalty, an averaged generator and adaptive augmentation (Goodfellow et al., 2014; Mescheder
et al., 2018; Karras et al., 2020): what has held up on small and large sets of pictures.
"""

from typing import Any

from sparring.data.source import Arranged, Finite, Source
from sparring.data.space import Images, Space

SUMMARY = "pictures: chooses networks, batch, penalty and augmentation from the data and the machine, and says why"

PLENTY = 30_000         # pictures from which on a discriminator hardly learns them by heart (Karras et al., 2020, figure 1)
STIFF = 0.002           # of R1, times pixels over batch: ten times the rule of Karras et al. (2020), whose runs are far longer; not tuned
FEW = 100               # pictures of a class, below which it is not worth a name of its own


def defaults(space: Space) -> dict[str, Any]:
    """What suits all pictures."""
    return {"latent": 64, "lr": 5e-4, "decay": 0.5, "penalty": "r1", "penalty_every": 8}


def choices(source: Source, fast: bool) -> dict[str, tuple[Any, str]]:
    """By setting, a value and its reason; `fast`: there is a GPU."""
    space = source.space
    assert isinstance(space, Images)
    pixels, count = space.height * space.width, len(source) if isinstance(source, Finite | Arranged) else None
    classes = len(space.labels)
    batch = 64 if pixels <= 48 * 48 or fast else 32
    weight = STIFF * pixels / batch
    width = 64 if fast else 32
    few = count is not None and count < PLENTY
    chosen: dict[str, tuple[Any, str]] = {
        "batch": (batch, f"pictures of {space.height}x{space.width} " + ("on a GPU" if fast else "on a processor")),
        "width": (width, "a GPU has room for it" if fast else "as wide as a processor trains in minutes"),
        "residual": (fast, "a GPU affords about four times the time a round" if fast else
                     "a round of residual networks takes about four times as long"),
        "penalty_weight": (round(weight, 4), f"grows with the pixels, {pixels:,}, and falls with the batch (after Karras et al., 2020)"),
        "augment": ("ada" if few else "none", f"{count:,} pictures, fewer than {PLENTY:,}: a discriminator would learn them by heart"
                    if few else f"{PLENTY:,} pictures or more"),
    }
    if classes > 1 and count is not None:
        each = count / classes
        chosen["conditional"] = (each >= FEW, f"{classes} classes with {each:,.0f} pictures on average" +
                                 ("" if each >= FEW else f", fewer than {FEW}"))
    return chosen
