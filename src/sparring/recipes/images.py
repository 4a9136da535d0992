"""Pictures from a folder: a GAN whose settings follow from the data and the machine, each with its reason.

Of two systems.  Pictures in colour are judged through a network that learned from photographs, where it is installed: `projected`.  Other
pictures by a discriminator that begins with nothing: `gan` with the non-saturating loss, a lazy R1 penalty, an averaged generator and
adaptive augmentation (Goodfellow et al., 2014; Mescheder et al., 2018; Karras et al., 2020).
"""

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import nn

from sparring.data.pretrained import EXTRA, installed
from sparring.data.source import Arranged, Finite, Source
from sparring.errors import InputError, listed, shown
from sparring.game import Game
from sparring.objectives.losses import OBJECTIVES
from sparring.recipes import gan, projected
from sparring.recipes.projected import SEEN
from sparring.spaces import Images, Space, shares_of

SUMMARY = "pictures: chooses networks, batch, penalty and augmentation from the data and the machine, and says why"

MATTERS = ("size", "steps", "batch", "lr", "width", "projected", "penalty_weight", "augment", "conditional", "keep_best")

PLENTY = 30_000         # pictures from which on a discriminator hardly learns them by heart (Karras et al., 2020, figure 1)
STIFF = 0.002           # of R1, times pixels over batch: ten times the rule of Karras et al. (2020), whose runs are far longer; not tuned
EVERY = 8               # rounds between penalties
SMALL = 48 * 48         # pixels up to which a processor has time for wide networks and large batches
FEW = 100               # pictures of a class, below which it is not worth a name of its own


class ImagesSettings(gan.GanSettings):
    """The settings of `images`: those of `gan`, and whether and how a pretrained network judges."""

    projected: bool = Field(False, description="judge through a network that knows photographs (Projected GAN); default: "
                            "for images in colour, where the extra `photos` is installed")
    seen: int = SEEN


def defaults(space: Space) -> dict[str, Any]:
    """What suits all pictures."""
    return {"latent": 64, "decay": 0.5}


def game(c: ImagesSettings, space: Space, device: torch.device, own: Mapping[str, nn.Module] | None = None) -> Game:
    """The game of the system that the settings name.  InputError for settings of the other one."""
    if not c.projected:
        return gan.game(c, space, device, own)
    if odd := foreign(c):
        raise InputError(f"projected=true judges with discriminators of its own, which have no {listed(odd)}. Leave that out, or give "
                         "projected=false.")
    if "discriminator" in (own or {}):
        raise InputError("projected=true judges with discriminators of its own, and one of yours was given. Give projected=false.")
    return projected.game(c, space, device, own)


def foreign(c: Any) -> list[str]:
    """The settings of `gan` that a projected discriminator does not have, and that differ from what they are by default."""
    shared = {*projected.ProjectedSettings.model_fields, *ImagesSettings.model_fields.keys() - gan.GanSettings.model_fields.keys()}
    found = [name for name, field in type(c).model_fields.items() if name not in shared and getattr(c, name) != field.default]
    return found + (["augment=ada"] if c.augment == "ada" else [])


def choices(source: Source, given: Any, fast: bool) -> dict[str, tuple[Any, str]]:
    """By setting, a value and its reason, going together with the `given` settings; `fast`: there is a GPU."""
    space = source.space
    assert isinstance(space, Images)
    wanted, why = (given.projected, "") if "projected" in given.model_fields_set else worth_projecting(space, given)
    if wanted:
        count = len(source) if isinstance(source, Finite | Arranged) else None
        try:
            return {"projected": (True, why)} | projected.choices(source, given, fast) | by_class(space, count, given)
        except InputError as error:
            raise InputError(f"projected=true: {error} projected=false trains without it.") from None
    if "seen" in given.model_fields_set:
        raise InputError(f"seen={given.seen} is the size at which projected=true shows images to its pretrained network, and these are "
                         f"judged without one{f' ({why})' if why else ''}. Leave it out{'' if why else ', or give projected=true'}.")
    return ({"projected": (False, why)} if why else {}) | unaided(source, given, fast)


