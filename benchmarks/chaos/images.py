"""Image files of every format and mode, damaged in every way that a seed can name."""

import io
import random
import shutil
import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.chaos.guard import guarded
from benchmarks.chaos.refusal import insane, unhelpful
from benchmarks.chaos.tally import Tally
from sparring.data import DataSettings, open_source
from sparring.errors import InputError

PROMISE = "Any bytes named as an image are read, or refused by name with a reason and a fix: no traceback, no hang, bounded memory."
SECONDS, MEGABYTES = 60.0, 1800         # a canvas of 100 million pixels, the largest that is read, takes up to 1.5 GB to decode
EXTREMES = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
OPTIONS = [{}] * 4 + [{"size": 8}, {"size": "6x24"}, {"size": 32, "channels": 4}, {"channels": 1, "size": 4}, {"alpha": "black"}]
SUFFIXES = ("png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm")
GOOD = 20                               # good images beside a bad one, which is then skipped rather than refused


def saved(image: Image.Image | np.ndarray, form: str, **options) -> bytes:
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, form, **options)
    return stream.getvalue()


@cache
def bases() -> dict[str, bytes]:
    """A small whole file of every format and mode that is read, and of some that are refused."""
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 256, (14, 11, 3), dtype=np.uint8))
    grey, deep = rgb.convert("L"), rng.integers(0, 65536, (14, 11), dtype=np.uint16)
    clear = rgb.copy()
    clear.putalpha(grey)
    frames = [Image.new("RGB", (12, 12), colour) for colour in ("red", "lime", "blue")]
    turned = Image.Exif()
    turned[0x0112] = 6
    more = {"save_all": True, "append_images": frames[1:]}
    made = {f"{form} {mode}": saved(rgb.convert(mode), form) for form, modes in {
        "PNG": ("1", "L", "LA", "P", "RGB", "RGBA"), "JPEG": ("L", "RGB", "CMYK"), "WEBP": ("RGB", "RGBA"), "BMP": ("1", "L", "P", "RGB"),
        "GIF": ("1", "L", "P"), "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB"), "PPM": ("1", "L", "RGB"),
    }.items() for mode in modes}
    made |= {f"{form} 16": saved(deep, form) for form in ("PNG", "TIFF", "PPM")}
    made |= {f"{form} turned": saved(rgb, form, exif=turned) for form in ("PNG", "JPEG", "WEBP", "TIFF")}
    made |= {f"{form} frames": saved(frames[0], form, **more) for form in ("PNG", "GIF", "WEBP", "TIFF", "MPO")}
    made |= {f"TIFF {packing}": saved(rgb, "TIFF", compression=packing)
             for packing in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")}
    made |= {
        "PNG clear": saved(rgb.quantize(16), "PNG", transparency=1), "PNG text": saved(rgb, "PNG", icc_profile=bytes(400)),
        "PNG interlaced": interlaced(), "JPEG progressive": saved(rgb, "JPEG", progressive=True), "WEBP lossless": saved(clear, "WEBP",
        lossless=True), "TIFF float": saved(np.ones((8, 8), np.float32), "TIFF"), "TIFF 32": saved(np.ones((8, 8), np.int32), "TIFF"),
        "TIFF fax": saved(rgb.convert("1"), "TIFF", compression="group4"), "BMP packed": packed_bmp(11, 4, bytes([11, 7, 0, 0] * 4)),
        "PPM plain": b"P3\n# words\n3 2 255\n" + b"1 2 3 " * 6, "PPM bits": b"P1\n8 2\n" + b"0110" * 4,
        "ICO": saved(rgb, "ICO"), "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "text": b"no picture at all", "empty": b"",
    }
    return made


def png(width: int, height: int, depth: int, colour: int, lines: bytes, *, before: bytes = b"", interlace: int = 0) -> bytes:
    """A PNG of these header fields, whose pixels are `lines`, already packed."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def interlaced() -> bytes:
    """8x8 grey in the seven passes of Adam7."""
    passes = [(1, 1), (1, 1), (1, 2), (2, 2), (2, 4), (4, 4), (4, 8)]
    return png(8, 8, 8, 0, zlib.compress(b"".join((b"\0" + bytes(range(width))) * height for height, width in passes)), interlace=1)


def packed_bmp(width: int, height: int, codes: bytes) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(codes), 1, 1, 256, 0) + bytes(range(256)) * 4
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(codes), 0, 0, 14 + len(head)) + head + codes


@cache
def zeros(n: int) -> bytes:
    """n zeros under deflate, without having n zeros."""
    packer, block = zlib.compressobj(), bytes(1 << 20)
    return b"".join(packer.compress(block[:min(len(block), n - k)]) for k in range(0, n, len(block))) + packer.flush()


def scans(width: int, height: int, times: int) -> bytes:
    """A progressive JPEG of this size whose last scan is repeated: every scan goes over the whole picture."""
    data = bytearray(saved(Image.new("L", (16, 16)), "JPEG", progressive=True))
    at = data.index(b"\xff\xc2") + 5
    data[at:at + 4] = struct.pack(">HH", height, width)
    last = data.rindex(b"\xff\xda")
    return bytes(data[:last]) + bytes(data[last:-2]) * times + b"\xff\xd9"


def bombs() -> dict[str, Callable[[], bytes]]:
    """Small files that ask for much: memory, time, or both.  Each is made when it is first wanted."""
    gif = saved(Image.new("P", (8, 8)), "GIF")
    table = 13 + 3 * (2 << (gif[10] & 7))                    # where the first block begins
    talk = b"!\xfe" + (b"\xff" + b"x" * 255) * 8192 + b"\0"
    small = b"\xff\xe1\0\x0aExif\0\0xx"
    jpeg = saved(Image.new("RGB", (8, 8)), "JPEG")
    return {
        "PNG RGBA 99 million": lambda: png(9950, 9950, 8, 6, zeros(9950 * (4 * 9950 + 1))),
        "PNG deep grey 99 million": lambda: png(9950, 9950, 16, 0, zeros(9950 * (2 * 9950 + 1))),
        "PNG bits 99 million": lambda: png(9950, 9950, 1, 0, zeros(9950 * (9950 // 8 + 2))),
        "PNG one line": lambda: png(49_000_000, 2, 1, 0, zeros(2 * 6_125_001)),
        "PNG 4 billion": lambda: png(1 << 31, 2, 8, 2, zeros(1000)),
        "PNG 400 million": lambda: png(20_000, 20_000, 8, 2, zeros(1000)),
        "PNG nothing": lambda: png(9000, 9000, 8, 2, b""),
        "PNG too much": lambda: png(4, 4, 8, 0, zeros(300 << 20)),
        "PNG text": lambda: png(8, 8, 8, 0, zeros(72), before=chunk(b"zTXt", b"a\0\0" + zeros(300 << 20))),
        "PNG profile": lambda: png(8, 8, 8, 0, zeros(72), before=chunk(b"iCCP", b"a\0\0" + zeros(300 << 20))),
        "PNG many words": lambda: png(8, 8, 8, 0, zeros(72), before=chunk(b"tEXt", b"a\0b") * 100_000),
        "PNG same tags": lambda: png(8, 8, 8, 0, zeros(72), before=chunk(b"eXIf", same_tags(3000, 1 << 20))),
        "JPEG scans": lambda: scans(9000, 9000, 100_000),
        "JPEG fewer scans": lambda: scans(9000, 9000, 190),
        "JPEG claims": lambda: scans(65500, 65500, 1),
        "JPEG wide": lambda: scans(65500, 2, 1000),
        "JPEG many tags": lambda: jpeg[:2] + small * 500_000 + jpeg[2:],
        "GIF screen": lambda: gif[:6] + struct.pack("<HH", 65535, 65535) + gif[10:],
        "GIF talks": lambda: gif[:table] + talk + gif[table:],
        "GIF says much": lambda: gif[:table] + b"!\xfe\x01x\0" * 200_000 + gif[table:],
        "WEBP canvas": wide_canvas,
        "TIFF loop": looping_tiff,
        "TIFF same tags": lambda: same_tags(3000, 1 << 20),
        "BMP claims": lambda: packed_bmp(9950, 9950, bytes([255, 7]) * 100),
        "BMP jumps": lambda: packed_bmp(40_000_000, 2, bytes([0, 2, 255, 255]) * 50),
        "BMP short line": lambda: packed_bmp(5_000_000, 3, bytes([1, 1, 0, 0]) * 3),
        "BMP line": lambda: packed_bmp(20_000_000, 4, bytes([1, 1, 0, 0]) * 4),
        "PPM claims": lambda: b"P6 99999999 1 255\n",
        "PPM long": lambda: b"P6 " + b"9" * 5000,
        "PPM words": lambda: b"P3 # " + b"w" * 100_000 + b"\n3 3 255 1",
        "PPM many words": lambda: b"P3\n3 3 255\n" + b"#a\n" * 2_000_000 + b"1 " * 27,
        "PPM plain": lambda: b"P3 5000 5000 255\n" + b"1 " * 100_000,
    }


@cache
def bomb(name: str) -> bytes:
    return bombs()[name]()


def wide_canvas() -> bytes:
    """An animated WEBP of small frames on a canvas of almost 100 million pixels."""
    webp = saved(Image.new("RGBA", (8, 8), (1, 2, 3, 99)), "WEBP", save_all=True, append_images=[Image.new("RGBA", (8, 8))])
    place = webp.index(b"VP8X") + 12
    return webp[:place] + struct.pack("<I", 9998)[:3] * 2 + webp[place + 6:]


def looping_tiff() -> bytes:
    """A TIFF whose directory is followed by itself."""
    tiff = saved(Image.new("L", (8, 8)), "TIFF")
    start = struct.unpack("<I", tiff[4:8])[0]
    end = start + 2 + 12 * struct.unpack("<H", tiff[start:start + 2])[0]
    return tiff[:end] + struct.pack("<I", start) + tiff[end + 4:]


def same_tags(n: int, size: int) -> bytes:
    """A TIFF of 8x8 pixels with n further tags, all of which hold the same bytes."""
    tags = [(256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 8),
            (279, 4, 1, 64), *((50_000 + i, 1, size, 16) for i in range(n))]
    return b"II*\0" + struct.pack("<I", 16 + size) + bytes(8 + size) + struct.pack("<H", len(tags)) + \
        b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)


def damaged(rng: random.Random) -> tuple[str, bytes]:
    """What was done, and the bytes."""
    name = rng.choice(sorted(bases()))
    data, kind = bytearray(bases()[name]), rng.random()
    if kind < 0.06 or len(data) < 8:
        return f"{name}, whole", bytes(data)
    if kind < 0.085:
        name = rng.choice(sorted(bombs()))
        return name, bomb(name)
    if kind < 0.15:
        data = data[:rng.randrange(len(data))]
    elif kind < 0.3:
        other = bases()[rng.choice(sorted(bases()))]
        data = data[:rng.randrange(1, len(data))] + other[rng.randrange(len(other) + 1):]
    elif kind < 0.6:
        for _ in range(rng.randint(1, 12)):
            place = rng.randrange(len(data))
            data[place] ^= 1 << rng.randrange(8)
    else:
        for _ in range(rng.randint(1, 3)):
            width = rng.choice((1, 2, 4))
            at = rng.randrange(min(len(data), 200) if rng.random() < 0.8 else len(data))
            number = rng.choice(EXTREMES) if rng.random() < 0.8 else rng.getrandbits(32)
            data[at:at + width] = (number % (1 << 8 * width)).to_bytes(width, rng.choice(("big", "little")))
    return f"{name}, damaged", mended(bytes(data)) if rng.random() < 0.7 else bytes(data)


def mended(data: bytes) -> bytes:
    """A PNG with the checksums of its chunks made right, so that what is wrong gets past them; anything else as it is."""
    out, at = bytearray(data[:8]), 8
    if out != b"\x89PNG\r\n\x1a\n":
        return data
    while at + 12 <= len(data) and at + 12 + (size := int.from_bytes(data[at:at + 4], "big")) <= len(data):
        out += chunk(data[at + 4:at + 8], data[at + 8:at + 8 + size])
        at += 12 + size
    return bytes(out) + data[at:]


def trials(n: int, folder: Path, seed: int = 0) -> Tally:
    """n files, each alone in a folder or, one in ten, beside good ones."""
    counts: Counter[str] = Counter()
    good = bases()["PNG RGB"]

    def trial(k: int) -> str | None:
        rng = random.Random(f"images {k}")
        what, data = damaged(rng)
        suffix = rng.choice(SUFFIXES)
        files = {f"photo-{k}.{suffix}": data}
        if rng.random() < 0.1:
            files |= {f"good-{i}.png": good for i in range(GOOD)}
        wrong = opened(folder / f"images-{k}", files, DataSettings(**rng.choice(OPTIONS)), counts)
        return wrong and f"{what}: {wrong}"

    return guarded(trial, range(seed, seed + n), seconds=SECONDS, megabytes=MEGABYTES, counts=counts)


def opened(place: Path, files: dict[str, bytes], settings: DataSettings, counts: Counter[str]) -> str | None:
    """Write the files, the odd one first, read them as data, and say what is wrong with the result."""
    place.mkdir(parents=True)
    try:
        for name, data in files.items():
            (place / name).write_bytes(data)
        return judged(lambda: open_source(place, settings), next(iter(files)), len(files), counts)
    finally:
        shutil.rmtree(place)


def judged(read: Callable[[], object], odd: str, n: int, counts: Counter[str]) -> str | None:
    """Data of n samples, or of one fewer where a note names the odd one, or a refusal that names it; else what is wrong.

    Warnings count as tracebacks: a user would see them as such.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            source = read()
    except InputError as error:
        counts["refused"] += 1
        wrong = unhelpful(str(error), [odd])
        return wrong and f"the refusal {wrong}"
    left_out = any(odd in note for note in source.notes)
    counts["skipped" if left_out else "accepted"] += 1
    if len(source) != n - left_out:
        return f"{len(source)} samples of {n} files; notes {source.notes}"
    wrong = insane(source)
    return wrong and f"the data {wrong}"
