"""Images in .tar shards (WebDataset's layout), read by random access and never held in memory together.

A sample is an image and, of the same name, perhaps a `.cls` with its class.  An index of where every image lies is made once, from the
headers of the archives, and kept in the user's cache; after that a run starts at once, is shuffled as exactly as data in memory, and
resumes from the step alone.
"""

import hashlib
import mmap
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sparring.data.beside import unused
from sparring.data.cache import INDEX, identity, keep, key, place
from sparring.data.images.decode import SUFFIXES
from sparring.data.images.lazy_images import LOOKED_AT, Stored, looked_at
from sparring.data.settings import AUTO, DataSettings
from sparring.data.source import Finite
from sparring.errors import InputError, RunFailed, shown
from sparring.spaces import Images, class_names, number_order

FILE_LIMIT = 256 << 20                  # bytes of one image
ENDS = 1 << 16                          # bytes at both ends of a shard that its fingerprint is made of
HANDLES = 256                           # shards that stay open; what lies in further ones is opened to be read
FOLDERS = 100                           # in archives that are looked at
SAME = 3                                # of what identifies a file: not when it was last linked or renamed, as backups do in mid-run
CHANGED = "Put it back as it was and run the same command again, or start a new run with --out NEWDIR."
PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")   # gzip, bzip2, xz, zstd
LINK, LINKS = -1, (b"1", b"2")          # what is said of hard and symbolic links, which hold nothing themselves
LONG_NAME, EXTENDED = b"L", b"x"      # kinds of tar entries: a name for the next one, and more about it
Progress = Callable[[int, int], None]


class Member(NamedTuple):
    """A file in a tar."""

    name: str
    offset: int
    length: int


class Index(NamedTuple):
    """Where every image lies; one row an image, in the order of the shards."""

    shard: NDArray[np.int32]
    offset: NDArray[np.int64]
    length: NDArray[np.int32]
    labels: NDArray[np.int64]           # of the names, or -1 for an image without a class
    names: NDArray[np.str_]             # of the classes, sorted
    passed: NDArray[np.str_]            # what else the archives hold, in words


class Shards:
    """The images of some archives, by position."""

    def __init__(self, files: list[Path], index: Index) -> None:
        self.files, self.index = files, index
        self._known = [identity(path)[:SAME] for path in files]
        self._handles: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.index.offset)

    def read(self, rows: Sequence[int]) -> list[bytes]:
        """RunFailed, with the shard and what to do, when one is gone, or is not what it was when it was opened."""
        at = np.asarray(rows, np.int64)
        return [self._read(*where) for where in zip(self.index.shard[at].tolist(), self.index.offset[at].tolist(),
                                                    self.index.length[at].tolist(), strict=True)]

    def _read(self, shard: int, offset: int, length: int) -> bytes:
        handle = -1
        try:
            handle = self._handles[shard] if shard in self._handles else self._open(shard)
            data = os.pread(handle, length, offset)             # by threads at once: no position is shared
        except OSError as error:
            raise RunFailed(f"{shown(self.files[shard])} cannot be read: {error.strerror or error}. Put it back, and run the same "
                            f"command again.") from None
        finally:
            if handle >= 0 and self._handles.get(shard) != handle:
                os.close(handle)
        if len(data) != length:
            raise RunFailed(f"{shown(self.files[shard])} is shorter than its index says: it was changed. {CHANGED}")
        return data

    def _open(self, shard: int) -> int:
        """A handle that is kept if it is among the first, which many threads may use at once."""
        handle = os.open(self.files[shard], os.O_RDONLY | os.O_CLOEXEC)
        if identity(self.files[shard])[:SAME] != self._known[shard]:
            os.close(handle)
            raise RunFailed(f"{shown(self.files[shard])} was changed since the run started. {CHANGED}")
        if len(self._handles) < HANDLES:
            self._handles.setdefault(shard, handle)             # another thread may have been first
        return handle

    def unusable(self, row: int, why: str) -> str:
        return f"image {row} of the data, in {shown(self.files[int(self.index.shard[row])])} at byte {int(self.index.offset[row]):,}, " \
               f"cannot be used: {why}. Pack that shard again without it."

    def identify(self, digest: "hashlib._Hash") -> None:
        """By where everything lies and both ends of every shard: enough to tell data sets apart without reading them whole."""
        for part in self.index[:5]:                             # less what is only told
            digest.update(np.ascontiguousarray(part).tobytes())
        for path in self.files:
            size = path.stat().st_size
            with path.open("rb") as file:
                digest.update(file.read(ENDS))
                file.seek(max(0, size - ENDS))
                digest.update(file.read(ENDS))

    def __del__(self) -> None:
        for handle in self._handles.values():
            os.close(handle)


def shards_in(path: Path) -> list[Path]:
    """The .tar files at a path: itself, or those in a folder, by name."""
    if path.is_dir():
        return sorted(entry for entry in path.iterdir() if entry.suffix.lower() == ".tar" and entry.is_file())
    return [path] if path.suffix.lower() == ".tar" else []


