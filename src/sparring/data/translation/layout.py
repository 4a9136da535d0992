"""Which files belong to which domain, and to which part: how folders and zips of pairs and of two sets may lie.

Parts called train, test or the like, also as trainA and testB, are kept apart.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from sparring.data.images.classes import aside
from sparring.data.images.files import Files
from sparring.data.images.folder import header_of
from sparring.errors import InputError, shown

PARTS = {"train": "train", "training": "train", "test": "test", "testing": "test", "val": "val", "valid": "val", "validation": "val"}
JOINED = re.compile(r"(train|test|val)[_-]?([AB])", re.IGNORECASE)
Sets = dict[tuple[str, str], Files]     # by (part, domain); the domain of pictures that hold both is ""
LAYOUTS = "pictures that each hold a pair side by side, or two folders (inside one folder or .zip, or as --data A --data B)"


def sorted_out(containers: Sequence[Files]) -> Sets:
    """The files by part and domain, the first domain first: of two folders the one that is given first, of one folder the one whose name
    comes first.  InputError when they do not make two domains, with what was found."""
    for files in containers:
        if not files.names:
            raise InputError(f"{files.where} holds no images. Give {LAYOUTS}.")
    names = domains_of([files.where for files in containers]) if len(containers) == 2 else None
    sets: Sets = {}
    for number, files in enumerate(containers):
        places: dict[tuple[str, str], list[int]] = {}
        for i, (part, domain) in enumerate(map(placed, without_common(files.names))):
            places.setdefault((part, domain if names is None else names[number]), []).append(i)
        for key, chosen in places.items():
            sets[key] = part_of(files, chosen)
    parts = {part for part, _ in sets}
    if "test" in parts and "val" in parts:
        sets = {key: files for key, files in sets.items() if key[0] != "val"}       # one part is held out: the test images
    sets = {("test" if part == "val" else part, name): files for (part, name), files in sets.items()}
    found = names or sorted({name for _, name in sets})
    there = [name for name in found if ("train", name) in sets]
    if there != found or not (found == [""] or (len(found) == 2 and "" not in found)):
        what = ", ".join(map(shown, filter(None, found))) or "no images"
        without = next((name for name in found if name not in there), None) if len(found) == 2 else None
        told = f"{what}" if without is None else f"{what}, with no images to train on in {shown(without)}"
        stray = [name for (_, domain), files in sets.items() if domain == "" and len(found) > 1 for name in files.names]
        told += f", and beside them {shown(stray[0])}" if stray else ""
        raise InputError(f"{' and '.join(files.where for files in containers)} should hold two domains of images to train on, and holds: "
                         f"{told}. Give {LAYOUTS}.")
    return {(part, name): sets[part, name] for name in found for part in ("train", "test") if (part, name) in sets}


def beside(files: Files) -> list[str]:
    """What of a container is not used: images to validate with where others are to test with, and what are no images."""
    count = Counter(part for part, _ in map(placed, without_common(files.names)))
    both = count["val"] and count["test"]
    return [*([f"not used: {count['val']:,} images of val, since those of test are held out"] if both else []), *aside(files)]


def domains_of(paths: Sequence[str]) -> list[str]:
    """What two folders or zips are called: the last parts of their paths in which they differ.  InputError for one given twice."""
    ways = [PurePosixPath(path.replace("\\", "/")) for path in paths]
    parts = [[way.stem if way.suffix.lower() == ".zip" else way.name, *reversed(way.parts[:-1])] for way in ways]
    for names in zip(*parts, strict=False):
        if all(names) and len(set(names)) == len(names):
            return list(names)
    if ways[0] == ways[1]:
        raise InputError(f"{shown(paths[0])} is given twice. Give {LAYOUTS}.")
    return ["A", "B"]


def without_common(names: list[str]) -> list[list[str]]:
    """The folders of each name, less those that all share unless they say which part it is."""
    folders = [name.split("/")[:-1] for name in names]
    while folders and all(folder and folder[0] == folders[0][0] for folder in folders) and not tells(folders[0][0]):
        folders = [folder[1:] for folder in folders]
    return folders


def tells(folder: str) -> bool:
    """Whether a folder's name says which part it is."""
    return folder.lower() in PARTS or JOINED.fullmatch(folder) is not None


