"""Two sets as they are opened to be compared: at one size, in one range and with as many channels, and never made alike without a word."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sparring.data import NAMED, open_source
from sparring.data.arrays.arrays import float_form, read_arrays
from sparring.data.images.decode import reformat
from sparring.data.settings import OWN, DataSettings, TooLarge, check_image_memory
from sparring.data.source import Finite, Rows, Source
from sparring.errors import InputError, listed, shown
from sparring.settings import SMALLEST, make
from sparring.spaces import Images, Space, Vectors

GREY = "grey"
SIGNED, UNSIGNED = "[-1, 1]", "[0, 1]"      # as `float_form` says them
LOOKED_AT = 1000            # images of a large set that are looked at for colours
CHUNK = 500
FIX = "--as grey makes both grey (in Python as_='grey'); or give sets of one kind"


def checked(asked: str) -> bool:
    """Whether both sets are to be made grey; InputError for another word."""
    if asked not in ("", GREY):
        raise InputError(f"--as {shown(asked)}: expected grey, which makes both sets grey. Give that, or leave it out.")
    return asked == GREY


def opened(real: Any, generated: Any, size: str, grey: bool, n: int) -> tuple[Source, Source, list[str]]:
    """Both sets of two, the generated one as its samples are to be read beside the real ones, and all that was done to either.

    Images are read at the size of the real ones, unless `size` says another or so many of them cannot be held.
    InputError for colour against grey, unless both are to be `grey`.
    """
    if real is None:
        raise InputError("--generated needs --real, the data to compare with.")
    forms = float_form(real), float_form(generated)
    form = SIGNED if set(forms) == {SIGNED, UNSIGNED} else ""
    how = {"channels": "1"} if grey else {}
    source, notes = of_real(real, size, form, how, n)
    space = source.space
    others = read(generated, form, how | at(space)) if isinstance(space, Images) else open_source(generated)
    refuse_other_columns(space, others.space)
    if form:
        which = ("real", "generated")[forms.index(UNSIGNED)]
        notes.append(f"{which}: its values look like {UNSIGNED} and were read as {SIGNED}, the range of the other set. If that is wrong, "
                     "give both in one range, or as uint8")
    if grey:
        source, others = (greyed(one) if colour(one) else one for one in (source, others))
        notes.append("both sets were made grey, as asked for")
    elif colour(source) != colour(others) and pictures(source) and pictures(others):
        assert isinstance(space, Images)
        how = at(space) | {"channels": "1"}
        source, others, said = both_grey(source, others, lambda: read(real, form, how), lambda: read(generated, form, how))
        notes.append(said)
    return source, others, [*told("real", source), *told("generated", others), *notes]


def refuse_other_columns(real: Space, generated: Space) -> None:
    """InputError for two tables whose columns have other names, or come in another order: they are compared by position."""
    a, b = (one.columns if isinstance(one, Vectors) else () for one in (real, generated))
    if a and b and a != b:
        how = "Put them into one order" if sorted(a) == sorted(b) else "Give tables of the same columns"
        raise InputError(f"the columns of the real set are {listed(a)}, and those of the generated one {listed(b)}. {how}.")


def of_real(real: Any, size: str, form: str, how: dict[str, str], n: int) -> tuple[Source, list[str]]:
    """The real set at the size asked for, or its own, or the largest at which so many images can be held."""
    if size != "auto":
        return open_one(real, form, make(DataSettings, how | {"size": size})), []
    try:
        source = read(real, form, how | {"size": OWN})
        if isinstance(source, Finite) and isinstance(source.space, Images):     # as many again are to be read of the other set
            many = len(source) if isinstance(source.values, Tensor) else min(n, len(source))
            check_image_memory(2 * many, source.space.channels, (source.space.height, source.space.width))
        return source, []
    except TooLarge as error:
        if error.side * 2 // 3 < SMALLEST:
            raise
        side = str(error.side * 2 // 3)
        why = f"at their own size the images cannot be held, so they are judged at {side}: {error}"
        return read(real, form, how | {"size": side}), [why]


def one_range(real: Any, own: Any) -> tuple[str, list[str]]:
    """In which range floats in `real` are to be read beside those of a run's own data, where both are such, and what to say of it."""
    forms = float_form(real), float_form(own)
    if set(forms) != {SIGNED, UNSIGNED}:
        return "", []
    if forms[0] == UNSIGNED:
        return SIGNED, [f"real: its values look like {UNSIGNED} and were read as {SIGNED}, the range of the run's data"]
    return "", [f"real: its values were read as {SIGNED}, and those of the run's data as {UNSIGNED}. Give both in one range"]


