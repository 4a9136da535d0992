"""Files and pictures that the data tests make as they go."""


import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from sparring.data.images.decode import decode, quiet
from sparring.errors import InputError

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data sets are not here")
RAMP = np.arange(65536, dtype=np.uint16).reshape(256, 256)
COLOURS = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
NOISE = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def saved(image, form="PNG", **options):
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, form, **options)
    return stream.getvalue()


GOOD = saved(COLOURS)


def folder(root, files):
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def zipped(path, files, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def idx(array):
    array = np.asarray(array, np.uint8)
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def pixels(data, size=None, channels=3, alpha="white"):
    with quiet():
        return decode(data, size, channels, alpha).values


def refused(match, call, *args, **options):
    with pytest.raises(InputError, match=match) as caught:
        call(*args, **options)
    return str(caught.value)


def png_claiming(width, height):
    """A PNG whose header declares a size and which holds nothing."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) \
        + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")



changes = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6)


def mutated(data, edits, end):
    raw = bytearray(data)
    for place, value in edits:
        raw[int(place * len(raw))] = value
    return bytes(raw[:1 + int(end * len(raw))])