def placed(folders: list[str]) -> tuple[str, str]:
    """The part and the domain that folders speak of: train/A, A/train, trainA, or B alone."""
    part, domain = "train", ""
    for folder in folders:
        if match := JOINED.fullmatch(folder):
            part, domain = PARTS[match[1].lower()], match[2].upper()
        elif folder.lower() in PARTS:
            part = PARTS[folder.lower()]
        elif not domain:
            domain = folder
    return part, domain


def refuse_without_part(files: Files) -> None:
    """InputError for a folder beside `train` that is no part itself: whether it is one more domain nobody can tell."""
    first = {folders[0] for folders in without_common(files.names) if folders}
    others = sorted(name for name in first if not tells(name))
    if others and any(PARTS.get(name.lower()) == "train" for name in first):
        parts = ", ".join(sorted(map(shown, first - set(others))))
        raise InputError(f"{files.where} holds {', '.join(map(shown, others[:5]))} beside {parts}. If it is a domain, move it into the "
                         "folder of its part; else remove it.")


def part_of(files: Files, chosen: list[int]) -> Files:
    return Files(files.where, [files.names[i] for i in chosen], lambda i, limit: files.read(chosen[i], limit), Counter(), files.identity)


def refuse_mismatch(sets: dict[str, Files], part: str) -> None:
    """InputError, with the first file that has no partner, unless two folders hold the same names."""
    if len(sets) != 2:
        raise InputError(f"only the domain {shown(next(iter(sets)))} has {part} images, so they have no partners. Add those of the other "
                         "domain, or remove them.")
    (first, a), (second, b) = sets.items()
    keys = [{PurePosixPath(name).stem: name for name in files.names} for files in (a, b)]
    for stems, files, domain in zip(keys, (a, b), sets, strict=True):
        if twice := next((name for name in files.names if stems[PurePosixPath(name).stem] != name), None):
            other = stems[PurePosixPath(twice).stem]
            raise InputError(f"{shown(twice)} and {shown(other)} in the paired folder {shown(domain)} have the same name, so their "
                             "partners are ambiguous. Rename one of them, or remove it.")
    if keys[0].keys() != keys[1].keys():
        lonely = min(keys[0].keys() ^ keys[1].keys())
        example = keys[0].get(lonely) or keys[1][lonely]
        raise InputError(f"the paired folders {shown(first)} and {shown(second)} ({part}) hold {len(a.names)} and {len(b.names)} images. "
                         f"The first without a partner of the same name is {shown(example)}. Use the same names in both folders, or train "
                         "cyclegan, which needs no pairs.")


def refuse_other_shapes(sets: dict[str, Files]) -> None:
    """InputError, with the first, for partners of which one would have to be stretched to lie on the other."""
    (first, a), (second, b) = sets.items()
    partner = {PurePosixPath(name).stem: i for i, name in enumerate(b.names)}
    for i, name in enumerate(a.names):
        one, other = header_of(a, i), header_of(b, partner[PurePosixPath(name).stem])
        if not isinstance(one, str) and not isinstance(other, str) and not alike(one.size, other.size):
            (h, w), (height, width) = one.size, other.size
            raise InputError(f"{shown(name)} is {w} wide and {h} high in {shown(first)}, but {width} wide and {height} high in "
                             f"{shown(second)}. The images of a pair need the same shape. Crop them alike.")


def alike(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes, height and width, are of one shape, but for a pixel."""
    return abs(one[0] * other[1] - one[1] * other[0]) <= max(*one, *other)


def is_pair(size: tuple[int, int]) -> bool:
    """Whether a picture of this height and width is twice as wide as high, but for a pixel."""
    return abs(size[1] - 2 * size[0]) <= 1


def refuse_single_set(files: Files) -> None:
    """InputError for pictures that are hardly two halves side by side: few of the first are twice as wide as high."""
    sizes = {name: found.size for i, name in enumerate(files.names[:200]) if not isinstance(found := header_of(files, i), str)}
    others = [name for name, size in sizes.items() if not is_pair(size)]
    if len(others) > len(sizes) / 2:
        height, width = sizes[others[0]]
        raise InputError(f"{files.where} holds one set of pictures, such as {shown(others[0])} ({width} wide, {height} high), and two sets "
                         f"are needed. Give {LAYOUTS}. If each picture is a pair side by side, give halves=true.")
