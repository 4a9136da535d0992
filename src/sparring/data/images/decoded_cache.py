"""Sets of images that were decoded before: a safetensors file in the user's cache, mapped into memory when the same files come again."""

import json
from typing import IO

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sparring.data.cache import IMAGES, keep, key, place
from sparring.data.source import Finite
from sparring.errors import InputError
from sparring.spaces import from_json, to_json

HEADER = 8                  # bytes that say how long the header is


def remember(of: str, source: Finite) -> str | None:
    """Keep a decoded set under this key; why it could not be kept, in words, when it could not."""
    values, labels = source.values, source.labels
    assert isinstance(values, Tensor)
    parts = [("values", "U8", values)] + ([] if labels is None else [("labels", "I64" if labels.dtype == torch.int64 else "F32", labels)])
    header: dict[str, object] = {"__metadata__": {"space": json.dumps(to_json(source.space)), "notes": json.dumps(source.notes),
                                                  "odd": json.dumps(source.odd),
                                                  "check": check(source)}}
    at = 0
    for name, dtype, tensor in parts:
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [at, at + tensor.nbytes]}
        at += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)

    def write(file: IO[bytes]) -> None:                         # by hand, for the library would first copy everything
        file.write(len(text).to_bytes(HEADER, "little") + text)
        for _, _, tensor in parts:
            file.write(tensor.numpy().data)

    return keep(IMAGES, of, HEADER + len(text) + at, write)


def recall(of: str) -> Finite | None:
    """The set that was kept under this key, if it is there and every value is what it was."""
    path = place(IMAGES, of)
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            about, names = file.metadata(), set(file.keys())
            space = from_json(json.loads(about["space"]))
            notes, odd = (tuple(map(str, json.loads(about[name]))) for name in ("notes", "odd"))
            values, labels = file.get_tensor("values"), file.get_tensor("labels") if "labels" in names else None
        fits = values.dtype == torch.uint8 and tuple(values.shape[1:]) == space.shape and \
            (labels is None or (labels.dtype in (torch.int64, torch.float32) and labels.shape[:1] == values.shape[:1]))
        source = Finite(space, values, labels, notes=notes, odd=odd) if fits else None
        return source if source is not None and check(source) == about["check"] else None
    except (OSError, SafetensorError, InputError, ValueError, KeyError, TypeError, AssertionError):
        return None                                             # damaged: it is made again


def check(source: Finite) -> str:
    return key(source.fingerprint, source.notes)
