"""A model's files, each with its page, all or none of them."""

from pathlib import Path
from typing import NamedTuple

from sparring.api import Model
from sparring.errors import InputError, shown
from sparring.export.card import MARK, card, metadata
from sparring.export.convert import onnx_bytes, put, require
from sparring.export.parts import Exported, exported


class Written(NamedTuple):
    """A file, the page beside it, and its largest difference from torch."""

    file: Path
    page: Path
    size: int                   # bytes
    difference: float
    part: Exported


def write(model: Model, out: str | Path) -> list[Written]:
    """Write the model to FILE.onnx and FILE.md, or to FILE-to-DOMAIN.onnx and so on where each domain has a network of its own.

    Every file is made and held against torch before the first is written.  InputError for a model or a name that cannot be; RunFailed
    where a file would compute something else than torch, or cannot be written.
    """
    require()
    whole, made = Path(out), list[tuple[Written, bytes, str]]()
    refuse_name(whole)
    for k, part in enumerate(exported(model)):
        path = whole.with_stem(f"{whole.stem}-to-{plain(part.name, k)}") if part.name else whole
        refuse_page_of_others(path.with_suffix(".md"))
        data, apart = onnx_bytes(part, metadata(model, part))
        made.append((Written(path, path.with_suffix(".md"), len(data), apart, part), data, card(model, part, path.name, apart)))
    for one, data, page in made:
        put(one.page, page.encode())
        put(one.file, data)
    return [one for one, _, _ in made]


def refuse_name(out: Path) -> None:
    """InputError for a file with the name of another kind, or of a folder."""
    if out.suffix != ".onnx" or out.is_dir():
        raise InputError(f"{shown(out)} is {'a folder' if out.is_dir() else 'no name for an ONNX file'}. Give --out FILE.onnx.")


def plain(name: str, k: int) -> str:
    """A domain as a part of a file's name; one that a file system could misread goes by its number."""
    return name if len(name) <= 100 and all(letter.isalnum() or letter in "_-+" for letter in name) else str(k)


def refuse_page_of_others(page: Path) -> None:
    """InputError where the page would be written over a file that is no card."""
    if not page.exists():
        return
    try:
        with page.open(errors="replace") as file:
            ours = file.readline(200).strip() == MARK
    except OSError:
        ours = False
    if not ours:
        raise InputError(f"{shown(page)} exists and was not written by this command, so it is not replaced. Give another --out.")
