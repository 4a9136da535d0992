"""The command `data` for clips: how many, how long, how much moves in them, and what is odd."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sparring.data.images.findings import sentence
from sparring.data.video.check import Look, look_at_clips
from sparring.data.video.frame_pairs import FramePairs
from sparring.errors import listed, shown
from sparring.pictures.grids import image_grid
from sparring.pictures.style import save_image
from sparring.rng import generator

ROWS, FRAMES = 8, 8             # of the picture: clips, and frames of each
NAMED = 3                       # clips that are named of a kind
FEW = 20                        # clips, below which motion is learned by heart


def described_clips(name: str, source: FramePairs, folder: Path, seed: int) -> dict[str, Any]:
    """The table, the findings and a picture; `usable` by the recipe `motion`."""
    look, lengths, frame = look_at_clips(source), source.lengths, source.space.frame
    said = [*map(sentence, source.odd), *findings(source, look)]
    sheet = save_image(image_grid(shots(source, seed), FRAMES), folder / "clips.png")
    rows = [("clips", f"{len(lengths):,}"), ("frames", f"{len(source):,}"),
            ("length", f"{int(lengths.min()):,} to {int(lengths.max()):,} frames, {int(lengths.median()):,} in the middle"),
            ("read as", f"{frame.height}x{frame.width} (height x width) with {frame.channels} channel(s)"),
            ("change", f"{float(look.change.median()):.1f} of 255 from frame to frame, in the middle of clips"),
            ("copies", f"{len(look.copies):,}" if look.copies else "none")]
    notes = [note for note in source.notes if note not in source.odd and "held out" not in note]
    lines = [name, *(f"{what:<17}{value}" for what, value in rows), *notes, "", *([f"- {line}" for line in said] or ["No problems found."]),
             "", f"{sheet} shows some clips, one a row", f"To learn from it: sparring train motion --data {name}"]
    return {"source": name, "kind": "clips", "clips": len(lengths), "frames": len(source), "shortest": int(lengths.min()),
            "longest": int(lengths.max()), "size": [frame.height, frame.width], "change": round(float(look.change.median()), 3),
            "still": len(look.still), "cuts": [[shown(title(source, k)), at] for k, at in look.cuts[:10]],
            "copies": len(look.copies), "findings": said, "notes": notes, "usable": True, "pictures": [str(sheet)],
            "text": "\n".join(lines)}


def findings(source: FramePairs, look: Look) -> list[str]:
    """What a run would suffer from, with what to do."""
    said, count = list[str](), len(source.lengths)
    if look.still:
        said.append(f"In {len(look.still):,} of {count:,} clips nothing moves ({named(source, look.still)}). They teach no motion. Remove "
                    "them.")
    if look.cuts:
        some = listed([f"{shown(title(source, k))} at frame {at + 1}" for k, at in look.cuts[:NAMED]], NAMED)
        many = "A sudden change looks like a cut" if len(look.cuts) == 1 else f"{len(look.cuts):,} sudden changes look like cuts"
        said.append(f"{many} ({some}). Two frames of a clip must show the same scene. Split clips there.")
    if look.copies:
        a, b = look.copies[0]
        many = "A clip is" if len(look.copies) == 1 else f"{len(look.copies):,} clips are"
        said.append(f"{many} the same as another or nearly so: {shown(title(source, a))} and {shown(title(source, b))}. Keep one of each: "
                    "a copy that is held out cannot judge.")
    if (short := [k for k, n in enumerate(source.lengths.tolist()) if n < FRAMES]) and len(short) > count // 2:
        said.append(f"{len(short):,} of {count:,} clips have fewer than {FRAMES} frames, so little of a motion is seen.")
    if count < FEW:
        said.append(f"{count} clip{'s are' if count > 1 else ' is'} few: a model learns so few by heart. Give {FEW} or more, or cut long "
                    "ones into parts.")
    return said


def title(source: FramePairs, k: int) -> str:
    return source.names[k] if source.names else f"clip {k}"


def named(source: FramePairs, clips: list[int]) -> str:
    return listed([shown(title(source, k)) for k in clips[:NAMED]], NAMED)


def shots(source: FramePairs, seed: int) -> Tensor:
    """Frames of some clips, evenly over each: float[clips * FRAMES, C, H, W] in [-1, 1]."""
    some = torch.randperm(len(source.lengths), generator=generator(seed, "contact sheet"))[:ROWS].tolist()
    clips = [source.clip(k) for k in some]
    return torch.cat([clip[torch.linspace(0, len(clip) - 1, FRAMES).round().long()] for clip in clips])