def read_shards(path: Path, settings: DataSettings = AUTO, progress: Progress | None = None) -> Finite:
    """The images of one .tar, or of all in a folder, as a source that reads them when they are needed.

    InputError when an archive is damaged, a shard of a numbered row is missing, or there is no image.
    """
    files = shards_in(path)
    refuse_gaps(path, files)
    index, unkept = indexed(files, progress or (lambda done, total: None))
    if not len(index.offset):
        raise InputError(f"there is no image in {shown(path)}. Shards hold images (.png, .jpg, ...), and for classes a .cls of the same "
                         f"name: pack it again.")
    pack = Shards(files, index)
    shape, why, odd = looked_at(pack, np.unique(np.linspace(0, len(pack) - 1, LOOKED_AT).astype(int)).tolist(), settings)
    labelled = bool((index.labels >= 0).all()) and len(index.names) > 1
    some = int((index.labels >= 0).sum())
    notes = [f"{len(pack):,} images in {len(files)} shard(s), read when they are needed, at {shape[1]}x{shape[2]} (height x width): "
             f"{why}. Channels: {shape[0]}"]
    if some and not labelled:
        odd.append(f"no classes: {some:,} of the {len(pack):,} images have a .cls, and all must have one, of at least two")
    if unkept:
        notes.append(f"the index of the shards is made anew at every start: {unkept}")
    space = Images(*shape, class_names(map(str, index.names)) if labelled else ())
    return Finite(space, Stored(pack, shape, settings.alpha), torch.from_numpy(index.labels) if labelled else None, notes=tuple(notes),
                  odd=(*odd, *index.passed.tolist(), *unused(path, files)))


def refuse_gaps(path: Path, files: list[Path]) -> None:
    """InputError when shards are numbered and a number between the first and the last is not there."""
    numbers = [(name[:len(name) - len(digits)], int(digits)) for name in (file.stem for file in files)
               if (digits := name[len(name.rstrip("0123456789")):])]
    if len(numbers) == len(files) > 1 and len({prefix for prefix, _ in numbers}) == 1:
        have = {number for _, number in numbers}
        missing = sorted(set(range(min(have), max(have))) - have)
        if missing:
            raise InputError(f"{shown(path)} has no shard {', '.join(map(str, missing[:5]))}{' and more' if len(missing) > 5 else ''} "
                             f"between {files[0].name} and {files[-1].name}. Put the missing shards back, or renumber the others.")


# --------------------------------------------------------------------------------------------------------- the index
def indexed(files: list[Path], progress: Progress) -> tuple[Index, str | None]:
    """The index of these files as they are now, from the cache, or made and put there; and why it could not be."""
    of = key(*((str(path.resolve()), *identity(path)) for path in files))
    if (index := recalled(place(INDEX, of), files)) is not None:
        return index, None
    index = made(files, progress)
    return index, keep(INDEX, of, sum(part.nbytes for part in index), lambda file: np.savez(file, **index._asdict()))


def recalled(kept: Path, files: list[Path]) -> Index | None:
    """A kept index, when it is there and points into the files."""
    try:
        with kept.open("rb") as file, np.load(file, allow_pickle=False) as found:      # opened here: numpy leaves a damaged one open
            index = Index(*(found[name] for name in Index._fields))
        sizes = np.array([path.stat().st_size for path in files])
        fits = (index.shard >= 0).all() and (index.offset >= 0).all() and (index.length >= 0).all() and \
            (index.offset + index.length <= sizes[index.shard]).all() and (index.labels < max(1, len(index.names))).all() and \
            len({len(part) for part in index[:4]}) == 1
        return index if fits else None
    except Exception:                                           # damaged archives raise nearly everything: it is made again
        return None


def made(files: list[Path], progress: Progress) -> Index:
    """Read every header.  A class is the text of the .cls."""
    shard, offset, length, words = list[int](), list[int](), list[int](), list[str]()
    passed, folders = Counter[str](), dict[str, None]()
    for number, path in enumerate(files):
        classes: dict[str, str] = {}
        images: dict[str, tuple[int, int, str]] = {}
        for member, data in members(path):
            if member.length == LINK:
                passed["links"] += 1
                continue
            sample, suffix = parted(member.name)
            if suffix in SUFFIXES and member.length <= FILE_LIMIT:
                images[member.name] = (member.offset, member.length, sample)
            elif suffix == ".cls" and member.length <= 200:
                classes[sample] = data().decode(errors="replace").strip()
            else:
                passed[f"{suffix or 'without an extension'}{' that are too large' if suffix in (*SUFFIXES, '.cls') else ''}"] += 1
        for at, size, sample in images.values():
            shard.append(number)
            offset.append(at)
            length.append(size)
            words.append(classes.get(sample, ""))
            if len(folders) < FOLDERS:
                folders[sample.rpartition("/")[0]] = None
        if alone := len(classes.keys() - {sample for _, _, sample in images.values()}):
            passed[".cls without an image of their name"] += alone
        progress(number + 1, len(files))
    names = sorted({word for word in words if word}, key=number_order)
    place = {word: k for k, word in enumerate(names)} | {"": -1}
    return Index(np.array(shard, np.int32), np.array(offset, np.int64), np.array(length, np.int32),
                 np.array([place[word] for word in words], np.int64), np.array(names, np.str_),
                 np.array(told(passed, [] if names else list(folders)), np.str_))


