"""Clips in a folder or a .zip, or one file: found, decoded once into the cache, and given as pairs of frames.

A film and an animated picture are a clip each, and so is a strip: square frames side by side.  Other pictures are frames: those of a
folder are one clip, in the order of their numbers.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import PIL
import torch

from sparring.data.builtin.moving import moving
from sparring.data.images.assumed import cut_off
from sparring.data.images.decode import DECODING, SUFFIXES, header, quiet
from sparring.data.images.disk_cache import MOST, Mapped, Room, remembered
from sparring.data.images.files import Files, image_files
from sparring.data.images.folder import BAD_SHARE, NAMED_IN_MESSAGES
from sparring.data.opening import NAMED, existing
from sparring.data.settings import ClipSettings, check_image_memory, choose_size, open_file
from sparring.data.video.frame_pairs import FramePairs
from sparring.data.video.frames import FILMS, Clip, animated, film, pictures, squares, strip
from sparring.errors import InputError, listed, shown
from sparring.rng import generator
from sparring.spaces import Clips, Images

READ = "a folder or .zip of films (.mp4, .mov, .webm), animated pictures (GIF, WebP, PNG), strips of square frames, or a folder of " \
       "frames for each clip"
KINDS = SUFFIXES | {".apng"} | FILMS.keys()
FEW = 5                 # clips of which none is held out, where nobody says
REST = ("test", "val")
NONE = f"no clips are held out, and pictures and scores are of training clips: {FEW} clips would be enough, or a folder `test`"
CLIPS = 1               # to be raised when the same files come out as other frames


class Found(NamedTuple):
    """The clips of a folder: those to train on before those that are held out."""

    clips: list[Clip]
    train: int
    bad: dict[str, str]     # what is no clip, and why
    others: Counter[str]    # how many other files there are, by their kinds


def open_clips(data: Any, settings: ClipSettings) -> FramePairs:
    """Clips of "moving", of a path, or of a source, which is returned as it is; InputError for anything else."""
    if isinstance(data, FramePairs):
        return data
    if isinstance(data, str) and data == "moving":
        return moving(settings)
    if not isinstance(data, str | Path):
        many = f"{len(data)} data sets are given" if isinstance(data, list | tuple) else f"the data is a {type(data).__name__}"
        raise InputError(f"{many}, and this recipe learns from one set of clips. Give {READ}; or the name `moving`.")
    if str(data) in NAMED and not Path(data).exists():
        raise InputError(f"'{data}' is not a set of clips. Give {READ}; or the name `moving`.")
    path = existing(data, f"{READ}; or the name `moving`")
    with clip_files(path) as files, quiet():
        return read(files, found(files, path, settings), settings)


@contextmanager
def clip_files(path: Path) -> Iterator[Files]:
    """The files below a folder, in a .zip, or this one."""
    if path.is_dir() or path.suffix.lower() == ".zip":
        with image_files(path, KINDS) as files:
            about = files.identity()
            yield files._replace(identity=lambda: about)
        return
    if path.suffix.lower() not in KINDS:
        raise InputError(f"{shown(path)} is no clip. Give {READ}.")
    open_file(path).close()
    with image_files(path.parent, KINDS) as files:
        at = files.names.index(path.name)
        yield files._replace(names=[path.name], read=lambda i, limit: files.read(at, limit), others=Counter(),
                             identity=lambda: path.stat().st_mtime_ns)


def one_clip(path: Path, frame: Images) -> tuple[torch.Tensor, float]:
    """The frames of the one clip at this path, float[T, C, H, W] in [-1, 1], such as `frame`, and how many there are a second, 0 where
    nobody says; InputError for none, or several."""
    settings = ClipSettings(size=f"{frame.height}x{frame.width}", held_out=0.0)
    with clip_files(existing(path, READ)) as files, quiet():
        clips = found(files, path, settings).clips
        if len(clips) > 1:
            raise InputError(f"{files.where} holds {len(clips)} clips ({listed([clip.name for clip in clips], 3)}). Give one of them.")
        out = np.empty((clips[0].most, *frame.shape), np.uint8)
        count, said = decoded(clips[0], out, (frame.height, frame.width), frame.channels, "white")
        if said:
            raise InputError(f"{said}. Give a whole clip.")
        return frame.encode(torch.from_numpy(out[:count])), clips[0].pace


# ------------------------------------------------------------------------------------------------------------- finding
def found(files: Files, path: Path, settings: ClipSettings) -> Found:
    """What clips there are; InputError when there are none, or more than one in twenty is broken."""
    clips, bad = dict[str, Clip](), dict[str, str]()
    stills: dict[str, list[int]] = {}
    for i, name in enumerate(files.names):
        try:
            clip = clip_in(files, i, path, settings)
        except InputError as error:
            bad[name] = str(error)
            continue
        if clip is None:
            stills.setdefault(str(PurePosixPath(name).parent), []).append(i)
        else:
            clips[name] = clip
    with_clips = {str(PurePosixPath(name).parent) for name in clips}
    for folder, members in stills.items():
        first = files.names[members[0]]
        if folder in with_clips or len(members) < 2:
            why = "a picture beside clips" if folder in with_clips else "a single picture"
            bad |= {files.names[i]: f"it is {why}, and a clip needs two frames" for i in members}
            continue
        try:
            at = sorted(members, key=lambda i: by_number(files.names[i]))
            clips[first] = pictures(folder, [partial(files.read, i, None) for i in at])
        except InputError as error:
            bad[folder] = str(error)
    refuse_bad(files, clips, bad)
    train, rest = parted(sorted(clips), settings.held_out)
    return Found([clips[name] for name in (*train, *rest)], len(train), bad, files.others)


def clip_in(files: Files, i: int, path: Path, settings: ClipSettings) -> Clip | None:
    """The clip in this file; None for a picture that is a frame."""
    name = files.names[i]
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in FILMS:
        place = path / name if path.is_dir() else files.read(i, None) if path.suffix.lower() == ".zip" else path
        return film(name, place, suffix)
    data = files.read(i, None)
    if suffix in (".gif", ".webp", ".png", ".apng") and (clip := animated(name, data)) is not None:
        return clip
    count = squares(header(data).size, settings.strips)
    return strip(name, data, count) if count > 1 else None


def by_number(name: str) -> list[tuple[int, int, str]]:
    """A key by which frame_2 comes before frame_10."""
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in re.findall(r"[0-9]{1,18}|[^0-9]+", name)]


def refuse_bad(files: Files, clips: dict[str, Clip], bad: dict[str, str]) -> None:
    few = "; ".join(f"{shown(name)}: {why}" for name, why in list(bad.items())[:NAMED_IN_MESSAGES])
    more = f"; and {len(bad) - NAMED_IN_MESSAGES} more" if len(bad) > NAMED_IN_MESSAGES else ""
    if not clips:
        why = f" ({few}{more})" if bad else ""
        raise InputError(f"there is no clip in {files.where}{why}. Give {READ}.")
    if len(bad) > BAD_SHARE * (len(clips) + len(bad)):
        raise InputError(f"{len(bad)} of {len(clips) + len(bad)} clips in {files.where} cannot be used, more than 1 in 20 ({few}{more}). "
                         "Repair or remove them.")


def parted(names: Sequence[str], share: float) -> tuple[list[str], list[str]]:
    """Names to train on and names that are held out: those in a folder `test` or `val` beside `train`, else a share, drawn once for all."""
    parts = {part: [name for name in names if part in name.lower().split("/")[:2]] for part in ("train", *REST)}
    for part in REST:
        if parts["train"] and parts[part] and not set(parts["train"]) & set(parts[part]):
            return parts["train"], parts[part]
    few = 0 if len(names) < FEW and share < 0.2 else round(share * len(names)) or int(share > 0)
    rest = set(torch.randperm(len(names), generator=generator(0, "held-out clips"))[:min(few, len(names) - 1)].tolist())
    return [name for i, name in enumerate(names) if i not in rest], [name for i, name in enumerate(names) if i in rest]


# ------------------------------------------------------------------------------------------------------------- reading
def read(files: Files, found: Found, settings: ClipSettings) -> FramePairs:
    """All clips, decoded: from the cache where they are."""
    size, why = choose_size([clip.size for clip in found.clips], settings)
    channels = int(settings.channels) if settings.channels != "auto" else 1 if all(clip.grey for clip in found.clips) else 3
    most = sum(clip.most for clip in found.clips)
    if most * channels * size[0] * size[1] > MOST:
        check_image_memory(most, channels, size)

    def make(room: Room) -> tuple[int, dict[str, Any]]:
        out, lengths, broken, at = room((most, channels, *size)), list[int](), list[str](), 0
        for clip in found.clips:
            count, said = decoded(clip, out[at:at + clip.most], size, channels, settings.alpha)
            lengths.append(count)
            at += count
            broken += [said] if said else []
        return at, {"lengths": lengths, "broken": broken}

    key = repr(["clips", CLIPS, files.identity(), files.names, [clip.name for clip in found.clips], settings.strips, size, channels,
                settings.alpha, DECODING, PIL.__version__])
    values, facts = remembered(key, most * channels * size[0] * size[1], make)
    return sources(values, facts, found, Clips(Images(channels, *size)), settings, why)


def decoded(clip: Clip, out: np.ndarray, size: tuple[int, int], channels: int, alpha: str) -> tuple[int, str]:
    """How many frames were written, and what is wrong with the rest: of a clip that breaks off, the frames before are kept, if two are
    there; otherwise none."""
    count = 0
    try:
        for frame in clip.read(size, channels, alpha):
            out[count] = frame
            count += 1
    except InputError as error:
        kept = f"its first {count} frames are used" if count > 1 else "it is left out"
        return (count if count > 1 else 0), f"{shown(clip.name)}: {error}; {kept}"
    return (count, "") if count > 1 else (0, f"{shown(clip.name)}: it holds fewer than two frames; it is left out")


def sources(values: Mapped | torch.Tensor, facts: dict[str, Any], found: Found, space: Clips, settings: ClipSettings,
            why: str) -> FramePairs:
    """Training clips, and those held out, of all frames; InputError when too many of them broke off."""
    lengths, broken = facts["lengths"], facts["broken"]
    gone = sum(not n for n in lengths)
    if gone > BAD_SHARE * len(lengths) or not any(lengths[:found.train]):
        raise InputError(f"{gone} of {len(lengths)} clips cannot be used, more than 1 in 20 ({'; '.join(broken[:NAMED_IN_MESSAGES])}). "
                         "Repair or remove them.")

    def some(first: int, last: int, **more: Any) -> FramePairs:
        there = [i for i in range(first, last) if lengths[i]]
        at = slice(sum(lengths[:first]), sum(lengths[:last]))
        frames = values.part(at) if isinstance(values, Mapped) else values[at]
        names = tuple(found.clips[i].name for i in there)
        return FramePairs(frames, torch.tensor([lengths[i] for i in there]), space, names=names, **more)

    rest = some(found.train, len(lengths)) if any(lengths[found.train:]) else None
    height, width, kept = space.frame.height, space.frame.width, [n for n in lengths if n]
    notes = [f"{len(kept):,} clips of {min(kept)} to {max(kept)} frames, {sum(kept):,} in all, at {height}x{width} (height x width): "
             f"{why}. Channels: {space.frame.channels}",
             f"{len(rest.lengths):,} clips are held out for pictures and scores" if rest is not None else NONE]
    odd = [*([f"{len(found.bad)} files are no clips ({'; '.join(f'{shown(n)}: {w}' for n, w in list(found.bad.items())[:3])})"]
             if found.bad else []), *broken,
           *([f"{found.others.total()} other files were skipped ({listed(sorted(found.others), 5)})"] if found.others else []),
           *cut_off([clip.size for clip in found.clips], (height, width))]
    return some(0, found.train, flip=settings.flip, held_out=rest, notes=tuple(notes), odd=tuple(odd))
