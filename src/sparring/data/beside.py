"""What lies in a folder beside the data that are read, and which of two kinds of data in one folder are meant."""

import re
import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from sparring.errors import InputError, shown

NAMED = 5
STRAYS = 3              # loose images beside archives that are a picture of what is in them, and no data
USUAL = re.compile(r"(readme|licen[cs]e|copying|citation|changelog|dataset_infos?)\b.*", re.IGNORECASE)    # about data, and no data
HIDDEN = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


def unused(folder: Path, used: Collection[Path]) -> list[str]:
    """What lies in a folder and is not among the files that are used, in a line; nothing for a text about the data."""
    if not folder.is_dir():
        return []
    rest = sorted(entry.name + "/" * entry.is_dir() for entry in folder.iterdir() if entry not in used and not entry.name.startswith(".")
                  and entry.name.lower() not in HIDDEN and not USUAL.fullmatch(entry.name))
    return [f"not read: {some(rest)}, beside the data"] if rest else []


def some(names: Sequence[str]) -> str:
    return ", ".join(map(shown, names[:NAMED])) + (f" and {len(names) - NAMED:,} more" if len(names) > NAMED else "")


def images_are_meant(folder: Path, others: Sequence[Path], kind: str) -> bool:
    """Of a folder that holds these files of another kind, whether its images are the data.

    They are when they lie in two folders or more, as classes do, beside a single file; they are not when there are none, or a few loose
    ones.  InputError, with both lines to type, for everything else.
    """
    from sparring.data.images.decode import SUFFIXES
    from sparring.data.images.files import names_below

    images = [name for name in names_below(folder) if Path(name).suffix.lower() in SUFFIXES]
    classes = {name.split("/")[0] for name in images if "/" in name}
    if not images or (not classes and len(images) <= STRAYS):
        return False
    if len(classes) > 1 and len(others) == 1:
        return True
    where = some(sorted(classes)) if classes else images[0] + (" and others" if len(images) > 1 else "")
    files = some([one.name for one in others])
    raise InputError(f"{shown(folder)} holds {len(images):,} images ({shown(where)}) and {kind} ({files}), and either may be meant. "
                     f"{lines(folder, others)}")


def refuse_two_kinds(folder: Path, first: Sequence[Path], second: Sequence[Path]) -> None:
    """InputError for a folder that holds data of two kinds, neither of which is images."""
    one, other = (some([file.name for file in files]) for files in (first, second))
    raise InputError(f"{shown(folder)} holds data of two kinds, {one} and {other}, and either may be meant. {lines(folder, first)}")


def lines(folder: Path, files: Sequence[Path]) -> str:
    """What to type for these files, and for what else lies in their folder."""
    place, away = shlex.quote(shown(folder)), shlex.quote(f"{shown(folder).rstrip('/')}-files")
    which = " ".join(f"{place}/{shlex.quote(shown(one.name))}" for one in files[:NAMED])
    if len({one.suffix for one in files}) == 1 and len(files) > NAMED:
        which = f"{place}/*{files[0].suffix}"
    move = f"First put the files into a folder of their own: mkdir {away} && mv {which} {away}. "
    return f"{move}Then, for them: --data {away}; and for the rest: --data {place}"
