"""Zips of images that are damaged, that lie, or that mean harm."""

import io
import random
import shutil
import struct
import warnings
import zipfile
from collections import Counter
from functools import cache
from pathlib import Path

from benchmarks.chaos.guard import guarded
from benchmarks.chaos.images import EXTREMES, bases, damaged, png, zeros
from benchmarks.chaos.refusal import insane, unhelpful
from benchmarks.chaos.tally import Tally
from sparring.data import open_source
from sparring.errors import InputError

PROMISE = ("Any bytes named .zip are read, or refused by name with a reason and a fix. Nothing is written anywhere, except pixels to the "
           "user's cache.")
SECONDS, MEGABYTES = 60.0, 1800        # as for images: the worst that a zip can hold is the worst image
NAMES = ("../up.png", "a/../../up.png", "/etc/up.png", "C:up.png", "a\\..\\..\\up.png", "//host/up.png", "./a.png", "a//b.png", "a/./b.png",
         ".png", "..png", "...", " .png", "CON.png", "~/a.png", "$HOME/a.png", "a\nb.png", "\x1b[31mred.png", "\u202egnp.exe.png",
         "\ud7ffa.png", "\U0001f600/a.png", "n" * 300 + ".png", "d/" * 200 + "a.png", "a" * 60_000 + ".png", "-rf.png", "%s%n.png",
         "{0}.png", "[/red]a.png", "a.PNG", "cat\x01/a.png", "cat\x02/a.png", "__MACOSX/a.png", "a.png/", "a.png/b.png", "ü/ä.png")


@cache
def bombs() -> dict[str, bytes]:
    """Entries that are more than they seem."""
    inner = packed({"a.png": zeros(1 << 20)})
    for _ in range(5):
        inner = packed({f"{i}.zip": inner for i in range(4)})
    return {"zeros": bytes(20 << 20), "fewer zeros": bytes(15 << 20), "zip": inner, "picture": png(9000, 9000, 8, 0, zeros(9000 * 9001)),
            "claims": png(60_000, 60_000, 8, 2, b"")}


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def entries(rng: random.Random) -> bytes:
    """A zip of a few images, some of its entries odd: in name, kind, content or number."""
    stream, good = io.BytesIO(), bases()["PNG RGB"]
    kinds = rng.choices(("plain", "name", "link", "method", "bomb", "damaged", "double"), (12, 3, 1, 1, 1, 3, 1), k=rng.randint(1, 6))
    if rng.random() < 0.3:
        kinds += ["plain"] * 40                                       # so that one bad entry is skipped
    with zipfile.ZipFile(stream, "w") as archive:
        for i, kind in enumerate(kinds):
            info = zipfile.ZipInfo(f"{rng.choice(('', 'cat/', 'dog/'))}{i}.png")
            info.compress_type, data = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)), good
            if kind == "name":
                info.filename = rng.choice(NAMES)
            elif kind == "link":
                info.external_attr, data = 0o120777 << 16, rng.choice((b"/etc/passwd", b"../../up.png"))
            elif kind == "method":
                info.compress_type = rng.choice((zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
            elif kind == "bomb":
                info.filename, data = rng.choice((info.filename, f"{i}.zip")), bombs()[rng.choice(sorted(bombs()))]
            elif kind == "damaged":
                data = damaged(rng)[1]
            elif kind == "double":
                info.filename = "0.png"
            archive.writestr(info, data)
        if rng.random() < 0.01:
            for i in range(4000):
                archive.writestr(f"many/{i}.png", good if i % 3 else bases()["GIF P"])
    return stream.getvalue()


def lying(data: bytes, rng: random.Random) -> bytes:
    """The zip with up to four fields of its headers, or flags and methods, changed to what they are not."""
    raw = bytearray(data)
    marks = [at for sign in (b"PK\1\2", b"PK\3\4", b"PK\5\6") for at in places(data, sign)]
    for _ in range(rng.randint(1, 4)):
        at, choice = rng.choice(marks), rng.random()
        central = raw[at + 2:at + 3] == b"\1"
        if choice < 0.15:
            raw[at + (8 if central else 6)] ^= rng.choice((1, 1, 8, 0x40))                  # encrypted, sizes follow, strongly encrypted
        elif choice < 0.3:
            struct.pack_into("<H", raw, at + (10 if central else 8), rng.choice((0, 1, 8, 9, 12, 14, 93, 95, 99, 65535)))
        else:
            width = rng.choice((2, 4))
            place = at + rng.randrange(4, 46 if central else 22)
            number = rng.choice(EXTREMES) if rng.random() < 0.6 else rng.randrange(len(raw))
            raw[place:place + width] = (number % (1 << 8 * width)).to_bytes(width, "little")
    return bytes(raw)


def places(data: bytes, sign: bytes) -> list[int]:
    found, at = [], data.find(sign)
    while at >= 0 and len(found) < 200:
        found.append(at)
        at = data.find(sign, at + 1)
    return found


def spoiled(rng: random.Random) -> tuple[str, bytes]:
    """What was done, and the bytes of a zip."""
    data, kind = entries(rng), rng.random()
    if kind < 0.35:
        return "odd entries", data
    if kind < 0.65:
        return "lies", lying(data, rng)
    raw = bytearray(data)
    if kind < 0.8:
        for _ in range(rng.randint(1, 10)):
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        return "bits", bytes(raw)
    if kind < 0.9:
        return "cut", data[:rng.randrange(len(data))]
    other = lying(entries(rng), rng)
    return "splice", data[:rng.randrange(len(data))] + other[rng.randrange(len(other)):]


def trials(n: int, folder: Path, seed: int = 0) -> Tally:
    """n zips; after each, nothing but the zip may lie where it lies, or above."""
    counts: Counter[str] = Counter()
    bombs()

    def trial(k: int) -> str | None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")                           # zipfile dislikes the names that it is given here
            what, data = spoiled(random.Random(f"archives {k}"))
        place = folder / f"archives-{k}" / "below"
        place.mkdir(parents=True)
        try:
            path = place / f"set-{k}.zip"
            path.write_bytes(data)
            wrong = judged(path, counts)
            left = sorted(p.name for p in place.parent.rglob("*"))
            if left != ["below", path.name]:
                wrong = f"{wrong or ''} files were written: {left}"
        finally:
            shutil.rmtree(place.parent)
        return wrong and f"{what}: {wrong}"

    return guarded(trial, range(seed, seed + n), seconds=SECONDS, megabytes=MEGABYTES, counts=counts)


def judged(path: Path, counts: Counter[str]) -> str | None:
    """None if the zip is read, and the data can be used, or refused by its name; else what is wrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            source = open_source(path)
    except InputError as error:
        counts["refused"] += 1
        wrong = unhelpful(str(error), [path.name])
        return wrong and f"the refusal {wrong}"
    counts["skipped" if any(note.startswith("skipped") for note in source.notes) else "accepted"] += 1
    wrong = insane(source)
    return wrong and f"the data {wrong}"
