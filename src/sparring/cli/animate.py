"""The command `animate`: pictures that move as a clip does, written as films."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sparring import api
from sparring.data.images.decode import decode, header, quiet
from sparring.data.images.files import FILE_LIMIT
from sparring.data.opening import existing
from sparring.data.settings import open_file
from sparring.data.video.films import one_clip
from sparring.data.video.sound import sound_of
from sparring.errors import InputError, RunFailed, shown
from sparring.pictures.animations import beside, plain
from sparring.pictures.films import holds_sound, refuse_form, write_film
from sparring.progress import Line
from sparring.spaces import Images, to_uint8

PACE, FASTEST = 25.0, 120.0     # frames a second where nobody says, and the most
LEAST = 192                     # pixels of the shorter side at which key points are shown


def animate(run: Path, sources: list[Path], driving: Path, out: Path, relative: bool = False, find_best_frame: bool = False,
            show_keypoints: bool = False, pace: float = 0.0, recipe: str | None = None) -> dict[str, Any]:
    """A film of each source that moves as the driving clip does.  InputError for what cannot be; RunFailed when stopped."""
    if not 0 <= pace <= FASTEST:
        raise InputError(f"--pace {pace:g}: expected frames a second, up to {FASTEST:g}, or 0 for those of the driving clip.")
    model = api.load(run, recipe=recipe)
    if model.game.animation is None:
        raise InputError(f"{run} is a model of recipe {model.recipe}, which does not animate. Train one that does: sparring train motion "
                         "--data CLIPS.")
    films = named(out, sources)
    for film in films:
        refuse_form(film)
    frame = model.game.animation.frame
    pictures, notes = zip(*(picture(source, frame) for source in sources), strict=True)
    clip, own_pace = one_clip(driving, frame)
    line = Line("animate")
    began = time.monotonic()
    try:
        made = model.animate(torch.stack(pictures), clip, relative=relative, find_best_frame=find_best_frame,
                             watch=lambda done, total: line.update(done, total, {}))
    except KeyboardInterrupt:
        raise RunFailed("stopped; nothing was written. The same command begins anew.") from None
    finally:
        line.leave()
    seconds = time.monotonic() - began
    pace = pace or min(FASTEST, own_pace or PACE)
    heard = sound_of(driving, len(clip) / pace) if any(map(holds_sound, films)) else None
    sound = heard if pace == own_pace else None
    silent = "" if heard is sound else f"the sound of {shown(driving.name)} is left out, since it would not fit {pace:g} frames a second"
    for film, given, moving in zip(films, pictures, made, strict=True):
        shown_frames = beside(model.game.animation, given, clip, moving, LEAST) if show_keypoints else plain(moving)
        try:
            write_film(np.ascontiguousarray(to_uint8(shown_frames).permute(0, 2, 3, 1).numpy()), film, pace, sound)
        except OSError as error:
            raise InputError(f"{film} cannot be written: {error.strerror or error}. Give another --out.") from None
    count = len(clip) * len(sources)
    said = [f"{count:,} frames of {frame.height}x{frame.width} in {seconds:.1f} s, {count / max(seconds, 1e-9):,.0f} a second: "
            f"{', '.join(map(str, films))}{', with the sound of the driving clip' if sound is not None else ''}",
            *dict.fromkeys(note for note in (*notes, silent) if note)]
    return {"out": list(map(str, films)), "frames": len(clip), "seconds": round(seconds, 3), "pace": pace, "relative": relative,
            "sound": sound is not None, "text": "\n".join(said)}


def named(out: Path, sources: list[Path]) -> list[Path]:
    """Where each film goes: `out`, or of several sources each with the source's name after it.  InputError for two in one place, or in
    the place of a source."""
    if len(sources) == 1:
        films = [out]
    else:
        films = [out.with_name(f"{out.stem}-{source.stem}{out.suffix}") for source in sources]
    if len(set(films)) < len(films):
        raise InputError("two sources have the same name, so that their films would too. Rename one, or animate them one after the other.")
    if clash := {film.resolve() for film in films} & {source.resolve() for source in sources}:
        raise InputError(f"the film would replace the source {shown(clash.pop())}. Give another --out.")
    return films


def picture(path: Path, frame: Images) -> tuple[Tensor, str]:
    """A picture as float[C, H, W] in [-1, 1] of the size of training, and what was cut off it, in words."""
    path = existing(path, "an image")
    with open_file(path) as stream, quiet():
        data = stream.read(FILE_LIMIT)
        try:
            height, width = header(data).size
            values = decode(data, (frame.height, frame.width), frame.channels, "white").values
        except InputError as error:
            raise InputError(f"{shown(path)} cannot be animated: {error}. Give an image.") from None
    shape = abs(height * frame.width - width * frame.height) > max(height, width)
    note = f"{shown(path.name)} is {height}x{width} (height x width): its middle is used, in the shape of training" if shape else ""
    return frame.encode(torch.from_numpy(values.copy())), note
