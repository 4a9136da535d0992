"""Files that no camera or program writes, made to keep a decoder busy for hours; told by counting, before one sees them."""

import re

from sparring.errors import InputError

SCANS, SEGMENTS = 200, 1024     # of a JPEG; real ones have up to some dozens of scans and, with maps of depth, some hundred segments
COMMENTS = 1000                 # of a PPM in plain text
PACKED = 16_000_000             # pixels of a BMP under run lengths, which are unpacked one at a time, in Python
MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)        # neither stuffing, filling nor a restart
END, START_OF_SCAN, ALONE = 0xD9, 0xDA, (0x01, 0xD8)                # ALONE: markers without a length


def screen(data: bytes) -> None:
    """InputError for a JPEG of very many scans or segments, a plain PPM of very many comments, and a very large BMP of run lengths.

    Every scan of a progressive JPEG goes over all its pixels: 30 KB can keep a decoder busy for a minute, and 30 MB for a day.
    Many pieces of metadata, or comments, are put together in a time that grows with the square of their number.
    A kilobyte of run lengths makes a BMP of any size.
    """
    if data.startswith(b"\xff\xd8"):
        _screen_jpeg(data)
    elif data[:2] in (b"P1", b"P2", b"P3") and data.count(b"#") > COMMENTS:
        raise InputError(f"it has more than {COMMENTS:,} comments; no real picture does")
    elif data.startswith(b"BM") and data[30:34] in (b"\1\0\0\0", b"\2\0\0\0"):
        width, height = (int.from_bytes(data[at:at + 4], "little", signed=True) for at in (18, 22))
        if abs(width * height) > PACKED:
            raise InputError(f"it has more than {PACKED // 10**6} million pixels under run lengths; save it as a PNG")


def _screen_jpeg(data: bytes) -> None:
    """Walk from marker to marker as far as the end of the first image (ITU T.81, annex B)."""
    at, segments, scans = 2, 0, 0
    while found := MARKER.search(data, at):
        marker, at = data[found.end() - 1], found.end()
        if marker == END:
            return
        if marker not in ALONE:
            at += max(2, int.from_bytes(data[at:at + 2], "big"))
        segments += 1
        scans += marker == START_OF_SCAN
        if scans > SCANS or segments > SEGMENTS:
            raise InputError(f"it has more than {SCANS} scans or {SEGMENTS:,} segments; no real picture does")
