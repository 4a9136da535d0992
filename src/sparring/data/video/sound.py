"""The sound of a film, so that one that is made from it can have it too."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sparring.data.video.frames import FILMS, opened
from sparring.errors import InputError

RATE = 48_000                   # numbers a second and channel: what every codec of the films that are written takes


Sound = NDArray[np.float32]     # [2, N] in [-1, 1]: two channels, RATE numbers a second each


def sound_of(path: Path, seconds: float) -> Sound | None:
    """The first so many seconds of the sound of a film; None of a film without any, and of what is no film.  Sound that breaks off is
    given as far as it goes."""
    suffix = path.suffix.lower()
    if suffix not in FILMS or not path.is_file():
        return None
    parts, wanted = list[NDArray[np.float32]](), round(seconds * RATE)
    try:
        with opened(path, suffix) as (container, _):
            if not container.streams.audio:
                return None
            import av

            resampler, count = av.AudioResampler(format="fltp", layout="stereo", rate=RATE), 0
            for frame in container.decode(container.streams.audio[0]):
                for part in resampler.resample(frame):
                    parts.append(part.to_ndarray().astype(np.float32))
                    count += parts[-1].shape[1]
                if count >= wanted:
                    break
    except InputError:
        pass
    return np.concatenate(parts, 1)[:, :wanted] if parts else None
