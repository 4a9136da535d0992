"""Which folders of images are classes, and what is left out of them: loose images, parts of a data set, folders without images.

The rules, in this order, once folders that all images share are dropped:

    a labels.csv beside the images          it has the labels, and every image is read
    two folders or more that are parts      refused (train and test, trainA and testB): a part is no class
    a few loose images beside classes       left out, and named
    few images in folders, many loose       all are read, without classes, and it is said
    about as many of each                   refused, with what to do about either
"""

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from sparring.data.images.decode import FORMATS
from sparring.data.images.files import Files
from sparring.data.labels import TABLE
from sparring.errors import InputError, shown
from sparring.errors import listed as first_of
from sparring.spaces import number_order

SPLITS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval", "evaluation"})
JOINED = re.compile(r"(train|test|val)[_-]?[ab]", re.IGNORECASE)        # as sets for translators are called
NAMED = 5
FOLDERS = ("folder", "folders")
A_TENTH, A_TWENTIETH, SOME = 10, 20, 3      # loose images are few when they are so small a share of those in folders, or at most so many
TABLES = (".csv", ".tsv", ".jsonl", ".xlsx", ".parquet")
SAYS_LABELS = re.compile(r"label|annot|meta|attr|class|target|caption", re.IGNORECASE)      # of .txt and .json
ARCHIVES = (".tar", ".zip", ".npz", ".npy", ".h5", ".hdf5", ".mat", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar")
NOT_READ = (".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".ico", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raw", ".exr",
            ".hdr", ".dcm", ".nii", ".pdf", ".eps", ".tga", ".mp4", ".mov", ".avi")


class Parts(InputError):
    """Folders that are parts of a data set, which translators take as they are."""


class Layout(NamedTuple):
    """Which images are used, by position; the class of each and the names of all, where there are some; and what is to be told."""

    kept: list[int]
    labels: list[int] | None
    classes: list[str]
    odd: tuple[str, ...] = ()


def laid_out(files: Files) -> Layout:
    """How these images are read, by the rules at the head of this file; InputError where two readings are as likely."""
    odd = [*passed_over(files), *linked(files)]
    if files.table() is not None:
        return Layout(list(range(len(files.names))), None, [], tuple(odd))
    found = by_folders(files.where, files.names)
    lost = without_images(files)
    if lost:
        names = Counter(shown(PurePosixPath(name).suffix.lower()) or "without extension" for name in files.rest
                        if any(name.startswith(f"{folder}/") for folder in lost))
        held = ", ".join(f"{n} {kind}" for kind, n in names.most_common(NAMED)) or "nothing"
        no = "it is no class" if len(lost) == 1 else "they are no classes"
        odd.append(f"no image that is read lies in {listed(lost, *FOLDERS)} ({held} there), so {no}")
    return found._replace(odd=(*found.odd, *odd))


def by_folders(where: str, names: Sequence[str]) -> Layout:
    """The same of names alone: loose images, parts and classes."""
    folders = [name.split("/")[:-1] for name in names]
    common = shared(folders)
    loose = [i for i, folder in enumerate(folders) if len(folder) == common]
    within = [i for i, folder in enumerate(folders) if len(folder) > common]
    everything = list(range(len(names)))
    if not within:
        return Layout(everything, None, [])
    first = {folders[i][common] for i in within}
    refuse_parts(where, "/".join(folders[0][:common]), first, Counter(folders[i][common] for i in within))
    if not loose:
        labels, classes = folder_labels(names)
        return Layout(everything, labels, classes, inside_classes([folder[common:] for folder in folders]))
    inner, inside = by_folders(where, [names[i] for i in within]), f"{len(within):,} images lie in {listed(sorted(first), *FOLDERS)}"
    if len(inner.classes) < 2:
        return Layout(everything, None, [], (f"{inside} and {len(loose):,} beside: all are read, without classes",))
    if few(len(loose), len(within)):
        many = f"{len(loose):,} images are in no class's folder and are" if len(loose) > 1 else "1 image is in no class's folder and is"
        said = f"{many} left out: {listed([names[i] for i in loose])}. To use them, put " \
               f"them into one of the classes' folders"
        return Layout([within[i] for i in inner.kept], inner.labels, inner.classes, (said, *inner.odd))
    if len(within) * A_TWENTIETH <= len(loose):
        return Layout(everything, None, [], (f"{inside} and {len(loose):,} beside: all are read, without classes. For classes, put every "
                                             f"image into the folder of its class",))
    place = shown("/".join([where, *folders[loose[0]][:common]]))
    files = f"{len(loose):,} loose ones beside, such as {shown(names[loose[0]])}"
    raise InputError(f"in {where}, {inside}, which may be classes, and {files}. {either(place)}")


def inside_classes(folders: Sequence[list[str]]) -> tuple[str, ...]:
    """What to say of folders inside those of the classes, where a class has several; each is a class, and what is in it."""
    parts = dict[str, set[str]]()
    for name, *rest in folders:
        parts.setdefault(name, set()).add(rest[0] if rest else "")
    some = [f"{name}/{one}" for name, found in sorted(parts.items()) if len(found) > 1 for one in sorted(found - {""})]
    return (f"folders inside those of the classes are not read as classes: {listed(some)}",) if some else ()


def either(place: str) -> str:
    """What to do about images beside what may be classes."""
    if place.lower().endswith(".zip"):
        return "Pack it again, with these in a folder of their own as one more class, or without them."
    old, new, away = (shlex.quote(place + end) for end in ("", "/other", "-loose"))
    return f"Say which is meant. As one more class: mkdir {new} && mv {old}/*.* {new}. For the other classes alone: mkdir {away} && mv " \
           f"{old}/*.* {away}"


def few(loose: int, within: int) -> bool:
    return loose * A_TENTH <= within or (loose <= SOME and loose * 2 <= within)


def shared(folders: Sequence[list[str]]) -> int:
    """How many folders all share, from the outermost."""
    low, high = min(folders), max(folders)              # what the extremes share, all share
    return next((k for k, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))


def folder_labels(names: Sequence[str]) -> tuple[list[int] | None, list[str]]:
    """Class indices and sorted class names from file names like train/cat/1.png.

    Folders that all share are dropped; then, if every file lies in a folder and the outermost ones differ, those are
    the classes.  Otherwise (None, []).
    """
    folders = [name.split("/")[:-1] for name in names]
    common = shared(folders)
    if any(len(folder) == common for folder in folders):
        return None, []
    first = [folder[common] for folder in folders]
    classes = sorted(set(first), key=number_order)
    position = {name: k for k, name in enumerate(classes)}
    return [position[name] for name in first], classes


def refuse_parts(where: str, below: str, folders: set[str], count: Counter[str]) -> None:
    """Parts, with a line for each, where two folders or more are called as the parts of a data set are."""
    parts = sorted(name for name in folders if name.lower() in SPLITS or JOINED.fullmatch(name))
    if len(parts) < 2:
        return
    place = f"{where}/{shown(below)}" if below else where
    others = sorted(folders - set(parts))
    holds = ", ".join(f"{shown(name)} ({count[name]:,})" for name in parts[:2 * NAMED])
    chosen = sorted(parts, key=lambda name: (not name.lower().startswith("train"), name))[:2]
    if where.lower().endswith(".zip"):
        how = f"Unpack it, and give one of them as --data, such as {shown(chosen[0])}"
    else:
        how = f"Give one of them: {' or '.join('--data ' + shlex.quote(place + '/' + shown(name)) for name in chosen)}"
    beside = f"; beside them {listed([f'{name} ({count[name]:,})' for name in others])}" if others else ""
    raise Parts(f"{place} holds the parts of a data set, which are no classes: {holds}{beside}. {how}. To learn from all images, put them "
                f"into one folder. Recipes that translate (pix2pix, cyclegan, stargan) take the parts as they are.")


def without_images(files: Files) -> list[str]:
    """The outermost folders, where classes lie or above, without an image below them."""
    if not files.folders:
        return []
    holding = {str(folder) for name in files.names for folder in PurePosixPath(name).parents}
    if holding == {"."}:                                        # no folder means anything here
        return []
    common = shared([name.split("/")[:-1] for name in files.names])
    return sorted(folder for folder in files.folders if folder not in holding and str(PurePosixPath(folder).parent) in holding
                  and folder.count("/") <= common)


def passed_over(files: Files) -> list[str]:
    """Tables of labels under other names, archives, and images of kinds that are not read."""
    ends = [(name, PurePosixPath(name).suffix.lower()) for name in files.rest]
    tables = [name for name, end in ends if end in TABLES or (end in (".txt", ".json") and SAYS_LABELS.search(PurePosixPath(name).stem))]
    archives = [name for name, end in ends if end in ARCHIVES]
    strange = Counter(end for _, end in ends if end in NOT_READ)
    said = []
    if tables:
        said.append(f"not read: {listed(tables, 'table', 'tables')}. Labels are taken from {TABLE} alone, whose first column names the "
                    f"files, and which lies in a folder that holds all images")
    if archives:
        said.append(f"not read: {listed(archives, 'archive', 'archives')} beside the images. To read one, give that file as the data")
    if files.dotted:
        said.append(f"not read, since a dot begins the name: {listed(files.dotted)}")
    if strange:
        kinds = ", ".join(f"{n} {end}" for end, n in strange.most_common(NAMED))
        said.append(f"not read: {kinds}. Images are {', '.join(FORMATS)}: save them as one of these, or remove them")
    return said


def aside(files: Files) -> list[str]:
    """What lies beside images of which only the pixels are wanted, and is not read."""
    kinds = ", ".join(f"{n} {kind}" for kind, n in files.others.most_common(NAMED))
    said = [*passed_over(files), *linked(files)]
    said += [f"{files.others.total()} files that are not images were skipped ({kinds})"] if kinds else []
    return said + ([f"not read: {TABLE}, since only images are learned from here"] if files.table() is not None else [])


def linked(files: Files) -> list[str]:
    return [f"not read again: {listed(files.twice, 'link', 'links')} to what is read already"] if files.twice else []


def lost_classes(files: Files, layout: Layout, good: Sequence[int]) -> tuple[Layout, list[str]]:
    """The layout of the images that could be read, by position in it, and what to say of classes none of whose images could."""
    if layout.labels is None:
        return layout, []
    labels = [layout.labels[i] for i in good]
    there = sorted(set(labels))
    gone = [name for k, name in enumerate(layout.classes) if k not in set(there)]
    if not gone:
        return layout._replace(labels=labels), []
    said = [f"no image of {listed(gone, 'class', 'classes')} can be read, so there is no such class"]
    if len(there) < 2:
        return layout._replace(labels=None, classes=[]), said
    place = {k: new for new, k in enumerate(there)}
    return layout._replace(labels=[place[k] for k in labels], classes=[layout.classes[k] for k in there]), said


def listed(names: Sequence[str], one: str = "", many: str = "") -> str:
    """Some of these by name and how many there are: "2 folders (a, b)", "the folder a", or only names."""
    some = first_of(names, NAMED)
    if not one:
        return some
    return f"the {one} {some}" if len(names) == 1 else f"{len(names):,} {many} ({some})"