def held_against(space: Space, real: Any, grey: bool, form: str = "", **more: str) -> tuple[Source, list[str]]:
    """Data that samples of this space, those of a run, are held against, and what was done to them; floats in the range `form`.

    Images are read at the size of the samples.  InputError for colour against grey, unless both are to be `grey`.
    """
    if not isinstance(space, Images) or space.channels not in (1, 3):
        source = open_like(space, real, **more)
        return source, told("real", source)
    how = at(space) | more
    source = read(real, form, how | {"channels": "1"} if grey and space.channels == 1 else how)     # else whoever asks makes it grey
    if not grey and pictures(source) and colour(source) != (space.channels == 3):
        if space.channels == 3:
            raise InputError(f"the samples are in colour and the real images grey. {FIX}.")
        refuse_colours(source, "the real images are in colour and the samples grey")
        source = read(real, form, how | {"channels": "1"})
        return source, [*told("real", source), "real: stored in colour, but grey in every pixel, and read as grey"]
    return source, [*told("real", source), *(["both sets were made grey, as asked for"] if grey else [])]


def both_grey(source: Source, others: Source, read_real: Callable[[], Source],
              read_generated: Callable[[], Source]) -> tuple[Source, Source, str]:
    """A set in colour and a grey one, where the first has no colour in any pixel: both grey, and what to say.  InputError otherwise."""
    if colour(source):
        refuse_colours(source, "the real images are in colour and the generated ones grey")
        return as_grey(source, read_real), others, "real: stored in colour, but grey in every pixel, and read as grey"
    refuse_colours(others, "the generated images are in colour and the real ones grey")
    return source, as_grey(others, read_generated), "generated: stored in colour, but grey in every pixel, and read as grey"


def refuse_colours(source: Source, what: str) -> None:
    """InputError unless all images of these are grey, though they have three channels."""
    assert isinstance(source, Finite)
    rows = torch.arange(len(source))
    if not isinstance(source.values, Tensor):
        rows = torch.linspace(0, len(source) - 1, min(len(source), LOOKED_AT)).long()
    for part in rows.split(CHUNK):
        values = source.values[part]
        if bool((values[:, :1] != values[:, 1:3]).any()):
            raise InputError(f"{what}. {FIX}.")


def as_grey(source: Source, again: Callable[[], Source]) -> Source:
    """Read again in grey; of a set in memory, its values made grey."""
    found = again()
    return greyed(source) if colour(found) else found


def told(which: str, source: Source) -> list[str]:
    return [f"{which}: {note}" for note in source.notes] if isinstance(source, Finite) else []


def pictures(source: Source) -> bool:
    return isinstance(source, Finite) and isinstance(source.space, Images) and source.space.channels in (1, 3)


def colour(source: Source) -> bool:
    return isinstance(source.space, Images) and source.space.channels == 3


# ------------------------------------------------------------------------------------------------------------- reading
def at(space: Images) -> dict[str, str]:
    """The settings by which images are read at the size of this space, and with its transparency where it has some."""
    return {"size": f"{space.height}x{space.width}"} | ({"channels": "4"} if space.channels == 4 else {})


def open_like(space: Space, data: Any, **more: Any) -> Source:
    """A source whose images are read at the size and with the channels of this space, where it holds any and lets that be chosen."""
    return read(data, "", at(space) | {"channels": str(space.channels)} | more) if isinstance(space, Images) else open_source(data)


def read(data: Any, form: str, how: dict[str, str]) -> Source:
    """A source read in this way, where it holds images and lets that be chosen; floats in the range `form` where that is said."""
    try:
        return open_one(data, form, make(DataSettings, how))
    except TooLarge:
        raise
    except InputError:
        return open_source(data)        # numbers, or a source in memory, which are told apart later; anything else complains again


def open_one(data: Any, form: str, settings: DataSettings) -> Source:
    if not form or not float_form(data) or (isinstance(data, str) and data in NAMED):
        return open_source(data, settings)
    return read_arrays(Path(data).expanduser() if isinstance(data, str) else data, settings, form)


# ---------------------------------------------------------------------------------------------------------------- grey
class Grey:
    """Images of another set, made grey when they are asked for."""

    dtype = torch.uint8

    def __init__(self, values: Tensor | Rows) -> None:
        self.values, self.shape = values, (values.shape[0], 1, *values.shape[2:])

    def __getitem__(self, rows: Tensor) -> Tensor:
        return in_grey(self.values[rows])

    @contextmanager
    def ahead(self, workers: int) -> Iterator[Callable[[Tensor], Tensor]]:
        yield self.__getitem__

    def digest(self) -> bytes:
        return b"grey" + (np.ascontiguousarray(self.values.numpy()).tobytes() if isinstance(self.values, Tensor) else self.values.digest())


def in_grey(values: Tensor) -> Tensor:
    """uint8[N, 3, H, W] to uint8[N, 1, H, W], by ITU-R 601 as all images that are read as grey."""
    return torch.from_numpy(reformat(values.numpy(), (values.shape[2], values.shape[3]), 1, "white"))


def greyed(source: Source) -> Source:
    """A set of images in colour as one of grey images, with what is held out of it; anything else as it is."""
    return finite_grey(source) if isinstance(source, Finite) else source


def finite_grey(source: Finite) -> Finite:
    if not isinstance(source.space, Images) or source.space.channels == 1:
        return source
    values = in_grey(source.values) if isinstance(source.values, Tensor) else Grey(source.values)
    rest = finite_grey(source.held_out) if source.held_out is not None else None
    return Finite(replace(source.space, channels=1), values, source.labels, held_out=rest, notes=source.notes, odd=source.odd)
