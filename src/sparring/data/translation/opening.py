"""Folders and zips of pairs, of two sets, or of several domains, as what translators learn from.

Pairs are halves of one picture, side by side, or files of the same name in two folders.  Test images, or else validation images, are held
out; `layout.py` says how all of them may lie.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from numpy.typing import NDArray

from sparring.data.builtin.scenes import shapes, tints
from sparring.data.images.decode import DECODING, SUFFIXES, decode, header, quiet, reformat
from sparring.data.images.disk_cache import Mapped, Room, remembered
from sparring.data.images.files import Files, image_files
from sparring.data.images.folder import TELLING, each, header_of, read_listed
from sparring.data.opening import NAMED, existing
from sparring.data.settings import DataSettings, DomainSettings, TranslationSettings, choose_size, parse_size
from sparring.data.source import Arranged, Finite
from sparring.data.translation.layout import (
    LAYOUTS,
    Sets,
    beside,
    is_pair,
    part_of,
    placed,
    refuse_mismatch,
    refuse_other_shapes,
    refuse_single_set,
    refuse_without_part,
    sorted_out,
    without_common,
)
from sparring.data.translation.sets import Domains, TwoSets, side
from sparring.errors import InputError, shown
from sparring.spaces import Images, TwoDomains, class_names

DOMAINS = "a folder or .zip with one subfolder per domain"


def open_pairs(data: Any, settings: TranslationSettings) -> TwoSets:
    """Aligned images of two domains: "shapes", one path or two, two arrays, or a source; InputError for anything else."""
    source = open_two(data, settings, aligned=True)
    if not source.space.aligned:
        raise InputError("these are two sets of images without pairs. Train cyclegan on them.")
    return source


def open_unpaired(data: Any, settings: TranslationSettings) -> TwoSets:
    """Two sets of images; of pairs, it is forgotten what belongs together."""
    source = open_two(data, settings, aligned=False)
    return source.parted() if source.space.aligned else source


def open_two(data: Any, settings: TranslationSettings, aligned: bool) -> TwoSets:
    if isinstance(data, TwoSets):
        return data
    if data == "shapes" and isinstance(data, str):
        return shapes(settings, aligned)
    paths = [data] if isinstance(data, str | Path) else list(data) if isinstance(data, list | tuple) else []
    if len(paths) == 2 and all(isinstance(one, np.ndarray | torch.Tensor) for one in paths):
        from sparring.data.arrays.arrays import read_arrays
        arrays: Any = paths
        both = {("train", name): read_arrays(one, settings) for name, one in zip("AB", arrays, strict=True)}
        return joined(both, None, settings, aligned)
    if len(paths) not in (1, 2) or not all(isinstance(path, str | Path) for path in paths):
        many = f"{len(paths)} sets of images are given, and " if len(paths) > 2 else ""
        raise InputError(f"{many}this recipe needs two domains of images. Give {LAYOUTS}; or the name `shapes`.")
    with ExitStack() as stack, quiet():
        containers = [stack.enter_context(stamped(path)) for path in paths]
        sets, unused = sorted_out(containers), [note for files in containers for note in beside(files)]
        whole = ("train", "") in sets
        size = target_size(sets, settings, whole)
        large = enlarged(size, settings.jitter)
        found: dict[tuple[str, str], Finite] = {}
        if whole and not settings.halves:
            refuse_single_set(sets["train", ""])
        if not whole and aligned:
            for part in dict.fromkeys(part for part, _ in sets):
                halves = {name: files for (at, name), files in sets.items() if at == part}
                refuse_mismatch(halves, part)
                refuse_other_shapes(halves)
        for (part, name), files in sets.items():
            wanted = large if part == "train" else size
            if whole:
                for half, images in zip("AB", read_halves(files, wanted, settings), strict=True):
                    found[part, half] = images
            else:
                images = read_set(files, wanted, settings, strict=aligned)
                found[part, name] = Finite(Images(images.space.shape[0], *wanted), images.values, notes=images.notes)
        return joined(found, size, settings, aligned or whole, unused)


@contextmanager
def stamped(path: str | Path) -> Iterator[Files]:
    """The images of a folder or .zip."""
    with image_files(container(path)) as files:
        about = files.identity()                                # asked for once: it looks at every file
        yield files._replace(identity=lambda: about)


def container(path: str | Path, layouts: str = LAYOUTS) -> Path:
    """A folder or a .zip; InputError for another thing, with the layouts that are read."""
    if str(path) in NAMED and not Path(path).exists():
        raise InputError(f"'{path}' is not a set of images in several domains. Give {layouts}; or the synthetic sets `shapes` or `tints`.")
    there = existing(path)
    if not there.is_dir() and there.suffix.lower() != ".zip":
        raise InputError(f"{shown(there)} is neither a folder nor a .zip of images. Give {layouts}.")
    return there


def target_size(sets: Sets, settings: DataSettings, whole: bool) -> tuple[int, int]:
    """The size asked for, or what suits the first training images; of pairs in one picture, of a half."""
    if asked := parse_size(settings.size):
        return asked
    files = next(files for (part, _), files in sets.items() if part == "train")
    sizes = [found.size for i in range(min(200, len(files.names))) if not isinstance(found := header_of(files, i), str)]
    if not sizes:
        raise InputError(f"no image in {files.where} can be read: {files.names[0]}: {header_of(files, 0)}.")
    return choose_size([(h, w // 2 if whole else w) for h, w in sizes], settings)[0]


def enlarged(size: tuple[int, int], jitter: int) -> tuple[int, int]:
    height, width = (round(one * (100 + jitter) / 100) for one in size)
    return height, width


def key_of(how: str, files: Files, size: tuple[int, int], settings: DataSettings) -> str:
    """What decoded images of these files are found again by."""
    return repr([how, files.identity(), files.names, size, settings.channels, settings.alpha, DECODING, PIL.__version__, TELLING])


def numbers(files: Files, size: tuple[int, int]) -> int:
    """The most bytes that these files can be at this size."""
    return 4 * len(files.names) * size[0] * size[1]


def read_set(files: Files, size: tuple[int, int], settings: DataSettings, strict: bool = False) -> Finite:
    """The images of one domain at this size, in order of name; with `strict`, InputError for one that cannot be read.

    Labels are the folders that the files are in, where there are several."""
    exact = settings.model_copy(update={"size": f"{size[0]}x{size[1]}"})

    def make(room: Room) -> tuple[int, dict[str, Any]]:
        images, kept = read_listed(files, exact, lambda done, total: None, room)
        labels = None if images.labels is None else images.labels.tolist()
        return len(kept), {"kept": kept, "notes": images.notes, "odd": images.odd, "labels": labels, "names": images.space.labels}

    values, facts = remembered(key_of("set", files, size, settings), numbers(files, size), make)
    kept, labels = facts["kept"], facts["labels"]
    if strict and len(kept) < len(files.names):
        bad = next(i for i in range(len(files.names)) if i not in set(kept))
        raise InputError(f"{shown(files.names[bad])} in {files.where} cannot be read, so its pair is incomplete. Repair it, or remove it "
                         "and its partner.")
    space = Images(values.shape[1], *size, tuple(facts["names"]))
    return Finite(space, values, None if labels is None else torch.tensor(labels), notes=tuple(facts["notes"]),
                  odd=tuple(facts["odd"]))


def read_halves(files: Files, size: tuple[int, int], settings: TranslationSettings) -> tuple[Finite, Finite]:
    """The left and the right halves of pictures that hold a pair, each at this size; InputError for one that is no pair."""
    channels = int(settings.channels) if settings.channels != "auto" else 3

    def make(room: Room) -> tuple[int, dict[str, Any]]:
        out = room((2 * len(files.names), channels, *size))
        for _ in each(len(files.names), lambda i: halve(files, i, size, settings, out), lambda done: None):
            pass
        return len(out), {}

    values, _ = remembered(key_of("halves" if settings.halves else "pairs", files, size, settings), 2 * numbers(files, size), make)
    space, n = Images(channels, *size), len(files.names)
    note = f"{n:,} pairs side by side, each half at {size[0]}x{size[1]}"
    left, right = (values.part(rows) if isinstance(values, Mapped) else values[rows] for rows in (slice(n), slice(n, None)))
    return Finite(space, left, notes=(note,)), Finite(space, right)


def halve(files: Files, i: int, size: tuple[int, int], settings: TranslationSettings, out: NDArray[np.uint8]) -> None:
    """Write the left half of picture i into place i, and the right half as far behind it as there are pictures."""
    try:
        data = files.read(i, None)
        height, width = header(data).size
        if not settings.halves and not is_pair((height, width)):
            raise InputError(f"it is {width} wide and {height} high; a side-by-side pair must be twice as wide as high, unless halves=true "
                             "is given")
        if width % 2:
            raise InputError(f"it is {width} wide and {height} high, so that its halves differ in size")
        pixels = decode(data, None, out.shape[1], settings.alpha).values
    except InputError as error:
        raise InputError(f"{shown(files.names[i])} in {files.where} is not a pair side by side: {error}. Repair or remove it.") from None
    for place, at in ((i, slice(None, width // 2)), (i + len(files.names), slice(width // 2, None))):
        out[place] = reformat(pixels[None, :, :, at], size, out.shape[1], settings.alpha)[0]


def joined(found: dict[tuple[str, str], Finite], size: tuple[int, int] | None, settings: TranslationSettings, aligned: bool,
           unused: Sequence[str] = ()) -> TwoSets:
    """Both domains' training images, in the order in which they were found, and the held-out ones where both have some."""
    names = tuple(dict.fromkeys(name for _, name in found))
    a, b = (found["train", name] for name in names)
    if aligned and (len(a) != len(b) or side(a) != side(b)):
        raise InputError(f"paired images must match in number and size: there are {len(a)} of {side(a)} and {len(b)} of {side(b)}.")
    size = size or side(a)
    halves = [Images(images.space.shape[0], *size) for images in (a, b)]
    rest = [found.get(("test", name)) for name in names]
    for images, half in zip(rest, halves, strict=True):
        if images is not None and images.space.shape != half.shape:
            raise InputError(f"held-out images have {images.space.shape[0]} channels and training images {half.channels}. Give channels=3.")
    held_out = (rest[0], rest[1]) if rest[0] is not None and rest[1] is not None else None
    return TwoSets(a, b, TwoDomains(halves[0], halves[1], class_names(names), aligned), flip=settings.flip, held_out=held_out,
                   notes=(*a.notes, *b.notes, *about(names, side(a), size, held_out, [n for n in names if ("test", n) in found])),
                   odd=tuple(dict.fromkeys((*unused, *a.odd, *b.odd, *(note for one in rest if one is not None for note in one.odd)))))


