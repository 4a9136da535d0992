"""Films from frames: GIF, animated WebP and PNG, MP4, MOV and WebM, or a folder of pictures."""

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sparring.data.video.sound import RATE, Sound
from sparring.errors import InputError, did_you_mean, needs, shown

PICTURES = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG"}
CODECS = {".mp4": ("libx264", "libopenh264", "mpeg4"), ".mov": ("libx264", "libopenh264", "mpeg4"), ".webm": ("libvpx-vp9", "libvpx")}
SPOKEN = {".mp4": ("aac",), ".mov": ("aac",), ".webm": ("libopus", "libvorbis")}
FORMS = "FILM.gif, FILM.webp, FILM.png, FILM.mp4, FILM.mov, FILM.webm or a new folder"


def refuse_form(path: Path) -> None:
    """InputError, before anything is made, for a film that could not be written."""
    suffix = path.suffix.lower()
    if suffix in CODECS:
        with needs("av", "video", f"writing {suffix} films"):
            import av  # noqa: F401
    elif suffix and suffix not in PICTURES and not path.is_dir():
        raise InputError(f"'{suffix}' is not a format for films.{did_you_mean(suffix, [*PICTURES, *CODECS])} Give --out {FORMS}.")
    if (not suffix or path.is_dir()) and path.exists() and (not path.is_dir() or next(path.iterdir(), None) is not None):
        raise InputError(f"{shown(path)} exists and is no empty folder. Give --out {FORMS}.")


def holds_sound(path: Path) -> bool:
    """Whether a film of this form can have sound."""
    return path.suffix.lower() in SPOKEN and not path.is_dir()


def write_film(frames: NDArray[np.uint8], path: Path, pace: float, sound: Sound | None = None) -> Path:
    """Write frames uint8[T, H, W, 3], so many a second, with sound where the form can have it; of a single file, in one step."""
    suffix = "" if path.is_dir() else path.suffix.lower()
    path.parent.mkdir(parents=True, exist_ok=True)
    if not suffix:
        path.mkdir(exist_ok=True)
        for number, frame in enumerate(frames):
            Image.fromarray(frame).save(path / f"{number:06d}.png")
        return path
    temporary = path.with_name(f".writing-{path.name}")
    try:
        if suffix in PICTURES:
            first, *rest = map(Image.fromarray, frames)
            more = {"quality": 90} if suffix == ".webp" else {}
            first.save(temporary, PICTURES[suffix], save_all=True, append_images=rest, duration=round(1000 / pace), loop=0, **more)
        else:
            encoded(frames, temporary, suffix, pace, sound)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def encoded(frames: NDArray[np.uint8], path: Path, suffix: str, pace: float, sound: Sound | None) -> None:
    """Write a film through PyAV; a row or column is doubled where a side is odd, which such films cannot have."""
    with needs("av", "video", f"writing {suffix} films"):
        import av
    there = next(name for name in CODECS[suffix] if name in av.codecs_available)
    even = np.pad(frames, ((0, 0), (0, frames.shape[1] % 2), (0, frames.shape[2] % 2), (0, 0)), mode="edge")
    with av.open(str(path), "w", format={".mp4": "mp4", ".mov": "mov", ".webm": "webm"}[suffix]) as container:
        stream: Any = container.add_stream(there, rate=Fraction(pace).limit_denominator(1001))
        stream.height, stream.width, stream.pix_fmt = even.shape[1], even.shape[2], "yuv420p"
        spoken: Any = None
        if sound is not None and (codec := next((name for name in SPOKEN[suffix] if name in av.codecs_available), None)):
            spoken = container.add_stream(codec, rate=RATE)
            spoken.layout = "stereo"
        for frame in even:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
        if sound is not None and spoken is not None:
            heard: Any = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound), format="fltp", layout="stereo")
            heard.sample_rate, heard.pts = RATE, 0
            container.mux(spoken.encode(heard))
            container.mux(spoken.encode(None))
