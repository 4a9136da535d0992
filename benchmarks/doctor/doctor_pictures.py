"""The pictures of the doctor's book: what every exhibit of `sparring gallery` drew last, before its cure and after it.

    sparring gallery --out runs/gallery && python -m benchmarks.doctor.doctor_pictures runs/gallery
"""

import sys
from pathlib import Path

from PIL import Image

from benchmarks.record import ROOT
from sparring.doctor.exhibits import EXHIBITS

DOCS = ROOT / "docs" / "pictures"
HEIGHT, GAP = 260, 12


def pair(folder: Path) -> Image.Image:
    """The last samples before and after, side by side."""
    shots = []
    for part in ("before", "after"):
        with Image.open(sorted((folder / part / "samples").glob("*.png"))[-1]) as picture:
            shot = picture.convert("RGB")
        shots.append(shot.resize((round(shot.width * HEIGHT / shot.height), HEIGHT), Image.Resampling.LANCZOS))
    both = Image.new("RGB", (sum(shot.width for shot in shots) + GAP, HEIGHT), "white")
    both.paste(shots[0], (0, 0))
    both.paste(shots[1], (shots[0].width + GAP, 0))
    return both


if __name__ == "__main__":
    for exhibit in EXHIBITS:
        folder = Path(sys.argv[1]) / exhibit.name
        if folder.is_dir():                                     # a gallery of some exhibits gives some pictures
            pair(folder).quantize(64).save(DOCS / f"doctor-{exhibit.name}.png", optimize=True)