def unscored(why: str) -> str:
    """What follows where nothing is held out, for this reason."""
    return f"{why}, and pictures and scores are of training images; a folder `test` with images of every domain would be"


def about(names: tuple[str, ...], had: tuple[int, int], size: tuple[int, int], held_out: tuple[Finite, Finite] | None,
          rest: list[str]) -> list[str]:
    """What else people should know of two domains: which is which, what is cut, and what is scored, where `rest` have test images."""
    called = f"A is {names[0]}, B is {names[1]}" if names != ("A", "B") else ""
    away = 1 - size[0] * size[1] / (had[0] * had[1])
    cut = f"training images are cropped to {size[0]}x{size[1]} at random, from {had[0]}x{had[1]}, {away:.0%} less" if had != size else ""
    scored = unscored("no images are held out")
    if len(rest) == 1:
        scored = unscored(f"there are images to test of {rest[0]} alone, so that no images are held out")
    if held_out is not None:
        scored = f"{len(held_out[0]):,} and {len(held_out[1]):,} test images are held out for pictures and scores"
    return [note for note in (called, cut, scored) if note]


def open_domains(data: Any, settings: DomainSettings) -> Domains:
    """One folder a domain: "tints", a folder or .zip, (images, labels), or a source; InputError with fewer than two domains."""
    if isinstance(data, Domains):
        return data
    if data == "tints" and isinstance(data, str):
        return tints(settings)
    if isinstance(data, str | Path):
        refuse_empty(container(data, DOMAINS))
        images, rest = read_domains(data, settings)
    else:
        images, rest = source_of(data, settings), None
    if images.labels is None or not isinstance(images.space, Images) or len(images.space.labels) < 2:
        raise InputError(f"at least two domains of images are needed, and these images are all in one, or have no labels. Give "
                         f"{DOMAINS}, or (images, labels).")
    empty = set(range(len(images.space.labels))) - set(images.labels.tolist())
    if empty:
        raise InputError(f"the domain {images.space.labels[min(empty)]} holds no images. Remove it, or put images into it.")
    scored = (about_rest(rest, images.space),) if isinstance(data, str | Path) else ()
    return Domains(images, images.space, flip=settings.flip, notes=(*images.notes, *scored), odd=images.odd,
                   held_out=rest if rest is not None and rest.space == images.space else None)