def told(passed: Counter[str], folders: list[str]) -> list[str]:
    """What archives hold beside images and their classes, in words: other files, and folders that may be meant as classes."""
    said = []
    if passed:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in passed.most_common(5)) + (" and others" if len(passed) > 5 else "")
        said.append(f"not used: other entries of the archives ({kinds}). Classes come from .cls entries alone")
    if len(folders) > 1:
        named = ", ".join(shown(folder) for folder in sorted(folders)[:5]) + (" and more" if len(folders) > 5 else "")
        said.append(f"the images lie in several folders of the archives ({named}), which are not read as classes. For classes, pack a .cls "
                    f"beside each image")
    return said


def parted(name: str) -> tuple[str, str]:
    """The sample that a file of this name belongs to, and what is in it by its last extension: ("a/b", ".png") for a/b.left.png."""
    folder, _, file = name.rpartition("/")
    dot = file.rfind(".")
    return f"{folder}/{file.split('.', 1)[0]}", file[dot:].lower() if dot > 0 else ""


def members(path: Path) -> Iterator[tuple[Member, Callable[[], bytes]]]:
    """The regular files of a tar (POSIX.1-1988 and 2001, GNU long names), and how to get at their bytes; of links only that they are
    there, with the length LINK."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(6).startswith(PACKED):
            raise InputError(f"{shown(path)} is compressed, and shards are read in place. Unpack it with `gzip -d`, or whatever packed it, "
                             "and give the plain .tar.")
    if size < 1024:
        raise InputError(f"{shown(path)} is no tar: it holds {size} bytes. Pack it again, or leave it out.")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        at, long_name, extended_name = 0, "", ""
        extended_size: int | None = None
        while at + 512 <= size:
            head = whole[at:at + 512]
            if not head.strip(b"\0"):
                return
            length, signed = number_in(head[124:136], path, at), head[148:156]
            if number_in(signed, path, at) != sum(head) - sum(signed) + 8 * 32:
                raise InputError(f"{shown(path)} is damaged: the header at byte {at:,} does not add up. Pack it again.")
            kind, body = head[156:157], at + 512
            if extended_size is not None and kind not in (LONG_NAME, EXTENDED):
                length, extended_size = extended_size, None
            if body + length > size:
                raise InputError(f"{shown(path)} is cut short: the file at byte {at:,} should end at byte {body + length:,} of {size:,}. "
                                 f"Copy it again.")
            if kind == LONG_NAME:
                long_name = whole[body:body + min(length, 4096)].rstrip(b"\0").decode(errors="replace")
            elif kind == EXTENDED:
                extended_name, extended_size = records(whole[body:body + min(length, 1 << 16)])
            else:
                prefix = head[345:500].rstrip(b"\0") if head[257:263] == b"ustar\0" else b""
                plain = (prefix + b"/" if prefix else b"") + head[:100].split(b"\0", 1)[0]
                name = long_name or extended_name or plain.decode(errors="replace")
                long_name = extended_name = ""
                if kind in LINKS:
                    yield Member(name, body, LINK), bytes
                if kind in (b"0", b"\0"):
                    yield Member(name, body, length), partial(part, whole, body, length)
            at = body + -(-length // 512) * 512
    raise InputError(f"{shown(path)} is cut short: it ends without the empty block that ends a tar. Copy it again.")


def part(whole: mmap.mmap, start: int, length: int) -> bytes:
    return whole[start:start + length]


def number_in(field: bytes, path: Path, at: int) -> int:
    """A number of a tar header: octal digits, or base 256 where the first bit is set."""
    try:
        if field[0] & 0x80:
            return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        return int(field.rstrip(b"\0 ").lstrip(b" ") or b"0", 8)
    except ValueError:
        raise InputError(f"{shown(path)} is no tar, or damaged: at byte {at:,} there should be a header. Pack it again.") from None


def records(data: bytes) -> tuple[str, int | None]:
    """The path and the size that an extended header gives, if it does: lines of `LENGTH KEY=VALUE`."""
    name, size = "", None
    for line in data.split(b"\n"):
        key, _, value = line.partition(b" ")[2].partition(b"=")
        if key == b"path":
            name = value.decode(errors="replace")
        elif key == b"size" and value.isdigit():
            size = int(value)
    return name, size
