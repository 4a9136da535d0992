"""A picture of the game as bytes: a few facts as JSON, and arrays of float32 or uint8 beside them.

    4 bytes      length of the facts in bytes, little-endian, a multiple of 4
    facts        JSON in UTF-8, padded with spaces; `arrays` lists [name, "f4" or "u1", shape] in the order of what follows
    arrays       one after the other, little-endian, each padded with zeros to a multiple of 4 bytes
"""

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

KINDS: dict[str, np.dtype[Any]] = {"f4": np.dtype("<f4"), "u1": np.dtype("u1")}


def pack(facts: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> bytes:
    """The bytes of a frame; bytes stay bytes, and all other numbers become float32."""
    listed, parts = [], []
    for name, tensor in arrays.items():
        values: NDArray[Any] = tensor.detach().cpu().numpy()
        kind = "u1" if values.dtype == np.uint8 else "f4"
        data = np.ascontiguousarray(values, KINDS[kind]).tobytes()
        listed.append([name, kind, list(values.shape)])
        parts.append(data + bytes(-len(data) % 4))
    head = json.dumps({**facts, "arrays": listed}).encode()
    head += b" " * (-len(head) % 4)
    return struct.pack("<I", len(head)) + head + b"".join(parts)


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The facts and the arrays of a frame, as the page reads them."""
    length, = struct.unpack_from("<I", data)
    facts, offset, arrays = json.loads(data[4:4 + length]), 4 + length, {}
    for name, kind, shape in facts["arrays"]:
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(data, KINDS[kind], count, offset).reshape(shape)
        size = count * KINDS[kind].itemsize
        offset += size + -size % 4
    return facts, arrays
