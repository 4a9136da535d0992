"""Files that anyone may have written: read only when regular and no larger than expected, and checked before memory is taken.

JSON and safetensors are all that is understood, and nothing in them is executed.
"""

import json
import math
import os
import reprlib
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch

JSON_BYTES = 2**24      # no JSON of ours is larger; a stranger's is not read when it is
PARTS = 1_000_000       # values in a JSON file, counted by its commas and brackets: each may take 200 bytes of memory
DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32", "I16": "int16",
          "I8": "int8", "U8": "uint8", "BOOL": "bool"}         # as safetensors and as torch calls them


class Strange(ValueError):
    """What a file holds is not of the form that is written here; the message is the end of a sentence about the file."""


class Form(NamedTuple):
    """What a tensor is, without its numbers."""

    dtype: "torch.dtype"
    shape: tuple[int, ...]


def read_file(path: Path, limit: int) -> bytes:
    """The bytes of a regular file.  Strange when it is no such file or holds more than `limit` bytes, OSError when it cannot be read."""
    about = path.stat()                                         # a pipe or a device is not even opened
    if stat.S_ISREG(about.st_mode):
        with open(path, "rb", opener=_at_once) as file:
            about = os.fstat(file.fileno())
            if stat.S_ISREG(about.st_mode) and about.st_size <= limit:
                data = file.read(about.st_size + 1)
                if len(data) != about.st_size:
                    raise Strange("changed while it was read")
                return data
    if not stat.S_ISREG(about.st_mode):
        raise Strange("is not a regular file")
    raise Strange(f"holds {about.st_size:,} bytes; what it should hold fits into {limit:,}")


def _at_once(path: str, flags: int) -> int:
    """Open without waiting: were the file swapped for a pipe by now, opening it would wait for a writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def parse(data: bytes) -> Any:
    """The value of a JSON text in UTF-8, in which no object names a key twice; Strange for anything else."""
    if len(data) > JSON_BYTES or sum(map(data.count, (b",", b"[", b"{"))) > PARTS:
        raise Strange(f"holds more than {JSON_BYTES:,} bytes or {PARTS:,} values, far more than is ever written there")
    try:
        return json.loads(data.decode(), object_pairs_hook=_once)
    except Strange:
        raise
    except RecursionError:
        raise Strange("cannot be read as JSON: its lists are nested too deep") from None
    except ValueError as error:
        raise Strange(f"cannot be read as JSON: {told(str(error), 200)}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise Strange("names a key twice")
    return values


def layout(data: bytes) -> dict[str, Form]:
    """What each tensor of a safetensors file is, by name, from its header alone.

    Strange unless the header is one that could have been written here and its tensors fill the file, one after the other.
    """
    import torch  # who reads JSON alone, such as the doctor, does without

    length = int.from_bytes(data[:8], "little")
    if not 2 <= length <= len(data) - 8:
        raise Strange("has no header of safetensors")
    header = parse(data[8:8 + length])
    if not isinstance(header, dict):
        raise Strange("has a header that is no JSON object")
    header.pop("__metadata__", None)
    forms: dict[str, Form] = {}
    spans: list[list[int]] = []
    for name, entry in header.items():
        if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
            raise Strange(f"says of {told(name, 100)!r} other things than dtype, shape and offsets")
        dtype, shape, span = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise Strange(f"holds {told(name, 100)!r} of an unknown dtype")
        if not _counts(shape) or len(shape) > 16 or not _counts(span) or len(span) != 2:
            raise Strange(f"gives {told(name, 100)!r} an impossible shape or offset")
        forms[name] = form = Form(getattr(torch, DTYPES[dtype]), tuple(shape))
        if math.prod(shape) * form.dtype.itemsize != span[1] - span[0]:
            raise Strange(f"has offsets for {told(name, 100)!r} that do not fit its shape")
        spans.append(span)
    spans.sort()
    ends = [0, *(end for _, end in spans)]
    if [start for start, _ in spans] != ends[:-1] or ends[-1] != len(data) - 8 - length:
        raise Strange("has tensors that overlap, leave gaps, or end before or after the file")
    return forms


def _counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 1 << 48 for item in value)


def number(value: Any) -> bool:
    """Whether it is a number that a float can hold: NaN and the infinities are."""
    return isinstance(value, float) or (type(value) is int and abs(value) < 1 << 63)


def told(text: str, most: int = 600) -> str:
    """A text from a file, fit for a message: nothing that a terminal would obey, and not too long."""
    short = text if len(text) <= most else f"{text[:most // 2]}...{text[-most // 3:]}"
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in short)


def brief(value: Any) -> str:
    """A value from a file in a few words, however long or deeply nested it is."""
    return told(value if isinstance(value, str) else reprlib.repr(value), 100)