def about_rest(rest: Finite | None, space: Images) -> str:
    """What people should know of the images of many domains that are scored."""
    if rest is None:
        return unscored("no images are held out")
    if rest.space == space:
        return f"{len(rest):,} test images are held out for pictures and scores"
    there = ", ".join(map(shown, rest.space.labels if isinstance(rest.space, Images) else ())) or "none by name"
    return unscored(f"the test images are of other domains ({there}) than the training images, so that none are held out")


def read_domains(path: str | Path, settings: DataSettings) -> tuple[Finite, Finite | None]:
    """Labelled training images, and those of a part called test, or else val, if there is one."""
    with stamped(path) as files, quiet():
        refuse_without_part(files)
        places = [placed(folders) for folders in without_common(files.names)]
        parts, domains = [part for part, _ in places], [domain for _, domain in places]
        if "" in domains and len(set(domains)) > 1:
            raise InputError(f"{shown(files.names[domains.index('')])} in {files.where} is outside the domains' folders. Move it into one "
                             "of them, or remove it.")
        chosen = {part: part_of(files, [i for i, one in enumerate(parts) if one == part]) for part in ("train", "test", "val")}
        if not chosen["train"].names:
            raise InputError(f"there is no image to train on in {files.where}. Give {DOMAINS}.")
        size = target_size({("train", ""): chosen["train"]}, settings, whole=False)
        rest = next((chosen[part] for part in ("test", "val") if chosen[part].names), None)
        images = read_set(chosen["train"], size, settings)
        images.notes, images.odd = (*images.notes, *beside(files)), (*images.odd, *beside(files))
        return images, None if rest is None else read_set(rest, size, settings)


def source_of(data: Any, settings: DataSettings) -> Finite:
    from sparring.data import open_source
    if isinstance(data, Arranged):
        raise InputError("these images are two sets, not labelled domains. Train cyclegan on them.")
    source = open_source(data, DataSettings(**{name: getattr(settings, name) for name in DataSettings.model_fields}))
    if not isinstance(source, Finite):
        raise InputError("this recipe needs labelled images, and this data is generated. Give a folder with one subfolder per domain.")
    return source


def refuse_empty(path: Path) -> None:
    """InputError for a subfolder without an image in it, which would be a domain without images."""
    empty = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and not folder.name.startswith(".")
             and not any(file.suffix.lower() in SUFFIXES and file.is_file() for file in folder.rglob("*"))] if path.is_dir() else []
    if empty:
        raise InputError(f"the domain {shown(empty[0].name)} in {shown(path)} holds no images. Remove its folder, or put images into it.")