def worth_projecting(space: Images, given: Any) -> tuple[bool, str]:
    """Whether images are best judged through a network that learned from photographs, and why."""
    if space.channels != 3:
        what = "pictures in grey" if space.channels == 1 else f"pictures of {space.channels} channels"
        return False, f"{what}: the network that knows photographs knows them in colour"
    if odd := foreign(given):
        return False, f"{listed(odd)} is of the other discriminator"
    if not installed():
        return False, f"with a network that knows photographs, what is drawn of photographs can be recognised sooner: {EXTRA}"
    return True, "in colour: a network that learned from photographs judges, and what is drawn of photographs can be recognised sooner"


def unaided(source: Source, given: Any, fast: bool) -> dict[str, tuple[Any, str]]:
    """The choices for a discriminator that begins with nothing."""
    space = source.space
    assert isinstance(space, Images)
    pixels, count = space.height * space.width, len(source) if isinstance(source, Finite | Arranged) else None
    usual = 64 if pixels <= SMALL or fast else 32
    batch, why = usual, f"pictures of {space.height}x{space.width} " + ("on a GPU" if fast else "on a CPU")
    if count is not None and 2 <= count < usual:
        batch, why = count, f"there are {count} pictures"
    if "batch" in given.model_fields_set:
        batch = given.batch
    chosen: dict[str, tuple[Any, str]] = {
        "batch": (batch, why),
        "width": (64, "a GPU has room for it") if fast else (32 if pixels <= SMALL else 16, "as wide as a CPU can train in minutes"),
        "residual": (fast, "residual networks take about four times as long, which a GPU can afford" if fast else
                     "a round of residual networks takes about four times as long"),
        "lr": (1e-3, "small pictures, few layers") if pixels <= SMALL else (5e-4, "at 0.001 a run of this many layers may collapse"),
    }
    if not (given.residual if "residual" in given.model_fields_set else fast):
        chosen["deep"] = (True, "details are judged by more than one layer; a round takes about half as long again")
    return chosen | bounded(pixels, batch, given) | augmented(count, given) | by_class(space, count, given)


def bounded(pixels: int, batch: int, given: Any) -> dict[str, tuple[Any, str]]:
    """The gradient penalty, unless the discriminator is bounded otherwise."""
    penalty = given.penalty if "penalty" in given.model_fields_set else "none" if given.clip else "r1"
    weight = (round(STIFF * pixels / batch, 4), f"grows with the pixels, {pixels:,}, and falls with the batch (after Karras et al., 2020)")
    lazy = (EVERY, f"every {EVERY}th round, and heavier to make up for it, works as well and costs less (Karras et al., 2020)")
    if penalty == "none":
        return {}
    chosen = {"penalty": (penalty, "R1 makes training converge near the equilibrium (Mescheder et al., 2018)")}
    return chosen | ({"penalty_weight": weight, "penalty_every": lazy} if penalty in ("r1", "r2", "r1+r2") else {})


def augmented(count: int | None, given: Any) -> dict[str, tuple[Any, str]]:
    """Whether the discriminator's images are augmented: adaptively where its output is a probability."""
    if count is None or count >= PLENTY:
        return {"augment": ("none", f"{PLENTY:,} pictures or more")}
    if given.pack > 1:
        return {"augment": ("none", f"pack={given.pack} joins pictures along their colours, which augmentation would mix")}
    adaptive = OBJECTIVES[given.objective].probability
    why = f"{count:,} pictures, fewer than {PLENTY:,}: a discriminator would learn them by heart"
    return {"augment": ("ada" if adaptive else "diff", why)}


def by_class(space: Images, count: int | None, given: Any) -> dict[str, tuple[Any, str]]:
    """Whether the networks get the class, or the several labels."""
    classes = len(space.labels)
    if classes < 2 and space.traits is None:
        return {}
    if given.pack > 1:
        return {"conditional": (False, f"pack={given.pack} joins samples of different classes")}
    if space.traits is not None:
        return {"conditional": (True, f"labels of every picture: {', '.join(space.traits.names[:5])}")}
    if count is None:
        return {}
    least, at = (shares_of(space) * count).min(0)
    fewest = round(float(least))
    smallest = f"{classes} classes, of which the smallest, {shown(space.labels[at])}, has {fewest:,} pictures"
    return {"conditional": (fewest >= FEW, smallest + ("" if fewest >= FEW else f", fewer than {FEW}"))}
