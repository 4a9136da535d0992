"""The command `export`: a model in files that other programs run, each with a page about it.  Nothing here imports torch before it is
needed."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sparring.cli.answer import finish, reading
from sparring.cli.options import Json, Own
from sparring.errors import InputError, did_you_mean, shown

FORMATS = ("onnx",)


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a model folder.")],
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="The format: onnx.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to: FILE.onnx; RUN.onnx in the current folder when left "
                                             "out. A page about the model goes beside it, FILE.md.")] = None,
    recipe: Own = None,
    as_json: Json = False,
) -> None:
    """Write a model into a file that runs without torch and sparring."""

    def action() -> dict[str, Any]:
        refuse(to, out)
        reading(run)
        return written(run, out, recipe)

    finish(action, as_json, "export")


def refuse(to: str, out: Path | None) -> None:
    """InputError for a format that there is not, or a file with the name of another one."""
    if to not in FORMATS:
        raise InputError(f"--to {shown(to)}: expected onnx.{did_you_mean(to, FORMATS)}")
    if out is not None and out.suffix != ".onnx":
        raise InputError(f"{shown(out)} is no name for an ONNX file. Give --out FILE.onnx.")
    if out is not None and out.is_dir():
        raise InputError(f"{shown(out)} is a folder. Give --out FILE.onnx.")


def written(run: Path, out: Path | None, recipe: str | None) -> dict[str, Any]:
    """Every file of the model is made and held against torch before the first is written."""
    from sparring import api
    from sparring.export.card import card, metadata
    from sparring.export.convert import onnx_bytes, put, require
    from sparring.export.parts import TRIED, exported

    require()
    model = api.load(run, recipe=recipe)
    whole = out or Path(f"{run.resolve().name}.onnx")
    made = []
    for k, part in enumerate(exported(model)):
        path = whole.with_stem(f"{whole.stem}-to-{plain(part.name, k)}") if part.name else whole
        refuse_cards_of_others(path.with_suffix(".md"))
        made.append((path, part, *onnx_bytes(part, metadata(model, part))))
    files, said = [], []
    for path, part, data, apart in made:
        again = path.exists()
        put(path.with_suffix(".md"), card(model, part, path.name, apart).encode())
        put(path, data)
        files.append({"file": str(path), "card": str(path.with_suffix(".md")), "bytes": len(data), "difference": apart,
                      "inputs": list(part.trial), "output": part.output})
        said.append(f"{path}: {len(data) / 1e6:.3g} MB{', which replaced that file' if again else ''}. Over {TRIED} inputs at most "
                    f"{apart:.1e} away from torch, in float32. About it: {path.with_suffix('.md')}")
    return {"files": files, "precision": "float32", "text": "\n".join(said)}


def plain(name: str, k: int) -> str:
    """A domain as a part of a file's name; one that a file system could misread goes by its number."""
    return name if name and len(name) <= 100 and all(c.isalnum() or c in "_-+" for c in name) else str(k)


def refuse_cards_of_others(page: Path) -> None:
    """InputError where the page would be written over a file that is no card."""
    from sparring.export.card import MARK

    if page.exists():
        with page.open(errors="replace") as file:
            if file.readline(200).strip() != MARK:
                raise InputError(f"{shown(page)} exists and was not written by this command, so it is not replaced. Give another --out.")
